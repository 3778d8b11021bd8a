import math

import pytest
import torch
from torch import nn

from infomax import Context, I, Model, bounds, encoders
from infomax._errors import InfomaxError
from infomax.critics import Bilinear, Separable
from infomax.objective import Objective
from infomax.posteriors import GaussianHead, GaussianMarginal, Posterior


def views():
    context = Context()
    return context.signal("x"), context.signal("y")


def test_sums_scale_and_subtract_like_the_formula():
    x, y = views()
    rate = I(y, x, bound=bounds.SMILE)
    objective = 2 * (I(x, y) + 0.5 * I(x, y, bound=bounds.JS)) - 0.1 * rate
    assert [term.weight for term in objective.terms] == [2.0, 1.0, -0.1]
    assert [term.weight for term in (-objective).terms] == [-2.0, -1.0, 0.1]
    objective.check()


def test_minimizing_a_lower_bound_is_refused():
    with pytest.raises(InfomaxError, match="lower side"):
        (-1 * I(*views())).check()
    with pytest.raises(InfomaxError, match="empty"):
        Objective().check()


def test_the_loss_is_the_weighted_sum_of_the_bounds():
    x, y = views()
    critic = Bilinear()
    model = Model(I(x, y, critic=critic) + 0.5 * I(x, y, bound=bounds.NWJ, critic=critic))
    signals = {"x": torch.randn(6, 3), "y": torch.randn(6, 4)}
    measured = model(signals)
    scores = critic(signals["x"], signals["y"])
    expected = -bounds.infonce(scores) - 0.5 * bounds.nwj(scores)
    torch.testing.assert_close(model.loss(measured), expected)


def test_only_contexts_with_both_ends_take_part():
    x, y = views()
    critic = Bilinear()
    model = Model(I(x, y, critic=critic))
    signals = {"x": torch.randn(6, 3), "y": torch.randn(6, 4)}
    present = {"y": torch.tensor([True, False, True, True, False, True])}
    there = present["y"]
    (measured,) = model(signals, present)
    assert measured.candidates == 4
    torch.testing.assert_close(measured.terms[0], critic(signals["x"][there], signals["y"][there]))


def test_restricting_is_the_bound_of_fewer_contexts():
    x, y = views()
    net = encoders.ConvNet(channels=1, width=16)
    objective = I(x.encode(net, at="stage3"), y, critic=Separable(dim=4))
    model = Model(objective)
    signals = {"x": torch.rand(6, 1, 28, 28), "y": torch.randn(6, 4)}
    (measured,) = model(signals)
    keep = torch.tensor([True, True, False, True, False, True])
    (fewer,) = model({name: value[keep] for name, value in signals.items()})
    torch.testing.assert_close(measured.restricted(keep).terms[0], fewer.terms[0])


def test_an_encoder_of_the_recipe_keeps_its_name_and_others_get_one():
    x, y = views()
    named, other = nn.Linear(2, 2), nn.Linear(2, 2)
    model = Model(I(x.encode(named), y.encode(other)), {"eye": named})
    assert list(model.encoders) == ["eye", "encoder1"]


def test_a_stochastic_encoder_gives_both_sides_around_the_truth():
    """z = mean(x) + noise with a known posterior: I(x; z) lies between its bounds."""
    context = Context()
    x = context.signal("x")

    class Channel(nn.Module):
        def forward(self, value):
            return Posterior(value, torch.full_like(value, 2 * math.log(0.5)))

    z = x.encode(Channel())
    truth = 0.5 * math.log(1 + 1 / 0.25)
    marginal = GaussianMarginal(1)
    torch.manual_seed(0)
    samples = torch.randn(4000, 1)
    marginal.start(samples + 0.5 * torch.randn(4000, 1))
    model = Model(
        I(x, z, bound=bounds.TractableNWJ, critic=marginal)
        - I(x, z, bound=bounds.Rate, critic=marginal)
    )
    lower, upper = (
        term.edge.bound.value(*m.terms).item()
        for term, m in zip(model.objective.terms, model({"x": torch.randn(4000, 1)}), strict=True)
    )
    assert truth - 0.06 < lower < truth + 0.03
    assert truth - 0.03 < upper < truth + 0.06


def test_the_marginal_of_a_rate_is_the_standard_normal_unless_said():
    """Its rate is then the Kullback-Leibler divergence of the variational autoencoder."""
    x = Context().signal("x")
    head = GaussianHead(3)
    model = Model(-1e-3 * I(x, x.encode(head), bound=bounds.Rate))
    signals = {"x": torch.randn(20_000, 2, generator=torch.Generator().manual_seed(0))}
    torch.manual_seed(0)
    with torch.no_grad():
        (measured,) = model({"x": signals["x"][:2000]})
        posterior = head(signals["x"][:2000])
    kl = 0.5 * (posterior.mean**2 + posterior.log_var.exp() - posterior.log_var - 1).sum(-1)
    assert bounds.Rate.value(*measured.terms).item() == pytest.approx(kl.mean().item(), abs=0.1)


def test_densities_need_a_stochastic_encoder():
    x, _ = views()
    edge = I(x, x.encode(nn.Linear(3, 3)), bound=bounds.Rate, critic=nn.Identity())
    with pytest.raises(InfomaxError, match="not stochastic"):
        Model(edge)({"x": torch.zeros(4, 3)})


def test_a_posterior_is_of_what_its_encoder_was_given_and_of_nothing_else():
    context = Context()
    x, y = context.signal("x"), context.signal("y")
    z, inner = x.encode(GaussianHead(3)), x.encode(nn.Linear(3, 3))
    noisy = x.augment(lambda value: value + 1).encode(GaussianHead(3))
    (I(x, z, bound=bounds.TractableNCE) - I(x, z, bound=bounds.Rate)).check()
    (-I(x, inner.encode(GaussianHead(2)), bound=bounds.Rate)).check()
    for wrong in (
        I(y, z, bound=bounds.TractableNCE),
        I(inner, z, bound=bounds.TractableNCE),
        -I(x, noisy, bound=bounds.Rate),
        I(x, z, bound=bounds.TractableNCE, negatives="both"),
        I(z, z),
    ):
        with pytest.raises(InfomaxError):
            wrong.check()


class Peeking(nn.Module):
    """A dishonest critic: it knows the positives by their place in the batch."""

    def forward(self, a, b):
        return 9 * torch.eye(len(a)) + 0 * (a @ b.T)


def test_torn_pairs_share_nothing_and_a_critic_of_the_order_is_caught():
    x, y = views()
    value = nn.functional.normalize(torch.randn(50, 3))
    signals = {"x": value, "y": value}
    honest = Bilinear()
    honest(value, value)
    with torch.no_grad():
        honest.weight.copy_(30 * torch.eye(3))
    for critic, caught in ((honest, False), (Peeking(), True)):
        model = Model(I(x, y, critic=critic))
        (paired,), (torn,) = model(signals), model(signals, torn=True)
        assert bounds.infonce(*paired.terms).item() > 1
        assert (bounds.infonce(*torn.terms).item() > 1) == caught


def test_an_edge_of_fewer_than_two_contexts_is_left_out_of_a_batch():
    x, y = views()
    model = Model(I(x, y, critic=Bilinear()))
    signals = {"x": torch.randn(5, 3), "y": torch.randn(5, 3)}
    model(signals)
    for there in ([0, 0, 0, 0, 0], [0, 1, 0, 0, 0]):
        measured = model(signals, {"y": torch.tensor(there, dtype=torch.bool)})
        loss = model.loss(measured)
        loss.backward()
        assert loss.item() == 0
