"""The whole evaluation of a trained run, side by side: nats, probes, rank, a map."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from infomax import diagnostics
from infomax._errors import InfomaxError
from infomax.building import Study
from infomax.data import SPLITS, Contexts
from infomax.evaluation.embedding import embed, flat, map_2d, raw, thumbnails
from infomax.evaluation.knowing import profile
from infomax.evaluation.nats import value_terms
from infomax.evaluation.probes import probe
from infomax.knowledge import Profile
from infomax.objective import Model
from infomax.recipe import Recipe
from infomax.records import Probe, Representation, Term

MAPPED = 1500
FEW = 10


@dataclass(frozen=True)
class Evaluation:
    """What was found, and the arrays of the map."""

    terms: list[Term]
    probes: list[Probe]
    representation: Representation
    map: dict[str, np.ndarray]
    profile: Profile | None = None


def evaluate(
    recipe: Recipe,
    model: Model,
    study: Study,
    untrained: Study,
    contexts: Contexts,
    *,
    watch: Callable[[str], None] = lambda words: None,
) -> Evaluation:
    """Value every term and probe the recipe's view, with its baselines.

    Args:
        recipe: which view and label to judge by.
        model: the trained model.
        study: its views.
        untrained: the same views with encoders as they were before training.
        contexts: the data, split as for training.
        watch: told what is being done.
    """
    view, twin = study.views[recipe.evaluate.view], untrained.views[recipe.evaluate.view]
    watch("embedding")
    learned = {split: flat(embed(view, contexts, split)) for split in SPLITS}
    there = {split: np.isfinite(z).all(1) for split, z in learned.items()}
    seen = torch.from_numpy(learned["test"][there["test"]])
    rank = diagnostics.effective_rank(seen)
    watch("held-out nats")
    terms = value_terms(model, contexts, recipe.train.batch, rank=rank)
    label = label_of(recipe, contexts)
    probes = []
    if label is not None:
        classes = _classes(contexts, label)
        kept = {split: classes[split][there[split]] for split in SPLITS}
        sides = {
            "raw": {split: raw(view, contexts, split) for split in SPLITS},
            "untrained": {split: flat(embed(twin, contexts, split)) for split in SPLITS},
            "learned": learned,
        }
        sides = {n: {s: z[s][there[s]] for s in SPLITS} for n, z in sides.items()}
        for metric in ("accuracy", "knn_accuracy"):
            for used in ("all", FEW):
                watch(f"probing {metric}, labels: {used}")
                scores = {n: probe(z, kept, metric, used) for n, z in sides.items()}
                accuracies = {n: accuracy for n, (accuracy, _) in scores.items()}
                probes.append(
                    Probe(
                        view=recipe.evaluate.view,
                        label=label,
                        metric=metric,
                        labels_used=used,
                        stderr=scores["learned"][1],
                        **accuracies,
                    )
                )
    known = None
    if recipe.evaluate.profile:
        known = profile(
            recipe, model.objective, study.views, untrained.views, contexts, terms, watch
        )
    watch("drawing the map")
    representation = Representation(effective_rank=rank, dimension=seen.shape[1])
    drawn = _map(recipe, contexts, learned, there, label)
    return Evaluation(terms, probes, representation, drawn, known)


def label_of(recipe: Recipe, contexts: Contexts) -> str | None:
    """The label to judge by: the recipe's, or the data's first, or none.

    Raises:
        InfomaxError: the recipe names a label that the data do not have.
    """
    asked = recipe.evaluate.label
    if asked is None:
        return next(iter(contexts.labels), None)
    if asked not in contexts.labels:
        raise InfomaxError(
            wanted="evaluate.label: a label of the data (" + ", ".join(contexts.labels) + ")",
            got=repr(asked),
            fix="correct the name, or leave evaluate.label out",
        )
    return asked


def _classes(contexts: Contexts, label: str) -> dict[str, np.ndarray]:
    numbers = np.unique(contexts.labels[label], return_inverse=True)[1]
    return {split: numbers[contexts.rows(split)] for split in SPLITS}


def _map(
    recipe: Recipe,
    contexts: Contexts,
    learned: dict[str, np.ndarray],
    there: dict[str, np.ndarray],
    label: str | None,
) -> dict[str, np.ndarray]:
    rows = np.flatnonzero(there["test"])
    if len(rows) > MAPPED:
        rows = np.sort(np.random.default_rng(0).choice(rows, MAPPED, replace=False))
    points, method = map_2d(learned["test"][rows])
    index = contexts.rows("test")[rows]
    arrays = {
        "points": points,
        "index": index,
        "view": np.array(recipe.evaluate.view),
        "method": np.array(method),
    }
    if label is not None:
        arrays["labels"] = contexts.labels[label][index].astype(str)
    signal = next((n for n, c in contexts.signals.items() if c.kind == "picture"), None)
    if signal is not None:
        pictures = thumbnails(contexts, signal, "test", rows)
        if pictures is not None:
            arrays["pictures"] = pictures
    return arrays
