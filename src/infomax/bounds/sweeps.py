"""Reductions of all scores s = x yᵀ, with their gradients, in strips of rows: what `tiled` is of.

A sweep takes x, y, the column of each row's positive, and whether gradients are wanted; it returns
a scalar with its gradients in x and y (zeros unless wanted). One strip of scores is held at a time.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from infomax._math import bend, knee

Sums = tuple[Tensor, Tensor, Tensor]  # a scalar of s = x yᵀ, its gradient in x, and in y
Sweep = Callable[[Tensor, Tensor, Tensor, bool], Sums]

_STRIP = 2**22  # scores held at once (16 MB): fits a shared cache, …
_ROWS = 128  # … and at least so many rows: fewer read y more often than they use it


def strips(x: Tensor, y: Tensor) -> Iterator[tuple[slice, Tensor]]:
    """Some rows of x yᵀ at a time, all in one buffer: take what you need before the next."""
    rows = _height(x, y)
    buffer = x.new_empty(rows, len(y))
    for start in range(0, len(x), rows):
        r = slice(start, min(start + rows, len(x)))
        s = buffer[: r.stop - start]
        torch.mm(x[r], y.T, out=s)
        yield r, s


def _height(x: Tensor, y: Tensor) -> int:
    return min(len(x), max(_ROWS, _STRIP // len(y)))


def each_row(x: Tensor, y: Tensor, columns: Tensor, wanted: bool, leave_out: bool = False) -> Sums:
    """mean_i log Σ_j e^{s_ij - s_i+}, s_i+ the positive of the row, itself in the sum or left out.

    Never below zero with the positive in the sum, whatever the rounding.
    """
    n = len(x)
    log_z, grad_x, grad_y = x.new_empty(n), torch.zeros_like(x), torch.zeros_like(y)
    for r, s in strips(x, y):
        column = columns[r, None]
        positive = s.gather(1, column)
        if leave_out:
            s.scatter_(1, column, -math.inf)
        top = s.amax(1, keepdim=True)
        z = s.sub_(top).exp_().sum(1, keepdim=True)
        log_z[r] = (top - positive + z.log()).squeeze(1)
        if wanted:
            s.scatter_add_(1, column, -z)
            grad_x[r] = torch.mm(s, y).div_(z * n)
            grad_y.addmm_(s.T, x[r] / (z * n))
    return log_z.mean(), grad_x, grad_y


def all_pairs(
    x: Tensor, y: Tensor, columns: Tensor, wanted: bool, shift: float | None = None
) -> Sums:
    """Log Σ e^{s_ij} over all pairs but the positives; with a shift, of bend(s_ij - shift).

    The largest log-sum so far is taken out of the exponents; when a larger one turns up, what was
    summed before it shrinks.
    """
    log_z, tops = x.new_empty(len(x)), x.new_empty(len(x), 1)
    grad_x, grad_y = torch.zeros_like(x), torch.zeros_like(y)
    largest = x.new_full((), -math.inf)
    bent = shift is not None and reach(x, y) > knee(x.dtype)
    for r, s in strips(x, y):
        s.scatter_(1, columns[r, None], -math.inf)
        if shift is not None:
            s.sub_(shift)
        slope = 1 / (1 + torch.relu(s - knee(s.dtype))) if bent and wanted else None
        s = bend(s) if bent else s
        top = s.amax(1, keepdim=True)
        z = s.sub_(top).exp_().sum(1)
        tops[r], log_z[r] = top, top.squeeze(1) + z.log()
        if wanted:
            s = s if slope is None else s.mul_(slope)
            before, largest = largest, torch.maximum(largest, log_z[r].max())
            grad_x[r] = torch.mm(s, y)
            grad_y.mul_((before - largest).exp()).addmm_(s.T, x[r] * (top - largest).exp())
    total = torch.logsumexp(log_z, 0)
    return total, grad_x.mul_((tops - total).exp()), grad_y.mul_((largest - total).exp())


def softplus_mean(x: Tensor, y: Tensor, columns: Tensor, wanted: bool) -> Sums:
    """The mean of softplus(s_ij) over all pairs but the positives."""
    pairs = len(x) * (len(y) - 1)
    sums, grad_x, grad_y = [], torch.zeros_like(x), torch.zeros_like(y)
    zero, spare = x.new_zeros(()), x.new_empty(_height(x, y), len(y))
    for r, s in strips(x, y):
        s.scatter_(1, columns[r, None], -math.inf)
        sums.append(torch.logaddexp(s, zero, out=spare[: len(s)]).sum())  # softplus
        if wanted:
            s.sigmoid_()
            grad_x[r] = torch.mm(s, y).div_(pairs)
            grad_y.addmm_(s.T, x[r], alpha=1 / pairs)
    return torch.stack(sums).sum() / pairs, grad_x, grad_y


def both_sides(x: Tensor, y: Tensor, columns: Tensor, wanted: bool) -> Sums:
    """Half of mean_i log Σ_j e^{s_ij - s_i+} + mean_i log Σ_k e^{s_k+ - s_i+}, + the positive's.

    The columns' sums are known only after a first pass over all strips; the second one makes the
    gradients. Where no score can leave ±60 (always, for unit vectors and T >= 1/59), exponents
    need no maximum taken out, and one exponential serves rows and columns.
    """
    n, m = len(x), len(y)
    plain = reach(x, y) <= 60
    positive, by_row = x.new_empty(n), x.new_empty(n)
    by_column = x.new_full((m,), 0.0 if plain else -math.inf)
    for r, s in strips(x, y):
        positive[r] = s.gather(1, columns[r, None]).squeeze(1)
        if plain:
            by_row[r] = s.exp_().sum(1).log()
            by_column += s.sum(0)
        else:
            by_row[r] = s.logsumexp(1)
            by_column = torch.logaddexp(by_column, s.logsumexp(0))
    by_column = by_column.log() if plain else by_column
    value = ((by_row - positive).mean() + (by_column[columns] - positive).mean()) / 2
    grad_x, grad_y = torch.zeros_like(x), torch.zeros_like(y)
    if not wanted:
        return value, grad_x, grad_y
    # How many rows call a column their positive: 1 or 0, as a rule.
    by_column = by_column - columns.bincount(minlength=m).to(x.dtype).log()
    two = x.new_full((n, 1), -2.0)
    for r, s in strips(x, y):
        if plain:
            s.exp_().mul_((-by_row[r, None]).exp() + (-by_column).exp())
        else:
            s = (s - by_row[r, None]).exp_().add_(s.sub_(by_column).exp_())
        s.scatter_add_(1, columns[r, None], two[r])
        grad_x[r] = torch.mm(s, y).div_(2 * n)
        grad_y.addmm_(s.T, x[r], alpha=1 / (2 * n))
    return value, grad_x, grad_y


def reach(x: Tensor, y: Tensor) -> float:
    """No score is larger: |x_i · y_j| <= max |x_i| · max |y_j|, plus a shift of one."""
    longest = [float(torch.linalg.vector_norm(v, dim=1).max()) for v in (x, y)]
    return longest[0] * longest[1] + 1
