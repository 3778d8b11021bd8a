"""What a user gives as x or y -> rows of numbers or class numbers, checked; and from files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from infomax._errors import InfomaxError

Discrete = Literal["auto", "x", "y", "both", "none"]
FEW = 20  # distinct integers up to which a column is taken for classes
FEWEST = 20  # rows under which there is nothing to say


@dataclass(frozen=True)
class Variable:
    """One variable, ready: `rows` of numbers, or one column of class numbers if `classes`."""

    rows: Float[Tensor, "n d"]
    classes: bool
    notes: tuple[str, ...] = ()

    @property
    def codes(self) -> Int[Tensor, " n"] | None:
        """The class numbers, if it is discrete."""
        return self.rows[:, 0].long() if self.classes else None


def columns(data: object, name: str) -> list[np.ndarray]:
    """Split an array, tensor, data frame or series into its columns.

    Raises:
        InfomaxError: not two-dimensional, or objects that are no strings.
    """
    values: Any = data
    if isinstance(values, Tensor):
        values = values.detach().cpu().numpy()
    if hasattr(values, "columns"):  # pandas, polars
        return [_plain(values[c].to_numpy(), f"{name}.{c}") for c in values.columns]
    if hasattr(values, "to_numpy"):
        values = values.to_numpy()
    array = np.asarray(values)
    if array.ndim == 1:
        array = array[:, None]
    if array.ndim != 2:
        array = array.reshape(len(array), -1) if array.ndim > 2 else array.reshape(-1, 1)
    return [_plain(array[:, j], name) for j in range(array.shape[1])]


def _plain(column: np.ndarray, name: str) -> np.ndarray:
    if column.dtype.kind in "iufb":
        return column
    if column.dtype.kind in "OSUT" or not isinstance(column.dtype, np.dtype):
        values = column.tolist()
        if all(isinstance(v, str) for v in values):
            return np.asarray(values, dtype=str)
        try:
            return np.asarray([np.nan if v is None else v for v in values], dtype=float)
        except (TypeError, ValueError):
            pass
    raise InfomaxError(
        wanted=f"numbers, or strings for classes, in {name}",
        got=f"a column of {column.dtype}, such as {str(column[0])[:40]!r}",
        fix="convert the column, or leave it out",
    )


def paired(x: object, y: object, *, max_dropped: float) -> tuple[Any, Any, list[str]]:
    """Columns of x and of y on the rows where all are finite, with a note of what was dropped.

    Raises:
        InfomaxError: different lengths, too few rows, or more rows to drop than `max_dropped`.
    """
    sides = columns(x, "x"), columns(y, "y")
    for side, name in zip(sides, ("x", "y"), strict=True):
        if not side:
            raise InfomaxError(wanted=f"a column in {name}", got="none", fix="give one or more")
    n, m = len(sides[0][0]), len(sides[1][0])
    if n != m:
        raise InfomaxError(
            wanted="paired rows: as many in x as in y",
            got=f"{n} rows in x, {m} in y",
            fix="pair them row by row; drop the rows that lack a partner",
        )
    good = np.ones(n, dtype=bool)
    for column in (*sides[0], *sides[1]):
        if column.dtype.kind == "f":
            good &= np.isfinite(column)
    bad = int((~good).sum())
    if bad > max_dropped * n:
        first = ", ".join(map(str, np.flatnonzero(~good)[:5]))
        raise InfomaxError(
            wanted=f"finite values in all but {max_dropped:.0%} of the rows",
            got=f"NaN or infinity in {bad} of {n} rows, the first {first} (counted from 0)",
            fix="mend or remove these rows, or allow more with max_dropped (--max-dropped)",
        )
    if n - bad < FEWEST:
        raise InfomaxError(
            wanted=f"{FEWEST} complete pairs or more", got=f"{n - bad}", fix="give more samples"
        )
    notes = [f"{bad} of {n} rows hold NaN or infinity and were dropped."] if bad else []
    return [c[good] for c in sides[0]], [c[good] for c in sides[1]], notes


def variable(columns: Sequence[np.ndarray], name: str, discrete: bool | None) -> Variable:
    """Make a variable of its columns: class numbers if all are discrete, else numbers.

    Discrete columns among continuous ones become indicator columns. Constant columns are dropped.

    Args:
        columns: finite, of equal length.
        name: for messages.
        discrete: True or False to say so; None to look.

    Raises:
        InfomaxError: every column is constant.
    """
    alive = [c for c in columns if (c != c[0]).any()]
    if not alive:
        raise InfomaxError(
            wanted=f"a column of {name} that varies",
            got="constant columns only, which tell nothing about anything",
            fix="look at how the data was read",
        )
    lost = len(columns) - len(alive)
    notes = (f"{lost} constant columns of {name} were left out.",) if lost else ()
    kinds = [_is_discrete(c) if discrete is None else discrete for c in alive]
    if all(kinds):
        table = np.stack([np.unique(c, return_inverse=True)[1] for c in alive], 1)
        codes = np.unique(table, axis=0, return_inverse=True)[1].reshape(-1, 1)
        if discrete or codes.max() < len(codes) / 5:
            return Variable(torch.from_numpy(codes).double(), True, notes)
    parts = []
    for column, classes in zip(alive, kinds, strict=True):
        if classes or column.dtype.kind not in "iufb":
            levels = np.unique(column)
            if len(levels) > max(FEW, len(column) // 10):
                raise InfomaxError(
                    wanted=f"numbers, or strings of few values, in {name}",
                    got=f"strings of {len(levels)} different values in {len(column)} rows",
                    fix="leave this column out, or group its values",
                )
            parts.append((column[:, None] == levels[:-1]).astype(float))
        else:
            parts.append(column.astype(float)[:, None])
    return Variable(torch.from_numpy(np.concatenate(parts, 1)), False, notes)


def _is_discrete(column: np.ndarray) -> bool:
    if column.dtype.kind not in "iufb":
        return True
    if column.dtype.kind == "b":
        return True
    if column.dtype.kind == "f" and not np.equal(np.mod(column, 1), 0).all():
        return False
    return len(np.unique(column)) <= min(FEW, max(2, len(column) // 10))


def copies(x: Tensor, y: Tensor) -> tuple[Int[np.ndarray, " n"], int]:
    """A number for each row, the same for exact copies of it; and how many rows are copies.

    Rows are told apart by a hash of 64 bits, column by column, so that a million take seconds.
    """
    import pandas as pd

    mixed = np.zeros(len(x), np.uint64)
    for column in (*x.unbind(1), *y.unbind(1)):
        plain = np.ascontiguousarray(column.numpy()) + 0.0  # -0.0 is 0.0
        mixed = mixed * _ODD + pd.util.hash_array(plain)
    numbers = np.unique(mixed, return_inverse=True)[1].reshape(-1)
    return numbers, len(numbers) - int(numbers.max()) - 1


_ODD = np.uint64(0x9E3779B97F4A7C15)


def read(spec: str) -> object:
    """Read FILE.npy, FILE.npz:key, FILE.csv or FILE.parquet, the tables with :column,column too.

    Raises:
        InfomaxError: no such file, format, key or column.
    """
    name, _, inside = spec.partition(":")
    if len(name) == 1 and inside:  # a drive letter
        rest, _, inside = inside.partition(":")
        name = f"{name}:{rest}"
    path = Path(name)
    if not path.is_file():
        raise InfomaxError(wanted="a file", got=f"{name}, which is none", fix="check the path")
    try:
        if path.suffix == ".npy":
            return np.load(path)
        if path.suffix == ".npz":
            with np.load(path) as archive:
                return _picked(dict(archive), [inside] if inside else [], path)
        if path.suffix in (".csv", ".parquet"):
            import pandas as pd

            table = pd.read_csv(path) if path.suffix == ".csv" else pd.read_parquet(path)
            names = inside.split(",") if inside else []
            missing = [n for n in names if n not in table.columns]
            if missing:
                raise InfomaxError(
                    wanted=f"columns of {name}: {', '.join(map(str, table.columns[:20]))}",
                    got=", ".join(missing),
                    fix="choose among them",
                )
            return table[names] if names else table
    except (OSError, ValueError, KeyError) as error:
        if isinstance(error, InfomaxError):
            raise
        raise InfomaxError(
            wanted=f"a readable {path.suffix} file of numbers",
            got=f"{name}: {str(error)[:200]}",
            fix="write it anew; object arrays are not read",
        ) from error
    raise InfomaxError(
        wanted="a .npy, .npz, .csv or .parquet file", got=name, fix="convert it to one of these"
    )


def _picked(archive: dict[str, np.ndarray], keys: list[str], path: Path) -> np.ndarray:
    key = keys[0] if keys else (next(iter(archive)) if len(archive) == 1 else None)
    if key is None or key not in archive:
        raise InfomaxError(
            wanted=f"a key of {path}: {', '.join(archive)}",
            got=key or "no key",
            fix=f"name it: {path}:KEY",
        )
    return archive[key]
