"""Columns that are mixtures of independent sources: unmix each side, then be any other candidate.

If x = A s with sources s that are independent and not Gaussian, I(X; Y) = I(S; Y), and what is hard
to see in the columns of x (sums of heavy tails, of hard edges) is plain in those of s, one at a
time: the ranks of a source are the ranks of something, those of a mixture are not. Sources are
found on training rows, each side alone, by FastICA; the map is linear and loses nothing. Where x is
Gaussian any rotation of it is as good, and nothing is won.
"""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from infomax.estimation.ratio import Ratio
from infomax.estimation.splits import Part

BROADEST = 128  # columns of a side, above which sources are not looked for
LOOKED_AT = 10_000  # rows, which come in random order
FAR = 3.0  # standard errors from a Gaussian's kurtosis, beyond which sources are sought
STEPS = 25  # sources are found in about ten; a Gaussian has none, and would go on

Fit = Callable[[Sequence[Part]], Sequence[Ratio]]


def sought(x: Float[Tensor, "n dx"], y: Float[Tensor, "n dy"]) -> bool:
    """Whether sources are sought: of rows enough, where a side of some columns is not Gaussian."""
    enough = len(x) >= 10 * (x.shape[1] + y.shape[1])
    few = max(x.shape[1], y.shape[1]) <= BROADEST
    return enough and few and any(s.shape[1] > 1 and not gaussian(s) for s in (x, y))


def gaussian(x: Float[Tensor, "n d"]) -> bool:
    """Whether rows may be those of a Gaussian, of which there are no sources to find.

    Mardia's kurtosis: mean |z|⁴ of whitened rows is d (d + 2) (n - 1) / (n + 1), with an error of
    √(8 d (d + 2) / n), and of d independent sources differs by the sum of their excess kurtoses.

    Source: Mardia 1970, Measures of multivariate skewness and kurtosis with applications.

    Example:
        >>> x = torch.randn(4000, 3, generator=torch.Generator().manual_seed(0))
        >>> gaussian(x @ x[:3]), gaussian(x**3)
        (True, False)
    """
    some = x[:LOOKED_AT].double()
    white = (some - some.mean(0)) @ _whitening(some)[1]
    n, d = white.shape
    kurtosis = float(white.square().sum(1).square().mean())
    expected = d * (d + 2)
    return abs(kurtosis - expected * (n - 1) / (n + 1)) < FAR * math.sqrt(8 * expected / n)


def _whitening(x: Float[Tensor, "n d"]) -> tuple[Float[Tensor, "d r"], Float[Tensor, "d r"]]:
    """Directions in which columns of deviation one vary, and the map of centred rows to them."""
    scale = x.std(0).clamp_min(1e-30)
    unit = (x - x.mean(0)) / scale
    values, vectors = torch.linalg.eigh(unit.mT @ unit / len(unit))
    varies = values > 1e-10 * values[-1]
    varies[-1] = True
    vectors = vectors[:, varies]
    return vectors, vectors * values[varies].clamp_min(1e-30).rsqrt() / scale[:, None]


def unmixing(x: Float[Tensor, "n d"]) -> Callable[[Tensor], Tensor]:
    """Fit the linear map to sources, of mean 0 and deviation 1: s = W Σ^(-1/2) (x - mean).

    W starts at a rotation that is no column's: of sums and differences of two sources W = 1 is a
    saddle, and there it would stay. It is always the same, so that the map does not depend on
    chance. There are as many sources as directions in which x varies.

    Source: Hyvärinen 1999, Fast and robust fixed-point algorithms for independent component
    analysis (contrast log cosh).

    Example:
        >>> s = torch.rand(4000, 2, generator=torch.Generator().manual_seed(0)).double()
        >>> x = s @ torch.tensor([[1.0, 1.0], [1.0, -1.0]]).double()
        >>> found = unmixing(x)(x)
        >>> bool(torch.corrcoef(torch.cat([s, found], 1).mT)[:2, 2:].abs().amax(1).min() > 0.99)
        True
    """
    from sklearn.decomposition import FastICA
    from threadpoolctl import threadpool_limits

    some = x[:LOOKED_AT].double()
    mean, (vectors, turn) = some.mean(0), _whitening(some)
    if turn.shape[1] > 1:
        fixed = torch.Generator().manual_seed(0)
        begin = torch.randn(turn.mT.shape, generator=fixed, dtype=turn.dtype) @ vectors
        ica = FastICA(whiten=False, w_init=begin.numpy(), max_iter=STEPS, tol=1e-6)
        with warnings.catch_warnings(), threadpool_limits(1):  # small products
            warnings.simplefilter("ignore")  # not converged: a Gaussian; validation judges it
            ica.fit(((some - mean) @ turn).numpy())
        turn = turn @ torch.from_numpy(ica.components_).mT
    return lambda rows: ((rows.double() - mean) @ turn).to(rows.dtype)


class UnmixedRatio(Ratio):
    """A log-ratio of sources, on rows as they come."""

    def __init__(
        self, x: Callable[[Tensor], Tensor], y: Callable[[Tensor], Tensor], inner: Ratio
    ) -> None:
        self.x, self.y, self.inner, self.block = x, y, inner, inner.block

    def matrix(self, x: Float[Tensor, "n dx"], y: Float[Tensor, "m dy"]) -> Float[Tensor, "n m"]:
        """Log-ratios of all pairs."""
        return self.inner.matrix(self.x(x), self.y(y))

    @property
    def notes(self) -> tuple[str, ...]:
        """That columns are sources, before what is said of them."""
        words = "The columns of each side were unmixed into sources first (FastICA)"
        return (f"{words}.", *(f"Of these: {note}" for note in self.inner.notes))

    def log_partition(self, x: Float[Tensor, "n dx"], y: Float[Tensor, "n dy"]) -> float | None:
        """What the log-ratio of the sources knows."""
        return self.inner.log_partition(self.x(x), self.y(y))


@dataclass(frozen=True)
class Unmixed:
    """Fits another candidate to the sources of each part.

    Args:
        fit: parts -> a log-ratio for each.

    Example:
        >>> from infomax.estimation.elliptical import GaussianRatio
        >>> x = torch.rand(900, 2, generator=torch.Generator().manual_seed(0)).double()
        >>> fit = Unmixed(lambda parts: [GaussianRatio("rank", p.x, p.y) for p in parts])
        >>> fit([Part(x, x + 1, x, x + 1, seed=0)])[0].matrix(x[:3], x[:5]).shape
        torch.Size([3, 5])
    """

    fit: Fit

    def __call__(self, parts: Sequence[Part]) -> list[Ratio]:
        """A log-ratio of sources for each part."""
        begun = time.perf_counter()
        maps = [(unmixing(part.x), unmixing(part.y)) for part in parts]
        spent = time.perf_counter() - begun
        sources = [
            replace(
                part,
                seconds=part.seconds - spent,
                x=of_x(part.x),
                y=of_y(part.y),
                x_validation=of_x(part.x_validation),
                y_validation=of_y(part.y_validation),
            )
            for part, (of_x, of_y) in zip(parts, maps, strict=True)
        ]
        inner = self.fit(sources)
        return [UnmixedRatio(*both, ratio) for both, ratio in zip(maps, inner, strict=True)]
