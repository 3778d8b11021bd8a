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


def probe(
    features: Features, labels: Classes, metric: str, labels_used: str | int
) -> tuple[float, float]:
    """Test accuracy of a probe, and its standard error.

    The error is binomial over test contexts; with few labels it adds the spread over the draws.

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
        >>> accuracy, stderr = probe(x, y, "accuracy", "all")
        >>> accuracy > 0.95, stderr < 0.02
        (True, True)
    """
    fit = {"accuracy": _linear, "knn_accuracy": _neighbours}[metric]
    scaled = _standardized(features)
    if labels_used == "all":
        accuracy = fit(scaled, labels)
        return accuracy, _binomial(accuracy, len(labels["test"]))
    draws = []
    for draw in range(DRAWS):
        few = labelled(labels["train"], int(labels_used), draw)
        some = {**scaled, "train": scaled["train"][few], "validation": scaled["train"][:0]}
        known = {**labels, "train": labels["train"][few], "validation": labels["train"][:0]}
        draws.append(fit(some, known))
    accuracy, spread = float(np.mean(draws)), float(np.std(draws, ddof=1) / np.sqrt(DRAWS))
    return accuracy, float(np.hypot(_binomial(accuracy, len(labels["test"])), spread))


def _binomial(accuracy: float, n: int) -> float:
    return float(np.sqrt(accuracy * (1 - accuracy) / n))


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

    x, y = features["train"], labels["train"]
    with warnings.catch_warnings():
        for category in (ConvergenceWarning, FutureWarning, UserWarning):
            warnings.simplefilter("ignore", category)
        if len(labels["validation"]):
            fitted = [LogisticRegression(C=c, max_iter=100, tol=1e-3).fit(x, y) for c in STRENGTHS]
            held = features["validation"], labels["validation"]
            chosen = max(fitted, key=lambda model: model.score(*held))
        else:
            folds = min(5, int(np.unique(y, return_counts=True)[1].min()))
            chosen = (
                LogisticRegressionCV(Cs=list(STRENGTHS), cv=folds, max_iter=100, tol=1e-3)
                if folds > 1
                else LogisticRegression(C=STRENGTHS[1], max_iter=100, tol=1e-3)
            ).fit(x, y)
    return float(chosen.score(features["test"], labels["test"]))


def _neighbours(features: Features, labels: Classes) -> float:
    from sklearn.neighbors import NearestNeighbors

    unit = {
        name: z / np.maximum(np.linalg.norm(z, axis=1, keepdims=True), 1e-12)
        for name, z in features.items()
    }
    possible = [k for k in NEIGHBOURS if k <= len(labels["train"])]
    near = NearestNeighbors(n_neighbors=max(possible), algorithm="brute").fit(unit["train"])

    def scores(split: str) -> dict[int, float]:
        classes = labels["train"][near.kneighbors(unit[split], return_distance=False)]
        votes = np.eye(classes.max() + 1, dtype=np.int32)[classes].cumsum(axis=1)
        return {k: float(np.mean(votes[:, k - 1].argmax(1) == labels[split])) for k in possible}

    if not len(labels["validation"]):
        return scores("test")[1]
    held = scores("validation")
    return scores("test")[max(possible, key=lambda k: held[k])]
