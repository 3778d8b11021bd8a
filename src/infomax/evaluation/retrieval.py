"""Finding a context by another of its views: recall, ranks, chance, from a matrix of scores.

Pure functions of arrays. A candidate is right if it is of the query's group (the same context,
or one whose label says it is the same thing); a query counts by the best of its right candidates.
Ties are broken at random, in expectation: a constant embedding gives chance, not 1.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.stats import hypergeom

from infomax._errors import InfomaxError

KS = (1, 5, 10)
CANDIDATES = 1000
DRAWS = 5
RESAMPLES = 400
TIED = 1e-6
"""Scores nearer than this share of the largest are equal: float32 knows no better."""

Scores = Float[np.ndarray, "q c"]
Score = Callable[[Int[np.ndarray, " q"], Int[np.ndarray, " c"]], Scores]
"""Rows of queries and of candidates -> their scores; more is better."""


@dataclass(frozen=True)
class Found:
    """What retrieval came to, for one pair of views in one direction.

    ``recall``, ``chance`` and ``interval`` are by k; the interval (95 %) is over queries.
    """

    contexts: int
    candidates: int
    recall: dict[int, float]
    chance: dict[int, float]
    interval: dict[int, tuple[float, float]]
    median_rank: float
    chance_rank: float


def places(scores: Scores, right: Bool[np.ndarray, "q c"]) -> Int[np.ndarray, "3 q"]:
    """For each query: candidates above its best right one, wrong ones tied with it, right ones.

    The last counts the right candidates among the tied, the best one included.

    Raises:
        InfomaxError: a query has no right candidate, or a score is not a number.
    """
    if not right.any(1).all() or not np.isfinite(scores).all():
        raise InfomaxError(
            wanted="finite scores, and a right answer for every query",
            got=f"{int((~right.any(1)).sum())} queries without, "
            f"{int((~np.isfinite(scores)).sum())} scores that are not finite",
            fix="leave out contexts that lack either view; look whether the encoder diverged",
        )
    best = np.where(right, scores, -np.inf).max(1, keepdims=True)
    near = TIED * np.abs(scores).max(1, keepdims=True)
    tied = np.abs(scores - best) <= near
    above = (scores > best + near).sum(1)
    return np.stack([above, (tied & ~right).sum(1), (tied & right).sum(1)])


def recall_at(
    k: int, above: Int[np.ndarray, " q"], wrong: Int[np.ndarray, " q"], right: Int[np.ndarray, " q"]
) -> Float[np.ndarray, " q"]:
    """Chance that a right candidate is among the first k, where ties are in random order.

    ``1 - C(wrong, m) / C(wrong + right, m)`` with ``m = k - above`` places left for the tied.

    Example:
        >>> one = np.array([1])
        >>> recall_at(1, 0 * one, 3 * one, one), recall_at(2, one, 3 * one, 2 * one)
        (array([0.25]), array([0.4]))
    """
    left = np.clip(k - above, 0, wrong + right)
    missed: np.ndarray = hypergeom.pmf(0, wrong + right, right, left)
    return 1 - missed


def mean_rank(
    above: Int[np.ndarray, " q"], wrong: Int[np.ndarray, " q"], right: Int[np.ndarray, " q"]
) -> Float[np.ndarray, " q"]:
    """Expected rank of the first right candidate, from 1, where ties are in random order."""
    ranks: np.ndarray = above + (wrong + right + 1) / (right + 1)
    return ranks


def cosine(x: Float[np.ndarray, "q d"], y: Float[np.ndarray, "c d"]) -> Float[np.ndarray, "q c"]:
    """Cosines of all pairs, in double precision; a vector of zeros is at zero from all.

    Example:
        >>> cosine(np.array([[3.0, 0.0]]), np.array([[1.0, 1.0], [0.0, 0.0]])).round(3)
        array([[0.707, 0.   ]])
    """
    lengths = [np.maximum(np.linalg.norm(z.astype(float), axis=1), 1e-300) for z in (x, y)]
    scores: np.ndarray = (x / lengths[0][:, None]) @ (y / lengths[1][:, None]).T
    return scores


def by_cosine(x: Float[np.ndarray, "n d"], y: Float[np.ndarray, "n d"]) -> Score:
    """Score rows of x as queries for rows of y by their cosine."""
    return lambda queries, candidates: cosine(x[queries], y[candidates])


def retrieve(
    score: Score,
    groups: Int[np.ndarray, " n"],
    *,
    candidates: int = CANDIDATES,
    ks: Sequence[int] = KS,
    seed: int = 0,
) -> Found:
    """Look for each of n contexts by one view among the others by another view.

    Up to ``candidates`` contexts are each other's queries and candidates. If there are more, five
    draws of so many are averaged. The interval resamples queries, whole groups of them at a
    time, since contexts of one group stand or fall together; it does not redraw candidates.

    Args:
        score: positions (of n) of queries and of candidates -> scores.
        groups: contexts with the same number are right answers for one another.
        candidates: how many are searched.
        ks: for which k recall is wanted; those below the number of candidates are given.
        seed: decides what is drawn.

    Raises:
        InfomaxError: fewer than two contexts.

    Example:
        >>> z = np.random.default_rng(0).normal(size=(50, 8))
        >>> found = retrieve(by_cosine(z, z), np.arange(50))
        >>> found.recall[1], round(found.chance[1], 3), found.median_rank
        (1.0, 0.02, 1.0)
    """
    n = len(groups)
    if n < 2:
        raise InfomaxError(
            wanted="two contexts or more that have both views", got=f"{n}", fix="bring more data"
        )
    size, rng = min(n, candidates), np.random.default_rng(seed)
    drawn = [rng.permutation(n)[:size] for _ in range(DRAWS)] if size < n else [np.arange(n)]
    ks = [k for k in ks if k < size] or [1]
    who, hits, luck, ranks, lucky = [], [], [], [], []
    for rows in drawn:
        right = groups[rows][:, None] == groups[rows][None]
        place = places(score(rows, rows), right)
        many = right.sum(1)
        blind = (0 * many, size - many, many)
        who.append(groups[rows])
        hits.append([recall_at(k, *place) for k in ks])
        luck.append([recall_at(k, *blind) for k in ks])
        ranks.append(mean_rank(*place))
        lucky.append(mean_rank(*blind))
    hit, rank = np.concatenate(hits, axis=1), np.concatenate(ranks)
    intervals = resampled(hit, np.concatenate(who), rng)
    return Found(
        contexts=n,
        candidates=size,
        recall={k: float(h.mean()) for k, h in zip(ks, hit, strict=True)},
        chance=dict(zip(ks, np.concatenate(luck, axis=1).mean(1).tolist(), strict=True)),
        interval=dict(zip(ks, intervals, strict=True)),
        median_rank=float(np.median(rank)),
        chance_rank=float(np.median(np.concatenate(lucky))),
    )


def resampled(
    values: Float[np.ndarray, "k n"], clusters: Int[np.ndarray, " n"], rng: np.random.Generator
) -> list[tuple[float, float]]:
    """Interval (95 %) of the mean of each row of shares in [0, 1], by resampling clusters.

    Percentiles of a bootstrap (Efron 1979); where every query agrees, which no resample can
    question, Wilson's interval on the number of clusters.
    """
    codes = np.unique(clusters, return_inverse=True)[1].reshape(-1)
    count = np.bincount(codes)
    sums = np.stack([np.bincount(codes, row) for row in values])
    m = len(count)
    weights = rng.multinomial(m, np.full(m, 1 / m), size=RESAMPLES)
    means = (weights @ sums.T) / (weights @ count)[:, None]
    ends = np.percentile(means, [2.5, 97.5], axis=0)
    out = []
    for mean, low, high in zip(values.mean(1), *ends, strict=True):
        middle, half = _wilson(float(mean), m)
        if mean in (0.0, 1.0):
            low, high = min(low, middle - half), max(high, middle + half)
        out.append((float(max(0.0, low)), float(min(1.0, high))))
    return out


def _wilson(share: float, n: int, z: float = 1.96) -> tuple[float, float]:
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z * np.sqrt(share * (1 - share) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    return middle, float(half)
