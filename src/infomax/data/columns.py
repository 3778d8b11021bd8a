"""One signal over all contexts of a data set: a column that hands out rows as a tensor."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, final

import numpy as np
import torch
from jaxtyping import Bool, Int
from torch import Tensor

from infomax._errors import InfomaxError
from infomax.data.keeping import Kept

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

    @abstractmethod
    def stored(self) -> tuple[np.ndarray, list[int] | None]:
        """An array with equal rows for equal signals, and the row of each context (-1: none).

        None stands for row i of context i.
        """


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

    def stored(self) -> tuple[np.ndarray, list[int] | None]:
        """The rows themselves."""
        return self.data.numpy(), None if self.slot is None else self.slot.tolist()


@final
@dataclass(frozen=True, eq=False)
class DiskColumn(Column):
    """A column kept in a file of decoded rows, read when asked for: for what exceeds memory.

    Reads what a `MemoryColumn` of the same rows and slots does.
    """

    kind: Kind
    shape: tuple[int, ...]
    dtype: torch.dtype
    rows: Kept
    slot: Int[Tensor, " contexts"]

    @cached_property
    def present(self) -> Bool[np.ndarray, " contexts"]:  # type: ignore[override]
        """True where the context has the signal."""
        present: np.ndarray = (self.slot >= 0).numpy()
        return present

    def read(self, indices: Int[Tensor, " n"]) -> Tensor:
        """Rows `indices` of the source, each by one read.

        Raises:
            InfomaxError: the file is shorter than it was.
        """
        rows = torch.zeros((len(indices), *self.shape), dtype=self.dtype)
        for row, slot in zip(
            rows.numpy(), self.slot.index_select(0, indices).tolist(), strict=True
        ):
            if slot >= 0 and os.preadv(self.rows.file, [row], slot * row.nbytes) < row.nbytes:
                raise InfomaxError(
                    wanted=f"the decoded rows of a {self.kind}",
                    got="a file that has become shorter",
                    fix="run again: they are decoded anew",
                )
        return rows.float() / 32768 if rows.dtype == torch.int16 else rows

    def stored(self) -> tuple[np.ndarray, list[int] | None]:
        """A digest of each row."""
        return self.rows.digests, self.slot.tolist()
