"""More than two views: total correlation, all pairs, and views that never meet."""

import json
import math
import re

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from infomax import (
    TC,
    Context,
    I,
    InfomaxError,
    Model,
    bounds,
    building,
    critics,
    pairing,
    runs,
)
from infomax.recipe import check


def gaussian(n, r, dims, seed):
    """Three views with one common factor; their total correlation and the best critic."""
    covariance = torch.full((3, 3), r, dtype=torch.float64)
    covariance.fill_diagonal_(1)
    factor = torch.linalg.cholesky(covariance)
    generator = torch.Generator().manual_seed(seed)
    drawn = torch.randn(n, dims, 3, generator=generator, dtype=torch.float64) @ factor.T
    nats = -0.5 * dims * float(torch.logdet(covariance))

    def best(anchor, x, others):
        """log p(x, y, z) / p(x) p(y) p(z) of all pairs of an anchor and a tuple of others."""
        tied = torch.linalg.inv(covariance) - torch.eye(3)
        y, z = others
        own = (tied[0, 0] * x * x).sum(-1)[:, None]
        theirs = (tied[1, 1] * y * y + tied[2, 2] * z * z + 2 * tied[1, 2] * y * z).sum(-1)
        return nats - 0.5 * (own + theirs + 2 * x @ (tied[0, 1] * y + tied[0, 2] * z).T)

    return drawn.unbind(-1), nats, best


class Best(nn.Module):
    def __init__(self, function):
        super().__init__()
        self.function = function
        self.idle = nn.Parameter(torch.zeros(1))

    def forward(self, anchor, x, others):
        return self.function(anchor, x, others)


def objective(*names, **options):
    context = Context()
    return TC(*(context.signal(name) for name in names), **options)


@pytest.mark.parametrize(("r", "dims"), [(0.5, 1), (0.5, 4), (0.9, 1)])
@pytest.mark.parametrize("n", [8, 100])
def test_the_value_is_a_lower_bound_of_the_known_total_correlation(r, dims, n):
    values = []
    for seed in range(2000 // n):
        views, nats, best = gaussian(n, r, dims, seed)
        model = Model(objective("x", "y", "z", critic=Best(best)))
        (measured,) = model(dict(zip("xyz", views, strict=True)))
        assert measured.candidates == n - 1
        values.append(float(bounds.InfoNCE.value(*measured.terms, **measured.keywords)))
        assert values[-1] <= math.log(n - 1)
    values = torch.tensor(values)
    error = float(values.std() / len(values) ** 0.5)
    assert values.mean() <= nats + 3 * error
    if n == 100:  # and it is tight where log K is far above
        assert values.mean() > nats - 0.12 * nats - 4 * error


def test_nwj_of_the_best_critic_is_the_total_correlation():
    """It has no ceiling, so it is not just below: the negatives are the product of marginals."""
    values = []
    for seed in range(30):
        views, nats, best = gaussian(100, 0.4, 2, seed)
        critic = Best(lambda a, x, others, best=best: 1 + best(a, x, others))
        (measured,) = Model(objective(*"xyz", bound=bounds.NWJ, critic=critic))(
            dict(zip("xyz", views, strict=True))
        )
        values.append(float(bounds.NWJ.value(*measured.terms, **measured.keywords)))
    values = torch.tensor(values)
    assert abs(float(values.mean()) - nats) < 3 * float(values.std() / len(values) ** 0.5)


def test_a_shuffled_tuple_never_joins_two_members_of_a_context_nor_the_anchor():
    members = pairing.tuples(7, 3)
    assert members.shape == (14, 3)
    assert all(len(set(row.tolist())) == 1 for row in members[:7])
    assert all(len(set(row.tolist())) == 3 for row in members[7:])
    mask = pairing.fair(members)
    for i in range(7):
        for j in range(14):
            own = i in members[j].tolist()
            assert mask[i, j] == (i == j if j < 7 else not own)


def test_scores_are_those_of_a_slow_twin():
    torch.manual_seed(0)
    critic = critics.Multilinear(views=3, dim=5, hidden=(4,))
    model = Model(objective("x", "y", "z", critic=critic))
    signals = {"x": torch.randn(6, 3), "y": torch.randn(6, 2), "z": torch.randn(6, 4)}
    (measured,) = model(signals)
    features = [tower(signals[k]) for tower, k in zip(critic.towers, "xyz", strict=True)]
    members, values = pairing.tuples(6, 2), list(features)
    for anchor in range(3):
        first, second = values[:anchor] + values[anchor + 1 :]
        for i in range(6):
            for j, (k, m) in enumerate(members.tolist()):
                slow = (values[anchor][i] * first[k] * second[m]).sum() / 5**0.5
                torch.testing.assert_close(measured.terms[0][anchor, i, j], slow)


def xor(n, seed):
    """x, y random signs, z = x y, each in a vector of its own with noise; TC = ln 2, pairs 0."""
    generator = torch.Generator().manual_seed(seed)
    x, y = (2.0 * torch.randint(0, 2, (2, n), generator=generator) - 1).unbind(0)
    bits = {"x": x, "y": y, "z": x * y}
    return {
        name: 0.3 * torch.randn(n, 5, generator=generator) + bit[:, None] * torch.linspace(-1, 1, 5)
        for name, bit in bits.items()
    }


def test_three_views_of_an_xor_share_what_no_pair_does():
    torch.manual_seed(0)
    context = Context()
    views = [context.signal(name) for name in "xyz"]
    pairs = I(views[0], views[1]) + I(views[0], views[2]) + I(views[1], views[2])
    model = Model(TC(*views, critic=critics.Multilinear(dim=16, hidden=(32,))) + pairs)
    model(xor(8, 0))
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    for step in range(200):
        loss = model.loss(model(xor(128, 1 + step)))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        found = [
            [float(bounds.InfoNCE.value(*m.terms, **m.keywords)) for m in model(xor(256, seed))]
            for seed in range(10_000, 10_020)
        ]
        torn = model(xor(256, 20_000), torn=True)[0]
        nothing = float(bounds.InfoNCE.value(*torn.terms, **torn.keywords))
    joint, *each = torch.tensor(found).mean(0).tolist()
    assert 0.6 < joint <= math.log(2) + 0.02
    assert max(each) < 0.03
    assert nothing < 0.02


def test_torn_tuples_share_nothing_even_between_two_of_the_views():
    torch.manual_seed(0)
    views, _, best = gaussian(400, 0.9, 1, 0)
    model = Model(objective("x", "y", "z", critic=Best(best)))
    signals = dict(zip("xyz", views, strict=True))
    (paired,), (torn,) = model(signals), model(signals, torn=True)
    assert float(bounds.InfoNCE.value(*paired.terms, **paired.keywords)) > 1.3
    assert float(bounds.InfoNCE.value(*torn.terms, **torn.keywords)) < 0


def test_restricting_leaves_out_a_context_as_anchor_and_as_member():
    (x, y, z), _, best = gaussian(6, 0.5, 2, 0)
    (measured,) = Model(objective("x", "y", "z", critic=Best(best)))({"x": x, "y": y, "z": z})
    keep = torch.tensor([True, True, True, False, True, True])
    less = measured.restricted(keep)
    # shuffled tuples (0, 1) (1, 2) (4, 5) (5, 0) are left; (2, 3) and (3, 4) had a part of 3
    assert less.contexts == 5 and less.terms[0].shape == (3, 5, 5 + 4)
    torch.testing.assert_close(
        less.terms[0], measured.terms[0][:, keep][..., [0, 1, 2, 4, 5, 6, 7, 10, 11]]
    )
    assert less.pairs.mask.sum(1).tolist() == [3, 3, 4, 4, 3]
    assert math.isfinite(bounds.InfoNCE.value(*less.terms, **less.keywords))


def test_too_few_contexts_for_a_shuffled_tuple_are_left_out():
    model = Model(objective("x", "y", "z"))
    signals = {name: torch.randn(4, 3) for name in "xyz"}
    model(signals)
    there = {"z": torch.tensor([True, True, False, False])}
    assert model.loss(model(signals, there)).item() == 0
    enough = {"z": torch.tensor([True, True, True, False])}
    (measured,) = model(signals, enough)
    assert measured.candidates == 2 and measured.contexts == 3


def test_what_makes_no_sense_is_refused():
    context = Context()
    x, y, z = (context.signal(name) for name in "xyz")
    for wrong in (
        TC(x, y, x),
        TC(x, y, z, bound=bounds.SymmetricInfoNCE),
        TC(x, y, z, bound=bounds.TractableNCE),
    ):
        with pytest.raises(InfomaxError):
            wrong.check()
    for few in ((x,), (x, y)):
        with pytest.raises(InfomaxError, match=r"I\(a, b\)"):
            TC(*few)
    with pytest.raises(InfomaxError, match="positions"):
        Model(TC(x.encode(nn.Identity()), y, z))({n: torch.randn(4, 3, 2) for n in "xyz"})
    with pytest.raises(InfomaxError, match="3"):
        Model(TC(x, y, z, critic=critics.Multilinear(views=4)))(
            {n: torch.randn(4, 3) for n in "xyz"}
        )


def tree(edge, **data):
    return {
        "data": {"source": "npz", "path": "none.npz", **data},
        "encoders": {"e": {"kind": "mlp", "hidden": [8], "dim": 4}},
        "views": {
            **{n: {"signal": n} for n in "xyz"},
            "z_x": {"of": "x", "encode": "e"},
        },
        "maximize": [edge],
        "evaluate": {"view": "x", "profile": False},
    }


def built(**edge):
    return building.build(check(tree({"between": ["x", "y", "z"], **edge}), "test")).objective


def test_a_recipe_names_one_edge_of_all_or_one_for_each_pair():
    (joint,) = built(critic={"kind": "multilinear", "dim": 8}).terms
    assert joint.edge.joint and list(map(str, joint.edge.views)) == ["x", "y", "z"]
    assert joint.edge.critic.scale == 8**-0.5 and len(joint.edge.critic.towers) == 3
    pairs = built(edges="all-pairs", weight=0.5, critic="cosine").terms
    assert [tuple(map(str, t.edge.views)) for t in pairs] == [("x", "y"), ("x", "z"), ("y", "z")]
    assert [t.weight for t in pairs] == [0.5] * 3
    assert len({id(t.edge.critic) for t in pairs}) == 3
    for wrong in (
        {"ahead": 1},
        {"negatives": "within"},
        {"critic": "cosine"},
        {"marginal": "flow"},
    ):
        with pytest.raises(InfomaxError):
            built(**wrong)


def test_missing_views_count_as_if_their_contexts_were_not_there():
    """Loss and gradient of every pair are those of the contexts that have both."""
    torch.manual_seed(0)
    context = Context()
    nets = {name: nn.Linear(3, 4) for name in "xyz"}
    views = {name: context.signal(name).encode(nets[name]) for name in "xyz"}
    ends = [("x", "y"), ("x", "z"), ("y", "z")]
    terms = [I(views[a], views[b], critic=critics.Bilinear()) for a, b in ends]
    model = Model(terms[0] + terms[1] + terms[2] + TC(*views.values()), nets)
    signals = {name: torch.randn(12, 3) for name in "xyz"}
    present = {name: torch.rand(12) < 0.7 for name in "xyz"}
    model(signals)

    def gradients(loss):
        model.zero_grad()
        loss.backward()
        return [None if p.grad is None else p.grad.clone() for p in model.parameters()]

    whole = model.loss(model(signals, present))
    mine = gradients(whole)
    parts = []
    for index, names in enumerate([*ends, ("x", "y", "z")]):
        there = torch.stack([present[name] for name in names]).all(0)
        m = model({name: value[there] for name, value in signals.items()})[index]
        assert m.contexts == int(there.sum())
        parts.append(model.objective.terms[index].edge.bound.loss(*m.terms, **m.keywords))
    torch.testing.assert_close(whole, sum(parts))
    for own, twin in zip(mine, gradients(sum(parts)), strict=True):
        torch.testing.assert_close(own, twin)


def npz(path, **missing):
    """Contexts of three vectors; `missing` says of which contexts each lacks."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"label": rng.integers(0, 2, 400)})
    for name in "xyz":
        column = pd.Series(list(rng.normal(size=(400, 4)).astype(np.float32)), dtype=object)
        column[missing.get(name, slice(0))] = None
        frame[name] = column
    frame.to_parquet(path)
    signals = {name: {"column": name, "kind": "vector"} for name in "xyz"}
    return {"source": "parquet", "path": str(path), "label": "label", "signals": signals}


def test_views_that_never_meet_are_refused_by_name_and_rare_ones_are_not(tmp_path):
    edge = {"between": ["z_x", "y", "z"], "edges": "all-pairs"}
    apart = npz(tmp_path / "apart.parquet", y=slice(0, 200), z=slice(200, 400))
    chosen = check(tree(edge, **apart) | {"train": {"epochs": 1, "batch": 16}}, "test")
    with pytest.raises(InfomaxError, match="with 'y' and 'z'") as refused:
        runs.train(chosen, tmp_path / "run")
    assert refused.value.got.startswith("0 (of") and not (tmp_path / "run").exists()
    rare = npz(tmp_path / "rare.parquet", y=slice(0, 175), z=slice(225, 400))
    chosen = check(tree(edge, **rare) | {"train": {"epochs": 1, "batch": 16}}, "test")
    found = runs.train(chosen, tmp_path / "rare").terms
    assert [term.contexts > 10 for term in found] == [True, True, False]
    assert not math.isfinite(found[2].nats) and "all its views" in found[2].why
    assert (tmp_path / "rare/checkpoints/best.safetensors").exists()


def test_a_run_of_three_views_reports_one_term_of_three_names(tmp_path):
    edge = {"between": ["z_x", "y", "z"], "critic": {"kind": "multilinear", "dim": 8}}
    chosen = check(
        tree(edge, **npz(tmp_path / "d.parquet", y=slice(0, 9)))
        | {"train": {"epochs": 1, "batch": 16}},
        "test",
    )
    runs.train(chosen, tmp_path / "run")
    again = runs.evaluate(tmp_path / "run")
    (term,) = again.terms
    assert term.between == ("z_x", "y", "z") and term.side == "lower"
    assert json.loads((tmp_path / "run/results.json").read_text())["terms"][0]["between"] == [
        *term.between
    ]
    assert term.ceiling <= math.log(term.contexts - 1) + 1e-6
    assert math.isfinite(term.stderr) and math.isfinite(term.control_nats)
    page = (tmp_path / "run/report.html").read_text()
    assert "z_x ↔ y ↔ z" in page
    (bracket,) = re.findall(r'<g class="edge".*?</g>', page.partition('class="narrow"')[0], re.S)
    assert bracket.count("<circle") == 3 and "z_x and y and z" in bracket
