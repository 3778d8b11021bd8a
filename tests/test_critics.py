"""Critics: every fast path beside an obvious one, ceilings, and the start that is already right."""

import copy
import itertools
import math

import numpy as np
import pytest
import torch
from scipy.stats import norm, rankdata
from torch import nn

from infomax import truth
from infomax._errors import InfomaxError
from infomax.critics import Bilinear, Cosine, GaussianStarted, Joint, Separable
from infomax.gaussian import (
    canonical,
    gaussian_log_ratio,
    gaussianize,
    products,
    rank_knots,
    shrunk_correlation,
)


def started():
    x, y = pairs(truth.dense(3, 5), 400, seed=9)
    critic = GaussianStarted(x, y, hidden=(16,))
    nn.init.normal_(critic.net.rest[-1].weight)  # so that the network takes part
    return critic


MAKERS = {
    "separable": lambda: Separable(dim=8, hidden=(16,)),
    "linear": lambda: Separable(dim=8, hidden=()),
    "bilinear": Bilinear,
    "cosine": lambda: Cosine(dim=8, hidden=(16,), temperature=0.2),
    "joint": lambda: Joint(hidden=(16, 8)),
    "started": started,
}


def pairs(problem, n, seed=0):
    return tuple(torch.from_numpy(v) for v in problem.sample(n, seed))


def infonce(scores):
    return (scores.diagonal() - scores.logsumexp(1)).mean() + math.log(len(scores))


def nwj(scores):
    """Lower bound on I at the log-ratio + 1: E_p[f] + 1 − E_q[e^f], off-diagonal negatives."""
    n = len(scores)
    negatives = scores.masked_fill(torch.eye(n, dtype=torch.bool), -math.inf)
    return scores.diagonal().mean() + 1 - negatives.exp().sum() / (n * (n - 1))


@pytest.fixture(params=MAKERS)
def critic(request):
    torch.manual_seed(0)
    made = MAKERS[request.param]()
    made(torch.randn(2, 3), torch.randn(2, 5))  # sizes it
    return made


@pytest.mark.parametrize(
    ("lead_x", "lead_y"), [((), ()), ((4,), (4,)), ((4, 1), (1, 2)), ((), (3,)), ((2, 1), (2, 6))]
)
def test_all_pairs_equal_one_pair_at_a_time(critic, lead_x, lead_y):
    x, y = torch.randn(*lead_x, 7, 3), torch.randn(*lead_y, 6, 5)
    scores = critic(x, y)
    lead = torch.broadcast_shapes(lead_x, lead_y)
    assert scores.shape == (*lead, 7, 6)
    wide_x, wide_y = x.expand(*lead, 7, 3), y.expand(*lead, 6, 5)
    for i, j in [(0, 0), (6, 5), (2, 4)]:
        one = critic(wide_x[..., i : i + 1, :], wide_y[..., j : j + 1, :])
        torch.testing.assert_close(scores[..., i, j], one[..., 0, 0], rtol=1e-4, atol=1e-5)


def test_leading_axes_of_one_are_not_copied():
    """The einsum folds them into one matmul: no more memory than the answer itself."""
    gx, gy = torch.randn(64, 1, 8, 32), torch.randn(1, 64, 8, 32)
    twin = gx.expand(64, 64, 8, 32) @ gy.expand(64, 64, 8, 32).mT
    torch.testing.assert_close(products(gx, gy), twin, rtol=1e-4, atol=1e-4)
    with torch.profiler.profile(profile_memory=True) as seen:
        products(gx, gy)
    allocated = sum(max(e.self_cpu_memory_usage, 0) for e in seen.events())
    assert allocated < 3 * twin.numel() * 4  # expanded copies of both would add eight times it


def test_permuting_contexts_permutes_scores(critic):
    x, y = torch.randn(7, 3), torch.randn(6, 5)
    rows, columns = torch.randperm(7), torch.randperm(6)
    torch.testing.assert_close(
        critic(x[rows], y[columns]), critic(x, y)[rows][:, columns], rtol=1e-4, atol=1e-5
    )


def test_gradients_reach_everything_and_are_finite(critic):
    x, y = torch.randn(7, 3, requires_grad=True), torch.randn(6, 5, requires_grad=True)
    critic(x, y).square().mean().backward()
    for tensor in (x, y, *critic.parameters()):
        assert tensor.grad is not None
        assert tensor.grad.isfinite().all()
        assert tensor.grad.abs().sum() > 0


def test_state_round_trips(critic):
    x, y = torch.randn(7, 3), torch.randn(6, 5)
    before = critic(x, y)
    other = copy.deepcopy(critic)
    with torch.no_grad():
        for parameter in other.parameters():
            parameter.mul_(0.5)
    assert not torch.allclose(other(x, y), before)
    other.load_state_dict(critic.state_dict())
    assert torch.equal(other(x, y), before)


@pytest.mark.parametrize("name", ["separable", "linear", "bilinear", "cosine"])
def test_separable_scores_are_scaled_products(name):
    critic = MAKERS[name]()
    x, y = torch.randn(7, 3), torch.randn(6, 5)
    scores = critic(x, y)
    gx, gy = critic.project(x, y)
    torch.testing.assert_close(scores, critic.scale * gx @ gy.mT)


def test_bilinear_is_x_w_y():
    critic = Bilinear()
    x, y = torch.randn(4, 3), torch.randn(5, 6)
    scores = critic(x, y)
    twin = torch.stack([torch.stack([a @ critic.weight @ b for b in y]) for a in x])
    torch.testing.assert_close(scores, twin)


def test_joint_equals_its_concatenation():
    critic = Joint(hidden=(16, 8))
    x, y = torch.randn(7, 3), torch.randn(6, 5)
    scores = critic(x, y)
    whole = nn.Linear(8, 16)
    with torch.no_grad():
        whole.weight.copy_(torch.cat([critic.first_x.weight, critic.first_y.weight], 1))
        whole.bias.copy_(critic.first_x.bias)
    both = torch.cat([x[:, None].expand(7, 6, 3), y.expand(7, 6, 5)], -1)
    torch.testing.assert_close(scores, critic.rest(whole(both).relu()).squeeze(-1))


@pytest.mark.parametrize("temperature", [0.05, 0.2, 0.5])
@pytest.mark.parametrize("k", [2, 8, 64])
def test_the_cosine_ceiling_is_reached_by_a_simplex_and_never_passed(k, temperature):
    ceiling = Cosine(temperature=temperature).ceiling(k)
    simplex = torch.eye(k, dtype=torch.float64) - 1 / k
    simplex = simplex / simplex.norm(dim=1, keepdim=True)
    assert infonce(simplex @ simplex.T / temperature).item() == pytest.approx(ceiling, abs=1e-6)
    torch.manual_seed(k)
    free = [torch.randn(k, 16, dtype=torch.float64, requires_grad=True) for _ in range(2)]
    optimizer = torch.optim.Adam(free, lr=0.05)
    for _ in range(200):  # whatever the towers may learn, from unlike starts of x and y
        x, y = (nn.functional.normalize(t, dim=1) for t in free)
        value = infonce(x @ y.T / temperature)
        assert value.item() <= ceiling + 1e-9
        optimizer.zero_grad()
        (-value).backward()
        optimizer.step()
    assert value.item() > 0.5 * ceiling


def test_the_learned_temperature_stays_within_its_bounds():
    critic = Cosine(dim=4, hidden=(), temperature=0.5)
    x, y = torch.randn(5, 3), torch.randn(5, 3)
    critic(x, y).sum().backward()
    assert critic.log_scale.grad.abs() > 0
    for raw, scale in ((99.0, 100.0), (-99.0, 1.0)):
        critic.log_scale.data.fill_(raw)
        assert critic.scale.item() == pytest.approx(scale, rel=1e-5)
        assert critic(x, y).abs().max() <= scale * 1.0001


def test_only_the_cosine_has_a_ceiling():
    assert Separable().ceiling(9) is Bilinear().ceiling(9) is Joint().ceiling(9) is None
    assert started().ceiling(9) is None


GAUSSIAN = [
    truth.dense(3, 5),
    truth.correlated(4, 4, nats=2.0, mix=1),
    truth.transformed(truth.sparse(3, 3), truth.cube, truth.normal_cdf),
    truth.bmi40()["1v1-bimodal-0.75"],
    truth.independent(5, 5),
]


@pytest.mark.parametrize("problem", GAUSSIAN, ids=lambda p: p.name)
def test_gaussian_started_is_right_before_the_first_step(problem):
    """Gaussian under any monotone margins: held-out NWJ is the truth, within 4 errors."""
    critic = GaussianStarted(*pairs(problem, 10_000, seed=1), hidden=(8,))
    with torch.no_grad():
        scores = critic(*pairs(problem, 1000, seed=2))
    error = scores.diagonal().std().item() / math.sqrt(1000)
    assert nwj(scores).item() == pytest.approx(problem.nats, abs=4 * error + 0.02)
    assert infonce(scores).item() <= problem.nats + 4 * error
    assert infonce(scores).item() > 0.9 * problem.nats - 4 * error


def test_gaussian_started_learns_what_is_left():
    """Student-t: nothing correlates, so it starts at 0 nats and must find the rest."""
    problem = truth.transformed(truth.student(1, 1, df=1), truth.asinh, truth.asinh)
    x, y = pairs(problem, 4000, seed=1)
    held = pairs(problem, 1000, seed=2)
    torch.manual_seed(0)
    critic = GaussianStarted(x, y, hidden=(32,))
    with torch.no_grad():
        assert abs(nwj(critic(*held)).item()) < 0.02
    optimizer = torch.optim.Adam(critic.parameters(), lr=5e-3)
    for _ in range(200):
        rows = torch.randint(4000, (128,))
        optimizer.zero_grad()
        (-nwj(critic(x[rows], y[rows]))).backward()
        optimizer.step()
    with torch.no_grad():
        assert nwj(critic(*held)).item() > 0.6 * problem.nats


@pytest.mark.parametrize("problem", [truth.dense(3, 5), truth.correlated(4, 2, nats=3.0, mix=0)])
def test_canonical_form_equals_the_density_ratio(problem):
    x, y = problem.sample(50, seed=0)
    both = np.concatenate(problem.sample(400_000, seed=1), 1)
    exact = torch.from_numpy(np.corrcoef(both.T))
    deviation = torch.from_numpy(both.std(0))
    wx, wy, rho = canonical(exact, problem.dim_x)
    a = (torch.from_numpy(x) / deviation[: problem.dim_x]).double() @ wx
    b = (torch.from_numpy(y) / deviation[problem.dim_x :]).double() @ wy
    fast = gaussian_log_ratio(a, b, rho)
    assert -0.5 * (1 - rho**2).log().sum().item() == pytest.approx(problem.nats, abs=0.02)
    np.testing.assert_allclose(fast, problem.log_ratio(x, y), rtol=0.05, atol=0.15)


def test_gaussianize_equals_ranks_on_the_training_data():
    x = torch.from_numpy(np.random.default_rng(0).integers(0, 40, (300, 3))).double()  # ties
    x[:, 1] += torch.arange(300) / 1000  # and none
    fast = gaussianize(x, *rank_knots(x))
    slow = norm.ppf((rankdata(x, axis=0) - 0.5) / 300)
    np.testing.assert_allclose(fast, slow, atol=1e-9)


def test_gaussianize_is_monotone_constant_outside_and_differentiable():
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(200, 1, dtype=torch.float64, generator=generator) ** 3
    knots = rank_knots(x)
    grid = torch.linspace(-40, 40, 4001, dtype=torch.float64)[:, None]
    z = gaussianize(grid, *knots)
    assert (z.diff(dim=0) >= 0).all()
    assert z[0] == knots[1].min()
    assert z[-1] == knots[1].max()
    inside = x.clone().add_(1e-4).requires_grad_()
    assert torch.autograd.gradcheck(lambda v: gaussianize(v, *knots), inside[:20], eps=1e-9)
    constant = torch.ones(50, 1)
    assert torch.equal(gaussianize(torch.tensor([[1.0]]), *rank_knots(constant)), torch.zeros(1, 1))


def test_fewer_knots_change_little():
    x = torch.randn(5000, 2)
    new = torch.randn(500, 2)
    every, few = gaussianize(new, *rank_knots(x)), gaussianize(new, *rank_knots(x, most=1000))
    assert (every - few).abs().max() < 0.2
    assert (every - few).abs().mean() < 0.01


def test_shrinkage_vanishes_with_samples_and_wins_without():
    rng = np.random.default_rng(0)
    exact = 0.5 * np.eye(6) + 0.5
    z = torch.from_numpy(rng.standard_normal((50_000, 6)) @ np.linalg.cholesky(exact).T)
    assert (shrunk_correlation(z) - torch.from_numpy(exact)).abs().max() < 0.02
    few = torch.from_numpy(rng.standard_normal((20, 60)))
    shrunk = shrunk_correlation(few)
    assert torch.linalg.eigvalsh(shrunk).min() > 0.1  # the sample's own is singular
    assert (shrunk - torch.eye(60)).abs().mean() < 0.02
    flat = torch.cat([few, torch.ones(20, 1)], 1)
    assert torch.equal(shrunk_correlation(flat)[-1, :-1], torch.zeros(60, dtype=few.dtype))


@pytest.mark.parametrize(("pairs", "nats"), [(1, 3.0), (1, 6.0), (4, 6.0), (4, 24.0)])
@pytest.mark.parametrize("beside", [0, 10])
def test_strong_correlations_are_not_hidden_by_the_shrinkage_that_weak_ones_need(
    pairs, nats, beside
):
    rng = np.random.default_rng(0)
    rho = math.sqrt(1 - math.exp(-2 * nats / pairs))
    x, noise = (torch.from_numpy(rng.standard_normal((2001, pairs))) for _ in range(2))
    y = rho * x + math.sqrt(1 - rho**2) * noise
    others = torch.from_numpy(rng.standard_normal((2001, beside)))
    found = canonical(shrunk_correlation(torch.cat([x, others, y], 1)), pairs + beside)[2]
    assert float(-0.5 * (1 - found.square()).log().sum()) == pytest.approx(nats, rel=0.05)


def test_half_of_the_rows_are_shrunk_twice_as_much():
    """Few rows, all alike or one pair alone: what the slow twin, over the same halves, finds."""
    rng = np.random.default_rng(3)
    pair = np.eye(8)
    pair[0, 7] = pair[7, 0] = 0.9
    alike = [(1 - rho) * np.eye(8) + rho for rho in (0.3, 0.9)]
    for rows, covariance in itertools.product([*range(20, 60), 200], [*alike, pair]):
        mixed = rng.standard_normal((rows, 8)) @ np.linalg.cholesky(covariance).T
        z = torch.from_numpy(mixed)
        s = torch.corrcoef(z.mT)
        off = ~torch.eye(8, dtype=torch.bool)
        unit = (z - z.mean(0)) / z.std(0, correction=0)
        spread = (unit[:, :, None] * unit[:, None]).var(0, correction=0) / rows
        strength = float(spread[off].sum() / s[off].square().sum())

        def pulled(part, way, times=1, strength=strength, rows=rows):
            clear, share = way
            weight = min(max(times * share * strength, 1e-8), 1)
            seen = torch.corrcoef(part.mT)
            seen[seen.abs() < clear / math.sqrt(rows // times)] = 0
            return (1 - weight) * seen + weight * torch.eye(8)

        def likelihood(way, z=z, rows=rows, pulled=pulled):
            halves = z[: rows // 2], z[rows // 2 :]
            tried = [pulled(z, way), *(pulled(half, way, 2) for half in halves)]
            if any(torch.linalg.eigvalsh(r)[0] <= 0 for r in tried):
                return -math.inf
            value = 0.0
            for one, other in (halves, halves[::-1]):
                unit = (other - other.mean(0)) / other.std(0, correction=0)
                normal = torch.distributions.MultivariateNormal(
                    torch.zeros(8).double(), pulled(one, way, 2)
                )
                value += float(normal.log_prob(unit).mean())
            return value

        ways = itertools.product((0, 3), (1.0, 1 / 4, 1 / 16, 1 / 64, 1 / 256, 0.0))
        worth = {way: likelihood(way) for way in ways}
        best = [way for way, value in worth.items() if value > max(worth.values()) - 1e-9]
        found = shrunk_correlation(z)
        assert any(torch.allclose(found, pulled(z, way), atol=1e-7) for way in best)


def test_leaving_small_correlations_out_leaves_a_correlation_matrix():
    rng = np.random.default_rng(0)
    chain = np.linalg.cholesky(0.5 ** np.abs(np.subtract.outer(range(4), range(4))))
    for rows in range(16, 120):
        found = shrunk_correlation(torch.from_numpy(rng.standard_normal((rows, 4)) @ chain.T))
        assert torch.linalg.eigvalsh(found)[0] > 0


def test_two_columns_that_are_one_start_finite():
    x = torch.randn(400, 2, generator=torch.Generator().manual_seed(0))
    twice = torch.cat([x, x[:, :1]], 1)
    assert GaussianStarted(twice, x, hidden=(8,))(twice[:50], x[:60]).isfinite().all()


def test_bad_requests_say_what_to_do():
    with pytest.raises(InfomaxError, match="temperature within"):
        Cosine(temperature=0.001)
    with pytest.raises(InfomaxError, match="hidden layer"):
        Joint(hidden=())
    with pytest.raises(InfomaxError, match="paired x"):
        GaussianStarted(torch.randn(20, 2), torch.randn(21, 2))
    with pytest.raises(InfomaxError, match="finite training pairs"):
        GaussianStarted(torch.full((20, 2), math.nan), torch.randn(20, 2))
    with pytest.raises(InfomaxError, match="ten or more"):
        GaussianStarted(torch.randn(9, 2), torch.randn(9, 2))


@pytest.mark.parametrize("kind", [Separable, Cosine])
def test_a_shared_tower_scores_pairs_the_same_from_both_sides(kind):
    torch.manual_seed(0)
    x, y = torch.randn(2, 5, 7)
    one, two = kind(dim=4, shared=True), kind(dim=4)
    torch.testing.assert_close(one(x, y), one(y, x).mT)
    assert (two(x, y) - two(y, x).mT).abs().max() > 1e-3
    assert len(two.state_dict()) - len(one.state_dict()) == len(one.g.state_dict())


def test_without_towers_the_cosine_is_that_of_the_views_themselves():
    x, y = torch.randn(2, 5, 7)
    critic = Cosine(temperature=0.5, towers=False)
    by_hand = nn.functional.cosine_similarity(x[:, None], y[None], dim=-1) / 0.5
    torch.testing.assert_close(critic(x, y), by_hand)
    assert [name for name, _ in critic.named_parameters()] == ["log_scale"]
