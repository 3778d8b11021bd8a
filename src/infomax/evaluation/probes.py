"""How well a label is read from a representation: a linear probe and nearest neighbours.

Fitted on training labels, chosen on validation labels, reported on test labels. The same
procedure for raw input, untrained encoder and learned view.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from functools import partial

import numpy as np
from jaxtyping import Float, Int

STRENGTHS = (1e-3, 1e-2, 1e-1, 1.0)
NEIGHBOURS = (1, 5, 20)
DRAWS = 5

Features = Mapping[str, Float[np.ndarray, "_n d"]]
Classes = Mapping[str, Int[np.ndarray, " _n"]]


def probe(
    features: Features, labels: Classes, metric: str, labels_used: str | int
) -> tuple[float, float]:
    """Test accuracy of a probe, and its standard error.

    The error is binomial over test contexts; with few labels it adds the spread over the draws.
    A test context of a class that training labels lack is wrong.

    Args:
        features: arrays by split: train, validation, test.
        labels: classes by split.
        metric: ``"accuracy"`` (logistic regression on standardized features),
            ``"balanced_accuracy"`` (the same with classes weighted alike, mean over classes) or
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
    fit = FITS[metric]
    scaled = _standardized(features)
    if labels_used == "all":
        right = fit(scaled, labels)
        return metric_of(metric, right, labels["test"])
    draws = []
    for draw in range(DRAWS):
        few = labelled(labels["train"], int(labels_used), draw)
        some = {**scaled, "train": scaled["train"][few], "validation": scaled["train"][:0]}
        known = {**labels, "train": labels["train"][few], "validation": labels["train"][:0]}
        draws.append(metric_of(metric, fit(some, known), labels["test"]))
    accuracies, errors = np.array(draws).T
    spread = np.std(accuracies, ddof=1) / np.sqrt(DRAWS)
    return float(accuracies.mean()), float(np.hypot(errors.mean(), spread))


def metric_of(
    metric: str, right: Float[np.ndarray, " n"], classes: Int[np.ndarray, " n"]
) -> tuple[float, float]:
    """The share that is right, of all or as the mean over classes, and its standard error.

    Binomial; for the mean over C classes ``sqrt(sum_c p_c (1 - p_c) / n_c) / C``.
    """
    if metric != "balanced_accuracy":
        share = float(right.mean())
        return share, float(np.sqrt(share * (1 - share) / len(right)))
    shares, counts = _by_class(right, classes)
    error = np.sqrt((shares * (1 - shares) / counts).sum()) / len(shares)
    return float(shares.mean()), float(error)


def balanced(right: Float[np.ndarray, " n"], classes: Int[np.ndarray, " n"]) -> float:
    """The mean over the classes that occur of the share that is right.

    Example:
        >>> balanced(np.array([1.0, 1.0, 1.0, 0.0]), np.array([0, 0, 0, 1]))
        0.5
    """
    return float(_by_class(right, classes)[0].mean())


def _by_class(right: np.ndarray, classes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    counts = np.bincount(classes)
    sums = np.bincount(classes, right)
    return sums[counts > 0] / counts[counts > 0], counts[counts > 0]


def majority(metric: str, train: Int[np.ndarray, " n"], test: Int[np.ndarray, " m"]) -> float:
    """What always naming the commonest training class would reach.

    Example:
        >>> y = np.array([0, 0, 1])
        >>> majority("accuracy", y, y[1:]), majority("balanced_accuracy", y, y[1:])
        (0.5, 0.5)
    """
    right = (test == np.bincount(train).argmax()).astype(float)
    return metric_of(metric, right, test)[0]


def unbalanced(train: Int[np.ndarray, " n"]) -> bool:
    """Whether the commonest of C classes has more than 2 / (C + 1) of the contexts.

    Two thirds of two classes, about twice an even share of many.
    """
    counts = np.bincount(train)
    return bool(counts.max() * ((counts > 0).sum() + 1) > 2 * len(train))


def labelled(classes: Int[np.ndarray, " n"], each: int, seed: int) -> Int[np.ndarray, " few"]:
    """Positions of ``each`` contexts of every class, drawn at random."""
    rng = np.random.default_rng(seed)
    return np.concatenate(
        [rng.permutation(np.flatnonzero(classes == c))[:each] for c in np.unique(classes)]
    )


def _standardized(features: Features) -> dict[str, np.ndarray]:
    train = features["train"].astype(np.float64)
    mean, std = train.mean(0), train.std(0)
    varies = std > 1e-6 * np.abs(features["train"]).max(0)  # whatever the unit of a column
    scale = np.where(varies, std, 1.0)
    return {name: ((z - mean) / scale).astype(np.float32) for name, z in features.items()}


def _linear(
    features: Features, labels: Classes, weight: str | None = None
) -> Float[np.ndarray, " n"]:
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression, LogisticRegressionCV

    x, y = features["train"], labels["train"]
    score = "balanced_accuracy" if weight else "accuracy"
    shared = {"max_iter": 100, "tol": 1e-3, "class_weight": weight}
    with warnings.catch_warnings():
        for category in (ConvergenceWarning, FutureWarning, UserWarning):
            warnings.simplefilter("ignore", category)
        if len(labels["validation"]):
            fitted = [LogisticRegression(C=c, **shared).fit(x, y) for c in STRENGTHS]
            held, truth = features["validation"], labels["validation"]
            told = [(m.predict(held) == truth).astype(float) for m in fitted]
            worth = [metric_of(score, some, truth)[0] for some in told]
            chosen = fitted[int(np.argmax(worth))]
        else:
            folds = min(5, int(np.unique(y, return_counts=True)[1].min()))
            chosen = (
                LogisticRegressionCV(Cs=list(STRENGTHS), cv=folds, scoring=score, **shared)
                if folds > 1
                else LogisticRegression(C=STRENGTHS[1], **shared)
            ).fit(x, y)
        right: np.ndarray = np.asarray(chosen.predict(features["test"]) == labels["test"], float)
    return right


def _neighbours(features: Features, labels: Classes) -> Float[np.ndarray, " n"]:
    from sklearn.neighbors import NearestNeighbors

    unit = {
        name: z / np.maximum(np.linalg.norm(z, axis=1, keepdims=True), 1e-12)
        for name, z in features.items()
    }
    possible = [k for k in NEIGHBOURS if k <= len(labels["train"])]
    near = NearestNeighbors(n_neighbors=max(possible), algorithm="brute").fit(unit["train"])

    def right(split: str) -> dict[int, np.ndarray]:
        classes = labels["train"][near.kneighbors(unit[split], return_distance=False)]
        votes = np.eye(classes.max() + 1, dtype=np.int32)[classes].cumsum(axis=1)
        return {k: (votes[:, k - 1].argmax(1) == labels[split]).astype(float) for k in possible}

    if not len(labels["validation"]):
        return right("test")[1]
    held = right("validation")
    return right("test")[max(possible, key=lambda k: held[k].mean())]


FITS: dict[str, Callable[[Features, Classes], Float[np.ndarray, " n"]]] = {
    "accuracy": _linear,
    "balanced_accuracy": partial(_linear, weight="balanced"),
    "knn_accuracy": _neighbours,
}
METRICS = tuple(FITS)
