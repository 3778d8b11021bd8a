"""Boosted trees that tell pairs from torn ones: edges, checkers, turns by a sign, few rows."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from infomax.estimation.ratio import Ratio
from infomax.estimation.scaling import scaling
from infomax.estimation.splits import Part

BROADEST = 10  # columns of x and y together, above which they take too long
FEWEST = 100  # training rows
MOST = 20_000  # training rows that are looked at
GLANCED = 2_000  # training rows that tell whether more are worth their time


class TreesRatio(Ratio):
    """f = log p / (1 - p), p the probability by trees that a pair is one of the joint.

    Trees are boosted on torn pairs, several of each row, and on as many copies of the pairs (no
    weights: of weighted rows scikit-learn takes seconds to find where to cut), so that the odds are
    the density ratio; they stop by the part's validation rows. A tree cuts one column at a time; so
    that the edge of an added noise, too, is one cut, the columns are x and y (standardized), and
    what is left of each side once the other has predicted it linearly.

    Args:
        part: rows to fit to and to stop by.
        most: how many rows are fitted to.

    Source: Sugiyama, Suzuki & Kanamori 2012, Density ratio estimation in machine learning, chapter
    4; for mutual information: Mukherjee et al. 2019 (arXiv:1906.01824).

    Example:
        >>> x = torch.rand(900, 1, generator=torch.Generator().manual_seed(0)).double()
        >>> ratio = TreesRatio(Part(x[:700], x[:700] ** 2, x[700:], x[700:] ** 2, seed=0))
        >>> ratio.matrix(x[:3], x[:5]).shape
        torch.Size([3, 5])
    """

    block = 150  # its pairs are the dearest

    def __init__(self, part: Part, *, most: int = MOST) -> None:
        from sklearn.ensemble import HistGradientBoostingClassifier

        x, y = part.x[:most], part.y[:most]
        self.scaling = scaling("standard", x, y)
        a, b = self._scaled(x, y)
        self.of_y, self.of_x = (torch.linalg.lstsq(*sides).solution for sides in ((a, b), (b, a)))
        self.model = HistGradientBoostingClassifier(
            learning_rate=0.2, max_iter=150, max_leaf_nodes=16, min_samples_leaf=20,
            l2_regularization=15.0 * _torn(len(x)), max_features=0.6, early_stopping=True,
            n_iter_no_change=20, random_state=part.seed,
        )  # fmt: skip
        order = torch.Generator().manual_seed(part.seed)
        pairs, real = self._pairs(x, y, order)
        hidden, is_real = self._pairs(part.x_validation, part.y_validation, order)
        self.model.fit(pairs, real, X_val=hidden, y_val=is_real)

    def matrix(self, x: Float[Tensor, "n dx"], y: Float[Tensor, "m dy"]) -> Float[Tensor, "n m"]:
        """Log-ratios of all pairs."""
        rows = self._columns(x.repeat_interleave(len(y), 0), y.repeat(len(x), 1))
        return torch.from_numpy(self.model.decision_function(rows)).reshape(len(x), len(y))

    def _pairs(self, x: Tensor, y: Tensor, order: torch.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Copies of the pairs and as many torn ones; and which are which."""
        n, torn = len(x), _torn(len(x))
        partners = torch.cat([torch.randperm(n, generator=order) for _ in range(torn)])
        rows = self._columns(x.repeat(torn + 1, 1), torch.cat([y, y[partners]]))
        copied = np.concatenate([np.tile(rows[:n], (torn, 1)), rows[n:]])
        return copied, np.arange(len(copied)) < torn * n

    def _columns(self, x: Float[Tensor, "n dx"], y: Float[Tensor, "n dy"]) -> np.ndarray:
        a, b = self._scaled(x, y)
        found: np.ndarray = torch.cat([a, b, b - a @ self.of_y, a - b @ self.of_x], 1).numpy()
        return found

    def _scaled(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        return self.scaling.x(x).double(), self.scaling.y(y).double()


def _torn(rows: int) -> int:
    """How many torn pairs each row is part of."""
    return 4 if rows > GLANCED else 8
