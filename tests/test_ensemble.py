"""The mean of two candidates: taken where they err differently, and only there."""

import math
import time

import numpy as np
import pytest
import torch

from infomax import truth
from infomax.estimation import estimate, hold
from infomax.estimation.choice import Candidate, Record
from infomax.estimation.ensemble import MeanRatio, ensemble
from infomax.estimation.portfolio import Portfolio
from infomax.estimation.ratio import Ratio
from infomax.estimation.splits import Part, split

PROBLEM = truth.correlated(2, 2, nats=1.0)


class Bent(Ratio):
    """The exact log-ratio and a wave of its own, which the mean with its negative has not."""

    def __init__(self, height, note=""):
        self.height, self.note = height, note

    def matrix(self, x, y):
        exact = torch.from_numpy(PROBLEM.log_ratio(x.numpy(), y.numpy()))
        return exact + self.height * torch.sin(3 * (x[:, :1] + y[:, 0]))

    @property
    def notes(self):
        return (self.note,) if self.note else ()


def rows(n, seed=0):
    return tuple(torch.from_numpy(a).double() for a in PROBLEM.sample(n, seed))


def ran(method, ratio, part, seconds=1.0):
    candidate = Candidate(method, lambda parts: [ratio] * len(parts))
    held = hold(ratio, part.x_validation, part.y_validation)
    return Record(candidate, fitted=[ratio], validation=[held], seconds=seconds)


@pytest.fixture
def part():
    return Part(*rows(50, 1), *rows(1500), seed=0)


def test_two_that_err_in_opposite_ways_are_joined_and_the_mean_is_exact(part):
    up, down = ran("up", Bent(0.5, "of waves"), part), ran("down", Bent(-0.5, "of waves"), part)
    worse = ran("worse", Bent(-0.6), part)
    joined = ensemble(up, [down, up, worse], part)
    assert joined.candidate.method == "up + down" and joined.seconds == 2.0
    assert joined.fitted[0].notes == ("of waves",)
    exact = Bent(0.0).matrix(*rows(40, 2))
    torch.testing.assert_close(joined.fitted[0].matrix(*rows(40, 2)), exact)
    (again,) = joined.candidate.fit([part])
    torch.testing.assert_close(again.matrix(*rows(40, 2)), exact)
    assert joined.validation[0].dv > up.validation[0].dv + 0.02


@pytest.mark.parametrize("height", [0.0, 0.5, -3.0])
def test_no_mean_of_what_is_exact_or_the_same_or_has_lost(part, height):
    winner = ran("winner", Bent(0.5 if height else 0.0), part)
    assert ensemble(winner, [winner, ran("other", Bent(height), part)], part) is None


def test_pairs_are_seen_in_blocks_that_each_member_can_bear():
    small, large = Bent(0.1), Bent(-0.1)
    small.block = 150
    assert MeanRatio([large, small]).block == 150


@pytest.mark.parametrize(("left", "method"), [(None, "up + down"), (3.0, "up")])
def test_a_mean_is_taken_only_if_there_is_time_for_all_its_fits(left, method):
    x, y = rows(900)
    deadline = None if left is None else time.perf_counter() + left
    portfolio = Portfolio(
        x, y, split(np.arange(len(x)), 0), seed=0, deadline=deadline, watch=lambda *_: None
    )
    (job,) = portfolio._jobs(Record(Candidate("", lambda parts: [])), range(1), math.inf)
    records = [ran("up", Bent(0.5), job.part), ran("down", Bent(-0.5), job.part)]
    assert portfolio._joined(records[0], records).candidate.method == method
    assert [record.candidate.method for record in records[2:]] == [method] * (left is None)
    assert all(len(record.test) == 1 for record in records[2:])


def test_the_edge_of_a_wide_noise_is_found_with_few_rows():
    """A mixture that ties with trees said 0.74 [0.69, 0.90], before their mean was tried."""
    rng = np.random.default_rng(0)
    x = rng.uniform(0, 1, 600)
    found = estimate(x, x + rng.uniform(0, 0.5, 600))
    exact = 0.25 - math.log(0.5)
    assert found.method == "copula-mixture-4 + trees"
    assert found.nats == pytest.approx(exact, abs=0.08)
    assert found.interval[0] < exact < found.interval[1]
    assert found.lower_limit < exact
    assert found.method in [tried.method for tried in found.candidates]
