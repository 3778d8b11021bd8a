"""Densities: all pairs equal one at a time, samples follow the density, nothing explodes."""

import math

import numpy as np
import pytest
import torch
from scipy.stats import multivariate_normal
from torch import nn

from infomax import bounds, truth
from infomax._errors import InfomaxError
from infomax.posteriors import (
    Classes,
    ClassHead,
    FlowHead,
    FlowMarginal,
    GaussianHead,
    GaussianMarginal,
    MixtureHead,
    MixtureMarginal,
    Posterior,
    fit,
    soft_clamp,
)
from infomax.posteriors.fitting import ascend

HEADS = {
    "gaussian": lambda: GaussianHead(3, hidden=(16,)),
    "mixture": lambda: MixtureHead(3, components=4, hidden=(16,)),
    "flow": lambda: FlowHead(3, context=8, transforms=2, hidden=(16,)),
    "classes": lambda: ClassHead(3, hidden=(16,)),
}
MARGINALS = {
    "gaussian": GaussianMarginal,
    "mixture": lambda dim: MixtureMarginal(dim, components=3),
    "flow": lambda dim: FlowMarginal(dim, transforms=2, width=32),
}


def shaken(module):
    """The module with its zero-started layers moved, so that every part takes part."""
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(0.2 * torch.randn_like(parameter))
    return module


@pytest.fixture(params=HEADS)
def head(request):
    torch.manual_seed(0)
    made = HEADS[request.param]()
    made(torch.randn(2, 5))
    return shaken(made)


@pytest.fixture
def density(head):
    return head(torch.randn(6, 5))


def answers(density, n):
    return torch.randint(3, (n,)) if isinstance(density, Classes) else torch.randn(n, 3)


def test_all_pairs_equal_one_pair_at_a_time(density):
    y = answers(density, 7)
    pairs = density.log_prob_pairs(y)
    assert pairs.shape == (7, 6)
    for i in range(7):
        alone = density.log_prob(y[i].expand(6, *y.shape[1:]))
        torch.testing.assert_close(pairs[i], alone, rtol=1e-4, atol=1e-5)


def test_samples_follow_the_density(head):
    """Classes: by count. Else Stein: E_q[∇ log q(y)] = 0 and E_q[y · ∇ log q(y)] = −d."""
    x = torch.randn(1, 5).expand(5000, 5)
    density = head(x)
    y = density.sample(torch.Generator().manual_seed(0)).detach()
    if isinstance(density, Classes):
        shares = torch.bincount(y, minlength=3) / 5000
        assert (shares - density.logits[0].softmax(-1)).abs().max() < 4 * 0.5 / math.sqrt(5000)
        return
    y.requires_grad_()
    (slope,) = torch.autograd.grad(density.log_prob(y).sum(), y)
    identities = torch.cat([slope, (slope * y).detach() + 1], 1)
    error = identities.std(0) / math.sqrt(5000)
    assert (identities.mean(0).abs() < 4.5 * error).all()
    assert (error < 0.2).all()


def test_rows_of_samples_belong_to_their_x(density):
    """Own density beats the next row's, on average over draws."""
    drawn = [density.sample(torch.Generator().manual_seed(i)).detach() for i in range(100)]
    own = torch.stack([density.log_prob(y) for y in drawn]).mean(0)
    other = torch.stack([density.log_prob(y.roll(1, 0)) for y in drawn]).mean(0)
    assert own.mean() > other.mean()


def test_seeded_samples_repeat(density):
    one, two = (density.sample(torch.Generator().manual_seed(3)) for _ in range(2))
    assert torch.equal(one, two)


def test_posterior_equals_scipy_and_entropy_is_its_mean():
    torch.manual_seed(0)
    p = Posterior(torch.randn(4, 3), torch.randn(4, 3))
    y = torch.randn(4, 3)
    for i in range(4):
        slow = multivariate_normal(p.mean[i].numpy(), np.diag(p.log_var[i].exp().numpy()))
        assert p.log_prob(y)[i].item() == pytest.approx(slow.logpdf(y[i].numpy()), abs=1e-4)
        assert p.entropy()[i].item() == pytest.approx(slow.entropy(), abs=1e-4)


@pytest.mark.parametrize("lead", [(), (2,), (2, 3)])
def test_posteriors_have_positions(lead):
    p = Posterior(torch.randn(*lead, 6, 3), torch.randn(*lead, 6, 3))
    y = torch.randn(*lead, 7, 3)
    slow = Posterior(p.mean.unsqueeze(-3), p.log_var.unsqueeze(-3)).log_prob(
        y.unsqueeze(-2).expand(*lead, 7, 6, 3)
    )
    torch.testing.assert_close(p.log_prob_pairs(y), slow, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("offset", [0.0, 1000.0])
def test_narrow_posteriors_far_away_keep_their_digits(offset):
    """σ = 0.0067 at a mean of 1000: float32 expansion of the square would be off by thousands."""
    torch.manual_seed(0)
    p = Posterior(torch.randn(50, 20).double() + offset, torch.full((50, 20), -10.0).double())
    z = p.sample()
    diagonal = p.log_prob_pairs(z).diagonal()
    torch.testing.assert_close(diagonal, p.log_prob(z), rtol=1e-6, atol=1e-5)
    narrow = Posterior(p.mean.float(), p.log_var.float()).log_prob_pairs(p.mean.float())
    assert narrow.dtype == torch.float32
    expected = -0.5 * 20 * (math.log(2 * math.pi) - 10)
    torch.testing.assert_close(narrow.diagonal(), torch.full((50,), expected), atol=0.1, rtol=0)


def test_separated_feeds_the_tiled_bound():
    torch.manual_seed(0)
    p = Posterior(torch.randn(40, 5), torch.randn(40, 5))
    z = p.sample()
    tiled = bounds.tiled.leave_one_out(*p.separated(z))
    dense = bounds.leave_one_out(p.log_prob_pairs(z))
    assert tiled.item() == pytest.approx(dense.item(), abs=1e-4)


def test_bfloat16_posteriors_answer_in_float32():
    p = Posterior(torch.randn(4, 3).bfloat16(), torch.zeros(4, 3).bfloat16())
    assert p.log_prob_pairs(p.sample()).dtype == torch.float32


@pytest.mark.parametrize("raw", [-1e6, -1e3, 0.0, 1e3, 1e6])
def test_heads_keep_variances_off_zero_and_gradients_alive(raw):
    value = torch.tensor([raw], requires_grad=True)
    bounded = soft_clamp(value)
    bounded.backward()
    assert -10 <= bounded.item() <= 10
    assert value.grad.item() > 0
    head = GaussianHead(2)
    p = head(1e4 * torch.randn(50, 3))
    assert p.log_var.abs().max() <= 10
    p.log_prob(p.sample()).mean().backward()
    assert all(parameter.grad.isfinite().all() for parameter in head.parameters())


@pytest.mark.parametrize("name", MARGINALS)
def test_marginals_are_densities_and_sample_themselves(name):
    torch.manual_seed(0)
    y = torch.randn(3000, 2) @ torch.tensor([[1.0, 0.8], [0.0, 0.5]]) + torch.tensor([3.0, -1.0])
    marginal = MARGINALS[name](2)
    marginal.start(y)
    shaken(marginal)
    side = torch.linspace(-12, 18, 601)
    grid = torch.cartesian_prod(side, side - 4)
    with torch.no_grad():
        cells = marginal.log_prob(grid).exp() * (30 / 600) ** 2
        assert cells.sum().item() == pytest.approx(1.0, abs=0.01)
        drawn = marginal.sample(20_000, torch.Generator().manual_seed(1))
    mean = (cells[:, None] * grid).sum(0)
    spread = (cells[:, None] * (grid - mean) ** 2).sum(0)
    assert (drawn.mean(0) - mean).abs().max() < 4.5 * spread.sqrt().max() / math.sqrt(20_000) + 0.01
    torch.testing.assert_close(drawn.var(0), spread, rtol=0.1, atol=0.01)


@pytest.mark.parametrize("name", MARGINALS)
def test_marginals_start_no_worse_than_the_best_gaussian(name):
    torch.manual_seed(0)
    y = torch.randn(4000, 3) @ torch.randn(3, 3) + 5 * torch.randn(3)
    exact = -np.mean(multivariate_normal(y.mean(0).numpy(), np.cov(y.numpy().T)).logpdf(y.numpy()))
    marginal = MARGINALS[name](3)
    marginal.start(y)
    with torch.no_grad():
        assert -marginal.log_prob(y).mean().item() < exact + 0.02


def test_a_gaussian_marginal_survives_fewer_samples_than_dimensions():
    torch.manual_seed(0)
    marginal = GaussianMarginal(50)
    marginal.start(torch.randn(30, 50))
    with torch.no_grad():
        slack = -marginal.log_prob(torch.randn(2000, 50)).mean() - 25 * math.log(
            2 * math.pi * math.e
        )
    assert slack < 5  # the sample covariance itself: infinite


@pytest.mark.parametrize("name", ["mixture", "flow"])
def test_fit_finds_two_humps_that_a_gaussian_misses(name):
    generator = torch.Generator().manual_seed(0)
    y = 0.3 * torch.randn(3000, 2, generator=generator)
    y[:, 0] += torch.where(torch.rand(3000, generator=generator) < 0.5, -2.0, 2.0)
    torch.manual_seed(0)
    gaussian = fit(GaussianMarginal(2), y, steps=20)
    better = fit(MARGINALS[name](2), y, steps=150, lr=1e-2)
    exact = -math.log(2) - math.log(0.09 * 2 * math.pi * math.e)
    assert gaussian < exact - 0.8
    assert better > exact - 0.15


def test_a_flow_of_one_variable_finds_its_density_and_draws_from_it():
    generator = torch.Generator().manual_seed(0)
    y = torch.randn(4000, 1, generator=generator).mul(0.5).exp()  # log-normal, sigma 1/2
    torch.manual_seed(0)
    marginal = FlowMarginal(1)
    fitted = fit(marginal, y, steps=150)
    exact = -0.5 * math.log(2 * math.pi * math.e * 0.25)  # and mean log y is 0
    assert fitted == pytest.approx(exact, abs=0.1)
    drawn = marginal.sample(4000, generator).detach()
    assert float(drawn.median()) == pytest.approx(1.0, abs=0.1)


def test_fit_never_ends_worse_than_it_started():
    torch.manual_seed(0)
    y = torch.randn(500, 3)
    marginal = FlowMarginal(3)
    reference = fit(FlowMarginal(3), y, steps=1, lr=0.0)
    assert fit(marginal, y, steps=40, lr=3.0) >= reference


@pytest.mark.parametrize("name", ["gaussian", "mixture", "flow"])
def test_learned_conditionals_reach_the_known_posterior(name):
    problem = truth.gaussian_channel(3, nats=2.0)
    x, y = (torch.from_numpy(v) for v in problem.sample(4000, seed=0))
    torch.manual_seed(0)
    head = HEADS[name]()
    head(x)
    fit(head, y, x, steps=250, lr=1e-2, batch=128)
    held = problem.sample(2000, seed=1)
    mean, log_var = (torch.from_numpy(v).float() for v in problem.posterior(held[0]))
    y_held = torch.from_numpy(held[1])
    with torch.no_grad():
        learned = head(torch.from_numpy(held[0])).log_prob(y_held)
    exact = Posterior(mean, log_var).log_prob(y_held)
    gap = exact - learned
    assert gap.mean() > -4 * gap.std() / math.sqrt(2000)  # KL is not negative
    assert gap.mean() < 0.25


def test_a_classifier_learns_a_table():
    joint = np.array([[0.4, 0.1, 0.0], [0.0, 0.1, 0.4]])
    x, y = (torch.from_numpy(v) for v in truth.table(joint).sample(4000, seed=0))
    head = ClassHead(3, hidden=())
    head(x.float())
    fit(head, y[:, 0], x.float(), steps=400, lr=0.1)
    learned = head(torch.tensor([[0.0], [1.0]])).logits.softmax(-1)
    expected = torch.tensor(joint / joint.sum(1, keepdims=True)).float()
    assert (learned - expected).abs().max() < 0.05


@pytest.mark.parametrize("name", MARGINALS)
def test_marginals_survive_bad_learning_rates(name):
    torch.manual_seed(0)
    y = torch.randn(256, 5)
    marginal = MARGINALS[name](5)
    marginal.start(y)
    optimizer = torch.optim.Adam(marginal.parameters(), lr=0.3)
    for _ in range(60):
        loss = -marginal(y).mean()
        assert loss.isfinite()
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(marginal.parameters(), 5.0)
        optimizer.step()


def test_bad_requests_say_what_to_do():
    with pytest.raises(InfomaxError, match="6 samples or more for 3"):
        MixtureMarginal(2, components=3).start(torch.randn(5, 2))
    with pytest.raises(InfomaxError, match="twenty samples"):
        fit(GaussianMarginal(2), torch.randn(5, 2))


@pytest.mark.parametrize("rate", [0.1, 1.5])
def test_climbing_ends_in_the_best_state_it_saw_even_if_it_runs_away(rate):
    at = torch.nn.Linear(1, 1, bias=False)
    with torch.no_grad():
        at.weight.fill_(2.0)

    def height():
        return -(at.weight - 3).square().mean()

    optimizer = torch.optim.SGD(at.parameters(), lr=rate)
    steady = torch.optim.lr_scheduler.ConstantLR(optimizer, factor=1.0)
    best = ascend(at, height, height, optimizer, steady, steps=40, every=1)
    assert height().item() == pytest.approx(best) and best >= -1.0
    assert (best > -1e-3) == (rate < 1)
