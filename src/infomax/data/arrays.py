"""`npz`: an archive of arrays whose keys are signals, labels, groups and splits."""

from __future__ import annotations

import pickle
import zipfile
from collections.abc import Callable

import numpy as np

from infomax._errors import InfomaxError
from infomax.data.columns import Column
from infomax.data.pictures import picture_array
from infomax.data.plain import finite, nothing, number_column, padded, text_column
from infomax.data.sounds import sound_array
from infomax.data.spec import DataSpec, PictureSpec, SignalSpec, SoundSpec, TextSpec
from infomax.data.table import (
    Table,
    complete_values,
    existing,
    find,
    given_split,
    label_values,
    need_signals,
    whole,
)


def npz(spec: DataSpec) -> Table:
    """Arrays of one archive, one row a context; a row of nothing but NaN is a missing signal.

    If label, group or split have several axes (a map of pixels), these leading axes of every array
    are the contexts.

    Raises:
        InfomaxError: no such file or key, arrays of objects, numbers of rows that differ.
    """
    file = existing(spec.path, "npz")
    where = str(spec.path)
    try:
        archive = np.load(file, allow_pickle=False)
    except (ValueError, OSError, EOFError, zipfile.BadZipFile, pickle.UnpicklingError) as error:
        raise _not_npz(where, str(error)) from error
    if not isinstance(archive, np.lib.npyio.NpzFile):
        raise _not_npz(where, "a single array")
    with archive:
        need_signals(spec, archive.files, where)
        get = _getter(archive, where)
        split = spec.split if isinstance(spec.split, str | None) else spec.split.column
        rowwise = {key: get(key) for key in (*spec.labels, spec.group, split) if key is not None}
        axes = max((max(1, array.ndim) for array in rowwise.values()), default=1)
        arrays = {
            name: [
                _flat(get(key), axes, f"{key!r} of {where}")
                for column in _listed(signal.column or name)
                for key in find(column, archive.files, where)
            ]
            for name, signal in spec.signals.items()
        }
        plain = {key: _flat(array, axes, f"{key!r} of {where}") for key, array in rowwise.items()}
    _same_length({**{name: parts[0] for name, parts in arrays.items()}, **plain}, where)
    columns = {
        name: _column(
            parts, spec.signals[name], f"{spec.signals[name].column or name!r} of {where}"
        )
        for name, parts in arrays.items()
    }
    return Table(
        len(next(iter(columns.values()))),
        whole(columns),
        {name: label_values(plain[name], f"{name!r} of {where}") for name in spec.labels},
        None
        if spec.group is None
        else complete_values(plain[spec.group], f"{spec.group!r} of {where}"),
        None
        if spec.split is None or split is None
        else given_split(plain[split], spec.split, where),
    )


def _getter(archive: np.lib.npyio.NpzFile, where: str) -> Callable[[str], np.ndarray]:
    def get(key: str) -> np.ndarray:
        find(key, archive.files, where)
        try:
            array: np.ndarray = archive[key]
        except (ValueError, OSError, EOFError, zipfile.BadZipFile) as error:
            raise InfomaxError(
                wanted=f"an array of numbers or text under {key!r} of {where}",
                got=str(error).splitlines()[0],
                fix="save it without objects: np.savez(..., key=np.asarray(values, dtype=...))",
            ) from error
        return array

    return get


def _column(parts: list[np.ndarray], signal: SignalSpec, what: str) -> Column:
    if isinstance(signal, PictureSpec):
        return picture_array(parts[0], signal, what)
    if isinstance(signal, SoundSpec):
        return sound_array(parts[0], signal, what)
    if isinstance(signal, TextSpec):
        texts = parts[0]
        if texts.dtype.kind not in "US" or texts.ndim != 1:
            raise InfomaxError(
                wanted=f"strings [N] in {what}",
                got=f"{texts.dtype} {list(texts.shape)}",
                fix="give this signal the kind vector, or store the strings",
            )
        strings = texts.tolist() if texts.dtype.kind == "U" else [t.decode() for t in texts]
        return text_column(strings, signal)
    deep = 2 if signal.kind == "vector" else 3
    parts = [part[..., None] if part.ndim == deep - 1 else part for part in parts]
    good = {part.ndim == deep and 0 not in part.shape[1:] for part in parts} == {True}
    if not good or len({part.shape[1:-1] for part in parts}) > 1:
        raise InfomaxError(
            wanted=f"{'[N, d] or [N]' if deep == 2 else '[N, T, C] or [N, T]'} for the "
            f"{signal.kind} {what}",
            got=", ".join(str(list(part.shape)) for part in parts),
            fix="reshape the array, or give the signal another kind",
        )
    filled = ~np.all([nothing(part) for part in parts], axis=0)
    rows = np.flatnonzero(filled)
    kept = [part[filled] for part in parts]
    if signal.kind == "series":
        kept = [padded(part) for part in kept]
    numbers = np.concatenate([finite(part, what, rows) for part in kept], axis=-1)
    return number_column(signal.kind, numbers, filled)


def _flat(array: np.ndarray, axes: int, what: str) -> np.ndarray:
    if array.ndim < axes:
        raise InfomaxError(
            wanted=f"an array with one row a context in {what}",
            got=f"the shape {list(array.shape)}"
            + (f", while label, group or split have {axes} axes" if axes > 1 else ""),
            fix="save arrays whose first axes are the contexts",
        )
    return array.reshape(int(np.prod(array.shape[:axes])), *array.shape[axes:])


def _same_length(arrays: dict[str, np.ndarray], where: str) -> None:
    if len({len(array) for array in arrays.values()}) > 1:
        raise InfomaxError(
            wanted=f"as many rows in each array of {where}",
            got=", ".join(f"{name} {len(array)}" for name, array in arrays.items()),
            fix="save arrays in which row i of each belongs to context i",
        )


def _listed(column: str | list[str]) -> list[str]:
    return [column] if isinstance(column, str) else column


def _not_npz(where: str, got: str) -> InfomaxError:
    return InfomaxError(
        wanted=f"an npz archive {where}",
        got=got.splitlines()[0] if got else "another file",
        fix="save it with np.savez(FILE, key=array, ...)",
    )
