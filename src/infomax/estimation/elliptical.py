"""Elliptical copulas in closed form: Gaussian and Student-t, on ranks or on standardized values."""

from __future__ import annotations

import math

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from infomax.estimation.ratio import Ratio
from infomax.estimation.scaling import Scale, Scaling, scaling
from infomax.gaussian import canonical, gaussian_log_ratio, pulled, shrunk_correlation

DEGREES = (10.0, 6.0, 4.0, 3.0, 2.0, 1.5, 1.0)


class GaussianRatio(Ratio):
    """The log-ratio of a Gaussian fitted to scaled rows, its correlation shrunk (Ledoit-Wolf).

    Example:
        >>> x = torch.randn(900, 2, generator=torch.Generator().manual_seed(0))
        >>> GaussianRatio("rank", x, x + x.flip(1)).matrix(x[:3], x[:5]).shape
        torch.Size([3, 5])
    """

    def __init__(self, kind: Scale, x: Float[Tensor, "n dx"], y: Float[Tensor, "n dy"]) -> None:
        self.scaling = scaling(kind, x, y)
        z = torch.cat([self.scaling.x(x), self.scaling.y(y)], 1).double()
        self.wx, self.wy, self.rho = canonical(shrunk_correlation(z), x.shape[1])

    def matrix(self, x: Float[Tensor, "n dx"], y: Float[Tensor, "m dy"]) -> Float[Tensor, "n m"]:
        """Log-ratios of all pairs."""
        a, b = self.scaling.x(x).double() @ self.wx, self.scaling.y(y).double() @ self.wy
        return gaussian_log_ratio(a, b, self.rho)


class StudentRatio(Ratio):
    """The log-ratio of a Student-t copula: ranks -> t quantiles -> multivariate t.

    f = log t_ν(x, y; R) - log t_ν(x; R_x) - log t_ν(y; R_y), with R by EM, shrunk, and ν walking
    down `DEGREES` as long as the likelihood of the copula on training rows rises.

    Source: Demarta & McNeil 2005, The t copula and related copulas; Liu & Rubin 1995 for EM.

    Example:
        >>> x = torch.randn(900, 2, generator=torch.Generator().manual_seed(0))
        >>> StudentRatio(x, x + x.flip(1)).matrix(x[:3], x[:5]).shape
        torch.Size([3, 5])
    """

    def __init__(self, x: Float[Tensor, "n dx"], y: Float[Tensor, "n dy"]) -> None:
        self.scaling: Scaling = scaling("rank", x, y)
        self.dx, self.dy = x.shape[1], y.shape[1]
        z = torch.cat([self.scaling.x(x), self.scaling.y(y)], 1).double()
        self.df = _degrees(z[:: max(1, len(z) // 3000)])
        correlation = dispersion(_quantiles(z, self.df), self.df)
        self.own_x = torch.linalg.inv(correlation[: self.dx, : self.dx])
        self.own_y = torch.linalg.inv(correlation[self.dx :, self.dx :])
        self.whole = torch.linalg.inv(correlation)
        logs = [torch.logdet(m) for m in (self.own_x, self.own_y, self.whole)]
        self.constant = float(0.5 * (logs[2] - logs[0] - logs[1])) + sum(
            sign * _constant(self.df, d)
            for sign, d in ((1, self.dx + self.dy), (-1, self.dx), (-1, self.dy))
        )

    def matrix(self, x: Float[Tensor, "n dx"], y: Float[Tensor, "m dy"]) -> Float[Tensor, "n m"]:
        """Log-ratios of all pairs."""
        a = _quantiles(self.scaling.x(x).double(), self.df)
        b = _quantiles(self.scaling.y(y).double(), self.df)
        joint = _square(a, self.whole[: self.dx, : self.dx])[:, None]
        joint = joint + _square(b, self.whole[self.dx :, self.dx :])
        joint = joint + 2 * a @ self.whole[: self.dx, self.dx :] @ b.mT
        own_x = _tail(_square(a, self.own_x), self.df, self.dx)
        own_y = _tail(_square(b, self.own_y), self.df, self.dy)
        both = _tail(joint.clamp_min(0), self.df, self.dx + self.dy)
        return both - own_x[:, None] - own_y + self.constant


def _square(z: Tensor, precision: Tensor) -> Tensor:
    return (z @ precision * z).sum(-1)


def _tail(square: Tensor, df: float, d: int) -> Tensor:
    return -(df + d) / 2 * torch.log1p(square / df)


def _constant(df: float, d: int) -> float:
    return math.lgamma((df + d) / 2) - math.lgamma(df / 2) - d / 2 * math.log(df * math.pi)


def _quantiles(z: Float[Tensor, "n d"], df: float) -> Float[Tensor, "n d"]:
    """Normal scores -> quantiles of Student's t, by a table of asinh of them."""
    from scipy.special import ndtr, stdtrit

    grid = np.linspace(-5.5, 5.5, 2001)
    table = np.arcsinh(stdtrit(df, ndtr(grid)))
    return torch.from_numpy(np.sinh(np.interp(z.numpy(), grid, table)))


def dispersion(t: Float[Tensor, "n d"], df: float, steps: int = 8) -> Float[Tensor, "d d"]:
    """The dispersion of a multivariate t by EM, as a correlation; shrunk like a Gaussian's.

    A step is the correlation of rows weighted by (ν + d) / (ν + t' R⁻¹ t), about 0.
    """
    n, d = t.shape
    correlation = torch.eye(d, dtype=t.dtype)
    for step in range(1, steps + 1):
        weight = (df + d) / (df + _square(t, torch.linalg.inv(correlation)))
        weighted = t * weight.sqrt()[:, None]
        weighted = weighted / weighted.square().mean(0).sqrt().clamp_min(1e-12)
        if step < steps:
            correlation = pulled(weighted.mT @ weighted / n, 0.0)
    mirrored = torch.stack([weighted, -weighted], 1)  # so that the mean is 0
    return shrunk_correlation(mirrored.flatten(0, 1))


def _degrees(z: Float[Tensor, "n d"]) -> float:
    """The first of `DEGREES` that the next does not beat, for normal scores z."""
    best, height = DEGREES[0], -math.inf
    for df in DEGREES:
        value = _likelihood(_quantiles(z, df), df)
        if not value > height:
            break
        best, height = df, value
    return best


def _likelihood(t: Float[Tensor, "n d"], df: float) -> float:
    """Mean log-density of the copula."""
    d = t.shape[1]
    precision = torch.linalg.inv(dispersion(t, df, 4))
    joint = _tail(_square(t, precision), df, d) + 0.5 * torch.logdet(precision)
    margins = _tail(t.square(), df, 1).sum(1) + d * _constant(df, 1)
    return float((joint - margins).mean()) + _constant(df, d)
