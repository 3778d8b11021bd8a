"""What a source finds before anything is split: rows, labels, and how to read the signals."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from csv import QUOTE_NONE
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import final

import numpy as np
from jaxtyping import Int

from infomax._errors import InfomaxError
from infomax.data.columns import Column
from infomax.data.spec import DataSpec, SplitSpec

SPLIT_NAMES = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("validation", "valid", "val", "dev"), "validation"),
    **dict.fromkeys(("test", "testing"), "test"),
}


@final
@dataclass(frozen=True, eq=False)
class Signals:
    """Columns as read, and the rows that could not be read, with the reason."""

    columns: dict[str, Column]
    unreadable: Mapping[int, str]


@final
@dataclass(frozen=True, eq=False)
class Table:
    """The rows of a source, not yet read.

    `given`: the split of each row by name, "none" where it is left out; None: nothing is given.
    `read(rows)` reads the signals of these rows; a column still has all rows of the source.
    """

    size: int
    read: Callable[[Int[np.ndarray, " n"]], Signals]
    labels: dict[str, np.ndarray]
    group: np.ndarray | None = None
    given: np.ndarray | None = None


def whole(columns: dict[str, Column]) -> Callable[[Int[np.ndarray, " n"]], Signals]:
    """The `read` of a source that is already in memory."""
    return lambda rows: Signals(columns, {})


def existing(path: str | None, source: str, *, folder: bool = False) -> Path:
    """The file or folder a source needs.

    Raises:
        InfomaxError: none is named, or it is not there.
    """
    what = "folder" if folder else "file"
    if path is None:
        raise InfomaxError(
            wanted=f"the {what} of the source {source}",
            got="no path",
            fix=f"set data.path, or --data {source}:{what.upper()}",
        )
    found = Path(path).expanduser()
    if not (found.is_dir() if folder else found.is_file()):
        raise InfomaxError(
            wanted=f"a {what} {path}",
            got=f"no {what} there" + (", but something else" if found.exists() else ""),
            fix=f"check data.path (relative to {Path.cwd()})",
        )
    return found


def separator(path: Path) -> str:
    """What sets the columns of a text file apart, by its first line.

    A comma; where there is none, what stands there most often of semicolons, tabs and bars.
    """
    import pandas as pd

    line = pd.read_csv(path, sep="\x01", header=None, nrows=1, quoting=QUOTE_NONE)  # unpacks, too
    first = str(line.iloc[0, 0])
    return "," if "," in first else max(",;\t|", key=first.count)


def find(column: str, there: Sequence[str], where: str) -> list[str]:
    """The columns a name or a pattern such as `audio_*` means, in the order of the file.

    Raises:
        InfomaxError: none, listing those there are.
    """
    if column in there:
        return [column]
    found = [name for name in there if fnmatchcase(name, column)] if "*" in column else []
    if not found:
        shown = ", ".join(there[:40]) + (f" and {len(there) - 40} more" if len(there) > 40 else "")
        raise InfomaxError(
            wanted=f"a column {column!r} in {where}",
            got=f"the columns {shown}",
            fix="name one of these in the data section, or with "
            "--set data.signals.SIGNAL.column=COLUMN",
        )
    return found


def need_signals(spec: DataSpec, there: Sequence[str], where: str) -> None:
    """Raise unless the data section says which columns are signals."""
    if not spec.signals:
        column = there[0] if there else "COLUMN"
        raise InfomaxError(
            wanted=f"data.signals: which columns of {where} are signals",
            got="none; the columns are " + ", ".join(there[:40]),
            fix=f"write for example signals: {{x: {{column: {column}, kind: vector}}}}",
        )


def label_values(values: np.ndarray, what: str) -> np.ndarray:
    """A label as int64; or as str, "" where the cell is empty.

    Raises:
        InfomaxError: all cells are empty, or numbers that are not whole.
    """
    if values.dtype.kind in "iub":
        return values.astype(np.int64)
    if values.dtype.kind == "f":
        empty = np.isnan(values)
        if not empty.any() or empty.all():
            return complete_values(values, what)
        whole = complete_values(np.where(empty, 0, values), what)
        return np.where(empty, "", whole.astype(str))
    if values.dtype.kind == "S":
        values = np.char.decode(values)
    empty = np.array([v is None or v != v or v == "" for v in values.tolist()], dtype=bool)
    if empty.all():
        return complete_values(values, what)
    cells = zip(values.tolist(), empty.tolist(), strict=True)
    return np.array(["" if nothing else str(cell) for cell, nothing in cells])


def complete_values(values: np.ndarray, what: str) -> np.ndarray:
    """A group or split, which every row must have, as int64 or str.

    Raises:
        InfomaxError: empty cells, or numbers that are not whole.
    """
    if values.dtype.kind in "iub":
        return values.astype(np.int64)
    if values.dtype.kind == "f":
        empty, odd = np.isnan(values), values != np.round(values)
    else:
        empty = np.array([v is None or v != v or v == "" for v in values.tolist()], dtype=bool)
        odd = empty
    if odd.any() or empty.any():
        first = np.flatnonzero(empty if empty.any() else odd)
        shown = "an empty cell" if empty.any() else f"{values[first[0]]}"
        raise InfomaxError(
            wanted=f"a name or whole number in each row of {what}",
            got=f"{shown} in {len(first)} rows, the first {', '.join(map(str, first[:5]))}",
            fix="fill the cells, or name another column"
            if empty.any()
            else "name another column, or one that groups these numbers (low, middle, high)",
        )
    return values.astype(np.int64) if values.dtype.kind == "f" else values.astype(str)


def given_split(values: np.ndarray, split: str | SplitSpec, where: str) -> np.ndarray:
    """The split of each row by name, "none" where it is left out.

    Raises:
        InfomaxError: a value that means no split, or a value asked for that is not there.
    """
    held = complete_values(values, f"the split column of {where}").astype(str)
    there = np.unique(held).tolist()
    if isinstance(split, str):
        strange = [value for value in there if value.lower() not in SPLIT_NAMES]
        if strange:
            raise InfomaxError(
                wanted=f"train, validation or test in column {split!r} of {where}",
                got=", ".join(strange[:10]),
                fix=f"say which is which: split: {{column: {split}, test: [{strange[0]}]}}",
            )
        return np.array([SPLIT_NAMES[value.lower()] for value in held.tolist()])
    meaning: dict[str, str] = {}
    for name, listed in (
        ("train", split.train),
        ("validation", split.validation),
        ("test", split.test),
    ):
        for value in map(str, listed or []):
            if value not in there or value in meaning:
                raise InfomaxError(
                    wanted=f"values of column {split.column!r} of {where}, each in one split",
                    got=f"{value!r} for {name}" + (" and another" if value in meaning else ""),
                    fix=f"the values there are {', '.join(there[:20])}",
                )
            meaning[value] = name
    rest = "train" if split.train is None else "none"
    return np.array([meaning.get(value, rest) for value in held.tolist()])
