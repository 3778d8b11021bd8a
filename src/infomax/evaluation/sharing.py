"""The map of nats: how much the views of a run share, before training and after."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import combinations

import numpy as np

from infomax._errors import InfomaxError
from infomax.estimation import estimate
from infomax.evaluation.baselines import both
from infomax.evaluation.embedding import embed, flat
from infomax.evaluation.fixed import before, reduced
from infomax.evaluation.probing import Unlearned
from infomax.evaluation.searching import given, some, still
from infomax.objective import Objective
from infomax.records import Shared

DIMS = 8
"""Principal components of each view: few, so that a few hundred contexts say something."""
MOST, FEWEST = 2000, 50
"""Test contexts that are used, and below which a pair is left out."""
SECONDS = 10.0
"""Budget of one pair."""


def shared(
    objective: Objective, unlearned: Unlearned, watch: Callable[[str], None]
) -> Iterator[Shared]:
    """Estimate the nats between every two ends of edges on test contexts.

    Before: fixed features of what the ends' encoders are given. After: the ends themselves. Each
    is reduced to eight principal components, fitted on training contexts; by the data processing
    inequality these share at most what the whole views do. A pair takes some ten seconds.
    """
    contexts = unlearned.contexts
    batch = some(contexts)
    ends = [still(end, batch) for end in objective.views]
    inputs = {given(end): before(end) for end in ends}
    raw = {str(view): reduced(unlearned.features(view), DIMS)["test"] for view in inputs.values()}
    yield from _between(raw, "before", watch)
    learned: dict[str, np.ndarray] = {}
    for end in ends:
        z = {split: flat(embed(end, contexts, split)) for split in ("train", "test")}
        learned[str(end)] = reduced(z, DIMS)["test"]
    if set(learned) != set(raw):  # views without encoders are what they were
        yield from _between(learned, "after", watch)


def _between(
    views: Mapping[str, np.ndarray], stage: str, watch: Callable[[str], None]
) -> Iterator[Shared]:
    for a, b in combinations(views, 2):
        x, y = (rows[:MOST].astype(np.float64) for rows in both(views[a], views[b]))
        if len(x) < FEWEST:
            continue
        watch(f"estimating nats {stage} training: {a} - {b}")
        try:
            found = estimate(x, y, budget=SECONDS)
        except InfomaxError:  # a view that has collapsed to a point shares nothing to estimate
            continue
        yield Shared(
            between=(a, b),
            stage=stage,  # type: ignore[arg-type]
            nats=found.nats,
            interval=found.interval,
            lower_bound=_number(found.lower_bound),
            lower_limit=_number(found.lower_limit),
            dims=(x.shape[1], y.shape[1]),
            contexts=len(x),
            verdict=found.verdict,
        )


def _number(value: float | None) -> float:
    return float("nan") if value is None else value
