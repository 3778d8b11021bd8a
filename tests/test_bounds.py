"""Laws of the bounds: sides, ceilings, invariances, gradients, loops that say the same slowly."""

import math
import pickle

import jaxtyping
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.autograd import gradcheck

from infomax import bounds
from infomax._errors import InfomaxError
from infomax._math import widen

LOG_BASELINE = 0.3
CRITICS = {
    "infonce": bounds.infonce,
    "two_sided": lambda s, **k: bounds.infonce(s, two_sided=True, **k),
    "nwj": bounds.nwj,
    "donsker_varadhan": bounds.donsker_varadhan,
    "js": bounds.js,
    "js_signal": bounds.js_signal,
    "js_tight": bounds.js_tight,
    "js_anchored": lambda s, **k: bounds.js_tight(s, 1.5, **k),
    "smile": lambda s, **k: bounds.smile(s, 2.0, **k),
    "tuba": lambda s, **k: bounds.tuba(s, LOG_BASELINE, **k),
    "interpolated": lambda s, **k: bounds.interpolated(s, LOG_BASELINE, 0.4, **k),
    "mine": lambda s, **k: bounds.mine(s, torch.tensor(0.2), 0.1, **k)[0],
}
CONDITIONALS = {
    "tractable_nce": bounds.tractable_nce,
    "leave_one_out": bounds.leave_one_out,
    "club": bounds.club,
    "tractable_nwj": lambda p, **k: bounds.tractable_nwj(p, 0.1 * marginal(p), **k),
    "tractable_dv": lambda p, **k: bounds.tractable_donsker_varadhan(p, 0.1 * marginal(p), **k),
}
ALL = CRITICS | CONDITIONALS


def marginal(p):
    return torch.linspace(-1, 1, p.shape[-2], dtype=torch.float32).to(widen(p)).expand(p.shape[:-1])


def matrix(*shape, seed=0, dtype=torch.float64):
    return 2 * torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def gaussian(matrices, k, nats, d=2, seed=0):
    """log p(y_i | x_j) and log p(y_i) of correlated Gaussians with these nats; row i is y_i."""
    rho2 = 1 - math.exp(-2 * nats / d)
    noise = torch.randn(
        2, matrices, k, d, generator=torch.Generator().manual_seed(seed), dtype=torch.float64
    )
    x, y = noise[0], math.sqrt(rho2) * noise[0] + math.sqrt(1 - rho2) * noise[1]
    at = y[:, :, None] - math.sqrt(rho2) * x[:, None]
    log_p = -0.5 * (at**2 / (1 - rho2) + math.log(2 * math.pi * (1 - rho2))).sum(-1)
    log_r = -0.5 * (y**2 + math.log(2 * math.pi)).sum(-1)
    return log_p, log_r


def mean_and_error(function, *batches):
    values = torch.stack([function(*terms) for terms in zip(*batches, strict=True)])
    return values.mean().item(), (values.std() / math.sqrt(len(values))).item()


# ---- the same, said slowly ----------------------------------------------------------------------


def slow(name, s, positives, mask):
    """Each formula with loops over one matrix, as it stands in its paper."""
    n, m = s.shape
    s = s.tolist()
    pos = [s[i][positives[i]] for i in range(n)]
    keep = [[bool(mask[i][j]) or j == positives[i] for j in range(m)] for i in range(n)]
    neg = [(i, j) for i in range(n) for j in range(m) if keep[i][j] and j != positives[i]]

    def e_p(f):
        return sum(f(t) for t in pos) / n

    def e_q(f):
        return sum(f(s[i][j]) for i, j in neg) / len(neg)

    def log_mean(values):
        return math.log(sum(map(math.exp, values)) / len(values))

    def row(i):
        return log_mean([s[i][j] for j in range(m) if keep[i][j]])

    def column(j):
        return log_mean([s[i][j] for i in range(n) if keep[i][j]])

    def softplus(t):
        return math.log1p(math.exp(t))

    def signal():
        return e_p(lambda t: -softplus(-t)) - e_q(softplus)

    def cross_entropy(q):
        return (1 + q) * math.log(1 + q) - q * math.log(q)

    r = torch.linspace(-1, 1, n).mul(0.1).tolist()
    if name in ("infonce", "tractable_nce"):
        return sum(pos[i] - row(i) for i in range(n)) / n
    if name == "two_sided":
        return sum(pos[i] - row(i) / 2 - column(positives[i]) / 2 for i in range(n)) / n
    if name == "nwj":
        return e_p(lambda t: t) - e_q(math.exp) / math.e
    if name in ("donsker_varadhan", "mine"):
        return e_p(lambda t: t) - math.log(e_q(math.exp))
    if name == "js":
        return e_p(lambda t: t + 1) - e_q(lambda t: math.exp(t + 1)) / math.e
    if name == "js_signal":
        return signal()
    if name == "js_tight":  # the highest tangent, found on a fine grid of anchors
        grid = [1e-3 * k for k in range(10_000)]
        tangents = [a + (cross_entropy(math.exp(-a)) + signal()) / slope(a) for a in grid]
        return max(tangents)
    if name == "js_anchored":
        return 1.5 + (cross_entropy(math.exp(-1.5)) + signal()) / slope(1.5)
    if name == "smile":
        return e_p(lambda t: t) - math.log(e_q(lambda t: min(max(math.exp(t), e**-2), e**2)))
    if name == "tuba":
        return e_p(lambda t: t) - e_q(math.exp) / math.exp(LOG_BASELINE) - LOG_BASELINE + 1
    if name == "interpolated":
        a, b = 0.4, 0.6 * math.exp(LOG_BASELINE)
        joint = sum(pos[i] - math.log(a * math.exp(column(positives[i])) + b) for i in range(n)) / n
        marginal = 0.0
        for j in range(m):
            there = [math.exp(s[i][jj]) for i, jj in neg if jj == j]
            size = sum(keep[i][j] for i in range(n))
            marginal += sum(there) / (a * sum(there) / size + b)
        value = 1 + joint - min(marginal / len(neg), 1 / a)
        sizes = [sum(keep[k][positives[i]] for k in range(n)) for i in range(n)]
        return min(value, sum(math.log(size / a) for size in sizes) / n)
    if name == "leave_one_out":
        return sum(pos[i] - log_mean([s[i][j] for k, j in neg if k == i]) for i in range(n)) / n
    if name == "club":
        return e_p(lambda t: t) - e_q(lambda t: t)
    ratio = sum(pos[i] - r[i] for i in range(n)) / n
    z = sum(math.exp(s[i][j] - r[i]) for i, j in neg) / len(neg)
    return ratio - z + 1 if name == "tractable_nwj" else ratio - math.log(z)


e = math.e


def slope(anchor):
    q = math.exp(-anchor)
    return q * math.log(1 + 1 / q)


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("shape", [(2, 2), (5, 5), (3, 7)])
def test_equals_the_loop(name, shape):
    n, m = shape
    s = matrix(n, m)
    everything = torch.ones(n, m, dtype=torch.bool)
    got = ALL[name](s)
    assert got.ndim == 0
    assert got.item() == pytest.approx(slow(name, s, range(n), everything), abs=2e-6)


@pytest.mark.parametrize("name", ALL)
def test_equals_the_loop_with_positives_and_mask(name):
    s, positives = matrix(4, 6), torch.tensor([3, 0, 5, 2])
    mask = torch.rand(4, 6, generator=torch.Generator().manual_seed(3)) < 0.6
    mask[:, 1] = True
    expected = slow(name, s, positives.tolist(), mask)
    hidden = mask.clone()
    hidden[torch.arange(4), positives] = False  # the positive counts whatever the mask says
    dirty = torch.where(mask.scatter(1, positives[:, None], True), s, math.nan)
    for given_mask, scores in ((mask, s), (hidden, s), (hidden, dirty)):
        got = ALL[name](scores, positives=positives, mask=given_mask).item()
        assert got == pytest.approx(expected, abs=2e-6)


def test_rate_and_its_kin_are_means():
    p, r = matrix(5), matrix(5, seed=1)
    assert bounds.rate(p, r).item() == pytest.approx((p.mean() - r.mean()).item())
    assert bounds.difference_of_entropies(p, r).item() == bounds.rate(p, r).item()
    assert bounds.barber_agakov(p, 2.0).item() == pytest.approx(p.mean().item() + 2)


# ---- invariances --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ALL)
def test_positions_are_independent_matrices(name):
    s = matrix(2, 3, 4, 5)
    one_by_one = torch.stack([ALL[name](block) for block in s.flatten(0, 1)]).mean()
    mask = torch.ones(4, 5, dtype=torch.bool)
    if name != "mine":
        assert ALL[name](s).item() == pytest.approx(one_by_one.item(), abs=1e-6)
    assert ALL[name](s).item() == pytest.approx(ALL[name](s, mask=mask).item(), abs=1e-12)


@settings(max_examples=25, deadline=None)
@given(st.sampled_from(sorted(CRITICS)), st.permutations(range(6)), st.integers(0, 999))
def test_invariant_to_permuting_contexts(name, order, seed):
    s = matrix(6, 6, seed=seed)
    assert CRITICS[name](s[order][:, order]).item() == pytest.approx(CRITICS[name](s).item())
    moved = CRITICS[name](s[:, order], positives=torch.tensor(order).argsort())
    assert moved.item() == pytest.approx(CRITICS[name](s).item())


@settings(max_examples=25, deadline=None)
@given(st.floats(-1e4, 1e4), st.integers(0, 999))
def test_shift_invariant_bounds_do_not_see_a_shift(shift, seed):
    s = matrix(6, 6, seed=seed)
    names = ("infonce", "two_sided", "donsker_varadhan", "tractable_nce", "leave_one_out", "club")
    for name in names:
        assert ALL[name](s + shift).item() == pytest.approx(ALL[name](s).item(), abs=1e-9)
    per_anchor = s + shift * torch.rand(6, 1, dtype=s.dtype)
    assert bounds.infonce(per_anchor).item() == pytest.approx(bounds.infonce(s).item(), abs=1e-9)
    shifted = bounds.tuba(s + shift, torch.full((6,), shift, dtype=s.dtype))
    assert shifted.item() == pytest.approx(bounds.tuba(s, 0.0).item(), abs=1e-9)


def test_interpolated_ends_in_tuba_and_infonce():
    s, log_r = matrix(5, 5), matrix(5, seed=1)
    assert bounds.interpolated(s, log_r, 1.0).item() == bounds.infonce(s.T).item()
    assert bounds.interpolated(s, log_r, 0.0).item() == bounds.tuba(s, log_r).item()
    near = bounds.interpolated(s, log_r, 1 - 1e-9), bounds.interpolated(s, log_r, 1e-9)
    assert near[0].item() == pytest.approx(bounds.infonce(s.T).item(), abs=1e-6)
    assert near[1].item() == pytest.approx(bounds.tuba(s, log_r).item(), abs=1e-6)


# ---- numerics -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("size", [1e4, -1e4])
def test_huge_scores_give_finite_values_and_gradients(name, dtype, size):
    sign = matrix(6, 6, dtype=torch.float32).sign()
    for pattern in (torch.ones(6, 6), sign, 2 * torch.eye(6) - 1, torch.eye(6)):
        s = (size * pattern).to(dtype).requires_grad_()
        value = ALL[name](s)
        value.backward()
        assert torch.isfinite(value)
        assert torch.isfinite(s.grad).all()


@pytest.mark.parametrize("name", ["nwj", "js", "tuba"])
def test_an_overflowing_negative_is_still_pushed_down(name):
    s = torch.zeros(4, 4)
    s[0, 1] = 1e4
    s.requires_grad_()
    CRITICS[name](s).backward()
    assert s.grad[0, 1] < -1e20


@pytest.mark.parametrize("name", ALL)
def test_bfloat16_is_the_float32_of_the_same_numbers(name):
    s = matrix(16, 16, dtype=torch.float32).bfloat16()
    assert ALL[name](s).item() == pytest.approx(ALL[name](s.float()).item(), abs=1e-6)


@pytest.mark.parametrize("name", [n for n in ALL if n != "mine"])
def test_gradients_against_finite_differences(name):
    s = matrix(3, 4).requires_grad_()
    assert gradcheck(ALL[name], s)
    positives = torch.tensor([3, 0, 0])
    mask = torch.rand(3, 4, generator=torch.Generator().manual_seed(0)) < 0.7
    mask[:, 1] = True
    assert gradcheck(lambda v: ALL[name](v, positives=positives, mask=mask), s)


def test_baselines_learn():
    s = matrix(4, 4)
    log_r = matrix(4, seed=1).requires_grad_()
    assert gradcheck(lambda r: bounds.tuba(s, r), log_r)
    assert gradcheck(lambda r: bounds.interpolated(s, r, 0.3), log_r)
    assert gradcheck(lambda r: bounds.tractable_nwj(s, r), log_r)


def test_mine_divides_its_gradient_by_the_running_mean():
    s = matrix(5, 5).requires_grad_()
    value, log_mean = bounds.mine(s, torch.tensor(0.7), rate=0.1)
    assert value.item() == pytest.approx(bounds.donsker_varadhan(s).item())
    off = ~torch.eye(5, dtype=torch.bool)
    z = s.detach()[off].exp().mean()
    running = 0.9 * math.exp(0.7) + 0.1 * z
    assert log_mean.exp().item() == pytest.approx(running.item())
    value.backward()
    by_hand = torch.where(off, -s.detach().exp() / off.sum() / running, 1 / 5)
    torch.testing.assert_close(s.grad, by_hand)


# ---- truth --------------------------------------------------------------------------------------


@pytest.mark.parametrize("nats", [0.5, 2.0, 4.0])
def test_optimal_critics_reach_the_truth(nats):
    log_p, log_r = gaussian(24, 400, nats)
    t = log_p - log_r[..., None]
    reach = {
        "nwj": lambda t, p, r: bounds.nwj(t + 1),
        "js": lambda t, p, r: bounds.js(t),
        "dv": lambda t, p, r: bounds.donsker_varadhan(t + 3),
        "tuba": lambda t, p, r: bounds.tuba(t + 3, 3.0),
        "mildly interpolated": lambda t, p, r: bounds.interpolated(t, 0.0, 1e-4),
        "tractable nwj": lambda t, p, r: bounds.tractable_nwj(p, r),
        "tractable dv": lambda t, p, r: bounds.tractable_donsker_varadhan(p, r),
        "rate": lambda t, p, r: bounds.rate(p.diagonal(), r),
        "barber-agakov": lambda t, p, r: bounds.barber_agakov(
            p.diagonal(), math.log(2 * math.pi * math.e)
        ),
    }
    for name, function in reach.items():
        got, error = mean_and_error(function, t, log_p, log_r)
        assert got == pytest.approx(nats, abs=4 * error + 0.005), name
        assert error < 0.05, name


@pytest.mark.parametrize(("nats", "k"), [(1.0, 4), (3.0, 4), (3.0, 64), (6.0, 64)])
@pytest.mark.parametrize("quality", [1.0, 0.6])
def test_sides_hold_at_any_critic(nats, k, quality):
    """Every lower bound stays below the truth in the mean, every upper one above, small K too."""
    log_p, log_r = (g.unflatten(0, (20, -1)) for g in gaussian(4000 // k // 20 * 20, k, nats))
    t = quality * (log_p - log_r[..., None])
    for bound in bounds.ALL:
        if bound.needs == "scores":
            variants = [bound]
            if bound.name == "Interpolated":
                variants = [
                    bound(alpha=a, log_baseline=b) for a in (0.05, 0.5, 0.9) for b in (0, 2)
                ]
            if bound.name == "TightJS":
                variants = [bound(anchor=a) for a in (0.5, 2.0, 4.0)]
            terms = (t,)
        else:
            variants = [bound]
            if bound.name == "BarberAgakov":
                variants = [bound(entropy=math.log(2 * math.pi * math.e))]
            # The conditional stays the true one; the marginal model may be poor.
            terms = (log_p, quality * log_r)
        for variant in variants:
            got, error = mean_and_error(variant.value, *terms)
            if variant.side == "lower":
                assert got <= nats + 4 * error, variant
            elif variant.side == "upper" and (quality == 1 or variant.name != "Rate"):
                assert got >= nats - 4 * error, variant


def test_order_tractable_nce_truth_leave_one_out_and_rate():
    nats = 3.0
    log_p, log_r = gaussian(60, 64, nats, seed=5)
    poor = log_r - 0.5 * (log_r - log_r.mean()).abs() - 0.1  # below log p(y): unnormalized upwards
    lower, e1 = mean_and_error(bounds.tractable_nce, log_p)
    upper, e2 = mean_and_error(bounds.leave_one_out, log_p)
    rate, e3 = mean_and_error(lambda p, r: bounds.rate(p.diagonal(), r), log_p, log_r)
    loose, _ = mean_and_error(lambda p, r: bounds.rate(p.diagonal(), r), log_p, poor)
    club, e4 = mean_and_error(bounds.club, log_p)
    assert lower < nats - 4 * e1
    assert upper > nats + 4 * e2
    assert rate == pytest.approx(nats, abs=4 * e3)
    assert loose > rate
    rho2 = 1 - math.exp(-nats)
    assert club == pytest.approx(2 * rho2 / (1 - rho2), abs=4 * e4)  # loose at the very optimum


@pytest.mark.parametrize("k", [2, 16, 300])
def test_ceilings_hold_however_good_the_critic(k):
    perfect = 1e4 * (2 * torch.eye(k) - 1)
    for bound in (
        bounds.InfoNCE,
        bounds.SymmetricInfoNCE,
        bounds.TractableNCE,
        bounds.Interpolated(alpha=1.0),
        bounds.Interpolated(alpha=0.3),
        bounds.Interpolated(alpha=0.01, log_baseline=5.0),
    ):
        ceiling = bound.ceiling(k)
        assert bound.value(perfect).item() == pytest.approx(ceiling, abs=1e-5)
        assert bound.value(matrix(k, k)).item() <= ceiling
    assert bounds.Interpolated(alpha=0.1).ceiling(k) == pytest.approx(math.log(k / 0.1))
    for bound in (bounds.NWJ, bounds.JS, bounds.Rate, bounds.SMILE, bounds.LeaveOneOut):
        assert bound.ceiling(k) is None


def test_tight_js_curve_is_the_edge_of_all_pairs_of_laws():
    """No two laws have less KL than the curve at their Jensen-Shannon divergence; some just it."""
    generator = torch.Generator().manual_seed(0)
    for concentration in (0.05, 0.3, 2.0):
        for size in (2, 3, 10):
            draw = torch.distributions.Gamma(concentration, 1.0)
            torch.manual_seed(int(generator.initial_seed()) + size)
            p, q = draw.sample((2, 4000, size)).double().clamp_min(1e-12)
            p, q = p / p.sum(-1, keepdim=True), q / q.sum(-1, keepdim=True)
            t = (p / q).log()
            cross_entropy = (p * torch.nn.functional.softplus(-t)).sum(-1)
            cross_entropy = cross_entropy + (q * torch.nn.functional.softplus(t)).sum(-1)
            kl = (p * t).sum(-1)
            least = torch.stack([of_cross_entropy(c) for c in cross_entropy[:200]])
            assert (least <= kl[:200] + 1e-6).all()
    for nats in (0.1, 1.0, 5.0, 15.0):
        q = math.exp(-nats)
        edge = torch.tensor((1 + q) * math.log(1 + q) - q * math.log(q), dtype=torch.float64)
        assert of_cross_entropy(edge).item() == pytest.approx(nats, rel=1e-6)


def of_cross_entropy(c):
    """js_tight of a matrix whose signal is -c: positives at +inf cost nothing, negatives cost c."""
    s = torch.full((2, 2), torch.expm1(c).log().item(), dtype=torch.float64)
    s.fill_diagonal_(1e9)
    return bounds.js_tight(s)


def test_js_trains_and_smile_is_no_bound():
    """SMILE tells nats of independence; its side says so."""
    far = torch.full((8, 8), 20.0)
    assert bounds.smile(far, 5.0).item() == pytest.approx(15.0)
    assert bounds.SMILE.side == bounds.DonskerVaradhan.side == bounds.CLUB.side == "estimate"
    assert bounds.LearnedLeaveOneOut.side == bounds.DifferenceOfEntropies.side == "estimate"
    assert bounds.smile(matrix(6, 6), math.inf).item() == pytest.approx(
        bounds.donsker_varadhan(matrix(6, 6)).item()
    )


# ---- Bound --------------------------------------------------------------------------------------


def test_losses_are_minus_what_is_trained():
    s, r = matrix(5, 5), matrix(5, seed=2)
    for bound in bounds.ALL:
        terms = (s,) if bound.needs == "scores" else (s, r)
        assert bound.loss(*terms).ndim == 0
    for name in ("InfoNCE", "NWJ", "TUBA", "Interpolated", "DonskerVaradhan", "SymmetricInfoNCE"):
        bound = bounds.by_name(name)
        assert bound.loss(s).item() == -bound.value(s).item()
    for bound in (bounds.JS, bounds.SMILE, bounds.TightJS):
        assert bound.loss(s).item() == -bounds.js_signal(s).item()
    for bound in (bounds.Rate, bounds.LeaveOneOut, bounds.TractableNWJ, bounds.CLUB):
        assert bound.loss(s, r).item() == -bound.value(s, r).item()
    likelihood = s.diagonal().mean() + r.mean()
    assert bounds.DifferenceOfEntropies.loss(s, r).item() == pytest.approx(-likelihood.item())
    positives = torch.tensor([1, 2, 3, 4, 0])
    paired = s[torch.arange(5), positives]
    got = bounds.Rate.value(s, r, positives=positives)
    assert got.item() == pytest.approx((paired - r).mean().item())


def test_a_bound_called_with_settings_is_that_bound_at_those_settings():
    s = matrix(5, 5)
    assert bounds.SMILE(clip=1.0).value(s).item() == bounds.smile(s, 1.0).item()
    both = bounds.Interpolated(alpha=0.1)(log_baseline=2.0)
    assert both.value(s).item() == bounds.interpolated(s, 2.0, 0.1).item()
    assert bounds.SMILE(clip=1.0) == bounds.SMILE(clip=1.0) != bounds.SMILE
    assert len({bounds.SMILE(clip=1.0), bounds.SMILE(clip=1.0), bounds.NWJ, bounds.NWJ()}) == 2
    assert bounds.TightJS.side == "estimate"
    assert bounds.TightJS(anchor=2.0).side == "lower"
    assert pickle.loads(pickle.dumps(both)).value(s).item() == both.value(s).item()
    with pytest.raises(InfomaxError, match="clipp"):
        bounds.SMILE(clipp=1.0)
    with pytest.raises(InfomaxError, match="has none"):
        bounds.NWJ(clip=1.0)


def test_every_bound_is_found_by_its_name():
    for bound in bounds.ALL:
        assert getattr(bounds, bound.name) is bounds.by_name(bound.name.upper()) is bound
    with pytest.raises(InfomaxError, match="InfoNCE"):
        bounds.by_name("infonc")


# ---- bad input ----------------------------------------------------------------------------------


@pytest.fixture
def as_in_use(monkeypatch):
    """Shapes unchecked, as for a user: the messages have to come from the functions themselves."""
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)


@pytest.mark.usefixtures("as_in_use")
@pytest.mark.parametrize("name", ALL)
def test_bad_matrices_are_refused(name):
    f = ALL[name]
    with pytest.raises(InfomaxError, match="K = 2"):
        f(torch.zeros(1, 1))
    with pytest.raises(InfomaxError, match="NaN"):
        f(torch.full((3, 3), math.nan))
    for i, j in ((1, 1), (0, 2)):
        s = torch.zeros(3, 3)
        s[i, j] = math.nan
        with pytest.raises(InfomaxError, match="NaN"):
            f(s)
    with pytest.raises(InfomaxError, match="positives"):
        f(torch.zeros(3, 2))
    for bad in (torch.tensor([0, 1, 3]), torch.tensor([0, 1]), torch.tensor([0.0, 1.0, 2.0])):
        with pytest.raises(InfomaxError, match="positives"):
            f(torch.zeros(3, 3), positives=bad)
    for bad in (torch.ones(3, 2).bool(), torch.ones(3, 3), torch.ones(2, 3, 3).bool()):
        with pytest.raises(InfomaxError, match="mask"):
            f(torch.zeros(3, 3), mask=bad)


@pytest.mark.parametrize("name", [n for n in ALL if "nce" not in n and n != "two_sided"])
def test_a_mask_without_negatives_is_refused(name):
    with pytest.raises(InfomaxError, match="negative"):
        ALL[name](torch.zeros(3, 3), mask=torch.eye(3).bool())
    if name == "leave_one_out":  # every row has a denominator of its own
        with pytest.raises(InfomaxError, match="negative"):
            ALL[name](
                torch.zeros(3, 3), mask=torch.tensor([[1, 1, 1], [1, 1, 1], [0, 0, 1]]).bool()
            )


@pytest.mark.usefixtures("as_in_use")
def test_other_bad_input_is_refused():
    s = torch.zeros(3, 3)
    for call, words in (
        (lambda: bounds.infonce(torch.zeros(3)), "score matrix"),
        (lambda: bounds.infonce(torch.zeros(3, 3, dtype=torch.long)), "floating-point"),
        (lambda: bounds.barber_agakov(torch.zeros(3), None), "entropy"),
        (lambda: bounds.BarberAgakov.value(s), "entropy"),
        (lambda: bounds.Rate.value(s), "log_r"),
        (lambda: bounds.rate(torch.zeros(3), torch.zeros(4)), r"\[3\] and \[4\]"),
        (lambda: bounds.rate(torch.full((3,), math.nan), torch.zeros(3)), "NaN"),
        (lambda: bounds.tractable_nwj(s, torch.zeros(4)), "log r"),
        (lambda: bounds.tuba(s, torch.zeros(4)), "baseline"),
        (lambda: bounds.tuba(s, torch.zeros(3, 1)), "baseline"),
        (lambda: bounds.interpolated(s, 0.0, 1.5), "alpha"),
        (lambda: bounds.smile(s, -1.0), "clip"),
        (lambda: bounds.mine(s, rate=1.0), "rate"),
        (lambda: bounds.js_tight(s, -1.0), "anchor"),
    ):
        with pytest.raises(InfomaxError, match=words) as caught:
            call()
        assert "wanted:" in str(caught.value)
        assert "do:" in str(caught.value)
