"""The bank against itself: its nats are the mean of its log-ratios, which are log-ratios."""

import itertools
import math

import numpy as np
import pytest

from infomax import truth
from infomax._errors import InfomaxError
from infomax.truth import scenes as rendering
from infomax.truth.channels import _tanh_marginal

BMI_NATS = {  # published with the benchmark (Czyż et al. 2023), to six digits
    "1v1-normal-0.75": 0.413339,
    "normal_cdf-1v1-normal-0.75": 0.413339,
    "1v1-additive-0.1": 1.709438,
    "1v1-additive-0.75": 0.333333,
    "1v1-bimodal-0.75": 0.413339,
    "wiggly-1v1-normal-0.75": 0.413339,
    "half_cube-1v1-normal-0.75": 0.413339,
    "student-identity-1-1-1": 0.224171,
    "asinh-student-identity-1-1-1": 0.224171,
    "swissroll_x-normal_cdf-1v1-normal-0.75": 0.413339,
    "multinormal-dense-2-2-0.5": 0.293893,
    "multinormal-dense-3-3-0.5": 0.413339,
    "multinormal-dense-5-5-0.5": 0.592812,
    "multinormal-dense-25-25-0.5": 1.292184,
    "multinormal-dense-50-50-0.5": 1.624265,
    "multinormal-sparse-2-2-2-2.0": 1.021651,
    "student-identity-2-2-1": 0.431946,
    "student-identity-2-2-2": 0.193147,
    "student-identity-3-3-2": 0.290922,
    "student-identity-3-3-3": 0.178712,
    "student-identity-5-5-2": 0.448151,
    "student-identity-5-5-3": 0.298544,
    "asinh-student-identity-2-2-1": 0.431946,
    "asinh-student-identity-3-3-2": 0.290922,
    "asinh-student-identity-5-5-2": 0.448151,
} | {
    f"{kind}multinormal-sparse-{d}-{d}-2-2.0": 1.021651
    for kind in ("", "normal_cdf-", "half_cube-", "spiral-", "spiral-normal_cdf-")
    for d in (3, 5, 25)
}

CLOSED = [
    truth.independent(3, 2),
    truth.dense(5, 3),
    truth.sparse(4, 6),
    truth.correlated(6, 4, nats=2.0),
    truth.correlated(5, 5, nats=3.0, pairs=2, mix=0),
    truth.student(3, 2, df=3),
    truth.student(1, 1, df=1),
    truth.student(2, 2, df=4, dispersion=0.4 + 0.6 * np.eye(4)),
    truth.additive_uniform(0.1),
    truth.additive_uniform(0.75),
    truth.censored(0.75),
    truth.censored(-0.9, at=0.5),
    truth.table(np.array([[0.3, 0.1, 0.0], [0.05, 0.15, 0.4]])),
    truth.class_uniform(5),
    truth.class_gaussian((-2.0, 0.0, 2.0)),
    truth.joined(truth.student(2, 1, df=5), truth.class_uniform(3), truth.dense(2, 2)),
    truth.transformed(truth.dense(3, 3), truth.cube, truth.half_cube),
    truth.transformed(truth.student(2, 2, df=2), truth.asinh, truth.asinh),
    truth.transformed(truth.dense(3, 4), truth.normal_cdf, truth.spiral(4, plane=(1, 2))),
    truth.transformed(truth.dense(3, 4), truth.mixing(3), truth.mixing(4, seed=1)),
    truth.transformed(truth.dense(1, 1), truth.two_humps(0.3, 0.0, 5.0)),
    truth.bmi40()["swissroll_x-normal_cdf-1v1-normal-0.75"],
    truth.gaussian_channel(5, nats=2.0),
    truth.tanh_channel(5, nats=2.0),
    truth.mixture_channel(5, nats=2.0),
    truth.clusters(3, 2, count=8),
    truth.clusters(2, 4, count=5, noise=0.3, unlike=4.0),
]


@pytest.mark.parametrize("problem", CLOSED, ids=lambda p: p.name)
def test_nats_are_the_mean_log_ratio(problem):
    x, y = problem.sample(4000, seed=1)
    assert x.shape == (4000, problem.dim_x)
    assert y.shape == (4000, problem.dim_y)
    blocks = [problem.log_ratio(x[i : i + 100], y[i : i + 100]) for i in range(0, 4000, 100)]
    paired = np.concatenate([np.diagonal(b) for b in blocks])
    error = math.hypot(paired.std() / math.sqrt(len(paired)), problem.stderr)
    assert abs(paired.mean() - problem.nats) <= 4 * error + 1e-6


@pytest.mark.parametrize("problem", CLOSED, ids=lambda p: p.name)
def test_the_ratio_is_normalized(problem):
    """E_q[e^f] = 1: fails for any misplaced constant; pairs are of independent samples."""
    x, y = problem.sample(2000, seed=2)[0], problem.sample(2000, seed=3)[1]
    ratio = np.exp(problem.log_ratio(x, y))
    # the U-statistic's error, from its row and column means
    error = math.hypot(ratio.mean(0).std(), ratio.mean(1).std()) / math.sqrt(2000)
    assert abs(ratio.mean() - 1) <= 4.5 * error + 0.01


@pytest.mark.parametrize("name", sorted(BMI_NATS))
def test_the_forty_tasks_agree_with_the_published_truth(name):
    assert truth.bmi40()[name].nats == pytest.approx(BMI_NATS[name], abs=1e-6)


def test_there_are_forty_and_all_sample():
    tasks = truth.bmi40()
    assert set(tasks) == set(BMI_NATS)
    for name, task in tasks.items():
        x, y = task.sample(50)
        assert task.name == name
        assert x.shape == (50, task.dim_x)
        assert y.shape == (50, task.dim_y)
        assert x.dtype == y.dtype == np.float32
        assert np.isfinite(x).all()
        assert np.isfinite(y).all()


@pytest.mark.parametrize("nats", [0.0, 0.3, 5.0, 20.0])
def test_target_nats_are_met(nats):
    """The covariance itself says so, not only the label."""
    for mix in (None, 3):
        problem = truth.correlated(7, 4, nats=nats, mix=mix)
        x, y = problem.sample(200_000, seed=0)
        both = np.corrcoef(np.concatenate([x, y], 1).T)
        logs = [np.linalg.slogdet(b)[1] for b in (both[:7, :7], both[7:, 7:], both)]
        assert 0.5 * (logs[0] + logs[1] - logs[2]) == pytest.approx(nats, abs=0.02)


def test_seeds_repeat_and_differ():
    for problem in CLOSED:
        first, again, other = (problem.sample(20, seed=s) for s in (0, 0, 1))
        assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
        assert not all(np.array_equal(a, b) for a, b in zip(first, other, strict=True))


TRANSFORMS = [
    truth.asinh,
    truth.cube,
    truth.half_cube,
    truth.normal_cdf,
    truth.spiral(3),
    truth.mixing(3),
    truth.two_humps(0.5, -1, 3),
]


@pytest.mark.parametrize("transform", TRANSFORMS, ids=lambda t: t.name)
def test_inverses_undo(transform):
    rows = np.random.default_rng(0).standard_normal((200, 3))
    assert transform.inverse(transform.forward(rows)) == pytest.approx(rows, abs=1e-6)


def test_wiggly_is_increasing_and_swiss_roll_unrolls():
    grid = np.linspace(-6, 6, 10_001)
    assert (np.diff(truth.wiggly_x.forward(grid)) > 0).all()
    assert (np.diff(truth.wiggly_y.forward(grid)) > 0).all()
    u = np.linspace(0, 1, 101)[:, None]
    assert truth.swiss_roll.inverse(truth.swiss_roll.forward(u)) == pytest.approx(u, abs=1e-9)


@pytest.mark.parametrize(
    "kind", [truth.gaussian_channel, truth.tanh_channel, truth.mixture_channel]
)
def test_posteriors_of_channels_are_what_was_sampled(kind):
    problem = kind(6, nats=4.0)
    assert problem.nats == pytest.approx(4.0, abs=0.02)
    x, y = problem.sample(20_000, seed=4)
    mean, log_var = problem.posterior(x.astype(float))
    unit = (y - mean) / np.exp(log_var / 2)
    assert unit.mean(0) == pytest.approx(np.zeros(6), abs=4 / math.sqrt(20_000))
    assert unit.var(0) == pytest.approx(np.ones(6), abs=4 * math.sqrt(2 / 20_000))
    assert np.abs(np.corrcoef(unit.T, x.T)[:6, 6:]).max() < 4.5 / math.sqrt(20_000)


@pytest.mark.parametrize("kind", [truth.gaussian_channel, truth.mixture_channel])
def test_the_entropy_of_the_source_is_what_the_channel_loses_with_its_noise(kind):
    """h(S) = lim h(Y) = I + h(noise) as the noise vanishes, at 8 nats a coordinate."""
    problem = kind(2, nats=16.0)
    log_var = problem.posterior(np.zeros((1, 2)))[1]
    of_noise = 0.5 * (log_var + math.log(2 * math.pi * math.e)).sum()
    assert problem.nats + of_noise == pytest.approx(problem.source, abs=0.02)


@pytest.mark.parametrize("gain", [1.0, 2.0])
def test_the_entropy_of_the_tanh_source_is_that_of_its_samples(gain):
    """Vasicek's spacings: h = E log(n (s_(i+m) − s_(i−m)) / 2m)."""
    problem = truth.tanh_channel(1, nats=0.5, gain=gain)
    s = np.sort(problem.posterior(problem.sample(400_000, seed=0)[0].astype(float))[0][:, 0])
    spacings = s[200:] - s[:-200]
    assert np.log(spacings * len(s) / 200).mean() == pytest.approx(problem.source, abs=0.02)


def test_tanh_marginal_is_a_density():
    grid, log_p = _tanh_marginal(0.5, 2.0)
    assert np.trapezoid(np.exp(log_p), grid) == pytest.approx(1.0, abs=1e-7)


EVERY = np.array(list(itertools.product(*(range(len(v)) for v in truth.FACTORS.values()))))


@pytest.mark.parametrize("view", ["picture", "sound"])
def test_each_view_determines_its_factors(view):
    """All 1,296 combinations differ by more than rounding or mild noise could hide."""
    flat = getattr(rendering, view)(EVERY).reshape(len(EVERY), -1).astype(float)
    square = (flat**2).sum(1)
    apart = square[:, None] + square - 2 * flat @ flat.T
    np.fill_diagonal(apart, np.inf)
    assert apart.min() > 0.2


def test_captions_determine_their_factors():
    assert len(set(rendering.caption(EVERY))) == len(EVERY)


@pytest.mark.parametrize(
    "shared", [(), ("colour",), ("shape", "row", "column"), tuple(truth.FACTORS)]
)
def test_scenes_share_exactly_the_entropy_they_say(shared):
    """Counted from the factors of 200,000 contexts: shared agree, private are independent."""
    scenes = truth.Scenes(shared=shared)
    drawn = scenes.factors(200_000, seed=5)
    expected = sum(math.log(len(truth.FACTORS[name])) for name in shared)
    assert scenes.nats == pytest.approx(expected)
    total = 0.0
    for i, name in enumerate(truth.FACTORS):
        levels = len(truth.FACTORS[name])
        counts = np.zeros((levels, levels))
        np.add.at(counts, (drawn["picture"][:, i], drawn["sound"][:, i]), 1)
        total += truth.table(counts / counts.sum()).nats
    assert total == pytest.approx(expected, abs=1e-3)


def test_scenes_sample_is_rendered_and_labelled():
    scenes = truth.Scenes(shared=("shape", "colour"))
    batch = scenes.sample(300, seed=0)
    assert batch["picture"].shape == (300, 3, 24, 24)
    assert 0 <= batch["picture"].min() <= batch["picture"].max() <= 1
    assert batch["sound"].shape == (300, 2048)
    assert np.abs(batch["sound"]).max() <= 1
    colours, shapes = truth.FACTORS["colour"], truth.FACTORS["shape"]
    for text, label in zip(batch["caption"], batch["shared"], strict=True):
        assert f"{colours[label % 4]} {shapes[label // 4]}" in text
    assert scenes.problem().sample(3)[0].shape == (3, 1728)


def test_bad_requests_say_what_to_do():
    with pytest.raises(InfomaxError, match="n >= 1"):
        truth.dense(2, 2).sample(0)
    with pytest.raises(InfomaxError, match="positive definite"):
        truth.dense(2, 2, correlation=1.0)
    with pytest.raises(InfomaxError, match="over 1 to 2 pairs"):
        truth.correlated(2, 3, nats=1.0, pairs=3)
    with pytest.raises(InfomaxError, match="noise > 0"):
        truth.additive_uniform(0.0)
    with pytest.raises(InfomaxError, match="a coordinate"):
        truth.tanh_channel(2, nats=6.0)
    with pytest.raises(InfomaxError, match="table of probabilities"):
        truth.table(np.ones((2, 2)))
    with pytest.raises(InfomaxError, match="closed log-ratio"):
        truth.bmi40()["wiggly-1v1-normal-0.75"].log_ratio(np.zeros((1, 1)), np.zeros((1, 1)))
    with pytest.raises(InfomaxError, match="each at most once"):
        truth.Scenes(shared=("flavour",))
