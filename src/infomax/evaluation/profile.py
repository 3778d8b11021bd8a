"""The information profile: nats that each stage of each encoder holds about each factor.

Factors are the labels given with the data, and low-level ones computed from the signal itself. Of
both the profile says how much a small probe reads (`evaluation.reading`): at least so many nats are
there. A stage far into a deterministic encoder cannot hold more than the raw input; that a probe
often reads more there is what an encoder is for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from jaxtyping import Int

from infomax.building import Study
from infomax.data import SPLITS, Contexts
from infomax.evaluation.probing import classes
from infomax.evaluation.reading import Classes, binned, read
from infomax.evaluation.stages import OUTPUT, low_level, see
from infomax.records import Held
from infomax.views import View

MOST = {"train": 8000, "validation": 2000, "test": 4000}
"""Contexts of each split that the profile looks at, drawn once."""
VIEWS = 6
CLASSES = 256
"""Classes above which a label is an identity rather than a class."""
UNTRAINED = "untrained"


def views_to_profile(judged: Mapping[str, View], study: Study) -> dict[str, View]:
    """The judged views, and an end of an edge for every other encoder; at most `VIEWS`."""
    chosen = dict(judged)
    seen = {id(view.encoders[-1][1]) for view in judged.values() if view.encoders}
    ends = set(study.objective.views)
    for name, view in study.views.items():
        if view in ends and view.encoders and id(view.encoders[-1][1]) not in seen:
            seen.add(id(view.encoders[-1][1]))
            chosen[name] = view
    return dict(list(chosen.items())[:VIEWS])


def hold(
    views: Mapping[str, View],
    twins: Mapping[str, View],
    contexts: Contexts,
    watch: Callable[[str], None] = lambda words: None,
) -> list[Held]:
    """Nats of every factor at every stage of some views, and at the end of their untrained twins.

    Fitted on train contexts, chosen on validation, reported on test with a standard error; a
    value is never clipped: it may lie a little below zero where nothing is known.

    Args:
        views: by name.
        twins: the same views with encoders as they were before training.
        contexts: the data, split as for training.
        watch: told what is being done.
    """
    found = []
    for name, view in views.items():
        watch(f"information profile of {name}")
        rows = {split: sample(contexts, split, view.signal) for split in SPLITS}
        if min(map(len, rows.values())) < 2:
            continue
        labels, low = _labels(contexts, rows), _low_level(view, contexts, rows)
        factors = labels | {n: f for n, f in low.items() if n not in labels}
        if not factors:
            continue
        seen = {split: see(view, contexts, split, rows[split]) for split in SPLITS}
        stages = {stage: {s: seen[s][stage] for s in SPLITS} for stage in seen["train"]}
        if OUTPUT in stages:
            twin = {s: see(twins[name], contexts, s, rows[s])[OUTPUT] for s in SPLITS}
            stages[UNTRAINED] = twin
        for stage, features in stages.items():
            for factor, reading in read(features, factors).items():
                there = factors[factor]["test"]
                found.append(
                    Held(
                        view=name,
                        stage=stage,
                        factor=factor,
                        kind="label" if factor in labels else "low-level",
                        nats=reading.nats,
                        stderr=reading.stderr,
                        entropy=reading.entropy,
                        classes=len(np.unique(there[there >= 0])),
                    )
                )
    return found


def sample(contexts: Contexts, split: str, *signals: str) -> Int[np.ndarray, " n"]:
    """Positions within a split of some contexts that have these signals, in their order."""
    place = contexts.rows(split)
    there = np.logical_and.reduce([contexts.signals[name].present[place] for name in signals])
    rows = np.flatnonzero(there)
    if len(rows) <= MOST[split]:
        return rows
    return np.sort(np.random.default_rng(0).choice(rows, MOST[split], replace=False))


def _labels(contexts: Contexts, rows: Mapping[str, np.ndarray]) -> dict[str, dict[str, Classes]]:
    found = {}
    for name in contexts.labels:
        kinds = {s: c[rows[s]] for s, c in classes(contexts, name).items()}
        if 1 < len(np.unique(kinds["train"][kinds["train"] >= 0])) <= CLASSES:
            found[name] = kinds
    return found


def _low_level(
    view: View, contexts: Contexts, rows: Mapping[str, np.ndarray]
) -> dict[str, dict[str, Classes]]:
    seen = {split: low_level([view.path[0]], contexts, split, rows[split])[0] for split in SPLITS}
    whole = {name: {s: seen[s][name].numpy() for s in SPLITS} for name in seen["train"]}
    cut = {name: binned(values) for name, values in whole.items()}
    return {name: classes for name, classes in cut.items() if classes is not None}
