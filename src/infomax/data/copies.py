"""Exact copies among contexts, so that a copy of a training context never sits in the test."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import numpy as np
from jaxtyping import Int

from infomax.data.columns import Column

CHANCE = 0.1
"""Numbers of which more rows than this share are equal are discrete: equal by chance, no copies."""


def copies(
    columns: Mapping[str, Column], rows: Int[np.ndarray, " n"]
) -> Int[np.ndarray, " n"] | None:
    """A number for each context, the same for contexts equal in every signal; None if all differ.

    Contexts made of numbers alone (vectors, series) of which
    more than a tenth have an equal are discrete data, where equal rows are no copies: None.
    """
    stores = [column.stored() for column in columns.values()]
    seen: dict[bytes, int] = {}
    numbers = np.empty(len(rows), dtype=np.int64)
    for place, row in enumerate(rows.tolist()):
        digest = hashlib.blake2b(digest_size=16)
        for store, slot in stores:
            at = row if slot is None else slot[row]
            digest.update(store[at].tobytes() if at >= 0 else b"missing")
        numbers[place] = seen.setdefault(digest.digest(), len(seen))
    if len(seen) == len(rows):
        return None
    equal = (np.bincount(numbers)[numbers] > 1).mean()
    if equal > CHANCE and all(column.kind in ("vector", "series") for column in columns.values()):
        return None
    return numbers
