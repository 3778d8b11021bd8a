"""How well a label is read from a representation: a linear probe and nearest neighbours.

Fitted on training labels, chosen on validation labels, reported on test labels. The same
procedure for raw input, untrained encoder and learned view.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping

import numpy as np
from jaxtyping import Float, Int

STRENGTHS = (1e-3, 1e-2, 1e-1, 1.0)
NEIGHBOURS = (1, 5, 20)
DRAWS = 5

Features = Mapping[str, Float[np.ndarray, "n d"]]
Classes = Mapping[str, Int[np.ndarray, " n"]]


def probe(features: Features, labels: Classes, metric: str, labels_used: str | int) -> float:
    """Test accuracy of a probe.

    Args:
        features: arrays by split: train, validation, test.
        labels: classes by split.
        metric: ``"accuracy"`` (logistic regression on standardized features) or
            ``"knn_accuracy"`` (k-nearest neighbours by cosine).
        labels_used: ``"all"``: every training label, strength or k chosen on validation. A number:
            so many labels a class, mean over five draws, strength chosen by cross-validation
            within them (k is then 1: more labels to choose by would be cheating).

    Example:
        >>> rng = np.random.default_rng(0)
        >>> y = {s: rng.integers(0, 2, 200) for s in ("train", "validation", "test")}
        >>> x = {s: rng.normal(size=(200, 3)) + 4 * y[s][:, None] for s in y}
        >>> probe(x, y, "accuracy", "all") > 0.95
        True
    """
    fit = {"accuracy": _linear, "knn_accuracy": _neighbours}[metric]
    scaled = _standardized(features)
    if labels_used == "all":
        return fit(scaled, labels)
    draws = []
    for draw in range(DRAWS):
        few = labelled(labels["train"], int(labels_used), draw)
        some = {**scaled, "train": scaled["train"][few], "validation": scaled["train"][:0]}
        known = {**labels, "train": labels["train"][few], "validation": labels["train"][:0]}
        draws.append(fit(some, known))
    return float(np.mean(draws))


def labelled(classes: Int[np.ndarray, " n"], each: int, seed: int) -> Int[np.ndarray, " few"]:
    """Positions of ``each`` contexts of every class, drawn at random."""
    rng = np.random.default_rng(seed)
    return np.concatenate(
        [rng.permutation(np.flatnonzero(classes == c))[:each] for c in np.unique(classes)]
    )


def _standardized(features: Features) -> dict[str, np.ndarray]:
    mean, std = features["train"].mean(0), features["train"].std(0)
    scale = np.where(std > 1e-8, std, 1.0)
    return {name: ((z - mean) / scale).astype(np.float32) for name, z in features.items()}


def _linear(features: Features, labels: Classes) -> float:
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression, LogisticRegressionCV

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        warnings.simplefilter("ignore", FutureWarning)
        warnings.simplefilter("ignore", UserWarning)
        if len(labels["validation"]):
            fitted = [
                LogisticRegression(C=c, max_iter=100, tol=1e-3).fit(
                    features["train"], labels["train"]
                )
                for c in STRENGTHS
            ]
            chosen = max(
                fitted, key=lambda m: m.score(features["validation"], labels["validation"])
            )
        else:
            folds = max(2, min(5, int(np.bincount(labels["train"]).max())))
            chosen = LogisticRegressionCV(Cs=list(STRENGTHS), cv=folds, max_iter=100, tol=1e-3).fit(
                features["train"], labels["train"]
            )
    return float(chosen.score(features["test"], labels["test"]))


def _neighbours(features: Features, labels: Classes) -> float:
    from sklearn.neighbors import KNeighborsClassifier

    unit = {
        name: z / np.maximum(np.linalg.norm(z, axis=1, keepdims=True), 1e-12)
        for name, z in features.items()
    }

    def score(k: int, split: str) -> float:
        model = KNeighborsClassifier(k, algorithm="brute").fit(unit["train"], labels["train"])
        return float(model.score(unit[split], labels[split]))

    if not len(labels["validation"]):
        return score(1, "test")
    possible = [k for k in NEIGHBOURS if k <= len(labels["train"])]
    best = max(possible, key=lambda k: score(k, "validation"))
    return score(best, "test")
