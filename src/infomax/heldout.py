"""A model on contexts that training does not see: in evaluation mode, every draw seeded."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from infomax.data import Batch, Contexts
from infomax.objective import Edge, Measured, Model
from infomax.records import Metric, MetricTerm

SEED = 20_010


@dataclass(frozen=True)
class Moment:
    """When a line of metrics.jsonl was written."""

    step: int
    epoch: float
    seconds: float


def measure(
    model: Model,
    contexts: Contexts,
    split: str,
    size: int,
    *,
    most: int | None = None,
    torn: bool = False,
) -> Iterator[list[Measured]]:
    """What each bound takes, batch by batch over a split, in an order drawn once.

    Every batch has ``size`` contexts, so that K is one number; the few left over are not used
    (`batch_size` gives a size that leaves few). Where some contexts lack a view, K of an edge is
    how many of the batch have both its ends: it varies a little, and a mean over batches weighs
    each by it. Shuffled, because data sorted by class would make the negatives easy or hard.

    Args:
        model: put into evaluation mode and left so.
        contexts: the data.
        split: which part of it.
        size: contexts in a batch.
        most: stop after this many contexts.
        torn: pair every anchor with another context, as a control.
    """
    device = next(model.parameters()).device
    model.eval()
    seen = 0
    for index, part in enumerate(contexts.batches(split, size, seed=SEED)):
        if len(part) < size or (most is not None and seen >= most):
            break
        seen += len(part)
        torch.manual_seed(SEED + index)
        part = part.to(device)
        with torch.no_grad():
            yield model(part.signals, present(part), torn=torn)


def batch_size(count: int, batch: int) -> int:
    """Contexts in each of equal batches that use nearly all of a split, about ``batch``.

    Example:
        >>> batch_size(1000, 512), batch_size(180, 256), batch_size(600, 512)
        (500, 180, 600)
    """
    return max(2, count // max(1, round(count / batch)))


def present(batch: Batch) -> dict[str, Tensor]:
    """Which contexts have each signal, for the signals that some lack."""
    return {name: there for name, there in batch.present.items() if not bool(there.all())}


def ceiling(edge: Edge, measured: list[Measured]) -> float | None:
    """The largest value an edge could show: by its K, and by the range of its critic."""
    tops = []
    for m in measured:
        limits = [edge.bound.ceiling(m.candidates)]
        of_critic = getattr(edge.critic, "ceiling", None)
        if limits[0] is not None and of_critic is not None:
            limits.append(of_critic(m.candidates))
        tops.append(min((limit for limit in limits if limit is not None), default=None))
    known = [top for top in tops if top is not None]
    return sum(known) / len(known) if known else None


def validate(model: Model, contexts: Contexts, batch: int, now: Moment) -> Metric:
    """Value every term on the validation split, in evaluation mode."""
    size = batch_size(contexts.count("validation"), batch)
    return metric_of(model, list(measure(model, contexts, "validation", size)), "validation", now)


@torch.no_grad()
def metric_of(
    model: Model, batches: list[list[Measured]], split: Literal["train", "validation"], now: Moment
) -> Metric:
    """The value of every term over some batches, as one line of metrics.jsonl."""
    terms = []
    for index, term in enumerate(model.objective.terms):
        edge, measured = term.edge, [batch[index] for batch in batches]
        measured = [m for m in measured if m.contexts > 1]
        values = [float(edge.bound.value(*m.terms, **m.keywords)) for m in measured]
        terms.append(
            MetricTerm(
                between=tuple(map(str, edge.views)),
                bound=edge.bound.name.lower(),
                side=edge.bound.side,
                nats=_mean(values, [m.contexts for m in measured]),
                ceiling=ceiling(edge, measured),
            )
        )
    # an edge that no batch has two contexts for says nothing, and must not hide what others say
    valued = [p for p in zip(model.objective.terms, terms, strict=True) if p[1].nats == p[1].nats]
    total = sum(term.weight * found.nats for term, found in valued)
    return Metric(
        step=now.step,
        epoch=now.epoch,
        split=split,
        seconds=now.seconds,
        objective=total,
        terms=terms,
    )


def _mean(values: list[float], contexts: list[int]) -> float:
    """Batches in which more contexts have both views weigh more; NaN if there are none."""
    weighed = zip(values, contexts, strict=True)
    return sum(v * n for v, n in weighed) / sum(contexts) if values else float("nan")


def in_words(metric: Metric) -> str:
    """The held-out nats of every term, short enough for a progress bar."""
    return ", ".join(
        f"{'-'.join(t.between)} {t.nats:.2f}" + (f"/{t.ceiling:.2f}" if t.ceiling else "")
        for t in metric.terms
    )
