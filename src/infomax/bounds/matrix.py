"""What every bound of a score matrix does first: check it, and tell positives from the others."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from infomax._errors import InfomaxError, NotFinite
from infomax._math import widen


def paired(
    scores: Float[Tensor, "... n m"],
    positives: Int[Tensor, " _"] | None,
    mask: Bool[Tensor, "... _ _"] | None,
) -> tuple[Float[Tensor, " ... n m"], Float[Tensor, " ... n"], Int[Tensor, " n"]]:
    """Check a score matrix; return it wide enough to sum, its positives, and their columns.

    Errors: InfomaxError for fewer than two candidates and for shapes or types that do not fit.
    """
    if scores.ndim < 2 or not scores.is_floating_point():
        raise InfomaxError(
            wanted="a floating-point score matrix [..., n, m]",
            got=f"{kind(scores)}",
            fix="give scores[i, j] = f(x_i, y_j), contexts in the last two axes",
        )
    n, m = scores.shape[-2:]
    if m < 2 or n < 1 or scores.numel() == 0:
        raise InfomaxError(
            wanted="at least K = 2 candidates for every anchor",
            got=f"a score matrix of shape {list(scores.shape)}",
            fix="use a batch of two or more contexts: one pair alone says nothing",
        )
    columns = positive_columns(positives, n, m, scores.device)
    if mask is not None:
        _check_mask(mask, scores.shape)
    scores = widen(scores)
    index = columns[:, None].expand(*scores.shape[:-1], 1)
    return scores, scores.gather(-1, index).squeeze(-1), columns


def positive_columns(
    positives: Int[Tensor, " _"] | None, n: int, m: int, device: torch.device
) -> Int[Tensor, " n"]:
    """The column of each row's positive: the row's own number unless given.

    Errors: InfomaxError for columns that are missing, of the wrong type or out of range.
    """
    if positives is None:
        if n > m:
            raise InfomaxError(
                wanted="a column for every row: without `positives`, row i pairs with column i",
                got=f"{n} rows and {m} columns",
                fix="pass positives[i] = column of row i's positive",
            )
        return torch.arange(n, device=device)
    if positives.dtype not in (torch.int64, torch.int32) or positives.shape != (n,):
        raise InfomaxError(
            wanted=f"positives: one integer column for each of the {n} rows",
            got=kind(positives),
            fix="pass an int64 tensor of shape [n]",
        )
    low, high = (int(v) for v in torch.aminmax(positives))
    if low < 0 or high >= m:
        raise InfomaxError(
            wanted=f"positives between 0 and {m - 1}, the last column",
            got=f"values from {low} to {high}",
            fix="count columns of this very matrix (after gathering: add the rank's offset once)",
        )
    return positives.long().to(device)


def counted(
    columns: Int[Tensor, " n"], mask: Bool[Tensor, " ... n m"] | None
) -> Bool[Tensor, "... n m"] | None:
    """The mask with the positives, which always count; None when everything counts."""
    if mask is None:
        return None
    index = columns[:, None].expand(*mask.shape[:-1], 1)
    return mask.scatter(-1, index, True)


def others(
    columns: Int[Tensor, " n"],
    m: int,
    mask: Bool[Tensor, "... n m"] | None,
    *,
    every_row: bool = False,
) -> Bool[Tensor, "... n m"]:
    """The pairs that stand for the product of the marginals: counted, and not a positive.

    Errors: InfomaxError when a matrix (or, on demand, a row of it) has no such pair.
    """
    n = columns.shape[0]
    negative = torch.ones(n, m, dtype=torch.bool, device=columns.device)
    negative[torch.arange(n, device=columns.device), columns] = False
    if mask is None:
        return negative
    negative = negative & mask
    if not bool(negative.any(-1).all() if every_row else negative.flatten(-2).any(-1).all()):
        raise InfomaxError(
            wanted=f"at least one negative pair in every {'row' if every_row else 'score matrix'}",
            got="a mask that leaves only positives there",
            fix="let the mask keep candidates of other contexts, or drop what has none",
        )
    return negative


def in_nats(value: Float[Tensor, "..."], *, of: str) -> Float[Tensor, ""]:
    """Average over the position axes; one look at the result finds any NaN that went in.

    Errors: NotFinite (an InfomaxError) if the result is NaN.
    """
    value = value.mean()
    if bool(value.isnan()):
        raise NotFinite(
            wanted=f"{of} without NaN or +inf",
            got="a bound that came out as NaN",
            fix="look for a diverged model (lower the learning rate), log or division by zero",
        )
    return value


def _check_mask(mask: Tensor, shape: torch.Size) -> None:
    leading = zip(reversed(mask.shape[:-2]), reversed(shape[:-2]), strict=False)
    if (
        mask.dtype != torch.bool
        or mask.shape[-2:] != shape[-2:]
        or mask.ndim > len(shape)
        or not all(have in (1, want) for have, want in leading)
    ):
        raise InfomaxError(
            wanted=f"a boolean mask that fits scores of shape {list(shape)}",
            got=kind(mask),
            fix="pass mask[..., i, j] = True where candidate j counts for anchor i",
        )


def kind(x: Tensor) -> str:
    """A tensor in a few words, for messages."""
    return f"a {str(x.dtype).removeprefix('torch.')} tensor of shape {list(x.shape)}"
