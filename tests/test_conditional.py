"""Edges that are `given` another view: the information beyond it, I(a; z | given)."""

import math

import pytest
import torch
from torch import nn

from infomax import Context, I, Model, bounds, building, recipe
from infomax._errors import InfomaxError
from infomax.evaluation.nats import value_terms
from infomax.posteriors import GaussianHead, Posterior, StandardNormal

NOISE = 0.5  # deviations: of the code, of the first view, of the second
FIRST, SECOND = 0.6, 0.8
GIVEN = 1 + FIRST**2 - 1 / (1 + SECOND**2)  # Var(v1 | v2), where both are x plus noise
TRUTH = 0.5 * math.log(1 + GIVEN / NOISE**2)  # I(v1; z | v2) for z = v1 + noise


class Channel(nn.Module):
    """p(z | v) = N(slope v, std^2), both of which may be learned."""

    def __init__(self, slope, std):
        super().__init__()
        self.slope = nn.Parameter(torch.tensor(slope))
        self.log_var = nn.Parameter(torch.tensor(2 * math.log(std)))

    def forward(self, value):
        return Posterior(self.slope * value, self.log_var.expand_as(value))


def signals(n, seed=0):
    draw = torch.randn(3, n, 1, generator=torch.Generator().manual_seed(seed))
    return {"v1": draw[0] + FIRST * draw[1], "v2": draw[0] + SECOND * draw[2]}


def beyond(second):
    context = Context()
    v1, v2 = context.signal("v1"), context.signal("v2")
    z1, z2 = v1.encode(Channel(1.0, NOISE)), v2.encode(second)
    return -I(v1, z1, bound=bounds.Rate, given=z2)


def value(objective, data):
    model = Model(objective)
    torch.manual_seed(1)
    with torch.no_grad():
        (measured,) = model(data)
        log_p, log_r = measured.terms
        error = (log_p.diagonal() - log_r).std() / len(log_r) ** 0.5
        return objective.terms[0].edge.bound.value(*measured.terms).item(), error.item()


def test_the_true_posterior_of_the_other_view_gives_the_conditional_information():
    true = Channel(1 / (1 + SECOND**2), math.sqrt(GIVEN + NOISE**2))
    found, error = value(beyond(true), signals(4000))
    assert found == pytest.approx(TRUTH, abs=4 * error) and error < 0.03


@pytest.mark.parametrize(("slope", "std"), [(1.0, 0.9), (0.2, 1.0), (0.6, 0.6), (0.6, 3.0)])
def test_any_other_posterior_gives_an_upper_bound(slope, std):
    found, error = value(beyond(Channel(slope, std)), signals(4000))
    assert found > TRUTH + 2 * error


def test_minimizing_over_the_other_posterior_comes_down_to_the_truth():
    objective = beyond(Channel(0.0, 2.0))
    edge, data = objective.terms[0].edge, signals(4000)
    model = Model(objective)
    optimizer = torch.optim.Adam(edge.given.step.module.parameters(), lr=0.05)
    for step in range(150):
        torch.manual_seed(step)
        loss = model.loss(model(data))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    found, error = value(objective, signals(4000, seed=5))
    assert found == pytest.approx(TRUTH, abs=4 * error)


def test_it_is_less_than_the_whole_information_and_named_apart_from_it():
    context = Context()
    v1, v2 = context.signal("v1"), context.signal("v2")
    z1, z2 = v1.encode(Channel(1.0, NOISE)), v2.encode(Channel(0.6, 1.0))
    given, whole = -I(v1, z1, bound=bounds.Rate, given=z2), -I(v1, z1, bound=bounds.Rate)
    data = signals(4000)
    assert value(given, data)[0] < value(whole, data)[0] - 0.1
    assert (given + whole).views == (v1, z1, z2)


def test_contexts_without_the_given_view_take_no_part():
    objective, data = beyond(Channel(0.5, 1.0)), signals(6)
    there = torch.tensor([True, True, False, True, True, False])
    torch.manual_seed(0)
    (measured,) = Model(objective)(data, {"v2": there})
    assert measured.contexts == 4 and measured.terms[1].shape == (4,)


def test_what_may_not_be_given_is_refused():
    context = Context()
    x, y = context.signal("x"), context.signal("y")
    z, w = x.encode(GaussianHead(3)), y.encode(GaussianHead(3))
    (-I(x, z, bound=bounds.Rate, given=w)).check()
    for wrong, said in (
        (I(x, z, bound=bounds.TractableNWJ, given=w), "may be `given`"),
        (I(x, y, given=w), "may be `given`"),
        (-I(x, z, bound=bounds.Rate, given=z), "another view than"),
        (-I(x, z, bound=bounds.Rate, given=z.encode(GaussianHead(3))), "another view than"),
        (-I(x, z, bound=bounds.Rate, given=y), "another view than"),
    ):
        with pytest.raises(InfomaxError, match=said):
            wrong.check()
    with pytest.raises(InfomaxError, match="both"):
        I(x, z, bound=bounds.Rate, critic=StandardNormal(), given=w)
    data = {"x": torch.zeros(4, 2), "y": torch.zeros(4, 2)}
    for module, said in ((nn.Linear(2, 3), "not stochastic"), (GaussianHead(2), "one dimension")):
        with pytest.raises(InfomaxError, match=said):
            Model(-I(x, z, bound=bounds.Rate, given=y.encode(module)))(data)


TREE = {
    "data": {"source": "digits"},
    "encoders": {"net": {"kind": "mlp", "dim": 8}, "code": {"kind": "gaussian", "dim": 4}},
    "views": {
        "picture": {"signal": "picture"},
        "top": {"of": "picture", "half": "top"},
        "bottom": {"of": "picture", "half": "bottom"},
        "h_top": {"of": "top", "encode": "net"},
        "h_bottom": {"of": "bottom", "encode": "net"},
        "z_top": {"of": "h_top", "encode": "code"},
        "z_bottom": {"of": "h_bottom", "encode": "code"},
    },
    "maximize": [{"between": ["z_top", "z_bottom"]}],
    "minimize": [{"between": ["top", "z_top"], "bound": "rate", "given": "z_bottom"}],
    "evaluate": {"view": "z_top"},
}


def test_a_recipe_says_what_is_given_and_so_do_its_results():
    from infomax import data, engine

    chosen = recipe.check(TREE, "here")
    study = building.build(chosen)
    edge = study.objective.terms[1].edge
    assert edge.given is study.views["z_bottom"]
    contexts = data.load(chosen.data)
    model = Model(study.objective, dict(study.encoders))
    engine.set_up(model, study, contexts, chosen.train)
    first, second = value_terms(model, contexts, 128)
    assert (first.given, second.given) == (None, "z_bottom")
    assert (second.side, second.weight) == ("upper", -1.0)


@pytest.mark.parametrize(
    ("changes", "said"),
    [({"given": "nothing"}, "minimize.0.given"), ({"marginal": "normal"}, "both")],
)
def test_a_given_view_of_a_recipe_must_be_there_and_alone(changes, said):
    tree = {**TREE, "minimize": [{**TREE["minimize"][0], **changes}]}
    with pytest.raises(InfomaxError, match=said):
        building.build(recipe.check(tree, "here"))


def test_every_marginal_of_the_table_can_be_named():
    for part in ("normal", {"kind": "gaussian", "dim": 4}):
        tree = {**TREE, "minimize": [{**TREE["minimize"][0], "given": None, "marginal": part}]}
        building.build(recipe.check(tree, "here"))
