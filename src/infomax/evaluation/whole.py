"""The whole evaluation of a trained run, side by side: nats, probes, retrieval, rank, maps."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from infomax import diagnostics
from infomax.building import Study
from infomax.data import Contexts
from infomax.evaluation import zero_shot
from infomax.evaluation.embedding import embed, embed_each, flat
from infomax.evaluation.knowing import profile
from infomax.evaluation.mapped import mapped
from infomax.evaluation.nats import value_terms
from infomax.evaluation.neighbours import Gallery
from infomax.evaluation.probing import Unlearned, has_label, labels_of, probes, sides_of
from infomax.evaluation.searches import Searched, search
from infomax.evaluation.searching import pairs
from infomax.evaluation.sharing import shared
from infomax.evaluation.specimens import specimens
from infomax.objective import Model
from infomax.recipe import Recipe
from infomax.records import (
    Probe,
    Profile,
    Representation,
    Retrieval,
    Shared,
    Term,
    ZeroShot,
)


@dataclass(frozen=True)
class Evaluation:
    """What was found, the arrays of the map, what neighbours look like, and what the views."""

    terms: list[Term]
    probes: list[Probe]
    retrieval: list[Retrieval]
    zero_shot: list[ZeroShot]
    shared: list[Shared]
    representation: Representation
    map: dict[str, np.ndarray]
    profile: Profile | None
    neighbours: list[dict[str, Any]]
    specimens: dict[str, Any]


def check(recipe: Recipe, study: Study, contexts: Contexts) -> None:
    """Refuse, before training, what could not be judged after it.

    Raises:
        InfomaxError: a label the data do not have; views that nothing can compare.
    """
    asked = recipe.evaluate
    labels_of(recipe, contexts)
    if asked.right is not None:
        has_label(contexts, asked.right, "evaluate.right")
    pairs(recipe, study, contexts)
    if asked.zero_shot is not None:
        has_label(contexts, asked.zero_shot.label, "evaluate.zero_shot.label")
        zero_shot.judged_pair(recipe, asked.zero_shot, study, contexts)


def evaluate(
    recipe: Recipe,
    model: Model,
    study: Study,
    untrained: Study,
    contexts: Contexts,
    *,
    watch: Callable[[str], None] = lambda words: None,
) -> Evaluation:
    """Value every term, probe the recipe's views, look for one view by another.

    Args:
        recipe: which views and labels to judge by.
        model: the trained model.
        study: its views.
        untrained: the same views with encoders as they were before training.
        contexts: the data, split as for training.
        watch: told what is being done.
    """
    asked = recipe.evaluate
    labels = labels_of(recipe, contexts)
    watch("embedding")
    first = embed(study.views[asked.views[0]], contexts, "test")
    learned = flat(first)
    there = np.isfinite(learned).all(1)
    seen = torch.from_numpy(learned[there])
    rank = diagnostics.effective_rank(seen)
    watch("held-out nats")
    terms = value_terms(model, contexts, recipe.train.batch, rank=rank)
    found = pairs(recipe, study, contexts)
    unlearned = Unlearned(contexts, found)
    probed: list[Probe] = []
    for name in asked.views if labels else ():
        sides = sides_of(name, study, untrained, contexts, unlearned)
        for label in labels:
            probed += probes(name, label, sides, unlearned, study.views[name], watch)
    rates = {n: getattr(s, "rate", 0) for n, s in recipe.data.signals.items()}
    gallery = Gallery(contexts, rates, next(iter(labels), None))
    searched = Searched([], [])
    for pair in found:
        watch(f"retrieval: {pair.names[0]} - {pair.names[1]}")
        searched = searched.joined(search(pair, asked.right, unlearned, gallery))
    told = []
    if asked.zero_shot is not None:
        watch("zero-shot classification")
        told.append(zero_shot.classify(recipe, study, contexts))
    return Evaluation(
        terms=terms,
        probes=probed,
        retrieval=searched.records,
        zero_shot=told,
        shared=list(shared(study.objective, unlearned, watch)) if asked.map else [],
        representation=Representation(
            effective_rank=rank,
            dimension=seen.shape[1],
            alignment=_aligned(study, contexts),
            uniformity=diagnostics.uniformity(seen),
        ),
        map=mapped(asked.views[0], learned, contexts, rates, next(iter(labels), None), watch),
        neighbours=searched.neighbours,
        specimens=specimens(study.views, contexts, rates),
        profile=profile(recipe, study, untrained, contexts, terms, watch)
        if asked.profile
        else None,
    )


def _aligned(study: Study, contexts: Contexts) -> float:
    """Alignment of the two ends of the heaviest edge; NaN where they have no distance."""
    edge = max(study.objective.terms, key=lambda term: term.weight).edge
    if edge.joint:
        return math.nan
    ends = embed_each([edge.a, edge.b], contexts, "test")
    if any(end.ndim != 2 for end in ends) or ends[0].shape != ends[1].shape:
        return math.nan
    there = np.isfinite(ends[0]).all(1) & np.isfinite(ends[1]).all(1)
    return diagnostics.alignment(*(torch.from_numpy(end[there]) for end in ends))
