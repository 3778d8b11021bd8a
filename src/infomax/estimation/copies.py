"""Rows that are exact copies of others, told from values that recur by chance."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Bool, Int, Shaped
from torch import Tensor

OFTEN = 0.01
"""Share of the rows in which a value is one that is taken often, not a copy."""


def copies(x: Tensor, y: Tensor) -> tuple[Int[np.ndarray, " n"], int]:
    """A number for each row, the same for exact copies of it; and how many rows are copies.

    In the order of their first row, so that another scale of the numbers changes no split.

    Of counts, of rounded numbers, or of columns with many zeros, rows are equal by chance, and none
    is a copy. A copy is told by a value, of x or of y, that stands in no other row: of a side where
    nearly all that recur do so with the same partner. But one in more than a hundredth of all rows
    (and in ten), and far more often than most, is a value that is taken often, like "no rain". A
    single column of whole numbers tells none: they count or name things, and recur.

    Rows are told apart by a hash of 64 bits, column by column, so that a million take seconds.
    """
    import pandas as pd

    of_x, of_y = _hashed(x), _hashed(y)
    numbers: np.ndarray = pd.factorize(of_x * _ODD + of_y)[0]
    equal = _times(numbers)
    copied = np.zeros(len(x), bool)
    for rows, side in ((x, of_x), (y, of_y)):
        if rows.shape[1] > 1 or not torch.equal(rows, rows.round()):
            copied |= _told_by(side, equal)
    numbers = pd.factorize(np.where(copied, numbers, len(x) + np.arange(len(x))))[0]
    return numbers, len(numbers) - int(numbers.max()) - 1


def _hashed(rows: Tensor) -> Shaped[np.ndarray, " n"]:
    import pandas as pd

    mixed = np.zeros(len(rows), np.uint64)
    for column in rows.unbind(1):
        plain = np.ascontiguousarray(column.numpy()) + 0.0  # -0.0 is 0.0
        mixed = mixed * _ODD + pd.util.hash_array(plain)
    return mixed


def _told_by(
    side: Shaped[np.ndarray, " n"], equal: Int[np.ndarray, " n"]
) -> Bool[np.ndarray, " n"]:
    """Rows whose value on one side stands in their copies alone, if that side can tell."""
    own = _times(side)
    usual = np.median(own[np.unique(side, return_index=True)[1]])
    recurs = (own > 1) & (own <= max(OFTEN * len(own), 10, 5 * usual))
    same: np.ndarray = recurs & (own == equal)
    return same & bool(same.sum() >= 0.9 * recurs.sum())


def _times(values: Shaped[np.ndarray, " n"]) -> Int[np.ndarray, " n"]:
    """In how many rows each value stands."""
    _, number, counts = np.unique(values, return_inverse=True, return_counts=True)
    times: np.ndarray = counts[number]
    return times


_ODD = np.uint64(0x9E3779B97F4A7C15)
