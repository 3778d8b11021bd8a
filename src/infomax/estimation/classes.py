"""Discrete variables: a table for two of them, a classifier for one; exact entropies on top."""

from __future__ import annotations

import math

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from infomax.estimation.ratio import Ratio

PRIORS = (1 / 1024, 1 / 256, 1 / 64, 1 / 16, 1 / 4, 1.0, 4.0, 16.0)
"""What the prior of a table may be worth, as shares of its rows."""


class TableRatio(Ratio):
    """f(a, b) = log p_ab / (p_a p_b) from counts, with a prior spread as p_a p_b.

    p_ab = (n_ab + α p_a p_b) / (n + α). The pairs that the prior is worth, α, are those of
    `PRIORS` under which each pair is likeliest as the others have it: with many cells for the
    rows what few pairs show is held back, with few it stands.

    Source: Good 1965, The estimation of probabilities; leaving one out: Stone 1974.

    Example:
        >>> a = torch.tensor([[0.0], [1.0]] * 50)
        >>> TableRatio(a, a).matrix(a[:2], a[:2]).round(decimals=1)
        tensor([[ 0.7000, -6.9000],
                [-6.9000,  0.7000]], dtype=torch.float64)
    """

    def __init__(self, x: Float[Tensor, "n 1"], y: Float[Tensor, "n 1"]) -> None:
        a, b = x[:, 0].long(), y[:, 0].long()
        self.rows, self.columns = int(a.max()) + 1, int(b.max()) + 1
        flat = torch.bincount(a * self.columns + b, minlength=self.rows * self.columns)
        counts = flat.view(self.rows, self.columns).double()
        p_a, p_b = counts.sum(1) / len(a), counts.sum(0) / len(a)
        apart = p_a[:, None] * p_b

        def likelihood(prior: float) -> float:
            others = (counts - 1).clamp_min(0) + prior * apart
            return float(torch.xlogy(counts, others / (len(a) - 1 + prior)).sum())

        prior = max((share * len(a) for share in PRIORS), key=likelihood)
        ratio = torch.log((counts + prior * apart) / (len(a) + prior) / apart)
        self.table = torch.where(apart > 0, ratio, 0.0)

    def matrix(self, x: Float[Tensor, "n 1"], y: Float[Tensor, "m 1"]) -> Float[Tensor, "n m"]:
        """Log-ratios of all pairs; 0 for a class that training has not seen."""
        a, b = x[:, 0].long(), y[:, 0].long()
        known = (a < self.rows)[:, None] & (b < self.columns)
        looked = self.table[a.clamp(max=self.rows - 1)][:, b.clamp(max=self.columns - 1)]
        return torch.where(known, looked, 0.0)


class LogisticRatio(Ratio):
    """f = log q(class | rows) - log p(class) with q a logistic regression on scaled columns.

    Barber-Agakov with a classifier: E[log q(c|x)] + H(C) is E_p[f].

    Args:
        x: training rows of x.
        y: training rows of y.
        of_x: whether x holds the class numbers (else y does).

    Source: Barber & Agakov 2003.
    """

    def __init__(self, x: Tensor, y: Tensor, *, of_x: bool) -> None:
        from sklearn.linear_model import LogisticRegression
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import PolynomialFeatures, StandardScaler

        rows, classes = (y, x) if of_x else (x, y)
        steps = [StandardScaler()]
        if rows.shape[1] <= 10:
            steps += [PolynomialFeatures(2, include_bias=False), StandardScaler()]
        self.of_x = of_x
        model = make_pipeline(*steps, LogisticRegression(C=1.0, max_iter=300))
        self.classifier = _Classifier(model, rows, classes)

    def matrix(self, x: Tensor, y: Tensor) -> Float[Tensor, "n m"]:
        """Log-ratios of all pairs."""
        return self.classifier.pairs(y, x).mT if self.of_x else self.classifier.pairs(x, y)


class BoostedRatio(Ratio):
    """The same with gradient-boosted trees for q: any shape of boundary."""

    def __init__(self, x: Tensor, y: Tensor, *, of_x: bool, seed: int) -> None:
        from sklearn.ensemble import HistGradientBoostingClassifier

        rows, classes = (y, x) if of_x else (x, y)
        self.of_x = of_x
        _, counts = _repeated(classes)  # each has a row to learn from, and one to stop by
        model = HistGradientBoostingClassifier(
            max_iter=60, learning_rate=0.1, max_leaf_nodes=8, early_stopping=True,
            validation_fraction=max(0.1, len(counts) / max(int(counts.sum()), 1)),
            random_state=seed,
        )  # fmt: skip
        self.classifier = _Classifier(model, rows, classes)

    def matrix(self, x: Tensor, y: Tensor) -> Float[Tensor, "n m"]:
        """Log-ratios of all pairs."""
        return self.classifier.pairs(y, x).mT if self.of_x else self.classifier.pairs(x, y)


def _repeated(classes: Float[Tensor, "n 1"]) -> tuple[Int[np.ndarray, " c"], Int[np.ndarray, " c"]]:
    """The classes that stand in two rows or more, and in how many."""
    seen, counts = np.unique(classes[:, 0].long().numpy(), return_counts=True)
    return seen[counts > 1], counts[counts > 1]


class _Classifier:
    """A scikit-learn classifier as log q(c | row) - log p(c), for rows and all class numbers.

    A class of one training row counts as one that training has not seen.
    """

    def __init__(self, model: object, rows: Tensor, classes: Tensor) -> None:
        labels = classes[:, 0].long().numpy()
        self.model = model
        self.seen, counts = _repeated(classes)
        self.log_share = np.log(counts / counts.sum())
        if len(self.seen) > 1:
            kept = np.isin(labels, self.seen)
            model.fit(rows.numpy()[kept], labels[kept])  # type: ignore[attr-defined]

    def pairs(self, rows: Tensor, classes: Tensor) -> Float[Tensor, "n m"]:
        numbers = classes[:, 0].long().numpy()
        place = np.searchsorted(self.seen, numbers).clip(max=len(self.seen) - 1)
        known = self.seen[place] == numbers
        if len(self.seen) < 2 or not len(rows):
            return torch.zeros(len(rows), len(numbers), dtype=torch.float64)
        q = self.model.predict_proba(rows.numpy())  # type: ignore[attr-defined]
        f = np.log(np.maximum(q, 1e-6)) - self.log_share
        return torch.from_numpy(np.where(known, f[:, place], 0.0))


def entropy(codes: Int[Tensor, " n"]) -> tuple[float, float]:
    """Entropy of a discrete variable, Miller-Madow, with its standard error, in nats.

    H = -Σ p log p + (m - 1)/(2 n), m classes seen.

    Source: Miller 1955.

    Example:
        >>> round(entropy(torch.tensor([0, 1] * 500))[0], 3)
        0.694
    """
    n = len(codes)
    counts = torch.bincount(codes).double()
    p = counts[counts > 0] / n
    plug_in = float(-(p * p.log()).sum())
    variance = float((p * p.log().square()).sum()) - plug_in**2
    return plug_in + (len(p) - 1) / (2 * n), math.sqrt(max(variance, 0.0) / n)


def upper_limit(x: Tensor | None, y: Tensor | None, quantile: float) -> float | None:
    """A one-sided upper limit of I(X; Y): the least of the entropies that are discrete.

    I(X; Y) <= min(H(X), H(Y)); the entropy is estimated, so its limit adds `quantile` standard
    errors, and never exceeds the log of the number of classes seen.
    """
    limits = []
    for codes in (x, y):
        if codes is not None:
            value, stderr = entropy(codes)
            limits.append(min(value + quantile * stderr, math.log(len(torch.unique(codes)))))
    return min(limits, default=None)
