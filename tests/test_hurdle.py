"""Columns that take one value often: the two-part log-ratio, and where it is tried."""

import math

import numpy as np
import pytest
import torch

from infomax import truth
from infomax.estimation import estimate, hold
from infomax.estimation.elliptical import GaussianRatio
from infomax.estimation.hurdle import HurdleRatio, often

PROBLEMS = [truth.censored(0.9), truth.censored(-0.9, 0.5), truth.censored(0.75, -1.0)]


def sample(problem, n, seed=0):
    return tuple(torch.from_numpy(part).double() for part in problem.sample(n, seed))


@pytest.mark.parametrize("problem", PROBLEMS, ids=lambda p: p.name)
def test_it_is_near_the_log_ratio_and_normalized(problem):
    x, y = sample(problem, 12_000)
    ratio = HurdleRatio(x[:8000], y[:8000])
    held = hold(ratio, x[8000:], y[8000:])
    best = [
        problem.log_ratio(x[i : i + 100].numpy(), y[i : i + 100].numpy())
        for i in range(8000, 12_000, 100)
    ]
    oracle = float(np.mean([np.diagonal(block) for block in best]))
    assert oracle - 0.06 < held.dv < oracle + 0.02
    assert math.exp(held.log_partition) == pytest.approx(1.0, abs=0.05)


def test_it_is_the_formula_by_counting_where_nothing_varies():
    """Of columns that are at their value or at one other, only the table is left."""
    draw = np.random.default_rng(0)
    a, b = draw.random((2, 2000)) < 0.1
    b = np.where(draw.random(2000) < 0.6, a, b)
    x, y = (torch.from_numpy(np.where(part, 7.0, 0.0))[:, None] for part in (a, b))
    ratio = HurdleRatio(x, y)
    for one, other in ((0.0, 0.0), (0.0, 7.0), (7.0, 7.0)):
        p = ((x == one) & (y == other)).double().mean()
        expected = math.log(p / (x == one).double().mean() / (y == other).double().mean())
        got = ratio.matrix(torch.tensor([[one]]).double(), torch.tensor([[other]]).double())
        assert float(got) == pytest.approx(expected, abs=0.05)


def test_without_such_a_value_it_is_the_gaussian_copula():
    x, y = sample(truth.correlated(2, 2, nats=0.7), 400)
    ratio, twin = HurdleRatio(x, y), GaussianRatio("rank", x, y)
    torch.testing.assert_close(ratio.matrix(x[:9], y[:8]), twin.matrix(x[:9], y[:8]))


def test_patterns_of_several_columns_and_one_that_is_new():
    x, y = sample(truth.correlated(2, 1, nats=1.0), 3000)
    x, y = x.relu(), (y + 0.3).relu()
    never = (x > 0).all(1)
    x, y = x[~never], y[~never]  # the pattern "both are seen" is new to it
    ratio = HurdleRatio(x, y)
    scores = ratio.matrix(
        torch.tensor([[1.0, 1.0], [1.0, 0.0]]).double(), torch.zeros(1, 1).double()
    )
    assert scores[0] == 0 and scores[1] != 0, "nothing is known of a pattern that is new"
    assert hold(ratio, *(v[::2] for v in (x, y))).dv > 0.1


def test_what_counts_as_a_value_that_is_taken_often():
    draw = np.random.default_rng(0)
    rain = np.where(draw.random(400) < 0.2, 0.0, draw.random(400))
    counts = draw.poisson(3, 400).astype(float)
    rare = np.where(draw.random(400) < 0.01, 0.0, draw.random(400))
    same = np.ones(400)
    found = often(torch.from_numpy(np.stack([rain, counts, rare, same], 1)))
    assert found[0] == 0 and found[1:3].isnan().all() and found[3] == 1


def test_what_bends_beside_such_a_value_is_seen_too():
    rng = np.random.default_rng(1)
    x = rng.normal(size=(900, 1))
    y = x**2 + 0.3 * rng.normal(size=(900, 1))
    found = estimate(np.where(rng.random((900, 1)) < 0.1, 0.0, x), y)
    assert found.nats > 0.7


def test_it_is_tried_where_there_is_one_and_wins_where_a_gaussian_cannot():
    problem = truth.censored(-0.9, 0.5)
    found = estimate(*problem.sample(900, seed=1))
    assert found.method == "hurdle"
    assert found.interval[0] < problem.nats < found.interval[1]
    plain = estimate(*truth.correlated(1, 1, nats=0.3).sample(300))
    assert "hurdle" not in [tried.method for tried in plain.candidates]
