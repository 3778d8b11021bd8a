"""A model on contexts that training does not see: in evaluation mode, every draw seeded."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from infomax.data import Batch, Contexts
from infomax.objective import Edge, Measured, Model

SEED = 20_010


def measure(
    model: Model, contexts: Contexts, split: str, batch: int, *, most: int | None = None
) -> Iterator[list[Measured]]:
    """What each bound takes, batch by batch over a split, in an order drawn once.

    The split is cut into batches of equal size, as near to ``batch`` as uses all of it, so that
    K, and the ceiling with it, is that of training. Shuffled, because data sorted by class would
    make the negatives easy or hard.

    Args:
        model: put into evaluation mode and left so.
        contexts: the data.
        split: which part of it.
        batch: contexts in a batch, about.
        most: stop after this many contexts.
    """
    count = contexts.count(split)
    size = max(2, count // max(1, round(count / batch)))
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
            yield model(part.signals, present(part))


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
