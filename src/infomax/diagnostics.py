"""Numbers in, findings out: saturated, overfitted, collapsed, high-variance, crossed, or ok."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import normalize

from infomax.records import Side, Verdict

SATURATED = 0.9
"""Share of its ceiling above which a value says more of the ceiling than of the data."""
OVERFITTED = 0.5
"""Share of the training value below which the held-out value is another thing."""


def effective_rank(z: Float[Tensor, "n d"]) -> float:
    """How many directions a representation uses.

    ``exp(-sum_k p_k log p_k)`` with p the singular values of the centred matrix, normalized to
    sum to one. Between 1 and d. Source: Roy & Vetterli 2007; Garrido et al. 2023
    (arXiv:2210.02885).

    Example:
        >>> round(effective_rank(torch.eye(4).repeat(100, 1) - 0.25), 2)   # centred: rank 3
        3.0
    """
    values = torch.linalg.svdvals((z - z.mean(0)).double())
    shares = values / values.sum().clamp_min(1e-300)
    shares = shares[shares > 0]
    return float(torch.exp(-(shares * shares.log()).sum())) if len(shares) else 0.0


def alignment(x: Float[Tensor, "n d"], y: Float[Tensor, "n d"]) -> float:
    """How far apart the two views of a context lie on the sphere: 0 together, 2 unrelated.

    ``mean_i |x_i / |x_i| - y_i / |y_i||²``, between 0 and 4; NaN without contexts. Source: Wang &
    Isola 2020 (arXiv:2005.10242), with exponent 2.

    Example:
        >>> x = torch.eye(3)
        >>> alignment(x, 5 * x), alignment(x, -x), alignment(x, x.roll(1, 0))
        (0.0, 4.0, 2.0)
    """
    gap = normalize(x.double(), dim=1) - normalize(y.double(), dim=1)
    return float(gap.square().sum(1).mean())


def uniformity(z: Float[Tensor, "n d"], chunk: int = 1024) -> float:
    """How evenly different contexts spread over the sphere: 0 in one point, lower is more even.

    ``log mean_{i != j} exp(-2 |z_i / |z_i| - z_j / |z_j||²)``, between -8 and 0. The mean is over
    all pairs of different contexts, so it does not depend on how many there are; ``chunk`` of them
    at a time meet the others, so memory grows with n, not n². NaN for fewer than two. Source: Wang
    & Isola 2020 (arXiv:2005.10242), with t = 2.

    Example:
        >>> round(uniformity(torch.tensor([[1.0, 0], [0, 1], [5, 5]])), 2)
        -1.55
    """
    n = len(z)
    if n < 2:
        return math.nan
    z = normalize(z.float(), dim=1)
    total = torch.zeros((), dtype=torch.float64)
    for start in range(0, n, chunk):
        here = z[start : start + chunk]
        cosines = (here @ z[start + len(here) :].T).clamp(-1, 1)  # later ones: each pair once
        total += (4 * cosines - 4).exp().sum(dtype=torch.float64)
        own = (here @ here.T).clamp(-1, 1)
        total += (4 * own - 4).exp().triu(1).sum(dtype=torch.float64)
    return float((total / (n * (n - 1) / 2)).log().clamp(-8, 0))


def judge(
    *,
    side: Side,
    nats: float,
    stderr: float,
    train_nats: float,
    control_nats: float = 0.0,
    ceiling: float | None,
    rank: float | None = None,
    opposite: Sequence[tuple[Side, float, float]] = (),
) -> tuple[Verdict, str]:
    """A verdict on one term and its reason in a sentence.

    Args:
        side: of the bound.
        nats: held-out value.
        stderr: its standard error.
        train_nats: value on training contexts, in evaluation mode.
        control_nats: the most it claims for torn pairs, which share nothing.
        ceiling: the largest value it could show.
        rank: effective rank of the learned view.
        opposite: side, value and standard error of other bounds between the same views.

    Example:
        >>> judge(side="lower", nats=0.26, stderr=0.02, train_nats=4.5, ceiling=4.85)[0]
        'overfitted'
    """
    noise = 2 * stderr if math.isfinite(stderr) else math.inf
    if not math.isfinite(nats):
        return "high-variance", "the value is not finite: lower the learning rate, or use InfoNCE"
    for other, value, error in opposite:
        gap = nats - value if (side, other) == ("lower", "upper") else value - nats
        if {side, other} == {"lower", "upper"} and gap > 2 * math.hypot(stderr, error):
            return "crossed", (
                f"the lower bound lies {gap:.2f} nats above the upper one: one of them is wrong"
            )
    if side == "lower" and control_nats > max(0.02, noise):
        return "crossed", (
            f"torn pairs share nothing, yet still show {control_nats:.2f} nats: the negatives "
            "differ from the positives in something besides the context (their place, their order)"
        )
    gap = train_nats - nats
    if side != "upper" and gap > 0.2 + noise and nats < OVERFITTED * train_nats:
        return "overfitted", (
            f"{train_nats:.2f} nats on training contexts, {nats:.2f} on held-out ones: augment, "
            "use a smaller critic or encoder, weight decay, or more data"
        )
    if noise > max(0.5, 0.5 * abs(nats)):
        return "high-variance", (
            f"the standard error is {stderr:.2f} nats: choose a bound of less variance (InfoNCE), "
            "or bring more held-out contexts"
        )
    if rank is not None and rank < 1.5:
        return "collapsed", f"the representation uses {rank:.1f} directions"
    if side == "lower" and nats <= noise:
        return "collapsed", "no information is found between these views"
    if ceiling is not None and side != "upper" and nats > SATURATED * ceiling:
        return "saturated", (
            f"{nats:.2f} of at most {ceiling:.2f} nats: raise the batch or the critic's range to "
            "see more"
        )
    return "ok", "below its ceiling, and near its training value"
