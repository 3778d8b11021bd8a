"""Retrieval of one pair of views, both ways, beside linear CCA, with some answers to look at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from infomax.data import Contexts
from infomax.evaluation.embedding import embed, flat
from infomax.evaluation.neighbours import Gallery, looked_for, worth_showing
from infomax.evaluation.probing import Unlearned
from infomax.evaluation.retrieval import Found, by_cosine, retrieve
from infomax.evaluation.searching import Pair, score
from infomax.records import Retrieval

SEEN = 1000
"""Training contexts that a critic's bias towards a candidate is taken from."""
SHOWN = 3
"""Pairs of which answers are shown."""


@dataclass(frozen=True)
class Searched:
    """What retrieval came to, and what some answers look like."""

    records: list[Retrieval]
    neighbours: list[dict[str, Any]]

    def joined(self, other: Searched) -> Searched:
        """Both, one after the other."""
        return Searched(self.records + other.records, self.neighbours + other.neighbours)


def search(pair: Pair, right: str | None, unlearned: Unlearned, gallery: Gallery) -> Searched:
    """Retrieve both ways among test contexts that have both views; none if fewer than two have.

    Args:
        pair: the views, and what scores them.
        right: the label whose equals count as right answers; None: only the context itself. A
            context without that label is its own only answer.
        unlearned: gives linear CCA of the same pair.
        gallery: shows some answers, of the first few pairs.
    """
    contexts = unlearned.contexts
    x, y = (flat(embed(end, contexts, "test")) for end in (pair.a, pair.b))
    there = np.flatnonzero(np.isfinite(x).all(1) & np.isfinite(y).all(1))
    if len(there) < 2:
        return Searched([], [])
    x, y, groups = x[there], y[there], groups_of(contexts, right)[there]
    seen = flat(embed(pair.b, contexts, "train"))
    seen = seen[np.isfinite(seen).all(1)]
    seen = seen[np.random.default_rng(0).permutation(len(seen))[:SEEN]]
    linear = unlearned.correlated(pair)
    records, shown = [], []
    ways = (
        (pair.names, (pair.a, pair.b), False),
        (pair.names[::-1], (pair.b, pair.a), True),
    )
    for names, views, back in ways:
        scores = score(pair, x, y, seen, back=back)
        found = retrieve(scores, groups)
        records.append(_record(found, names, right, pair.scored_by, None))
        if linear is not None:
            p, q = (side["test"][there] for side in (linear[::-1] if back else linear))
            if np.isfinite(p).all() and np.isfinite(q).all():
                plain = retrieve(by_cosine(p, q), groups)
                records.append(_record(plain, names, right, "cosine", "cca"))
        if gallery.pairs_shown < SHOWN:
            some = looked_for((names[0], names[1]), views, scores, there, groups, gallery)
            if worth_showing(some["queries"][0]["answers"][0]):
                shown.append(some)
    gallery.pairs_shown += 1
    return Searched(records, shown)


def groups_of(contexts: Contexts, right: str | None) -> np.ndarray:
    """A number for each test context; contexts of one number are right answers for each other."""
    rows = contexts.rows("test")
    own = np.arange(len(rows))
    if right is None:
        return own
    numbers = contexts.classes(right)[rows]
    return np.where(numbers >= 0, numbers + len(rows), own)


def _record(
    found: Found, names: tuple[str, ...], right: str | None, scored_by: str, baseline: str | None
) -> Retrieval:
    return Retrieval(
        source=names[0],
        target=names[1],
        candidates=found.candidates,
        recall=found.recall,
        chance=found.chance,
        interval=found.interval,
        median_rank=found.median_rank,
        chance_rank=found.chance_rank,
        contexts=found.contexts,
        right=right,
        scored_by=scored_by,
        baseline=baseline,
    )
