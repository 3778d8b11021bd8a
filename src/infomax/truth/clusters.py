"""Clusters: what two variables share is which of many groups a row is of."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from infomax.truth.problem import Pairs, Problem

DRAWS = 100_000


def clusters(
    dim_x: int, dim_y: int, *, count: int = 10, noise: float = 0.5, unlike: float = 1, seed: int = 0
) -> Problem:
    """X and Y about centres of the same cluster, else independent; nats by Monte Carlo.

    With C uniform over `count`, X = m_C + s_C ε and Y = n_C + t_C η, so that

        f(x, y) = log (1/count) Σ_c p(x|c) p(y|c) - log p(x) - log p(y),

    and I(X; Y) = E[f] <= log count, over 100,000 draws. Centres are standard normal.

    Args:
        dim_x: columns of x.
        dim_y: columns of y.
        count: clusters, equally likely.
        noise: deviation within a cluster; the least, if they are unlike.
        unlike: how many times as large the largest deviation may be, 1 or more.
        seed: of the centres, the deviations and the Monte Carlo.

    Example:
        >>> problem = clusters(5, 5, count=10, noise=0.1)
        >>> bool(abs(problem.nats - np.log(10)) < 1e-3)
        True
    """
    rng = np.random.default_rng(seed)
    centres = [rng.standard_normal((count, dim)) for dim in (dim_x, dim_y)]
    scales = noise * unlike ** rng.random((2, count))

    def draw(rng: np.random.Generator, n: int) -> Pairs:
        c = rng.integers(count, size=n)
        x, y = (
            centre[c] + scale[c, None] * rng.standard_normal((n, centre.shape[1]))
            for centre, scale in zip(centres, scales, strict=True)
        )
        return x, y

    def log_parts(side: int, rows: ndarray) -> Float[ndarray, "n c"]:
        """Log p(row|c), less what all have."""
        centre, scale = centres[side], scales[side]
        square = (rows**2).sum(1)[:, None] - 2 * rows @ centre.T + (centre**2).sum(1)
        out: ndarray = -0.5 * square / scale**2 - centre.shape[1] * np.log(scale)
        return out

    def ratio(x: ndarray, y: ndarray) -> Float[ndarray, "n m"]:
        a, b = log_parts(0, x), log_parts(1, y)
        of_x, of_y = (np.logaddexp.reduce(part, axis=1)[:, None] for part in (a, b))
        both = np.exp(a - of_x) @ np.exp(b - of_y).T  # Σ_c p(c|x) p(c|y)
        out: ndarray = np.log(np.maximum(both * count, 1e-300))
        return out

    x, y = draw(np.random.default_rng([seed, 1]), DRAWS)
    parts = zip(np.array_split(x, 1000), np.array_split(y, 1000), strict=True)
    gain = np.concatenate([np.diagonal(ratio(*part)) for part in parts])
    return Problem(
        name=f"clusters-{dim_x}-{dim_y}-{count}-{noise}" + (f"-{unlike}" if unlike != 1 else ""),
        nats=float(gain.mean()),
        dim_x=dim_x,
        dim_y=dim_y,
        draw=draw,
        stderr=float(gain.std() / np.sqrt(DRAWS)),
        ratio=ratio,
    )
