"""Lower bounds from a critic: pure functions of a score matrix s[..., i, j] = f(x_i, y_j).

Rows are anchors, columns candidates; the positive of row i sits in column `positives[i]` (column i
if not given) and always counts; `mask` says which other candidates count. E_p is the mean over the
positives, E_q the mean over all other counted pairs. Leading axes are positions: independent
matrices, whose bounds are averaged. Every function returns a 0-d tensor in nats and raises
InfomaxError for fewer than two candidates, for NaN and for shapes that do not fit.
"""

from __future__ import annotations

import math

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from infomax._errors import InfomaxError
from infomax._math import bend, logmeanexp
from infomax.bounds.matrix import counted, in_nats, others, paired

Scores = Float[Tensor, "... n m"]
# "_": n or m again; a size that does not agree is reported at the door, by `matrix.paired`.
Positives = Int[Tensor, "_"] | None
Mask = Bool[Tensor, "... _ _"] | None
Baseline = Float[Tensor, "... _"] | float
Nats = Float[Tensor, ""]


def infonce(
    scores: Scores, *, positives: Positives = None, mask: Mask = None, two_sided: bool = False
) -> Nats:
    """InfoNCE: tell the positive from K candidates. A lower bound that never exceeds log K.

        mean_i [ s_ii - log (1/K) Σ_j e^{s_ij} ]

    With `two_sided`, the mean of this and of the same over columns (the anchors compete for each
    candidate that is somebody's positive), as CLIP does.

    Source: van den Oord, Li, Vinyals 2018, arXiv 1807.03748, eq. 4; in nats, Poole et al. 2019,
    arXiv 1905.06922, section 2.3. Two-sided: Radford et al. 2021, arXiv 2103.00020, section 2.3.

    Example:
        >>> round(infonce(100 * torch.eye(8)).item(), 3) == round(math.log(8), 3)
        True
    """
    s, positive, columns = paired(scores, positives, mask)
    keep = counted(columns, mask)
    # The positive is taken out before, not after: no rounding of large scores, never above log K.
    value = -logmeanexp(s - positive[..., None], -1, keep)
    if two_sided:
        value = (value - _of_anchors(s, positive, columns, keep)) / 2
    return in_nats(value, of="scores")


def of_log_ratio(t: Tensor, positive: Tensor, columns: Tensor, mask: Mask) -> Tensor:
    """The lower bound of any guess t at log p(x, y) / p(x)p(y): E_p[t] - E_q[e^t] + 1.

    Exponents above the knee (69 nats in float32) are bent, see `infomax._math.bend`: for positives
    and negatives alike, so that the result is the bound of the bent guess, still a lower bound.
    """
    negative = others(columns, t.shape[-1], mask)
    return bend(positive).mean(-1) - logmeanexp(bend(t), (-2, -1), negative).exp() + 1


def nwj(scores: Scores, *, positives: Positives = None, mask: Mask = None) -> Nats:
    """NWJ, also called f-GAN KL and MINE-f. A lower bound without ceiling; variance grows like e^I.

        E_p[f] - e^{-1} E_q[e^f]        best critic: f = 1 + log p(x, y) / p(x)p(y)

    Scores above 69 are bent, as in `of_log_ratio`: value and gradient stay finite for any score.

    Source: Nguyen, Wainwright, Jordan 2010, arXiv 0809.0853; Nowozin, Cseke, Tomioka 2016,
    arXiv 1606.00709, table 2 (KL); as here Poole et al. 2019, arXiv 1905.06922, section 2.2.

    Example:
        >>> nwj(torch.ones(4, 4)).item()
        0.0
    """
    s, positive, columns = paired(scores, positives, mask)
    return in_nats(of_log_ratio(s - 1, positive - 1, columns, mask), of="scores")


def donsker_varadhan(scores: Scores, *, positives: Positives = None, mask: Mask = None) -> Nats:
    """Donsker-Varadhan, the value of MINE. A lower bound in the limit; on a sample biased up.

        E_p[f] - log E_q[e^f]           best critic: f = log p(x, y) / p(x)p(y) + any constant

    The logarithm of a sample mean is too small on average, so the value is an estimate.

    Source: Donsker, Varadhan 1983; Belghazi et al. 2018, arXiv 1801.04062, theorem 1.

    Example:
        >>> round(abs(donsker_varadhan(torch.full((4, 4), 7.0)).item()), 4)
        0.0
    """
    s, positive, columns = paired(scores, positives, mask)
    negative = others(columns, s.shape[-1], mask)
    size = positive.detach().mean(-1, keepdim=True)  # taken out before: no rounding of large scores
    log_z = logmeanexp(s - size[..., None], (-2, -1), negative)
    return in_nats((positive - size).mean(-1) - log_z, of="scores")


def mine(
    scores: Scores,
    log_mean: Float[Tensor, ""] | None = None,
    rate: float = 0.01,
    *,
    positives: Positives = None,
    mask: Mask = None,
) -> tuple[Nats, Float[Tensor, ""]]:
    """MINE: the Donsker-Varadhan value with a bias-corrected gradient, and the new running mean.

        value     E_p[f] - log E_q[e^f]
        gradient  E_p[∇f] - E_q[e^f ∇f] / M,       M <- (1 - rate) M + rate E_q[e^f]

    `log_mean` is log M of the step before (None at the first); pass back what comes out.

    Source: Belghazi et al. 2018, arXiv 1801.04062, section 3.2.

    Example:
        >>> value, log_mean = mine(torch.zeros(4, 4))
        >>> value, log_mean = mine(torch.ones(4, 4), log_mean)
        >>> round(log_mean.exp().item(), 4)     # 0.99 · 1 + 0.01 · e
        1.0172
    """
    if not 0 < rate < 1:
        raise InfomaxError(wanted="a rate between 0 and 1", got=f"{rate}", fix="rate=0.01 is usual")
    s, positive, columns = paired(scores, positives, mask)
    log_z = logmeanexp(s, (-2, -1), others(columns, s.shape[-1], mask))
    now = logmeanexp(log_z.detach().flatten(), 0)
    before = now if log_mean is None else log_mean.detach().to(now)
    kept = torch.logaddexp(before + math.log1p(-rate), now + math.log(rate))
    # Same value, but the gradient of log Z weighs Z / M instead of 1; Z / M <= 1 / rate.
    weight = (log_z.detach() - kept).exp()
    log_z = log_z.detach() + weight * (log_z - log_z.detach())
    return in_nats(positive.mean(-1) - log_z, of="scores"), kept


def tuba(
    scores: Scores,
    log_baseline: Baseline,
    *,
    positives: Positives = None,
    mask: Mask = None,
) -> Nats:
    """TUBA: NWJ with a baseline a(y) that carries the scale. A lower bound for every a.

        E_p[f] - E_q[e^f / a(y)] - E[log a(y)] + 1      log_baseline[j] = log a(y_j)

    Source: Poole et al. 2019, arXiv 1905.06922, section 2.2, I_TUBA.

    Example:
        >>> tuba(torch.full((4, 4), 7.0), torch.full((4,), 7.0)).item()
        0.0
    """
    s, positive, columns = paired(scores, positives, mask)
    log_a = _baseline(log_baseline, s)
    t = s - log_a[..., None, :]
    return in_nats(of_log_ratio(t, positive - log_a[..., columns], columns, mask), of="scores")


def interpolated(
    scores: Scores,
    log_baseline: Baseline,
    alpha: float,
    *,
    positives: Positives = None,
    mask: Mask = None,
) -> Nats:
    """I_α: between TUBA (α = 0, variance) and InfoNCE (α = 1, bias). A lower bound up to log K/α.

        1 + E_p[log e^{f(x_i, y_i)} / a_i(y_i)] - E_q[e^{f(x_k, y_j)} / a(y_j)]
        a_i(y_j) = α (1/K) Σ_k e^{f(x_k, y_j)} + (1 - α) r(y_j)      log_baseline[j] = log r(y_j)

    K anchors x_k compete for each candidate y_j, so α = 1 is `infonce` of the transposed scores.
    The last term wants K anchors independent of y_j, but one of the K is its partner. It is left
    out of the sum and K kept: by exchangeability, and since e^f > 0, that only enlarges the term.
    The term cannot exceed 1/α, nor the bound log K/α: both are cut there, the first of which makes
    α = 1 exact. (Poole's own code leaves one anchor out everywhere: InfoNCE of K - 1 at α = 1.)

    Errors: InfomaxError also for alpha outside [0, 1].
    Source: Poole et al. 2019, arXiv 1905.06922, section 2.4, I_α.

    Example:
        >>> s = torch.randn(8, 8, generator=torch.Generator().manual_seed(0))
        >>> torch.allclose(interpolated(s, 0.0, alpha=1.0), infonce(s.T))
        True
        >>> torch.allclose(interpolated(s, 0.0, alpha=0.0), tuba(s, 0.0))
        True
    """
    if not 0 <= alpha <= 1:
        raise InfomaxError(
            wanted="alpha between 0 (TUBA) and 1 (InfoNCE)",
            got=f"alpha = {alpha}",
            fix="choose alpha = K e^-I for I nats: the ceiling is log(K / alpha)",
        )
    if alpha == 0:
        return tuba(scores, log_baseline, positives=positives, mask=mask)
    s, positive, columns = paired(scores, positives, mask)
    keep = counted(columns, mask)
    negative = others(columns, s.shape[-1], mask)
    log_m = _of_anchors(s, positive, columns, keep)
    if alpha == 1:
        return in_nats(-log_m, of="scores")
    log_r = _baseline(log_baseline, s) + math.log1p(-alpha)
    joint = -torch.logaddexp(log_m + math.log(alpha), log_r[..., columns] - positive)
    size = (negative if keep is None else keep).expand(s.shape)
    k = (torch.ones_like(size) if keep is None else size).sum(-2).to(s.dtype)
    alone = negative.expand(s.shape).sum(-2).to(s.dtype)
    log_others = logmeanexp(s, -2, negative)
    log_a = torch.logaddexp(log_others + (alpha * alone / k).log(), log_r)
    # Each column weighs by its number of pairs, as in TUBA.
    marginal = ((log_others - log_a).exp() * alone).sum(-1) / alone.sum(-1)
    value = 1 + joint.mean(-1) - marginal.clamp(max=1 / alpha)
    ceiling = (k[..., columns] / alpha).log().mean(-1)
    return in_nats(torch.minimum(value, ceiling), of="scores and log baseline")


def _of_anchors(s: Tensor, positive: Tensor, columns: Tensor, keep: Mask) -> Tensor:
    """Give log (1/K) Σ_k e^{s_kj - s_ij} in the column j of each row's positive."""
    anchors = s[..., columns] - positive[..., None, :]
    return logmeanexp(anchors, -2, None if keep is None else keep[..., columns])


def _baseline(log_baseline: Tensor | float, s: Tensor) -> Float[Tensor, "... m"]:
    log_a = torch.as_tensor(log_baseline, dtype=s.dtype, device=s.device)
    wanted = s.shape[:-2] + s.shape[-1:]
    if log_a.ndim and log_a.shape not in (s.shape[-1:], wanted):
        raise InfomaxError(
            wanted=f"a log baseline for each of the {s.shape[-1]} candidates y_j",
            got=f"a tensor of shape {list(log_a.shape)}",
            fix="pass log_baseline[j] = log a(y_j) of shape [m], or one number",
        )
    return log_a.expand(wanted)
