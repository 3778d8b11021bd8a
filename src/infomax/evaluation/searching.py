"""Which views of a run can be looked for by which, and by what score.

Retrieval is for use, so it is judged on views as they are used: without random augmentation. The
score is that of the critic which an edge trained between the two, or else the cosine.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float
from torch import nn

from infomax._errors import InfomaxError
from infomax.building import Study
from infomax.data import Batch, Contexts
from infomax.evaluation.retrieval import Score, Scores, by_cosine
from infomax.objective import Edge
from infomax.recipe import Recipe
from infomax.views import Encode, Signal, View, evaluate, vectors

LOOKED_AT = 8
"""Contexts of each signal by which it is seen if a step is random and what shape a view has."""


@dataclass(frozen=True)
class Pair:
    """Two views to be looked for by one another, and the edge whose critic scores them.

    ``a`` and ``b`` are without random steps; with an edge, ``a`` is its anchor.
    """

    names: tuple[str, str]
    a: View
    b: View
    edge: Edge | None

    @property
    def scored_by(self) -> str:
        """What scores: the critic, or the cosine."""
        return "cosine" if self.edge is None else type(self.edge.critic).__name__.lower()


def some(contexts: Contexts) -> Batch:
    """A few training contexts to look at, some with each signal."""
    rows = contexts.rows("train")
    having = [np.flatnonzero(c.present[rows])[:LOOKED_AT] for c in contexts.signals.values()]
    return contexts.take("train", np.unique(np.concatenate(having)))


@torch.no_grad()
def still(view: View, batch: Batch) -> View:
    """The view without its random augmentations, or itself if its encoder cannot do without.

    A step is random if it gives two different answers. It is left out where what follows gives
    vectors of the same shape without it (a random crop that fixes the size must stay).
    """
    if isinstance(view.step, Signal):
        return view
    assert view.parent is not None
    parent = still(view.parent, batch)
    if not isinstance(view.step, Encode) and _random(view, batch):
        without = parent
    elif parent is view.parent:
        return view
    else:
        without = replace(view, parent=parent)
    try:
        same = shape(without, batch) == shape(view, batch)
    except (RuntimeError, InfomaxError):
        same = False
    # a slice after a random crop may change its shape on the way: only encoded vectors must agree
    return without if same or not isinstance(view.step, Encode) else view


def _random(view: View, batch: Batch) -> bool:
    answers = []
    for seed in (0, 1):
        torch.manual_seed(seed)
        answers.append(evaluate([view], batch.signals).tensors[view])
    return not torch.equal(*answers)


@torch.no_grad()
def shape(view: View, batch: Batch) -> tuple[int, ...]:
    """The shape of a view as vectors, contexts first."""
    return tuple(vectors(view, evaluate([view], batch.signals, draw=False).tensors[view]).shape)


def bare(view: View) -> tuple[Hashable, ...]:
    """What a view is, step by step: equal for views that are computed alike."""
    return tuple(_key(node) for node in view.path)


def _key(node: View) -> Hashable:
    if isinstance(node.step, Encode):
        return id(node.step.module), node.step.at
    try:
        hash(node.step)
    except TypeError:
        return id(node.step)
    return node.step


def given(view: View) -> tuple[Hashable, ...]:
    """What the first encoder of a view is given, step by step."""
    steps = view.path
    first = next((i for i, node in enumerate(steps) if isinstance(node.step, Encode)), len(steps))
    return bare(view)[:first]


def pairs(recipe: Recipe, study: Study, contexts: Contexts) -> list[Pair]:
    """The pairs that the recipe asks for, or else those of every edge where it makes sense.

    That is: edges that are maximized, by a critic of pairs, between views of one vector a context
    which are not two augmentations of one thing.

    Raises:
        InfomaxError: a pair that no critic and no cosine can compare.
    """
    batch = some(contexts)
    edges = comparing(study, batch)
    asked = recipe.evaluate.retrieval
    if asked is None:
        return between(edges)
    return [_asked((a, b), study, edges, batch) for a, b in asked]


def comparing(study: Study, batch: Batch) -> list[Edge]:
    """The edges whose critic compares two vectors a context, their views without random steps."""
    for module in study.encoders.values():
        module.eval()
    edges = [
        replace(term.edge, views=tuple(still(end, batch) for end in term.edge.views))
        for term in study.objective.terms
        if term.weight > 0 and term.edge.bound.needs == "scores" and not term.edge.joint
    ]
    return [
        edge
        for edge in edges
        if len(shape(edge.a, batch)) == len(shape(edge.b, batch)) == 2
        and given(edge.a) != given(edge.b)
    ]


def between(edges: Sequence[Edge]) -> list[Pair]:
    """The pairs of views that edges compare, each once."""
    found: dict[frozenset[Hashable], Pair] = {}
    for edge in edges:
        pair = Pair((str(edge.a), str(edge.b)), edge.a, edge.b, edge)
        found.setdefault(frozenset((bare(edge.a), bare(edge.b))), pair)
    return list(found.values())


def _asked(names: tuple[str, str], study: Study, edges: Sequence[Edge], batch: Batch) -> Pair:
    a, b = (still(study.views[name], batch) for name in names)
    for exactly in (True, False):
        for edge in edges:
            if _leads(a, edge.a, exactly) and _leads(b, edge.b, exactly):
                return Pair(names, edge.a, edge.b, edge)
            if _leads(b, edge.a, exactly) and _leads(a, edge.b, exactly):
                return Pair((names[1], names[0]), edge.a, edge.b, edge)
    shapes = shape(a, batch), shape(b, batch)
    if shapes[0] != shapes[1] or len(shapes[0]) != 2:
        raise InfomaxError(
            wanted=f"evaluate.retrieval between {names[0]} and {names[1]}: an edge whose critic "
            "scores them, or vectors of one length",
            got=f"no such edge, and the shapes {list(shapes[0])} and {list(shapes[1])}",
            fix="name the ends of an edge, or encode both into as many dimensions",
        )
    return Pair(names, a, b, None)


def _leads(view: View, end: View, exactly: bool) -> bool:
    """Whether a view is the end of an edge, or (not ``exactly``) on the way to it."""
    way, whole = bare(view), bare(end)
    return whole == way if exactly else whole[: len(way)] == way


def score(
    pair: Pair,
    x: Float[np.ndarray, "n dx"],
    y: Float[np.ndarray, "m dy"],
    seen: Float[np.ndarray, "k dy"],
    *,
    back: bool = False,
) -> Score:
    """Score ``x`` rows as queries for ``y`` rows, or (``back``) ``y`` rows for ``x`` rows.

    A critic of InfoNCE says ``log p(y|x) / p(y)`` but for a number of x's own: nothing to a query
    x, but a bias to a candidate. Looking back, it is taken off:
    ``f(x, y) - log mean_seen exp f(x, y')``.

    Args:
        pair: what scores.
        x: embedding of ``pair.a``.
        y: embedding of ``pair.b``.
        seen: some of ``pair.b`` of training contexts.
        back: the direction.
    """
    if pair.edge is None:
        first, second = (y, x) if back else (x, y)
        return by_cosine(first, second)
    critic = pair.edge.critic
    if not back:
        return lambda q, c: scored(critic, x[q], y[c])
    own = bias(critic, x, seen)
    return lambda q, c: (scored(critic, x[c], y[q]) - own[c, None]).T


def bias(
    critic: nn.Module, x: Float[np.ndarray, "n dx"], seen: Float[np.ndarray, "k dy"]
) -> Float[np.ndarray, " n"]:
    """What a critic adds to every score of an x: ``log mean_seen exp f(x, y')``."""
    scores = scored(critic, x, seen)
    top = scores.max(1)
    means: np.ndarray = top + np.log(np.exp(scores - top[:, None]).mean(1))
    return means


@torch.no_grad()
def scored(critic: nn.Module, x: Float[np.ndarray, "n dx"], y: Float[np.ndarray, "m dy"]) -> Scores:
    """A critic's scores of all pairs."""
    parameter = next(critic.parameters(), None)
    device = torch.device("cpu") if parameter is None else parameter.device
    ends = (torch.from_numpy(np.ascontiguousarray(z)).float().to(device) for z in (x, y))
    scores: np.ndarray = critic(*ends).double().cpu().numpy()
    return scores
