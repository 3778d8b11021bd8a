"""Kraskov, Stögbauer and Grassberger's nearest neighbours: a second opinion in low dimension."""

from __future__ import annotations

import time

import numpy as np
from jaxtyping import Float
from torch import Tensor

from infomax.estimation.result import Tried
from infomax.estimation.scaling import scaling

WIDEST = 4  # columns of x and y together, above which it falls far short
MOST = 20_000


def ksg(x: Float[np.ndarray, "n dx"], y: Float[np.ndarray, "n dy"], *, k: int = 3) -> float:
    """I = ψ(N) + <ψ(k) - ψ(n_x + 1) - ψ(n_y + 1)>, in nats: neither a lower nor an upper bound.

    n_x counts the points nearer to x_i, in maximum norm, than the k-th neighbour of (x_i, y_i).
    Where that is at no distance, as many rows are equal ("no rain"), k and n_x + 1 are the numbers
    of points that equal this one, itself included.

    Source: Kraskov, Stögbauer, Grassberger 2004 (arXiv cond-mat/0305641), eq. 8; equal rows: Gao,
    Kannan, Oh, Viswanath 2017 (arXiv 1709.06212).

    Example:
        >>> rows = np.random.default_rng(0).normal(size=(2000, 2))
        >>> abs(ksg(rows[:, :1], rows[:, 1:])) < 0.05
        True
    """
    from scipy.spatial import cKDTree
    from scipy.special import digamma

    both = np.concatenate([x, y], 1)
    reach = cKDTree(both).query(both, k + 1, p=np.inf)[0][:, -1] * (1 - 1e-10)
    _, number, equal = np.unique(both, axis=0, return_inverse=True, return_counts=True)
    near = np.where(reach > 0, k, equal[number.ravel()])
    counts = [
        cKDTree(side).query_ball_point(side, reach, p=np.inf, return_length=True) for side in (x, y)
    ]  # each counts the point itself, so it is n_x + 1
    return float(digamma(len(x)) + (digamma(near) - sum(digamma(c) for c in counts)).mean())


def neighbours(x: Tensor, y: Tensor, *, seed: int) -> list[Tried]:
    """Give KSG's opinion where it may have one, else nothing."""
    if x.shape[1] + y.shape[1] > WIDEST:
        return []
    begun = time.perf_counter()
    few = np.random.default_rng(seed).permutation(len(x))[:MOST]
    scale = scaling("rank", x[few], y[few])
    value = ksg(scale.x(x[few]).numpy(), scale.y(y[few]).numpy())
    return [
        Tried(
            method="ksg",
            side="estimate",
            validation_nats=None,
            test_nats=value,
            seconds=time.perf_counter() - begun,
        )
    ]
