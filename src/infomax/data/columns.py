"""One signal over all contexts of a data set: a column that hands out rows as a tensor."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, final

import numpy as np
import torch
from jaxtyping import Bool, Int
from torch import Tensor

Kind = Literal["picture", "sound", "text", "vector", "series"]


class Column(ABC):
    """A signal of every context of a source; contexts that lack it read as zeros.

    Rows as read, by kind: picture uint8 [C, H, W]; sound float32 [samples], within [-1, 1];
    text uint8 [L], the UTF-8 bytes padded with zeros; vector float32 [d]; series float32 [T, C].
    """

    kind: Kind
    shape: tuple[int, ...]  # of one row
    present: Bool[np.ndarray, " contexts"]

    def __len__(self) -> int:
        """Contexts in the source, present or not."""
        return len(self.present)

    @abstractmethod
    def read(self, indices: Int[Tensor, " n"]) -> Tensor:
        """Rows `indices` of the source, stacked; zeros where the signal is missing."""


@final
@dataclass(frozen=True, eq=False)
class MemoryColumn(Column):
    """A column held in one contiguous tensor; only the contexts that have the signal take room.

    `slot[i]` is the row of `data` that belongs to context i, -1 where it is missing; None: row i.
    Sound is stored as int16 (half the room) and read as float32.

    Example:
        >>> column = MemoryColumn("vector", torch.ones(2, 3), torch.tensor([0, -1, 1]))
        >>> column.present.tolist(), column.read(torch.tensor([1, 2])).tolist()
        ([True, False, True], [[0.0, 0.0, 0.0], [1.0, 1.0, 1.0]])
    """

    kind: Kind
    data: Tensor
    slot: Int[Tensor, " contexts"] | None = None

    @cached_property
    def shape(self) -> tuple[int, ...]:  # type: ignore[override]
        """The shape of one row."""
        return tuple(self.data.shape[1:])

    @cached_property
    def present(self) -> Bool[np.ndarray, " contexts"]:  # type: ignore[override]
        """True where the context has the signal."""
        if self.slot is None:
            return np.ones(len(self.data), dtype=bool)
        present: np.ndarray = (self.slot >= 0).numpy()
        return present

    def read(self, indices: Int[Tensor, " n"]) -> Tensor:
        """Rows `indices` of the source: one index_select."""
        if self.slot is None:
            rows = self.data.index_select(0, indices)
        else:
            slots = self.slot.index_select(0, indices)
            missing = slots < 0
            rows = self.data.index_select(0, slots.clamp(min=0))
            if bool(missing.any()):
                rows[missing] = 0
        return rows.float() / 32768 if rows.dtype == torch.int16 else rows


@final
@dataclass(frozen=True, eq=False)
class LazyColumn(Column):
    """A column decoded row by row when read: for what does not fit in memory.

    `decode(i)` returns the row of context i and raises `InfomaxError` naming it when it cannot.
    """

    kind: Kind
    shape: tuple[int, ...]
    dtype: torch.dtype
    present: Bool[np.ndarray, " contexts"]
    decode: Callable[[int], Tensor]

    def read(self, indices: Int[Tensor, " n"]) -> Tensor:
        """Decode the rows `indices` now."""
        rows = torch.zeros((len(indices), *self.shape), dtype=self.dtype)
        for place, index in enumerate(indices.tolist()):
            if self.present[index]:
                rows[place] = self.decode(index)
        return rows
