"""The mean of two candidates: taken where they err differently, and only there."""

import math
import time
from dataclasses import replace

import numpy as np
import pytest
import torch

from infomax import truth
from infomax.estimation import estimate, hold
from infomax.estimation.choice import Candidate, Record, alike, behind, choose, gain
from infomax.estimation.ensemble import WORTH, MeanRatio, ensemble, join, rivals
from infomax.estimation.portfolio import Portfolio
from infomax.estimation.ratio import Ratio
from infomax.estimation.splits import Part, split

PROBLEM = truth.correlated(2, 2, nats=1.0)
SHARP = truth.correlated(2, 2, nats=6.0)


class Bent(Ratio):
    """The exact log-ratio and a wave of its own, which the mean with its negative has not."""

    def __init__(self, height, note="", problem=PROBLEM):
        self.height, self.note, self.problem = height, note, problem

    def matrix(self, x, y):
        exact = torch.from_numpy(self.problem.log_ratio(x.numpy(), y.numpy()))
        return exact + self.height * torch.sin(3 * (x[:, :1] + y[:, 0]))

    @property
    def notes(self):
        return (self.note,) if self.note else ()


def rows(n, seed=0, problem=PROBLEM):
    return tuple(torch.from_numpy(a).double() for a in problem.sample(n, seed))


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
    joined = ensemble(up, [join(up, other) for other in rivals(up, [worse, down, up])], part)
    assert joined.candidate.method == "up + down" and joined.seconds == 2.0
    assert joined.fitted[0].notes == ("of waves",)
    exact = Bent(0.0).matrix(*rows(40, 2))
    torch.testing.assert_close(joined.fitted[0].matrix(*rows(40, 2)), exact)
    (again,) = joined.candidate.fit([part])
    torch.testing.assert_close(again.matrix(*rows(40, 2)), exact)
    assert joined.validation[0].dv > up.validation[0].dv + 0.02


@pytest.mark.parametrize(("mine", "other"), [(0.0, 0.5), (0.5, 0.5), (0.1, -0.1)])
def test_no_mean_of_what_is_exact_or_the_same_or_gains_little(part, mine, other):
    winner = ran("winner", Bent(mine), part)
    assert ensemble(winner, [join(winner, ran("other", Bent(other), part))], part) is None


def test_no_mean_whose_gain_is_within_its_error():
    """Of a few rows a gain of 0.03 nats may be chance."""
    part = Part(*rows(50, 1), *rows(60, 10), seed=0)
    up, down = ran("up", Bent(0.5), part), ran("down", Bent(-0.5), part)
    mean = join(up, down)
    assert ensemble(up, [mean], part) is None
    more, error = gain(mean, up)
    assert WORTH < more < error


def test_of_those_that_find_less_than_nothing_the_simplest_wins_unless_it_is_far_behind():
    nothing = truth.correlated(2, 2, nats=1e-6)
    torn = [torch.from_numpy(np.random.default_rng(k).normal(size=(300, 2))) for k in (0, 1)]
    part = Part(*torn, *torn, seed=0)
    wild, less, little = (ran("", Bent(height, problem=nothing), part) for height in (3, 0.2, 0.1))
    assert wild.worth < less.worth < little.worth < 0
    assert not alike(less, little) and not behind(less, little) and behind(wild, little)
    assert choose([less, little]) is less and choose([little, less]) is little
    assert choose([wild, little]) is little


def test_a_difference_in_digits_is_none_however_small_its_error(part):
    """A network that stays the Gaussian it began as is better than it by 1e-6 of an error 1e-7."""
    simple = ran("simple", Bent(0.0), part)
    for more, stands in ((1e-6, True), (5e-4, True), (5e-3, False)):
        held = replace(simple.validation[0], positive=simple.validation[0].positive + more)
        dear = Record(Candidate("dear", lambda parts: []), [Bent(0.0)], [held])
        assert gain(dear, simple)[0] == pytest.approx(more) and gain(dear, simple)[1] < 1e-8
        assert alike(simple, dear) is stands
        assert choose([simple, dear]) is (simple if stands else dear)


@pytest.mark.parametrize(("nats", "stands"), [(0.05, False), (3.0, True)])
def test_what_is_no_difference_is_a_share_of_the_nats(part, nats, stands):
    simple = ran("simple", Bent(0.0), part)
    (held,) = simple.validation
    simple.validation = [replace(held, positive=held.positive + nats - simple.worth)]
    (held,) = simple.validation
    more = replace(held, positive=held.positive + 1e-3)
    dear = Record(Candidate("dear", lambda parts: []), [Bent(0.0)], [more])
    assert simple.worth == pytest.approx(nats)
    assert alike(simple, dear) is stands


def test_rivals_have_not_lost_and_are_known_and_the_nearest_come_first(part):
    heights = {"winner": 0.5, "near": -0.52, "nearer": -0.51, "lost": -1.5, "nan": math.nan}
    winner, *others = (ran(name, Bent(height), part) for name, height in heights.items())
    assert [r.candidate.method for r in rivals(winner, [*others, winner])] == ["nearer", "near"]
    more = [ran(f"{height}", Bent(height), part) for height in (-0.55, -0.53, -0.54)]
    found = [r.candidate.method for r in rivals(winner, [*more, *others, winner])]
    assert found == ["nearer", "near", "-0.53"]


def test_the_members_of_a_mean_share_the_time_and_stop_only_if_both_do():
    told = []

    def fit(parts):
        told.append([part.seconds for part in parts])
        return [Bent(0.0)] * len(parts)

    one, other = (
        Record(Candidate("", fit, stops=stops), fitted=[Bent(0.0)], seconds=2.0, valuing=0.5)
        for stops in (True, False)
    )
    mean = join(one, other)
    assert (mean.seconds, mean.valuing, mean.candidate.stops) == (4.0, 1.0, False)
    assert join(one, one).candidate.stops
    mean.candidate.fit([Part(*rows(50), *rows(50), seed=0, seconds=6.0)] * 2)
    assert told == [[3.0, 3.0], [3.0, 3.0]]


def test_no_mean_where_pairs_do_not_resolve_it_or_find_nothing():
    """Of a mean no model knows E_q[e^f], and less than nothing is no gain."""
    x, y = rows(1500)
    sharp = Part(*rows(50, 1), *rows(300, problem=SHARP), seed=0)
    torn = Part(*rows(50, 1), x, y[torch.randperm(1500)], seed=0)
    for part, problem in ((sharp, SHARP), (torn, PROBLEM)):
        up, down = (
            ran(name, Bent(height, problem=problem), part)
            for name, height in (("up", 6.0), ("down", -6.0))
        )
        mean = hold(MeanRatio([*up.fitted, *down.fitted]), part.x_validation, part.y_validation)
        assert mean.steady > up.validation[0].steady + 0.02
        assert ensemble(up, [join(up, down)], part) is None


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
    assert portfolio.skipped == ["means of two"] * (left is not None)
    assert all(len(record.test) == 1 for record in records[2:])


@pytest.mark.parametrize(("wide", "n", "seed"), [(0.3, 300, 0), (0.5, 300, 1), (0.5, 450, 0)])
def test_the_edge_of_a_wide_noise_is_found_with_few_rows(wide, n, seed):
    """A Gaussian that ties with trees said 0.754 and 0.807 of 0.943, before means were tried."""
    rng = np.random.default_rng(seed)
    x = rng.uniform(0, 1, n)
    found = estimate(x, x + rng.uniform(0, wide, n))
    exact = wide / 2 - math.log(wide)
    assert found.method == "gauss + trees"
    assert found.nats == pytest.approx(exact, abs=0.08)
    assert found.interval[0] < exact < found.interval[1]
    assert found.lower_limit < exact
    assert found.method in [tried.method for tried in found.candidates]
