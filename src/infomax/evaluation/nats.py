"""Held-out nats of every edge: value, standard error, ceiling, control, and training value."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import product

import torch
from jaxtyping import Float
from torch import Tensor

from infomax import diagnostics, heldout
from infomax.data import Contexts
from infomax.objective import Edge, Measured, Model
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
    held = _summarize(model, heldout.measure(model, contexts, split, batch))
    most = contexts.count(split)
    seen = _summarize(model, heldout.measure(model, contexts, "train", batch, most=most))
    terms = []
    for index, (term, value, train) in enumerate(
        zip(model.objective.terms, held, seen, strict=True)
    ):
        edge = term.edge
        others = [o for i, o in enumerate(held) if i != index and _same_ends(model, i, index)]
        verdict, why = diagnostics.judge(
            side=edge.bound.side,
            nats=value.nats,
            stderr=value.stderr,
            train_nats=train.nats,
            ceiling=value.ceiling,
            rank=rank,
            opposite=[(o.side, o.nats, o.stderr) for o in others],
        )
        terms.append(
            Term(
                between=(str(edge.a), str(edge.b)),
                bound=edge.bound.name.lower(),
                side=edge.bound.side,
                nats=value.nats,
                stderr=value.stderr,
                ceiling=value.ceiling,
                contexts=value.contexts,
                split=split,  # type: ignore[arg-type]
                control_nats=value.control,
                verdict=verdict,
                why=why,
                train_nats=train.nats,
                weight=term.weight,
                negatives=edge.negatives,
                positions=str(edge.positions),
            )
        )
    return terms


class _Summary:
    """Running sums over the batches of one edge."""

    def __init__(self, edge: Edge) -> None:
        self.edge = edge
        self.side = edge.bound.side
        self.values: list[float] = []
        self.without: list[list[float]] = []
        self.controls: list[list[float]] = []
        self.ceilings: list[float] = []
        self.contexts = 0

    def add(self, measured: Measured) -> None:
        value = self.edge.bound.value
        contexts = measured.contexts
        self.values.append(float(value(*measured.terms, **measured.keywords)))
        groups = torch.arange(contexts) % min(GROUPS, contexts)
        self.without.append(
            [
                float(value(*kept.terms, **kept.keywords))
                for kept in (measured.restricted(groups != g) for g in range(min(GROUPS, contexts)))
            ]
        )
        self.controls.append(
            [
                float(value(*terms, **measured.keywords))
                for terms in tempered(shuffled(measured), TEMPERS)
            ]
        )
        top = heldout.ceiling(self.edge, [measured])
        if top is not None:
            self.ceilings.append(top)
        self.contexts += contexts

    @property
    def nats(self) -> float:
        return sum(self.values) / len(self.values)

    @property
    def stderr(self) -> float:
        return jackknife(torch.tensor(self.without, dtype=torch.float64).mean(0))

    @property
    def control(self) -> float:
        return float(torch.tensor(self.controls, dtype=torch.float64).mean(0).max())

    @property
    def ceiling(self) -> float | None:
        return sum(self.ceilings) / len(self.ceilings) if self.ceilings else None


def _summarize(model: Model, batches: Iterable[list[Measured]]) -> list[_Summary]:
    summaries = [_Summary(term.edge) for term in model.objective.terms]
    for batch in batches:
        for summary, measured in zip(summaries, batch, strict=True):
            summary.add(measured)
    return summaries


def _same_ends(model: Model, i: int, j: int) -> bool:
    a, b = model.objective.terms[i].edge, model.objective.terms[j].edge
    return {a.a, a.b} == {b.a, b.b}


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


def shuffled(measured: Measured) -> tuple[Tensor, ...]:
    """The same pairs shuffled: every anchor with the next context, so that nothing is shared."""
    first, *rest = measured.terms
    contexts = measured.contexts if measured.pairs.columns is not None else first.shape[-1]
    return (first.roll(-(first.shape[-1] // contexts), -1), *rest)


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
