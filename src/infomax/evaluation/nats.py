"""Held-out nats of every edge: value, standard error, ceiling, control, and training value."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from itertools import product

import torch
from jaxtyping import Float
from torch import Tensor

from infomax import diagnostics, heldout
from infomax.data import Contexts
from infomax.objective import Edge, Measured, Model
from infomax.presence import FEWEST
from infomax.records import Term

GROUPS = 20
TEMPERS = tuple(product((0.0, 0.25, 0.5, 1.0), (0.0, 1.0)))


def value_terms(
    model: Model, contexts: Contexts, batch: int, *, split: str = "test", rank: float | None = None
) -> list[Term]:
    """Value every term of a model's objective on contexts that training never saw.

    The standard error is a delete-a-group jackknife over contexts: a twentieth of them is left
    out, as anchors and as candidates, and the bound computed anew. It holds for any bound and
    includes the uncertainty of the partition function. (Efron & Stein 1981.)

    Args:
        model: the trained model.
        contexts: the data, split as for training.
        batch: contexts in a batch; K, and so the ceiling of InfoNCE, comes from it.
        split: the split to report.
        rank: effective rank of the learned view, for the verdict.
    """
    count = contexts.count(split)
    # one K for all three, or they do not compare
    size = heldout.batch_size(min(count, contexts.count("train")), batch)
    held = _summarize(model, heldout.measure(model, contexts, split, size))
    torn = _controls(model, heldout.measure(model, contexts, split, size, torn=True))
    seen = _summarize(model, heldout.measure(model, contexts, "train", size, most=count))
    terms = []
    for index, (term, value, train, control) in enumerate(
        zip(model.objective.terms, held, seen, torn, strict=True)
    ):
        edge = term.edge
        others = [o for i, o in enumerate(held) if i != index and _same_ends(model, i, index)]
        verdict, why = diagnostics.judge(
            side=edge.bound.side,
            nats=value.nats,
            stderr=value.stderr,
            train_nats=train.nats,
            control_nats=control,
            ceiling=value.ceiling,
            rank=rank,
            opposite=[(o.side, o.nats, o.stderr) for o in others],
        )
        if not value.values:
            why = f"no batch of {size} held-out contexts has {FEWEST} that have all its views"
        terms.append(
            Term(
                between=tuple(map(str, edge.views)),
                bound=edge.bound.name.lower(),
                side=edge.bound.side,
                nats=value.nats,
                stderr=value.stderr,
                ceiling=value.ceiling,
                contexts=value.contexts,
                split=split,  # type: ignore[arg-type]
                control_nats=control,
                verdict=verdict,
                why=why,
                train_nats=train.nats,
                weight=term.weight,
                negatives=edge.negatives,
                positions=edge.positions,
                given=None if edge.given is None else str(edge.given),
            )
        )
    return terms


class Summary:
    """The values of one edge, batch by batch; batches of more contexts weigh more."""

    def __init__(self, edge: Edge) -> None:
        self.edge = edge
        self.side = edge.bound.side
        self.values: list[float] = []
        self.without: list[list[float]] = []
        self.ceilings: list[float | None] = []
        self.weights: list[int] = []

    def add(self, measured: Measured) -> None:
        value, contexts = self.edge.bound.value, measured.contexts
        if contexts < FEWEST:  # leaving one out must leave pairs
            return
        groups = torch.arange(contexts) % GROUPS
        kept = (measured.restricted(groups != g) for g in range(GROUPS))
        self.values.append(float(value(*measured.terms, **measured.keywords)))
        self.without.append([float(value(*k.terms, **k.keywords)) for k in kept])
        self.ceilings.append(heldout.ceiling(self.edge, [measured]))
        self.weights.append(contexts)

    @property
    def contexts(self) -> int:
        return sum(self.weights)

    @property
    def nats(self) -> float:
        return _weighted(self.values, self.weights)

    @property
    def stderr(self) -> float:
        if not self.values:
            return math.nan
        return jackknife(
            torch.tensor([_weighted(v, self.weights) for v in zip(*self.without, strict=True)])
        )

    @property
    def ceiling(self) -> float | None:
        known = [top for top in self.ceilings if top is not None]
        all_known = known and len(known) == len(self.weights)
        return _weighted(known, self.weights) if all_known else None


def _weighted(values: Sequence[float], weights: Sequence[int]) -> float:
    if not weights:
        return math.nan
    return sum(v * w for v, w in zip(values, weights, strict=True)) / sum(weights)


def _summarize(model: Model, batches: Iterable[list[Measured]]) -> list[Summary]:
    summaries = [Summary(term.edge) for term in model.objective.terms]
    for batch in batches:
        for summary, measured in zip(summaries, batch, strict=True):
            summary.add(measured)
    return summaries


def _controls(model: Model, batches: Iterable[list[Measured]]) -> list[float]:
    """The most that each edge can claim where nothing is shared: torn pairs."""
    claims: list[list[list[float]]] = [[] for _ in model.objective.terms]
    for batch in batches:
        for term, measured, claim in zip(model.objective.terms, batch, claims, strict=True):
            if measured.contexts >= FEWEST:
                scores = tempered(measured.terms, TEMPERS)
                value = term.edge.bound.value
                claim.append([float(value(*t, **measured.keywords)) for t in scores])
    return [float(torch.tensor(c).mean(0).max()) if c else math.nan for c in claims]


def _same_ends(model: Model, i: int, j: int) -> bool:
    a, b = model.objective.terms[i].edge, model.objective.terms[j].edge
    same = a.positions == b.positions and a.given is b.given
    return same and set(a.views) == set(b.views)


def jackknife(without: Float[Tensor, " groups"]) -> float:
    """Standard error from the values without each group of contexts.

    ``sqrt((G - 1) / G * sum_g (V_(-g) - mean V)^2)``. Source: Efron & Stein 1981.

    Example:
        >>> data = torch.tensor([1.0, 2.0, 3.0, 4.0])
        >>> without = (data.sum() - data) / 3           # the mean without each
        >>> round(jackknife(without), 4), round(float(data.std() / 2), 4)
        (0.6455, 0.6455)
    """
    groups = len(without)
    return float(((groups - 1) / groups * (without - without.mean()).square().sum()).sqrt())


def tempered(
    terms: tuple[Tensor, ...], tempers: Iterable[tuple[float, float]]
) -> Iterator[tuple[Tensor, ...]]:
    """Scores drawn towards those of a critic that knows nothing, ``a * s + c``.

    A confident critic on shuffled pairs is far below zero, which says little. The largest of
    these values is what the best-calibrated one could claim: zero, if nothing is shared.
    """
    for scale, shift in tempers:
        first, *rest = (scale * term for term in terms)
        yield (first + shift if not rest else first, *rest)
