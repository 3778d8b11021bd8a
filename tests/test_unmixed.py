"""Sources are found whatever mixed them, and only sought further where they tell more."""

import numpy as np
import pytest
import torch
from scipy.linalg import hadamard

from infomax import truth
from infomax.estimation import estimate, hold
from infomax.estimation.candidates import continuous
from infomax.estimation.choice import Candidate, Record, led
from infomax.estimation.elliptical import GaussianRatio
from infomax.estimation.groups import Grouped
from infomax.estimation.portfolio import Portfolio
from infomax.estimation.splits import Part, split
from infomax.estimation.unmixed import Unmixed, sought, unmixing

CUBES = truth.transformed(truth.sparse(4, 4), truth.half_cube, truth.half_cube)


def mixed(problem, seed=1):
    """The same information, of sums of its columns."""
    return truth.transformed(
        problem, truth.mixing(problem.dim_x, seed=seed), truth.mixing(problem.dim_y, seed=seed + 1)
    )


def rows(problem, n, seed=0):
    return tuple(torch.from_numpy(a).double() for a in problem.sample(n, seed))


def fit(x, y):
    both = Unmixed(lambda parts: [GaussianRatio("rank", p.x, p.y) for p in parts])
    return both([Part(x, y, x[:50], y[:50], 0)])[0]


@pytest.mark.parametrize(("scale", "offset"), [(1.0, 0.0), (1e6, 0.0), (1e-6, 0.0), (1.0, 1e6)])
def test_each_source_is_one_column_whatever_mixed_them(scale, offset):
    rng = np.random.default_rng(0)
    sources = np.stack([rng.random(4000), rng.exponential(size=4000), rng.laplace(size=4000)], 1)
    x = torch.from_numpy(sources @ rng.standard_normal((3, 3)) * scale + offset)
    found = unmixing(x)(x)
    match = torch.corrcoef(torch.cat([torch.from_numpy(sources), found], 1).mT)[:3, 3:].abs()
    assert match.amax(1).min() > 0.99
    assert sorted(match.argmax(1).tolist()) == [0, 1, 2]
    torch.testing.assert_close(torch.cov(found.mT), torch.eye(3).double(), atol=2e-3, rtol=0)
    assert found.mean(0).abs().max() < 1e-5


@pytest.mark.parametrize("shape", ["random", "laplace", "cubes"])
@pytest.mark.parametrize("d", [2, 4, 8])
def test_sums_and_differences_are_no_saddle_to_stay_at(d, shape):
    """Of sources alike, mixed by a Hadamard matrix, whitened columns are a stationary point."""
    rng = np.random.default_rng(d)
    draw = {
        "random": rng.random,
        "laplace": lambda size: rng.laplace(size=size),
        "cubes": lambda size: rng.standard_normal(size) ** 3,
    }[shape]
    sources = draw((2000, d))
    x = torch.from_numpy(sources @ hadamard(d) / d**0.5)
    match = torch.corrcoef(torch.cat([torch.from_numpy(sources), unmixing(x)(x)], 1).mT)
    assert match[:d, d:].abs().amax(1).min() > 0.95


def test_there_are_as_many_sources_as_directions():
    x, _ = rows(mixed(CUBES), 1000)
    more = torch.cat([x, x[:, :2], x.sum(1, keepdim=True), torch.ones(1000, 1)], 1)
    found = unmixing(more)(more)
    torch.testing.assert_close(torch.cov(found.mT), torch.eye(4).double(), atol=2e-3, rtol=0)


def test_the_map_is_invertible_so_that_nothing_is_lost():
    x, _ = rows(mixed(CUBES), 500)
    found = unmixing(x)(x)
    back = torch.linalg.lstsq(torch.cat([found, torch.ones(500, 1)], 1), x).solution
    torch.testing.assert_close(torch.cat([found, torch.ones(500, 1)], 1) @ back, x)


@pytest.mark.parametrize("spoil", ["twice", "constant", "sum"])
def test_columns_that_tell_nothing_new_change_nothing(spoil):
    x, y = rows(mixed(CUBES), 2000)
    more = {"twice": x[:, :1], "constant": torch.ones(2000, 1), "sum": x.sum(1, keepdim=True)}
    plain = hold(fit(x, y), x, y).dv
    spoilt = fit(torch.cat([x, more[spoil]], 1), y)
    value = hold(spoilt, torch.cat([x, more[spoil]], 1), y).dv
    assert value == pytest.approx(plain, abs=0.05)


def test_a_side_of_one_column_is_left_as_it_is():
    x, _ = rows(mixed(CUBES), 300)
    found = unmixing(x[:, :1])(x[:, :1])
    assert torch.corrcoef(torch.cat([found, x[:, :1]], 1).mT)[0, 1] == pytest.approx(1.0)


@pytest.mark.parametrize("shape", [truth.half_cube, truth.normal_cdf])
def test_the_information_of_mixed_sources_is_found(shape):
    problem = mixed(truth.transformed(truth.sparse(4, 4), shape, shape))
    x, y = problem.sample(3000, 0)
    answer = estimate(x, y, seed=0)
    assert "unmixed" in answer.method
    assert answer.nats == pytest.approx(problem.nats, abs=0.08)
    assert answer.interval[0] < problem.nats < answer.interval[1]
    assert answer.lower_limit < problem.nats
    assert any("FastICA" in note for note in answer.notes)


def test_each_part_has_a_map_of_its_own_rows_which_its_validation_rows_pass_too():
    seen = []

    def inner(parts):
        seen.extend(parts)
        return [_gauss(p) for p in parts]

    parts = []
    for seed in (1, 5):
        x, y = rows(mixed(CUBES, seed), 900, seed)
        parts.append(Part(x[:800], y[:800], x[800:], y[800:], seed, seconds=9.0))
    ratios = Unmixed(inner)(parts)
    for ratio, part, of_sources in zip(ratios, parts, seen, strict=True):
        own = unmixing(part.x), unmixing(part.y)
        assert torch.equal(of_sources.x, own[0](part.x))
        assert torch.equal(of_sources.y, own[1](part.y))
        assert torch.equal(of_sources.x_validation, own[0](part.x_validation))
        assert torch.equal(of_sources.y_validation, own[1](part.y_validation))
        assert 7.0 < of_sources.seconds < 9.0 and of_sources.seed == part.seed
        expected = _gauss(of_sources).matrix(own[0](part.x[:9]), own[1](part.y[:9]))
        assert torch.equal(ratio.matrix(part.x[:9], part.y[:9]), expected)


def test_pairs_are_seen_in_blocks_that_the_inner_one_can_bear():
    x, y = rows(mixed(CUBES), 300)
    small = fit(x, y).inner
    small.block = 150
    assert Unmixed(lambda parts: [small])([Part(x, y, x, y, 0)])[0].block == 150


def test_sources_in_groups_are_said_to_be_sources():
    x, y = rows(mixed(CUBES), 3000)
    part = Part(x[:2500], y[:2500], x[2500:], y[2500:], 0)
    inner = Grouped(lambda _, __: [Candidate("g", lambda ps: [_gauss(p) for p in ps])])
    ratio = Unmixed(inner)([part])[0]
    assert ratio.notes[0].startswith("The columns of each side were unmixed")
    assert ratio.notes[1].startswith("Of these: The value is a sum over groups")
    x, y = x[:500], y[:500]
    assert ratio.log_partition(x, y) == ratio.inner.log_partition(ratio.x(x), ratio.y(y))


def _gauss(p):
    return GaussianRatio("rank", p.x, p.y)


def _record(method, x, y, ratio):
    return Record(Candidate(method, lambda parts: []), [ratio], [hold(ratio, x, y)])


def test_the_dear_ones_are_tried_only_where_a_gaussian_of_sources_leads():
    names = ["copula-gauss", "unmixed-gauss"]
    for problem, leads in ((mixed(CUBES), True), (truth.sparse(4, 4), False)):
        x, y = rows(problem, 3000)
        near, far = (x[:2000], y[:2000]), (x[2000:], y[2000:])
        ran = [
            _record("copula-gauss", *far, GaussianRatio("rank", *near)),
            _record("unmixed-gauss", *far, fit(*near)),
        ]
        assert led(names, ran) is leads
        found = continuous(*rows(mixed(CUBES), 3000), thorough=False)
        dear = [c for c in found if c.method.startswith("unmixed-")][1:]
        assert [c.method for c in dear] == ["unmixed-grouped", "unmixed-warped-dv"]
        assert [c.spare(ran) for c in dear] == [not leads] * 2
        assert all(c.spare(ran[:1]) for c in dear)  # it did not run
        assert all(c.dear and c.stops and c.after == "unmixed-gauss" for c in dear)


def test_with_a_budget_sources_are_expected_to_cost_what_a_gaussian_does_and_not_a_student():
    x, y = rows(mixed(CUBES), 900)
    (gauss,) = [c for c in continuous(x, y, thorough=False) if c.method == "unmixed-gauss"]
    folds = split(np.arange(900), 0)
    portfolio = Portfolio(x, y, folds, seed=0, deadline=None, watch=lambda *words: None)
    for method, seconds in (("copula-gauss", 0.1), ("copula-student", 2.0)):
        portfolio.ran.append(Record(Candidate(method, lambda parts: []), seconds=seconds))
    assert portfolio._expected(Record(gauss)) == pytest.approx(0.4)


@pytest.mark.parametrize(
    ("dims", "n", "there"),
    [
        ((1, 1), 900, 0),
        ((129, 2), 9000, 0),
        ((30, 30), 599, 0),
        ((30, 30), 600, 1),
        ((1, 2), 900, 1),
    ],
)
def test_sources_are_sought_of_few_columns_with_enough_rows(dims, n, there):
    g = torch.Generator().manual_seed(0)
    x, y = (torch.rand(n, d, generator=g).double() for d in dims)
    found = [c for c in continuous(x, y, thorough=False) if c.method == "unmixed-gauss"]
    assert (sought(x, y), len(found)) == (bool(there), there)


def test_sources_are_not_sought_where_both_sides_are_gaussian():
    """Nor does it take anything to see that: 3 errors are passed once in 370."""
    rng = np.random.default_rng(0)
    false = 0
    for d in (2, 5, 20) * 20:
        x, y = (torch.from_numpy(rng.standard_normal((600, d)) @ rng.random((d, d))) for _ in "xy")
        false += sought(x, y)
        sums = torch.from_numpy(rng.random((600, d)) @ rng.random((d, d)))
        assert sought(x**3, y) and sought(x, sums)
        assert sought(torch.cat([x, x[:, :1]], 1), y) == sought(x, y), "copies tell nothing"
    assert false <= 3


def test_the_same_rows_give_the_same_sources():
    x, _ = rows(mixed(CUBES), 500)
    torch.manual_seed(1)
    one = unmixing(x)(x)
    torch.manual_seed(2)
    assert torch.equal(one, unmixing(x)(x))
