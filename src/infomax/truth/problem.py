"""A problem: a sampler of pairs with its mutual information known, and ways to join problems."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Shaped
from numpy import ndarray

from infomax._errors import InfomaxError

Pairs = tuple[ndarray, ndarray]


@dataclass(frozen=True)
class Problem:
    """Two variables whose mutual information is known.

    Args:
        name: what it is, with its parameters.
        nats: I(X; Y), exact unless `stderr` says otherwise.
        dim_x: columns of x.
        dim_y: columns of y.
        draw: (random generator, n) -> n pairs; users call `sample`.
        stderr: standard error of `nats` where it came from Monte Carlo, else 0.
        ratio: all pairs (x [n, dx], y [m, dy]) -> log p(x_i, y_j)/(p(x_i) p(y_j)), if closed.
        posterior: x -> (mean, log-variance) of an independent Gaussian p(y|x), if that is the case.
        source: h(m(X)), the entropy in nats of that mean, for Barber–Agakov on it.

    Example:
        >>> from infomax import truth
        >>> problem = truth.correlated(2, 2, nats=1.0)
        >>> x, y = problem.sample(1000, seed=0)
        >>> x.shape, y.dtype, problem.nats
        ((1000, 2), dtype('float32'), 1.0)
    """

    name: str
    nats: float
    dim_x: int
    dim_y: int
    draw: Callable[[np.random.Generator, int], Pairs]
    stderr: float = 0.0
    ratio: Callable[[ndarray, ndarray], ndarray] | None = None
    posterior: Callable[[ndarray], Pairs] | None = None
    source: float | None = None

    def sample(
        self, n: int, seed: int = 0
    ) -> tuple[Shaped[ndarray, "n dx"], Shaped[ndarray, "n dy"]]:
        """Draw n pairs; the same seed gives the same pairs. float32, or int64 if discrete.

        Raises:
            InfomaxError: n < 1.
        """
        if n < 1:
            raise InfomaxError(wanted="n >= 1", got=f"n = {n}", fix="ask for one pair or more")
        x, y = self.draw(np.random.default_rng(seed), n)
        return _narrow(x), _narrow(y)

    def log_ratio(
        self, x: Shaped[ndarray, "n dx"], y: Shaped[ndarray, "m dy"]
    ) -> Float[ndarray, "n m"]:
        """All pairs' log p(x_i, y_j)/(p(x_i) p(y_j)), nats, float64: the best critic there is.

        Its mean over the joint is `nats`; the mean of its exponential over the product is 1.

        Raises:
            InfomaxError: no closed form is known.
        """
        if self.ratio is None:
            raise InfomaxError(
                wanted="a problem with a closed log-ratio",
                got=self.name,
                fix="use one whose `ratio` is not None",
            )
        return self.ratio(x.astype(np.float64), y.astype(np.float64))


def _narrow(values: ndarray) -> ndarray:
    return values if np.issubdtype(values.dtype, np.integer) else values.astype(np.float32)


def independent(dim_x: int, dim_y: int) -> Problem:
    """Independent standard normals: 0 nats, whatever an estimator says.

    Example:
        >>> independent(20, 20).nats
        0.0
    """

    def draw(rng: np.random.Generator, n: int) -> Pairs:
        return rng.standard_normal((n, dim_x)), rng.standard_normal((n, dim_y))

    return Problem(
        name=f"independent-{dim_x}-{dim_y}",
        nats=0.0,
        dim_x=dim_x,
        dim_y=dim_y,
        draw=draw,
        ratio=lambda x, y: np.zeros((len(x), len(y))),
    )


def joined(*problems: Problem) -> Problem:
    """Independent problems side by side, columns concatenated: their nats add.

    I(X₁…X_k; Y₁…Y_k) = Σ I(X_i; Y_i).

    Example:
        >>> from infomax import truth
        >>> joined(truth.additive_uniform(0.5), truth.independent(3, 2)).nats
        0.5
    """
    ends_x = np.cumsum([0, *(p.dim_x for p in problems)])
    ends_y = np.cumsum([0, *(p.dim_y for p in problems)])

    def draw(rng: np.random.Generator, n: int) -> Pairs:
        xs, ys = zip(*(p.draw(rng, n) for p in problems), strict=True)
        return np.concatenate(xs, 1), np.concatenate(ys, 1)

    def ratio(x: ndarray, y: ndarray) -> ndarray:
        parts = (
            p.log_ratio(x[:, ends_x[i] : ends_x[i + 1]], y[:, ends_y[i] : ends_y[i + 1]])
            for i, p in enumerate(problems)
        )
        out: ndarray = np.stack(list(parts)).sum(0)
        return out

    return Problem(
        name=" + ".join(p.name for p in problems),
        nats=sum(p.nats for p in problems),
        dim_x=int(ends_x[-1]),
        dim_y=int(ends_y[-1]),
        draw=draw,
        stderr=float(np.sqrt(sum(p.stderr**2 for p in problems))),
        ratio=ratio if all(p.ratio is not None for p in problems) else None,
    )
