"""Files of pictures and sounds, decoded once, in threads, into memory or a file on disk."""

from __future__ import annotations

import hashlib
import io
import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import final

import numpy as np
import torch
from jaxtyping import Bool, Int

from infomax.data.columns import Column, DiskColumn, Kind, MemoryColumn
from infomax.data.keeping import Keep, Put, folder, kept, on_disk

PATIENCE = 2.0
"""Seconds of decoding after which a progress bar appears."""


@final
@dataclass(frozen=True, eq=False)
class Cells:
    """A column of encoded files: a path, or the bytes themselves, for each context that has one.

    `mark(row)` changes whenever the content does, and is quicker to tell than the content; None:
    the path with its size and time, or a digest of the bytes.
    """

    filled: Bool[np.ndarray, " contexts"]
    cell: Callable[[int], Path | bytes]
    name: Callable[[int], str]
    mark: Callable[[int], str] | None = None

    def open(self, row: int) -> Path | io.BytesIO:
        """What a decoder takes for this row."""
        cell = self.cell(row)
        if isinstance(cell, bytes):
            return io.BytesIO(cell)
        if not cell.is_file():
            raise FileNotFoundError("no such file")
        return cell

    def marked(self, row: int) -> str:
        """What stands for the content of this row."""
        if self.mark is not None:
            return self.mark(row)
        cell = self.cell(row)
        if isinstance(cell, bytes):
            return hashlib.blake2b(cell, digest_size=16).hexdigest()
        return stamp(cell)


def stamp(file: Path) -> str:
    """A file with its size and the time it was changed."""
    try:
        facts = file.stat()
    except OSError:
        return f"{file} missing"
    return f"{file.absolute()} {facts.st_size} {facts.st_mtime_ns}"


def paths(files: Sequence[str | None], folder: Path) -> Cells:
    """Cells from paths relative to a folder; None or empty where missing."""
    return Cells(
        np.array([bool(file) for file in files], dtype=bool),
        lambda row: folder / str(files[row]),
        lambda row: str(files[row]),
    )


def decoded(
    kind: Kind,
    cells: Cells,
    rows: Int[np.ndarray, " n"],
    decode: partial[np.ndarray],
    shape: tuple[int, ...],
    dtype: torch.dtype,
    keep: Keep,
) -> tuple[Column, dict[int, str]]:
    """A column of decoded files, and the rows that could not be decoded, with the reason.

    Args:
        kind: of the signal.
        cells: the files.
        rows: those of the source that are wanted.
        decode: a path or an open file to the numbers of a row.
        shape: of a row.
        dtype: of a row.
        keep: in memory, or in a file beside which memory does not grow; both read alike.
    """
    wanted = rows[cells.filled[rows]]
    size = int(np.prod(shape)) * torch.empty((), dtype=dtype).element_size()
    slot = torch.full((len(cells.filled),), -1, dtype=torch.int64)
    slot[torch.from_numpy(wanted)] = torch.arange(len(wanted))

    def fill(put: Put, where: str = "") -> dict[int, str]:
        bad: dict[int, str] = {}

        def attempt(places: range) -> int:
            for place in places:
                row = int(wanted[place])
                try:
                    values = decode(cells.open(row))
                # whatever a decoder raises on a broken file (OSError, SyntaxError, struct.error,
                # libsndfile's own ...), it is the file that is at fault: name it and go on
                except Exception as error:
                    bad[place] = f"{cells.name(row)}: {str(error) or type(error).__name__}"
                else:
                    put(place, values)
            return len(places)

        _in_threads(attempt, len(wanted), f"reading {kind} files{where}")
        return dict(sorted(bad.items()))

    if on_disk(keep, len(wanted) * size):
        key = hashlib.blake2b(digest_size=12)
        key.update(f"{kind} {shape} {dtype} {sorted(decode.keywords.items())}".encode())
        for row in wanted.tolist():
            key.update(f"\n{cells.marked(row)}".encode())
        to_disk = partial(fill, where=f" into {folder()}")
        held = kept(f"{kind}-{key.hexdigest()}", len(wanted), size, to_disk)
        bad = dict(held.bad)
        column: Column = DiskColumn(kind, shape, dtype, held, slot)
    else:
        data = torch.zeros((len(wanted), *shape), dtype=dtype)
        bad = fill(data.numpy().__setitem__)
        column = MemoryColumn(kind, data, slot)
    slot[wanted[list(bad)]] = -1
    return column, {int(wanted[place]): why for place, why in bad.items()}


def _in_threads(attempt: Callable[[range], int], total: int, what: str) -> None:
    """Run `attempt` over range(total) in pieces; a progress bar if it takes long."""
    from rich.console import Console
    from rich.progress import MofNCompleteColumn, Progress, TimeRemainingColumn

    columns = (*Progress.get_default_columns()[:2], MofNCompleteColumn(), TimeRemainingColumn())
    bar = Progress(*columns, console=Console(stderr=True), transient=True)
    pool = ThreadPoolExecutor(min(8, os.cpu_count() or 1))
    begun, task = time.monotonic(), None
    try:
        pieces = [range(start, min(start + 32, total)) for start in range(0, total, 32)]
        done = 0
        for count in pool.map(attempt, pieces):
            done += count
            if task is None and time.monotonic() - begun > PATIENCE:
                bar.start()
                task = bar.add_task(what, total=total)
            if task is not None:
                bar.update(task, completed=done)
    finally:  # an interrupt must not wait for the files that are left
        pool.shutdown(wait=False, cancel_futures=True)
        bar.stop()
