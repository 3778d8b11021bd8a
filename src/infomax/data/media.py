"""Files of pictures and sounds, decoded once, in threads; what cannot be read is named."""

from __future__ import annotations

import io
import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import final

import numpy as np
import torch
from jaxtyping import Bool, Int
from torch import Tensor

from infomax._errors import InfomaxError
from infomax.data.columns import Column, Kind, LazyColumn, MemoryColumn

MEMORY = 4 << 30
"""Bytes of decoded rows above which a column is not kept in memory but decoded when read."""
PATIENCE = 2.0
"""Seconds of decoding after which a progress bar appears."""


@final
@dataclass(frozen=True, eq=False)
class Cells:
    """A column of encoded files: a path, or the bytes themselves, for each context that has one."""

    filled: Bool[np.ndarray, " contexts"]
    cell: Callable[[int], Path | bytes]
    name: Callable[[int], str]

    def open(self, row: int) -> Path | io.BytesIO:
        """What a decoder takes for this row."""
        cell = self.cell(row)
        if isinstance(cell, bytes):
            return io.BytesIO(cell)
        if not cell.is_file():
            raise FileNotFoundError("no such file")
        return cell


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
    decode: Callable[[Path | io.BytesIO], np.ndarray],
    shape: tuple[int, ...],
    dtype: torch.dtype,
) -> tuple[Column, dict[int, str]]:
    """A column of decoded files, and the rows that could not be decoded, with the reason.

    In memory if the rows asked for fit in `MEMORY`; else a file is decoded each time it is read,
    and a broken one is an error then.
    """
    wanted = rows[cells.filled[rows]]
    present = np.zeros(len(cells.filled), dtype=bool)
    present[wanted] = True
    itemsize = torch.empty((), dtype=dtype).element_size()
    if len(wanted) * int(np.prod(shape)) * itemsize > MEMORY:
        return LazyColumn(kind, shape, dtype, present, _on_demand(kind, cells, decode)), {}
    data = torch.zeros((len(wanted), *shape), dtype=dtype)
    into = data.numpy()
    bad: dict[int, str] = {}

    def attempt(places: range) -> int:
        for place in places:
            row = int(wanted[place])
            try:
                into[place] = decode(cells.open(row))
            # whatever a decoder raises on a broken file (OSError, SyntaxError, struct.error,
            # libsndfile's own ...), it is the file that is at fault: name it and go on
            except Exception as error:
                bad[row] = f"{cells.name(row)}: {str(error) or type(error).__name__}"
        return len(places)

    _in_threads(attempt, len(wanted), f"reading {kind} files")
    slot = torch.full((len(cells.filled),), -1, dtype=torch.int64)
    slot[torch.from_numpy(wanted)] = torch.arange(len(wanted))
    slot[sorted(bad)] = -1
    return MemoryColumn(kind, data, slot), dict(sorted(bad.items()))


def _on_demand(
    kind: Kind, cells: Cells, decode: Callable[[Path | io.BytesIO], np.ndarray]
) -> Callable[[int], Tensor]:
    def one(row: int) -> Tensor:
        try:
            values = torch.from_numpy(np.array(decode(cells.open(row))))
        except Exception as error:
            raise InfomaxError(
                wanted=f"a {kind} that can be read",
                got=f"{cells.name(row)}: {str(error) or type(error).__name__}",
                fix="mend the file or empty its cell",
            ) from error
        return values.float() / 32768 if values.dtype == torch.int16 else values

    return one


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
