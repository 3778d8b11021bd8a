"""Columns in independent groups: found where they are; their sum is a log-ratio like any other."""

import math

import numpy as np
import pytest
import torch

from infomax import truth
from infomax.estimation import estimate
from infomax.estimation.candidates import each
from infomax.estimation.choice import Candidate
from infomax.estimation.elliptical import GaussianRatio
from infomax.estimation.groups import Group, Grouped, GroupedRatio, groups
from infomax.estimation.mixture import MixtureRatio
from infomax.estimation.ratio import hold
from infomax.estimation.splits import Part


def sample(problem, n, seed=0):
    return tuple(torch.from_numpy(a).double() for a in problem.sample(n, seed))


def spiral(dim):
    return truth.bmi40()[f"spiral-multinormal-sparse-{dim}-{dim}-2-2.0"]


def mixture():
    return Candidate("mixture", each(lambda p: MixtureRatio(p.x, p.y, components=4, seed=0)))


def cut(found):
    return [(group.x, group.y) for group in found]


@pytest.mark.parametrize("seed", range(3))
def test_joined_problems_fall_apart_into_their_parts(seed):
    channel, pair = truth.tanh_channel(1, nats=0.3), truth.correlated(1, 1, nats=0.3)
    parts = channel, truth.student(2, 2, df=2), pair
    x, y = sample(truth.joined(*parts), 4000, seed)
    assert cut(groups(x, y)) == [((0,), (0,)), ((1, 2), (1, 2)), ((3,), (3,))]
    assert [group.bent for group in groups(x, y)] == [True, True, False]


def test_a_turn_that_a_third_column_sets_is_found_by_three():
    x, y = sample(spiral(3), 10_000, seed=1)
    (group,) = groups(x, y)
    assert group == Group((0, 1, 2), (0, 1, 2), True)
    from_two = groups(x[:, :2], y)
    assert cut(from_two) == [((0, 1), (0, 1, 2))]


def test_three_bits_of_which_no_two_tell_are_one_group():
    rng = np.random.default_rng(0)
    signs = rng.choice([-1.0, 1.0], (2, 2000))
    x = torch.tensor(signs.T + 0.1 * rng.normal(size=(2000, 2)))
    y = torch.tensor((signs[0] * signs[1])[:, None] + 0.1 * rng.normal(size=(2000, 1)))
    assert groups(x, y) == [Group((0, 1), (0,), True)]


@pytest.mark.parametrize("n", [300, 3000])
def test_independent_columns_are_in_no_group(n):
    found = [groups(*sample(truth.independent(5, 5), n, seed)) for seed in range(20)]
    assert sum(map(len, found)) <= 1


def test_gaussians_of_any_correlation_are_not_bent():
    for problem in (truth.dense(5, 5), truth.correlated(3, 3, nats=4.0), truth.sparse(5, 5)):
        bent = [g.bent for seed in range(5) for g in groups(*sample(problem, 4000, seed))]
        assert sum(bent) <= 1, problem.name


def test_the_order_of_columns_changes_nothing():
    x, y = sample(truth.joined(truth.student(2, 2, df=2), truth.tanh_channel(2, nats=0.8)), 3000)
    order = [2, 0, 3, 1]
    there = {(frozenset(order.index(k) for k in g.x), g.bent) for g in groups(x, y)}
    assert {(frozenset(g.x), g.bent) for g in groups(x[:, order], y)} == there


def test_monotone_changes_of_columns_change_nothing():
    x, y = sample(truth.joined(truth.student(2, 2, df=2), truth.tanh_channel(2, nats=0.8)), 3000)
    assert groups(x**3, y.exp()) == groups(x, y)


def test_the_ratio_is_the_sum_over_groups():
    x, y = sample(truth.correlated(2, 2, nats=1.0), 900)
    one, two = Group((0,), (0,), False), Group((1,), (1,), False)
    parts = [(g, GaussianRatio("rank", x[:, g.x], y[:, g.y])) for g in (one, two)]
    found = GroupedRatio(parts).matrix(x[:7], y[:9])
    twin = sum(ratio.matrix(x[:7, g.x], y[:9, g.y]) for g, ratio in parts)
    torch.testing.assert_close(found, twin)
    nothing = GroupedRatio([]).matrix(x[:7], y[:9])
    assert nothing.shape == (7, 9) and not nothing.any()


def part_of(x, y, seed=0):
    return Part(x[300:], y[300:], x[:300], y[:300], seed)


def test_a_group_is_chosen_for_once_and_all_columns_together_get_the_first_model():
    fits = []

    def models(x, y):
        def fit(name, parts):
            fits.append((name, x.shape[1], y.shape[1], len(parts)))
            return [GaussianRatio("rank", p.x, p.y) for p in parts]

        return [Candidate(name, lambda parts, name=name: fit(name, parts)) for name in "ab"]

    two = truth.joined(truth.tanh_channel(1, nats=0.3), truth.tanh_channel(1, nats=0.3))
    part = part_of(*sample(two, 3000))
    grouped = Grouped(models)
    grouped([part])
    assert [entry[0] for entry in fits if entry[3]] == ["a", "b"] * 2
    fits.clear()
    grouped([part, part])
    assert [entry for entry in fits if entry[3]] == [("a", 1, 1, 2)] * 2
    fits.clear()
    Grouped(models)([part_of(*sample(truth.student(2, 2, df=2), 3000))])
    assert [entry for entry in fits if entry[3]] == [("a", 2, 2, 1)]


def test_many_bent_pairs_of_columns_are_summed():
    problem = truth.joined(*[truth.tanh_channel(1, nats=0.4) for _ in range(3)])
    found = estimate(*problem.sample(1500, seed=5))
    assert found.method == "grouped"
    assert found.interval[0] < problem.nats < found.interval[1]
    assert found.nats == pytest.approx(problem.nats, abs=0.1)
    assert found.lower_limit < problem.nats
    assert any("x 0 with y 0; x 1 with y 1; x 2 with y 2." in note for note in found.notes)


def test_a_large_sum_is_not_said_to_be_larger():
    """Its partition function is not resolved; those of its parts are."""
    problem = truth.joined(*[truth.tanh_channel(1, nats=1.5) for _ in range(6)])
    x, y = sample(problem, 1500, seed=5)
    part = part_of(x[:1200], y[:1200])
    fit = Grouped(lambda x, y: [mixture()])
    (ratio,) = fit([part])
    held = hold(ratio, x[1200:], y[1200:])
    assert not held.resolved and held.known is not None
    assert held.dv < problem.nats + 0.3
    own = [hold(r, x[1200:, g.x], y[1200:, g.y]).log_partition for g, r in ratio.parts]
    assert held.log_partition == pytest.approx(sum(own))
    assert abs(held.log_partition) < 0.3 < abs(held.centre + math.log(held.partition))


def test_groups_that_are_not_resolved_are_summed_by_what_infonce_shows_of_each():
    """Two of 5 nats on 200 rows: of both at once InfoNCE shows no more than log 200, 5.3."""
    x, y = sample(truth.correlated(2, 2, nats=10.0), 1400, seed=5)
    parts = [
        (Group((k,), (k,), False), GaussianRatio("standard", x[:1200, [k]], y[:1200, [k]]))
        for k in (0, 1)
    ]
    held = hold(GroupedRatio(parts), x[1200:], y[1200:])
    own = [hold(ratio, x[1200:, g.x], y[1200:, g.y]) for g, ratio in parts]
    assert not any(h.resolved for h in own)
    assert held.dv == pytest.approx(sum(float(h.nce.mean()) for h in own))
    assert float(held.nce.mean()) < math.log(200) < 8 < held.dv < 10.3


def test_torn_pairs_get_the_groups_of_the_real_ones():
    two = [truth.tanh_channel(1, nats=0.4) for _ in range(2)]
    x, y = sample(truth.joined(*two), 2000)
    fit = Grouped(lambda x, y: [mixture()])
    (real,) = fit([part_of(x, y)])
    (torn,) = fit([part_of(x, y[torch.randperm(2000, generator=torch.Generator().manual_seed(0))])])
    assert [group for group, _ in torn.parts] == [group for group, _ in real.parts]
    assert torn.matrix(x[:3], y[:3]).abs().max() > 0


@pytest.mark.slow
@pytest.mark.parametrize(
    "problem",
    [truth.joined(spiral(3), spiral(5)), truth.joined(spiral(3), truth.tanh_channel(5, nats=1.5))],
    ids=["two-spirals", "spiral-and-channel"],
)
def test_a_sum_of_dependences_is_no_further_from_the_truth_than_its_parts(problem):
    found = estimate(*problem.sample(10_000, seed=7))
    assert found.nats == pytest.approx(problem.nats, abs=0.12)
    assert found.interval[0] < problem.nats < found.interval[1]
