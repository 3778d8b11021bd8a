"""`csv`, `parquet` and `jsonl`: a manifest whose columns are pictures, sounds, texts and numbers.

Read with pandas, whole: a manifest is small beside what it names, types are found over all rows,
and nothing is copied to a cache. An empty cell is a missing signal.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from infomax._errors import InfomaxError
from infomax.data.columns import Column
from infomax.data.keeping import Keep
from infomax.data.media import Cells
from infomax.data.pictures import picture_files
from infomax.data.plain import finite, number_column, text_column
from infomax.data.sounds import sound_files
from infomax.data.spec import DataSpec, PictureSpec, SignalSpec, SoundSpec, TextSpec
from infomax.data.table import (
    Signals,
    Table,
    complete_values,
    existing,
    find,
    given_split,
    label_values,
    need_signals,
    separator,
)

if TYPE_CHECKING:
    import pandas as pd


def csv(spec: DataSpec) -> Table:
    """A CSV manifest; paths in it are relative to it."""
    import pandas as pd

    file = existing(spec.path, "csv")
    try:
        # only an empty cell is missing: "NA" and "null" are words
        frame = pd.read_csv(
            file, sep=separator(file), keep_default_na=False, na_values=[""], low_memory=False
        )
    except (ValueError, OSError) as error:  # pandas' parser errors are ValueErrors
        raise _unreadable(file, "CSV", error) from error
    return frame_table(frame, {}, spec, file.parent, str(spec.path))


def parquet(spec: DataSpec) -> Table:
    """A Parquet manifest; paths in it are relative to it, pictures and sounds may lie in it."""
    import pandas as pd

    file = existing(spec.path, "parquet")
    try:
        frame = pd.read_parquet(file)
    except (ValueError, OSError) as error:  # pyarrow's errors are ValueErrors
        raise _unreadable(file, "Parquet", error) from error
    return frame_table(frame, {}, spec, file.parent, str(spec.path))


def jsonl(spec: DataSpec) -> Table:
    """A manifest of one JSON object a line; paths in it are relative to it."""
    import pandas as pd

    file = existing(spec.path, "jsonl")
    try:
        frame = pd.read_json(file, lines=True, dtype=False, convert_dates=False)
    except (ValueError, OSError) as error:
        raise _unreadable(file, "JSON", error) from error
    return frame_table(frame, {}, spec, file.parent, str(spec.path))


def frame_table(
    frame: pd.DataFrame, media: Mapping[str, Cells], spec: DataSpec, folder: Path, where: str
) -> Table:
    """The table of a data frame; `media`: columns of files that are not in the frame.

    Raises:
        InfomaxError: columns that are not there or hold something else than their kind.
    """
    frame = frame.set_axis([str(column) for column in frame.columns], axis=1)
    there = [*frame.columns, *media]
    need_signals(spec, there, where)
    wanted = {
        name: [
            found
            for column in _listed(signal.column or name)
            for found in find(column, there, where)
        ]
        for name, signal in spec.signals.items()
    }

    def values(column: str, key: str) -> np.ndarray:
        find(column, there, where)
        if column in media:
            raise InfomaxError(
                wanted=f"names or numbers for data.{key}", got=f"the files of {column!r}",
                fix="name another column",
            )  # fmt: skip
        array: np.ndarray = frame[column].to_numpy()
        return array

    def read(rows: np.ndarray) -> Signals:
        columns: dict[str, Column] = {}
        unreadable: dict[int, str] = {}
        for name, signal in spec.signals.items():
            columns[name], bad = _column(
                frame, media, wanted[name], signal, rows, folder, where, spec.keep
            )
            unreadable |= bad
        return Signals(columns, unreadable)

    labels, group, given = {}, None, None
    for name in spec.labels:
        what = f"the label column {name!r} of {where}"
        labels[name] = label_values(values(name, "label"), what)
    if spec.group is not None:
        what = f"the group column {spec.group!r} of {where}"
        group = complete_values(values(spec.group, "group"), what)
    if spec.split is not None:
        column = spec.split if isinstance(spec.split, str) else spec.split.column
        given = given_split(values(column, "split"), spec.split, where)
    size = len(frame) if len(frame.columns) or not media else len(next(iter(media.values())).filled)
    return Table(size, read, labels, group, given)


def _listed(column: str | list[str]) -> list[str]:
    return [column] if isinstance(column, str) else column


def _column(
    frame: pd.DataFrame,
    media: Mapping[str, Cells],
    names: list[str],
    signal: SignalSpec,
    rows: np.ndarray,
    folder: Path,
    where: str,
    keep: Keep,
) -> tuple[Column, dict[int, str]]:
    what = f"column {names[0]!r} of {where}"
    if isinstance(signal, PictureSpec | SoundSpec):
        cells = media[names[0]] if names[0] in media else _cells(frame[names[0]], folder, what)
        if isinstance(signal, PictureSpec):
            return picture_files(cells, rows, signal, keep)
        return sound_files(cells, rows, signal, keep)
    if isinstance(signal, TextSpec):
        return text_column(_strings(frame[names[0]].tolist(), "text", what), signal), {}
    numbers, filled = _numbers(frame, names, where)
    if signal.kind == "series" and numbers.ndim == 2:
        numbers = numbers[:, :, None]
    return number_column(signal.kind, numbers, filled), {}


def _strings(cells: list[Any], kind: str, what: str) -> list[str | None]:
    """Cells of text; None where empty."""
    texts = [None if cell is None or cell != cell else cell for cell in cells]
    strange = next((cell for cell in texts if cell is not None and not isinstance(cell, str)), None)
    if strange is not None:
        raise InfomaxError(
            wanted=f"{kind} in {what}",
            got=f"{type(strange).__name__}, such as {str(strange)[:40]}",
            fix="give this signal the kind vector, or name another column",
        )
    return texts


def _cells(column: pd.Series, folder: Path, what: str) -> Cells:
    """Cells of files: paths relative to the manifest, bytes, or {bytes, path} as `datasets` has."""
    found: list[Any] = [
        (cell.get("bytes") or cell.get("path")) if isinstance(cell, dict) else cell
        for cell in column.tolist()
    ]
    if not any(isinstance(cell, bytes) for cell in found):
        found = list(_strings(found, "paths", what))
    return Cells(
        np.array([isinstance(cell, str | bytes) and len(cell) > 0 for cell in found], dtype=bool),
        lambda row: found[row] if isinstance(found[row], bytes) else folder / found[row],
        lambda row: f"row {row}" if isinstance(found[row], bytes) else f"row {row}, {found[row]}",
    )


def _numbers(frame: pd.DataFrame, names: list[str], where: str) -> tuple[np.ndarray, np.ndarray]:
    """Numbers of the rows that have them, and which rows these are.

    A row whose cells are all empty lacks the signal; one with some of them empty is an error.
    """
    if len(names) == 1 and frame[names[0]].dtype == object:
        return _arrays(frame[names[0]].tolist(), f"column {names[0]!r} of {where}")
    parts = [_floats(frame[name], f"column {name!r} of {where}") for name in names]
    table = np.stack(parts, axis=1)
    empty = np.isnan(table)
    filled = np.asarray(~empty.all(axis=1))
    torn = np.flatnonzero(empty.any(axis=1) & filled)
    if len(torn):
        name = names[int(np.flatnonzero(empty[torn[0]])[0])]
        raise InfomaxError(
            wanted=f"a number in column {name!r} of {where}, as in the others of the vector",
            got=f"NaN or an empty cell in row {torn[0]} ({len(torn)} such rows, counted from 0)",
            fix="fill these cells, empty the whole vector of a context that lacks it, or make the "
            "column a signal of its own",
        )
    for name, part in zip(names, parts, strict=True):
        finite(part[filled], f"column {name!r} of {where}", np.flatnonzero(filled))
    return table[filled].astype(np.float32), filled


def _floats(column: pd.Series, what: str) -> np.ndarray:
    """A column as float64, NaN where a cell is empty."""
    import pandas as pd

    numbers: np.ndarray = pd.to_numeric(column, errors="coerce").to_numpy(
        np.float64, na_value=np.nan
    )
    bad = np.flatnonzero(np.isnan(numbers) & ~column.isna().to_numpy())
    if len(bad):
        shown = ", ".join(f"{str(column.iloc[row])[:20]!r} in row {row}" for row in bad[:3])
        raise InfomaxError(
            wanted=f"finite numbers in {what}",
            got=f"{shown} ({len(bad)} such rows, counted from 0)",
            fix="mend these cells, leave them empty where the signal is missing, or use kind: text",
        )
    return numbers


def _arrays(cells: list[Any], what: str) -> tuple[np.ndarray, np.ndarray]:
    """A column whose cells are lists of numbers, all of one shape."""
    filled = np.array([cell is not None and np.ndim(cell) > 0 for cell in cells], dtype=bool)
    rows = np.flatnonzero(filled)
    try:
        # a cell of lists comes from pyarrow as an array of arrays
        numbers = np.stack([np.array(np.asarray(cells[row]).tolist()) for row in rows])
    except ValueError as error:
        raise InfomaxError(
            wanted=f"numbers, or lists of numbers of one length, in {what}",
            got=str(next((cell for cell in cells if cell is not None), "nothing"))[:60],
            fix="make the lists equally long, or give the signal another kind",
        ) from error
    return finite(numbers, what, rows), filled


def _unreadable(file: Path, form: str, error: Exception) -> InfomaxError:
    return InfomaxError(
        wanted=f"a {form} file {file}",
        got=f"{type(error).__name__}: {str(error).splitlines()[0][:200]}",
        fix=f"check that the file is {form} (UTF-8 text for csv)",
    )
