"""What a user gives as x or y -> rows of numbers or class numbers, checked."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

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


def settings(
    *, level: float, seed: int, budget: float | None, max_dropped: float, discrete: str = "auto"
) -> None:
    """Refuse settings of an estimate that mean nothing.

    Raises:
        InfomaxError: the first of them.
    """
    wrong = {
        "a level between 0 and 1": None if 0 < level < 1 else level,
        "a seed of 0 or more": None if seed >= 0 else seed,
        "a budget above 0 seconds": None if budget is None or 0 < budget < np.inf else budget,
        "max_dropped from 0 to less than 1": None if 0 <= max_dropped < 1 else max_dropped,
        "discrete: one of " + ", ".join(get_args(Discrete)): (
            None if discrete in get_args(Discrete) else discrete
        ),
    }
    for wanted, got in wrong.items():
        if got is not None:
            raise InfomaxError(wanted=wanted, got=f"{got}", fix="choose one that is")


def columns(data: object, name: str) -> list[np.ndarray]:
    """Split an array, tensor, data frame or series into its columns.

    Columns of numbers, or of strings for classes: flags and pandas' categories are classes too.
    What is missing is NaN among numbers and None among strings. A column of lists is as many
    columns as a list is long.

    Raises:
        InfomaxError: neither numbers nor strings.
    """
    values: Any = data
    if isinstance(values, Tensor):
        values = values.detach().cpu()
        values = (values.float() if values.dtype == torch.bfloat16 else values).numpy()
    if hasattr(values, "columns"):  # pandas, polars
        named = (
            values.items() if hasattr(values, "items") else zip(values.columns, values, strict=True)
        )
        return [part for c, column in named for part in _parts(column, f"{name}.{c}")]
    if hasattr(values, "to_numpy"):
        return _parts(values, name)
    array = np.asarray(values)
    if array.ndim == 1:
        return _parts(array, name)
    array = (
        array.reshape(len(array), math.prod(array.shape[1:])) if array.ndim else array.reshape(1, 1)
    )
    return [part for column in array.T for part in _parts(column, name)]


def _parts(column: Any, name: str) -> list[np.ndarray]:  # noqa: ANN401 - whatever a frame holds
    """One column, or the many that a column of lists stands for."""
    if str(getattr(column, "dtype", "")) == "category":  # pandas: classes, be they numbers or not
        array = np.array([None if v != v else str(v) for v in column.tolist()], dtype=object)
    else:
        array = column.to_numpy() if hasattr(column, "to_numpy") else column
    if array.dtype.kind in "iufb":
        return [array]
    if array.dtype.kind in "OSUT":
        import pandas as pd

        values = array.tolist()
        if values and all(np.ndim(v) == 1 and not isinstance(v, str) for v in values):
            lists = np.array([len(v) for v in values])
            if (lists == lists[0]).all():
                table = np.array([list(v) for v in values], dtype=object)
                return [part for c in table.T for part in _parts(_typed(c), name)]
        else:
            missing = pd.isna(array)
            there = [v for v, gone in zip(values, missing, strict=True) if not gone]
            _refuse_numbers(there, name)
            if there and all(isinstance(v, str | bytes) for v in there):
                cells = [v.decode() if isinstance(v, bytes) else v for v in there]
                whole = np.full(len(values), None, dtype=object)
                whole[~missing] = cells
                return [whole]
            try:
                numbers = np.full(len(values), np.nan)
                numbers[~missing] = np.asarray(there, dtype=float)
            except (TypeError, ValueError):
                pass
            else:
                return [numbers]
    raise InfomaxError(
        wanted=f"numbers, or strings for classes, in {name}",
        got=f"a column of {array.dtype}, such as {str(array[0])[:40]!r}",
        fix="convert the column, or leave it out",
    )


def _refuse_numbers(cells: Sequence[object], name: str) -> None:
    """Refuse strings that are numbers but for some: they would be taken for classes.

    Raises:
        InfomaxError: naming those that are none.
    """
    if not all(isinstance(cell, str) for cell in cells):
        return
    wrong = [cell for cell in cells if not _is_number(str(cell))]
    if wrong and len(wrong) < 0.1 * len(cells) and len(set(cells)) > FEW:
        some = ", ".join(map(repr, list(dict.fromkeys(wrong))[:5]))
        raise InfomaxError(
            wanted=f"numbers in {name}, as nearly all of its cells are",
            got=f"{len(wrong)} of {len(cells)} that are none, such as {some}",
            fix="mend these cells, or leave them empty where a value is missing",
        )


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _typed(column: np.ndarray) -> np.ndarray:
    """A column of objects, as numbers if it holds nothing else."""
    return np.array(column.tolist())


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
        elif column.dtype.kind == "O":
            good &= np.array([cell is not None for cell in column.tolist()], dtype=bool)
    bad = int((~good).sum())
    if bad > max_dropped * n:
        first = ", ".join(map(str, np.flatnonzero(~good)[:5]))
        raise InfomaxError(
            wanted=f"finite values in all but {max_dropped:.0%} of the rows",
            got=f"{bad} of {n} rows that hold NaN, infinity or nothing, the first {first} "
            "(counted from 0)",
            fix="mend or remove these rows, or allow more with max_dropped (--max-dropped)",
        )
    if n - bad < FEWEST:
        raise InfomaxError(
            wanted=f"{FEWEST} complete pairs or more", got=f"{n - bad}", fix="give more samples"
        )
    notes = [f"{bad} of {n} rows hold NaN, infinity or nothing, and were dropped."] if bad else []
    kept = [[_said(c[good]) for c in side] for side in sides]
    return kept[0], kept[1], notes


def _said(column: np.ndarray) -> np.ndarray:
    return column.astype(str) if column.dtype.kind == "O" else column


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
    notes: tuple[str, ...] = ()
    if lost:
        notes = (f"{lost} constant columns of {name} were left out.",)
    kinds = [_is_discrete(c) if discrete is None else discrete for c in alive]
    if all(kinds):
        table = np.stack([np.unique(c, return_inverse=True)[1] for c in alive], 1)
        codes = np.unique(table, axis=0, return_inverse=True)[1].reshape(-1, 1)
        if discrete or codes.max() < len(codes) / 5:
            return Variable(torch.from_numpy(codes).double(), True, notes)
    if len(alive) == 1 and not kinds[0] and _names(alive[0]):
        notes += (
            f"{name} holds whole numbers, each about {len(alive[0]) // len(np.unique(alive[0]))} "
            f"times, and is taken for a quantity; if they name things, say discrete={name!r} "
            "(--discrete), or 'both'.",
        )
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


def follows(rows: Float[Tensor, "n d"]) -> float:
    """The largest correlation of a column with itself one row before, of rows as they come.

    Example:
        >>> follows(torch.arange(1000.0)[:, None])
        1.0
    """
    z = rows - rows.mean(0)
    z = z / z.square().mean(0).sqrt().clamp_min(1e-30)
    return round(float((z[1:] * z[:-1]).mean(0).max()), 2)


def numbers(columns: Sequence[np.ndarray], name: str) -> Float[Tensor, "n d"]:
    """The columns as they are, for a function that is told of them.

    Raises:
        InfomaxError: strings.
    """
    if any(column.dtype.kind not in "iufb" for column in columns):
        raise InfomaxError(
            wanted=f"numbers in {name}, for the posterior given",
            got="strings",
            fix="give the numbers that the posterior knows, such as class numbers",
        )
    return torch.from_numpy(np.stack([column.astype(float) for column in columns], 1))


def _names(column: np.ndarray) -> bool:
    """Whether the numbers of a column may name things: whole, and each five times or more."""
    return _whole(column) and len(np.unique(column)) <= len(column) / 5


def _whole(column: np.ndarray) -> bool:
    kind = column.dtype.kind
    return kind in "iu" or (kind == "f" and bool(np.equal(np.mod(column, 1), 0).all()))


def _is_discrete(column: np.ndarray) -> bool:
    if column.dtype.kind not in "iuf":
        return True
    return _whole(column) and len(np.unique(column)) <= min(FEW, max(2, len(column) // 5))
