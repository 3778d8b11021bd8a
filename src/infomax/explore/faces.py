"""The views of a run that can be asked by and answered with, and what scores one by another."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
from jaxtyping import Float, Int

from infomax.building import Study
from infomax.data import Batch, Contexts
from infomax.evaluation.embedding import embed, flat
from infomax.evaluation.retrieval import cosine
from infomax.evaluation.searches import SEEN
from infomax.evaluation.searching import Pair, bare, bias, scored, shape, still
from infomax.objective import Edge
from infomax.recipe import Recipe
from infomax.views import Encode, View


@final
@dataclass(frozen=True, eq=False)
class Face:
    """A view of one vector a context, without random steps, of all test contexts.

    ``z`` is in the order of the test split, NaN where a context lacks the view; ``there`` are the
    positions of those that have it.
    """

    name: str
    view: View
    z: Float[np.ndarray, "n d"]
    there: Int[np.ndarray, " m"]


@final
@dataclass(frozen=True, eq=False)
class Way:
    """How contexts that have one view are scored by a query of another: more is nearer."""

    by: str
    trained: bool
    scores: Callable[[Float[np.ndarray, "1 d"]], Float[np.ndarray, " m"]]


def chosen(recipe: Recipe, study: Study, pairs: Sequence[Pair], batch: Batch) -> dict[str, View]:
    """The views to ask by, each once, under the name of the one that has no random step.

    They are the encoded views of one vector a context, the ends of the edges, and those which the
    recipe has judged (of several positions the mean).
    """
    ends = {bare(end) for pair in pairs for end in (pair.a, pair.b)}
    found: dict[Hashable, tuple[str, View, bool]] = {}
    for name, view in study.views.items():
        plain = still(view, batch)
        vectors = isinstance(plain.step, Encode) and len(shape(plain, batch)) == 2
        if not vectors and bare(plain) not in ends and name not in recipe.evaluate.views:
            continue
        key = bare(plain)
        if key not in found or (plain is view and not found[key][2]):
            found[key] = name, plain, plain is view
    return {name: view for name, view, _ in found.values()}


def faces(views: dict[str, View], contexts: Contexts) -> list[Face]:
    """Embed the test contexts; views that fewer than two of them have are left out."""
    out = []
    for name, view in views.items():
        z = flat(embed(view, contexts, "test"))
        there = np.flatnonzero(np.isfinite(z).all(1))
        if len(there) > 1:
            out.append(Face(name, view, z, there))
    return out


def way(asking: Face, answering: Face, pairs: Sequence[Pair], contexts: Contexts) -> Way | None:
    """What scores contexts by one view for a query of another; None if nothing can."""
    candidates = answering.z[answering.there]
    edge = None if asking is answering else _edge(asking.view, answering.view, pairs)
    if edge is not None:
        critic, by = edge.critic, f"{type(edge.critic).__name__.lower()} critic"
        if bare(edge.a) == bare(asking.view):
            return Way(by, True, lambda q: scored(critic, q, candidates)[0])
        own = bias(critic, candidates, _seen(asking.view, contexts))
        return Way(by, True, lambda q: scored(critic, candidates, q)[:, 0] - own)
    encoded = isinstance(asking.view.step, Encode) and isinstance(answering.view.step, Encode)
    if asking is not answering and not (encoded and asking.z.shape[1] == candidates.shape[1]):
        return None
    return Way("cosine", asking is answering, lambda q: cosine(q, candidates)[0])


def _edge(asking: View, answering: View, pairs: Sequence[Pair]) -> Edge | None:
    """The edge whose critic compares two views."""
    ends = {bare(asking), bare(answering)}
    return next((pair.edge for pair in pairs if {bare(pair.a), bare(pair.b)} == ends), None)


def _seen(view: View, contexts: Contexts) -> Float[np.ndarray, "k d"]:
    """A view of some training contexts, from which a critic's bias is taken."""
    rows = contexts.rows("train")
    having = np.flatnonzero(contexts.signals[view.signal].present[rows])
    drawn = np.random.default_rng(0).permutation(having)[:SEEN]
    some = Contexts(
        contexts.name, contexts.signals, contexts.labels, {"train": rows[np.sort(drawn)]}
    )
    z = flat(embed(view, some, "train"))
    whole: np.ndarray = z[np.isfinite(z).all(1)]
    return whole
