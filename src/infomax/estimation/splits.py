"""Honest rows: validation laid aside once, the others cut into folds; copies never apart.

The validation rows are never tested on; each fold tests the models fitted to the other folds. So
every row but the validation ones is tested once, by a model that has not seen it, and the choice
between candidates has seen no test row.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from torch import Tensor

MANY = 40_000
"""Rows above which one split serves instead of folds."""
MOST = {"train": 200_000, "validation": 10_000, "test": 100_000}
"""The most rows that each part takes of very large data."""


@dataclass(frozen=True)
class Split:
    """Row numbers: validation, and (train, test) of each fold."""

    validation: Int[np.ndarray, " v"]
    folds: Sequence[tuple[Int[np.ndarray, " _"], Int[np.ndarray, " _"]]]

    @property
    def counts(self) -> dict[str, int]:
        """Rows of one training fold, of validation, of all test folds."""
        return {
            "train": len(self.folds[0][0]),
            "validation": len(self.validation),
            "test": sum(len(test) for _, test in self.folds),
        }


@dataclass(frozen=True)
class Part:
    """What a candidate may look at: training rows, validation rows to stop by, and its time."""

    x: Float[Tensor, "n dx"]
    y: Float[Tensor, "n dy"]
    x_validation: Float[Tensor, "v dx"]
    y_validation: Float[Tensor, "v dy"]
    seed: int
    seconds: float = math.inf  # to be done in, with all parts that are fitted together


def split(copies: Int[np.ndarray, " n"], seed: int) -> Split:
    """Cut rows into validation and folds, equal copies together; seeded.

    Args:
        copies: a number for each row, the same for exact copies of a row.
        seed: of the order.

    Example:
        >>> cut = split(np.arange(10_000), seed=0)
        >>> len(cut.folds), cut.counts["validation"], cut.counts["test"]
        (4, 1000, 9000)
    """
    n = len(copies)
    rng = np.random.default_rng(seed)
    groups, number = np.unique(copies, return_inverse=True)
    place = rng.permutation(len(groups))[number]  # copies share their place
    rows = np.argsort(place, kind="stable")
    level = place[rows] / len(groups)
    share = 0.1 if n >= 5000 else 0.2
    if n > MANY:
        parts = [rows[level < 0.05], rows[(level >= 0.05) & (level < 0.3)], rows[level >= 0.3]]
        sizes = (MOST["validation"], MOST["test"], MOST["train"])
        validation, test, train = (p[:most] for p, most in zip(parts, sizes, strict=True))
        return Split(validation, [(train, test)])
    validation, rest = rows[level < share], rows[level >= share]
    count = 4 if n >= 2000 else 5
    turn = np.floor((level[level >= share] - share) / (1 - share) * count * (1 - 1e-12)).astype(int)
    return Split(validation, [(rest[turn != k], rest[turn == k]) for k in range(count)])
