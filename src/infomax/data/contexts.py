"""A data set as the engine sees it: contexts with signals, split, handed out in batches."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from typing import final

import numpy as np
import torch
from jaxtyping import Bool, Int
from torch import Tensor

from infomax._errors import InfomaxError
from infomax.data.columns import Column, DiskColumn, Kind

__all__ = ["SPLITS", "Batch", "Contexts", "Kind"]

SPLITS = ("train", "validation", "test")


@final
@dataclass(frozen=True, eq=False)
class Batch:
    """Some contexts: every signal stacked, which are there, and their row numbers in the source.

    A missing signal is a row of zeros and False in `present`.
    """

    signals: dict[str, Tensor]
    present: dict[str, Bool[Tensor, " n"]]
    index: Int[Tensor, " n"]

    def __len__(self) -> int:
        """Contexts in the batch."""
        return len(self.index)

    def to(self, device: torch.device | str) -> Batch:
        """The same batch on another device."""
        return Batch(
            {name: rows.to(device, non_blocking=True) for name, rows in self.signals.items()},
            {name: there.to(device, non_blocking=True) for name, there in self.present.items()},
            self.index.to(device, non_blocking=True),
        )


@final
@dataclass(frozen=True, eq=False)
class Contexts:
    """A whole data set: signals and labels by row of the source, and the rows of each split.

    Signals and labels have one row for every row of the source; `splits` names the rows in use
    (unreadable ones, those beyond `limit` and those left out by the split are in none).

    Example:
        >>> from infomax.data import load
        >>> digits = load("digits")
        >>> [digits.count(split) for split in SPLITS]
        [1258, 180, 359]
        >>> next(digits.batches("train", 32, seed=0)).signals["picture"].shape
        torch.Size([32, 1, 8, 8])
    """

    name: str
    signals: Mapping[str, Column]
    labels: Mapping[str, np.ndarray]
    splits: Mapping[str, np.ndarray]
    skipped: tuple[str, ...] = ()
    _present: dict[str, Tensor] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        there = {name: torch.from_numpy(column.present) for name, column in self.signals.items()}
        object.__setattr__(self, "_present", there)

    @property
    def label_names(self) -> tuple[str, ...]:
        """The names of the labels there are."""
        return tuple(self.labels)

    def labelled(self, label: str) -> Bool[np.ndarray, " n"]:
        """True for the rows of the source that have this label."""
        values = self.labels[label]
        there: np.ndarray = values != "" if values.dtype.kind == "U" else np.ones(len(values), bool)
        return there

    def classes(self, label: str) -> Int[np.ndarray, " n"]:
        """The class of each row of the source as a number; -1 where it has no such label."""
        numbers = np.unique(self.labels[label].astype(str), return_inverse=True)[1].reshape(-1)
        return np.where(self.labelled(label), numbers, -1)

    def rows(self, split: str) -> Int[np.ndarray, " contexts"]:
        """Row numbers in the source of the contexts of a split.

        Raises:
            InfomaxError: there is no such split.
        """
        if split not in self.splits:
            raise InfomaxError(
                wanted=f"a split of {self.name}: {', '.join(self.splits)}",
                got=repr(split),
                fix="name one of these",
            )
        return self.splits[split]

    def count(self, split: str) -> int:
        """Contexts in a split."""
        return len(self.rows(split))

    def batches(
        self,
        split: str,
        size: int,
        *,
        seed: int | None,
        epoch: int = 0,
        drop_last: bool = False,
        part: slice = slice(None),
        skip: int = 0,
    ) -> Iterator[Batch]:
        """The contexts of a split once, `size` at a time.

        Args:
            split: train, validation or test.
            size: contexts in a batch; the last may be smaller.
            seed: None keeps the order of the source; else the order is a pure function of
                (seed, epoch).
            epoch: which pass over the data this is.
            drop_last: leave out a last batch smaller than `size`.
            part: read only this part of each batch (the share of one process of several).
            skip: begin after so many batches.

        Raises:
            InfomaxError: no such split; `size` below 1; `drop_last` and fewer contexts than `size`.
        """
        rows = self.rows(split)
        if size < 1 or (drop_last and size > len(rows)):
            raise InfomaxError(
                wanted=f"a batch of 1 to {len(rows)} contexts, the {split} split of {self.name}",
                got=f"batch: {size}",
                fix=f"set train.batch to at most {len(rows)}, or bring more data",
            )
        if seed is not None:
            rows = rows[np.random.default_rng((seed, epoch)).permutation(len(rows))]
        end = len(rows) - len(rows) % size if drop_last else len(rows)
        order = torch.from_numpy(rows[:end])
        starts = range(skip * size, end, size)
        parts = (order[start : start + size][part] for start in starts)
        on_disk = any(isinstance(column, DiskColumn) for column in self.signals.values())
        return self._ahead(parts) if on_disk else map(self._batch, parts)

    def take(self, split: str, rows: Sequence[int] | np.ndarray | Tensor) -> Batch:
        """The contexts at the given positions within a split."""
        return self._batch(torch.from_numpy(self.rows(split)[np.asarray(rows, dtype=np.int64)]))

    def _ahead(self, parts: Iterable[Int[Tensor, " n"]]) -> Iterator[Batch]:
        """Batches, of which the next is read from disk while one is used."""
        with ThreadPoolExecutor(1) as reader:
            coming: Future[Batch] | None = None
            for part in parts:
                last, coming = coming, reader.submit(self._batch, part)
                if last is not None:
                    yield last.result()
            if coming is not None:
                yield coming.result()

    def _batch(self, index: Int[Tensor, " n"]) -> Batch:
        return Batch(
            {name: column.read(index) for name, column in self.signals.items()},
            {name: there.index_select(0, index) for name, there in self._present.items()},
            index,
        )

    @cached_property
    def fingerprint(self) -> str:
        """A short hash of the data: shapes, presence, a few rows, labels and splits.

        Two loads of the same data give the same fingerprint, wherever the files lie.
        """
        digest = hashlib.blake2b(digest_size=8)
        for split, rows in self.splits.items():
            digest.update(split.encode() + rows.astype("<i8").tobytes())
        for label, values in self.labels.items():
            digest.update(f"{label}{values.tolist()}".encode())
        few = np.concatenate([rows[:: max(1, len(rows) // 16)] for rows in self.splits.values()])
        for name, column in self.signals.items():
            digest.update(f"{name}{column.kind}{column.shape}".encode())
            digest.update(np.packbits(column.present).tobytes())
            sums = column.read(torch.from_numpy(few)).double().flatten(1).sum(1)
            digest.update(sums.numpy().astype("<f8").tobytes())
        return digest.hexdigest()
