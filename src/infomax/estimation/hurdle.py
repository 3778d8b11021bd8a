"""Columns that take one value often: no rain, nothing found, below the limit of detection.

Such a column is neither continuous nor a class. A row has a pattern, which of its columns are at
their value (a of x, b of y), and numbers in the others. With the chain rule for both,

    log p(x, y)/(p(x) p(y)) = log p(a, b)/(p(a) p(b))          a table
                            + log p(b|x)/p(b|a)                 a classifier for each a
                            + log p(a|y)/p(a|b)                 a classifier for each b
                            + log p(x, y|a, b)/(p(x|a, b) p(y|a, b))     a Gaussian for each (a, b)

Source: two-part models, Cragg 1971, Some statistical models for limited dependent variables; the
limit itself, Tobin 1958.
"""

from __future__ import annotations

from itertools import product

import torch
from jaxtyping import Float, Int
from torch import Tensor

from infomax.estimation.classes import LogisticRatio, TableRatio
from infomax.estimation.elliptical import GaussianRatio
from infomax.estimation.ratio import Ratio
from infomax.gaussian import gaussianize, rank_knots

OFTEN = 0.05  # share of the rows from which a value is taken often
APART = 5  # times as often as any other value
FEW_PATTERNS = 6  # columns of x and y together, above which patterns are too many
FEWEST = 30  # rows of a pattern from which anything is fitted to them


def often(rows: Float[Tensor, "n d"]) -> Float[Tensor, " d"]:
    """The value that each column takes often; NaN where there is none, or two of the kind.

    Example:
        >>> often(torch.tensor([[0.0, 1.0]] * 6 + [[0.1 * i, 1.5 * i] for i in range(20)]))
        tensor([0., 1.])
        >>> often(torch.arange(30.0)[:, None])
        tensor([nan])
    """
    found = torch.full((rows.shape[1],), torch.nan, dtype=rows.dtype)
    for place, column in enumerate(rows.unbind(1)):
        values, counts = torch.unique(column, return_counts=True)
        most = torch.topk(counts, min(2, len(counts)))
        next_most = int(most.values[-1]) if len(counts) > 1 else 0
        if most.values[0] >= max(OFTEN * len(rows), APART * next_most):
            found[place] = values[most.indices[0]]
    return found


class HurdleRatio(Ratio):
    """The log-ratio of this module's formula.

    Example:
        >>> x = torch.randn(900, 1, generator=torch.Generator().manual_seed(0)).relu()
        >>> ratio = HurdleRatio(x, (x - 0.5).relu())
        >>> ratio.matrix(torch.tensor([[0.0], [2.0]]), torch.zeros(1, 1))[:, 0] > 0
        tensor([ True, False])
    """

    def __init__(self, x: Float[Tensor, "n dx"], y: Float[Tensor, "n dy"]) -> None:
        self.x, self.y = _Side(x), _Side(y)
        a, b = self.x.pattern(x), self.y.pattern(y)
        self.table = TableRatio(a[:, None], b[:, None])
        self.of_x = self.x.classifiers(x, a, b)
        self.of_y = self.y.classifiers(y, b, a)
        self.cells = {}
        for k, j in product(self.x.scales, self.y.scales):
            rows = (a == k) & (b == j)
            if rows.sum() >= FEWEST:
                parts = x[rows][:, self.x.seen[k]], y[rows][:, self.y.seen[j]]
                self.cells[k, j] = GaussianRatio("rank", *parts)

    def matrix(self, x: Float[Tensor, "n dx"], y: Float[Tensor, "m dy"]) -> Float[Tensor, "n m"]:
        """Log-ratios of all pairs."""
        a, b = self.x.pattern(x), self.y.pattern(y)
        total = self.table.matrix(a[:, None], b[:, None])
        for k, classifier in self.of_x.items():
            total[a == k] += classifier.matrix(self.x.numbers(x[a == k], k), b[:, None])
        for j, classifier in self.of_y.items():
            total[:, b == j] += classifier.matrix(self.y.numbers(y[b == j], j), a[:, None]).mT
        for (k, j), ratio in self.cells.items():
            places = (a == k).nonzero(), (b == j).nonzero().mT
            total[places] += ratio.matrix(
                x[a == k][:, self.x.seen[k]], y[b == j][:, self.y.seen[j]]
            )
        return total


class _Side:
    """The patterns of one side's rows, numbered, and the columns that vary in each."""

    def __init__(self, rows: Float[Tensor, "n d"]) -> None:
        self.value = often(rows)
        self.power = 2 ** torch.arange(rows.shape[1])
        self.codes = torch.unique(self._code(rows))
        numbers = self.pattern(rows)
        varies = [(code & self.power) == 0 for code in self.codes]
        self.seen = [v.nonzero().flatten() for v in varies]
        self.scales = {}  # of the patterns with numbers, and rows enough to fit to
        for k, columns in enumerate(self.seen):
            own = rows[numbers == k][:, columns]
            if len(columns) and len(own) >= FEWEST:
                self.scales[k] = rank_knots(own)

    def pattern(self, rows: Float[Tensor, "n d"]) -> Float[Tensor, " n"]:
        """The class number of each row's pattern; one that is new is beyond them all."""
        code = self._code(rows)
        place = torch.searchsorted(self.codes, code)
        known = self.codes[place.clamp(max=len(self.codes) - 1)] == code
        return torch.where(known, place, len(self.codes)).to(rows.dtype)

    def numbers(self, rows: Float[Tensor, "n d"], k: int) -> Float[Tensor, "n e"]:
        """The columns that vary in a pattern, Gaussianized there."""
        return gaussianize(rows[:, self.seen[k]], *self.scales[k])

    def classifiers(
        self, rows: Float[Tensor, "n d"], own: Float[Tensor, " n"], other: Float[Tensor, " n"]
    ) -> dict[int, LogisticRatio]:
        """For each pattern, what its numbers tell of the other side's pattern."""
        found = {}
        for k in self.scales:
            classes = other[own == k][:, None]
            found[k] = LogisticRatio(self.numbers(rows[own == k], k), classes, of_x=False)
        return found

    def _code(self, rows: Float[Tensor, "n d"]) -> Int[Tensor, " n"]:
        return (rows == self.value).long() @ self.power
