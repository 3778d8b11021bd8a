"""Columns that need no decoder: numbers (vectors, series) and text, from arrays and cells."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Bool, Float32, Shaped, UInt8

from infomax._errors import InfomaxError
from infomax.data.columns import Kind, MemoryColumn
from infomax.data.spec import TextSpec


def finite(values: np.ndarray, what: str, rows: np.ndarray | None = None) -> np.ndarray:
    """Numbers as float32, all finite; `rows` are their row numbers in the source.

    Raises:
        InfomaxError: not numbers; NaN or infinity (or beyond float32), naming the first rows.
    """
    if values.dtype.kind not in "biuf":
        raise InfomaxError(
            wanted=f"numbers in {what}",
            got=f"{values.dtype}, such as {values.reshape(-1)[:1].tolist()}",
            fix="name a column of numbers, or give the signal another kind",
        )
    with np.errstate(over="ignore"):
        numbers = values.astype(np.float32)
    bad = np.flatnonzero(~np.isfinite(numbers).all(axis=tuple(range(1, numbers.ndim))))
    if len(bad):
        first = ", ".join(map(str, (bad if rows is None else rows[bad])[:5]))
        raise InfomaxError(
            wanted=f"finite numbers in {what}",
            got=f"NaN or infinity in {len(bad)} rows, the first {first} (counted from 0)",
            fix="mend or remove these rows",
        )
    return numbers


def nothing(values: np.ndarray) -> Bool[np.ndarray, " n"]:
    """The rows that hold NaN and nothing else: contexts that lack the signal.

    Example:
        >>> nothing(np.array([[1.0, np.nan], [np.nan, np.nan]])).tolist()
        [False, True]
    """
    if values.dtype.kind != "f":
        return np.zeros(len(values), dtype=bool)
    missing: np.ndarray = np.isnan(values).all(axis=tuple(range(1, values.ndim)))
    return missing


def padded(values: Shaped[np.ndarray, "n t c"]) -> Shaped[np.ndarray, "n t c"]:
    """Series of many lengths that end in steps of NaN, with exact zeros in their place.

    Example:
        >>> padded(np.array([[[1.0], [np.nan], [2.0], [np.nan]]]))[0, :, 0].tolist()
        [1.0, nan, 2.0, 0.0]
    """
    if values.dtype.kind != "f":
        return values
    empty = np.isnan(values).all(axis=2)
    tail = np.logical_and.accumulate(empty[:, ::-1], axis=1)[:, ::-1]
    return np.where(tail[:, :, None], 0, values)


def number_column(
    kind: Kind, numbers: Float32[np.ndarray, "n ..."], filled: Bool[np.ndarray, " contexts"]
) -> MemoryColumn:
    """A column of vectors or series: `numbers` of the contexts where `filled`, in order."""
    return MemoryColumn(kind, torch.from_numpy(np.ascontiguousarray(numbers)), _slots(filled))


def text_column(texts: Sequence[str | None], spec: TextSpec) -> MemoryColumn:
    """A column of texts as UTF-8 bytes, zero padded to the longest; None or blank: missing.

    A text longer than `spec.length` bytes is cut there, never within a character.

    Example:
        >>> column = text_column(["é", "", "hi"], TextSpec(kind="text"))
        >>> column.present.tolist(), bytes(column.data[1].tolist())
        ([True, False, True], b'hi')
    """
    filled = np.array([text is not None and text.strip() != "" for text in texts], dtype=bool)
    there = [str(text) for text, is_there in zip(texts, filled, strict=True) if is_there]
    data = encode_texts(there, spec.length)
    longest = int((data != 0).any(0).nonzero()[0].max(initial=0)) + 1
    data = np.ascontiguousarray(data[:, :longest])
    return MemoryColumn("text", torch.from_numpy(data), _slots(filled))


def encode_texts(texts: Sequence[str], length: int) -> UInt8[np.ndarray, "n length"]:
    """Texts as UTF-8 bytes, padded with zeros or cut, never within a character, to `length`.

    Example:
        >>> encode_texts(["hé", "abc"], 2).tolist()
        [[104, 0], [97, 98]]
    """
    data = np.zeros((len(texts), length), dtype=np.uint8)
    for place, text in enumerate(texts):
        cut = text.encode("utf-8", "replace")[:length].decode("utf-8", "ignore").encode()
        data[place, : len(cut)] = np.frombuffer(cut, np.uint8)
    return data


def _slots(filled: np.ndarray) -> torch.Tensor | None:
    if filled.all():
        return None
    return torch.from_numpy(np.where(filled, np.cumsum(filled) - 1, -1))
