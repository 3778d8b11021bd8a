"""The Gaussian in closed form: rank-Gaussianization, correlation, canonical variables, log-ratio.

Pure functions of tensors, with no opinion on who calls them: the Gaussian-started critic uses
them for its first guess, a copula estimator for its whole answer.
"""

from __future__ import annotations

import math
from itertools import product

import torch
from jaxtyping import Float
from torch import Tensor

MILDER = (1.0, 1 / 4, 1 / 16, 1 / 64, 1 / 256, 0.0)
"""Shares of the Ledoit–Wolf intensity that are tried."""
CLEAR = 3.0
"""Standard errors within which a correlation is taken for none, where that is tried."""
AMPLE = 100
"""Rows for each column from which it is not tried: nothing would come of it."""
LEAST = 1e-8
"""The least intensity: a column that stands there twice leaves a matrix that can be inverted."""


def products(
    gx: Float[Tensor, "... n d"], gy: Float[Tensor, "... m d"]
) -> Float[Tensor, "... n m"]:
    """All inner products, gx @ gy.mT; leading axes of size one fold into the matmul, uncopied.

    Example:
        >>> products(torch.ones(3, 1, 4, 2), torch.ones(1, 5, 6, 2)).shape
        torch.Size([3, 5, 4, 6])
    """
    return torch.einsum("...nd,...md->...nm", gx, gy)


def rank_knots(
    x: Float[Tensor, "n d"], *, most: int = 10_000
) -> tuple[Float[Tensor, "d k"], Float[Tensor, "d k"]]:
    """Sorted training values and their normal scores Φ⁻¹((rank − ½)/n), ties at their mean rank.

    Args:
        x: training samples, one variable a column.
        most: keep at most this many knots (evenly over the ranks, both ends included).

    Example:
        >>> values, scores = rank_knots(torch.tensor([[30.0], [10.0], [20.0]]))
        >>> values.tolist(), round(scores[0, 2].item(), 3)
        ([[10.0, 20.0, 30.0]], 0.967)
    """
    n = x.shape[0]
    values = x.mT.contiguous().sort(dim=-1).values
    before = torch.searchsorted(values, values, side="left")
    upto = torch.searchsorted(values, values, side="right")
    rank = (before + upto).double() / 2  # mean rank of the ties, from ½ to n − ½
    scores = torch.special.ndtri(rank / n).to(x.dtype)
    keep = torch.linspace(0, n - 1, min(n, most), device=x.device).round().long()
    return values[:, keep], scores[:, keep]


def gaussianize(
    x: Float[Tensor, "... n d"], values: Float[Tensor, "d k"], scores: Float[Tensor, "d k"]
) -> Float[Tensor, "... n d"]:
    """Rank-Gaussianize new points: the training normal scores, interpolated between their values.

    Linear between neighbouring knots, constant outside them (a point beyond the training data
    gets the extreme score). Differentiable in x. Monotone in each coordinate, so within the
    range of the training data it changes no mutual information.

    Args:
        x: points to transform.
        values: sorted training values, from `rank_knots`.
        scores: their normal scores, from `rank_knots`.

    Example:
        >>> values, scores = rank_knots(torch.tensor([[0.0], [1.0], [2.0]]))
        >>> gaussianize(torch.tensor([[1.0], [1.5], [99.0]]), values, scores).flatten()
        tensor([0.0000, 0.4837, 0.9674])
    """
    points = x.reshape(-1, x.shape[-1]).mT.contiguous()
    right = torch.searchsorted(values, points.detach(), side="left").clamp(1, values.shape[-1] - 1)
    low, high = values.gather(-1, right - 1), values.gather(-1, right)
    gap = high - low
    along = torch.where(gap > 0, (points - low) / torch.where(gap > 0, gap, 1.0), 1.0).clamp(0, 1)
    return torch.lerp(scores.gather(-1, right - 1), scores.gather(-1, right), along).mT.reshape(
        x.shape
    )


def shrunk_correlation(z: Float[Tensor, "n d"]) -> Float[Tensor, "d d"]:
    """Correlation matrix pulled towards the identity, by no more than half of the rows bear out.

    R = (1 − l) S + l I, l = m λ within [LEAST, 1], with the Ledoit–Wolf intensity
    λ = Σ_ij Var(S_ij) / Σ_ij S_ij², i ≠ j. That is right for many weak correlations, and hides what
    a strong one tells: ρ = 1 − 10⁻⁵ is 5.4 nats, 1 − 10⁻³ is 3.1. So m is the one of `MILDER` with
    the largest likelihood of half of the rows under the R of the others (in turn, at 2 λ, as they
    are half as many). The halves are the first rows and the last: rows that are mirrored, or
    copies, should lie side by side. A constant column correlates with nothing.

    Shrinking all alike, one column that tells something is lost among many that tell nothing. So
    with few rows for the columns S is tried, too, without its correlations below `CLEAR` / √n.

    Source: Ledoit & Wolf 2004; for correlations: Schäfer & Strimmer 2005; leaving small ones out:
    Bickel & Levina 2008 (arXiv 0901.3079).

    Example:
        >>> shrunk_correlation(torch.tensor([[-1.0], [1.0]]))
        tensor([[1.]])
    """
    n, d = z.shape
    z = _standardized(z)
    s = z.mT @ z / n
    off = 1.0 - torch.eye(d, dtype=z.dtype, device=z.device)
    variance = ((z.square().mT @ z.square()) / n - s.square()) / n
    strength = float((variance * off).sum() / (s.square() * off).sum().clamp_min(1e-12))
    if n <= 3:
        return pulled(s, strength)
    halves = [_standardized(rows) for rows in (z[: n // 2], z[n // 2 :])]
    parts = [rows.mT @ rows / len(rows) for rows in halves]

    def made(way: tuple[float, float], seen: Tensor, share: int = 1) -> Tensor:
        clear, milder = way
        kept = torch.where(seen.abs() < clear / math.sqrt(n // share), 0.0, seen)
        return pulled(kept, share * milder * strength)

    def likelihood(way: tuple[float, float]) -> float:
        if way[0] and math.isinf(_likelihood(made(way, s), s)):  # no correlation matrix any more
            return -math.inf
        others = (made(way, part, 2) for part in parts[::-1])
        return sum(_likelihood(r, part) for r, part in zip(others, parts, strict=True))

    ways = product((0.0, CLEAR) if n < AMPLE * d else (0.0,), MILDER)
    return made(max(ways, key=likelihood), s)


def _standardized(z: Float[Tensor, "n d"]) -> Float[Tensor, "n d"]:
    z = z - z.mean(0)
    deviation = z.square().mean(0).sqrt()
    return z / torch.where(deviation > 0, deviation, 1.0)


def pulled(s: Float[Tensor, "d d"], strength: float) -> Float[Tensor, "d d"]:
    """Pull a correlation matrix towards the identity, (1 − l) S + l I with l within [LEAST, 1]."""
    off = 1 - min(max(strength, LEAST), 1.0)
    return s.mul(off).fill_diagonal_(1.0)


def _likelihood(r: Float[Tensor, "d d"], s: Float[Tensor, "d d"]) -> float:
    """Twice the Gaussian's mean log-likelihood of rows with second moments s, less a constant."""
    root, failed = torch.linalg.cholesky_ex(r)
    if bool(failed):
        return -math.inf
    return float(-2 * root.diagonal().log().sum() - torch.cholesky_solve(s, root).diagonal().sum())


def strongest(dtype: torch.dtype) -> float:
    """The largest correlation ρ of a type of number in which 1 − ρ² is known well enough."""
    return float(1 - torch.finfo(dtype).eps ** 0.75)


def canonical(
    correlation: Float[Tensor, "d d"], dx: int
) -> tuple[Float[Tensor, "dx c"], Float[Tensor, "dy c"], Float[Tensor, " c"]]:
    """Canonical directions of the first `dx` variables and the others: (Wx, Wy, ρ).

    a = x Wx and b = y Wy are white, and E[a_k b_k] = ρ_k, every other covariance zero. ρ is at most
    `strongest` (5.6 nats a pair in float32, 13 in float64).

    Source: Hotelling 1936.

    Example:
        >>> canonical(torch.tensor([[1.0, 0.5], [0.5, 1.0]]), 1)[2]
        tensor([0.5000])
    """
    white_x = torch.linalg.cholesky(correlation[:dx, :dx])
    white_y = torch.linalg.cholesky(correlation[dx:, dx:])
    cross = torch.linalg.solve_triangular(white_x, correlation[:dx, dx:], upper=False)
    cross = torch.linalg.solve_triangular(white_y, cross.mT, upper=False).mT
    u, rho, vt = torch.linalg.svd(cross, full_matrices=False)
    wx = torch.linalg.solve_triangular(white_x.mT, u, upper=True)
    wy = torch.linalg.solve_triangular(white_y.mT, vt.mT, upper=True)
    return wx, wy, rho.clamp(0, strongest(rho.dtype))


def gaussian_log_ratio(
    a: Float[Tensor, "... n c"], b: Float[Tensor, "... m c"], rho: Float[Tensor, " c"]
) -> Float[Tensor, "... n m"]:
    """Log-ratio log p(x, y)/(p(x) p(y)) of a Gaussian, for all pairs, from its canonical variables.

    Σ_k −½ log(1 − ρ_k²) + [2 ρ_k a_k b_k − ρ_k² (a_k² + b_k²)] / (2 (1 − ρ_k²)).

    Its mean over the joint is the mutual information, −½ Σ log(1 − ρ²), in nats.

    Example:
        >>> gaussian_log_ratio(torch.zeros(1, 1), torch.zeros(1, 1), torch.tensor([0.6]))
        tensor([[0.2231]])
    """
    tight = 1 - rho.square()
    own = rho.square() / (2 * tight)
    of_a = -(a.square() @ own) - 0.5 * tight.log().sum()
    of_b = -(b.square() @ own)
    return products(*with_ends(a * (rho / tight), b, of_a, of_b))


def with_ends(
    a: Float[Tensor, "... n c"],
    b: Float[Tensor, "... m c"],
    of_a: Float[Tensor, "... n"],
    of_b: Float[Tensor, "... m"],
) -> tuple[Float[Tensor, "... n c+2"], Float[Tensor, "... m c+2"]]:
    """Two factors whose `products` are those of a and b, plus what each side adds by itself.

    All pairs at one pass over memory, where adding afterwards makes three.

    Example:
        >>> a, b = torch.ones(3, 2), torch.ones(5, 2)
        >>> products(*with_ends(a, b, torch.zeros(3), torch.arange(5.0)))[0]
        tensor([2., 3., 4., 5., 6.])
    """
    left = torch.cat([a, of_a.unsqueeze(-1), torch.ones_like(a[..., :1])], -1)
    return left, torch.cat([b, torch.ones_like(b[..., :1]), of_b.unsqueeze(-1)], -1)
