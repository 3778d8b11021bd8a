"""What encoders learn from training samples before the first step: statistics, vocabularies.

An encoder asks for them by having ``start(batches: Iterable[Tensor]) -> None``. It is handed the
inputs of every view that it makes, of the training contexts that have them, and takes as many
batches as it needs: a few thousand samples for a mean, all of them for a vocabulary. What it
learns is its state: buffers, of any size, which travel with its weights. Where edges are between
encoders that meet (`Canonical`), these then begin where linear algebra says that their views do.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import combinations

import torch
from torch import Tensor, nn

from infomax.data import Contexts
from infomax.encoders import Canonical
from infomax.encoders.canonical import directions
from infomax.encoders.standard import ENOUGH
from infomax.objective import Objective
from infomax.views import Encode, View, evaluate, folded

SAMPLES = 1024
"""Training contexts in each batch."""


@torch.no_grad()
def start(
    views: Iterable[View], contexts: Contexts, seed: int, objective: Objective | None = None
) -> None:
    """Let encoders that ask for it see training samples of what they will be given.

    One by one, in the order of the views: an encoder may stand on another, started before it.
    An encoder that several views share sees the inputs of all of them.

    Args:
        views: the views of a recipe, parents before children.
        contexts: the data; only the training split is read.
        seed: decides the order of the samples.
        objective: whose edges say which views meet.
    """
    inputs: dict[nn.Module, dict[View, None]] = {}  # each once: taps of one view share an input
    for view in views:
        if isinstance(view.step, Encode) and hasattr(view.step.module, "start"):
            assert view.parent is not None
            inputs.setdefault(view.step.module, {})[view.parent] = None
    with torch.random.fork_rng():  # what augmentations draw here does not decide first weights
        torch.manual_seed(seed)
        for module, parents in inputs.items():
            module.start(_samples(list(parents), contexts, seed))  # type: ignore[operator]
        if objective is not None:
            _meet(objective, contexts, seed)


def _meet(objective: Objective, contexts: Contexts, seed: int) -> None:
    """Begin encoders that meet at the generalized canonical directions of the edges between them.

    Of some thousand training contexts. An edge of several views is one between every two of them.
    """
    pairs = [
        pair
        for term in objective.terms
        if term.weight > 0
        for pair in combinations(term.edge.views, 2)
        if all(_meets(view) for view in pair)
    ]
    ends = list(dict.fromkeys(view for pair in pairs for view in pair))
    if not ends:
        return
    found: list[list[Tensor]] = [[] for _ in ends]
    there: list[list[Tensor]] = [[] for _ in ends]
    seen = 0
    for batch in contexts.batches("train", min(SAMPLES, contexts.count("train")), seed=seed):
        inputs = [view.parent for view in ends if view.parent]
        values = evaluate(inputs, batch.signals, batch.present)
        for index, view in enumerate(ends):
            assert view.parent is not None
            found[index].append(_module(view).whitened(values.tensors[view.parent]))
            there[index].append(values.present[view.parent])
        seen += len(batch)
        if seen >= ENOUGH:
            break
    modules = list(dict.fromkeys(_module(view) for view in ends))
    weights = directions(
        [torch.cat(parts) for parts in found],
        [torch.cat(parts) for parts in there],
        [(ends.index(a), ends.index(b)) for a, b in pairs],
        [modules.index(_module(view)) for view in ends],
    )
    for module, weight in zip(modules, weights, strict=True):
        module.begin(weight)


def _meets(view: View) -> bool:
    """Whether a view is one vector a context, where views meet."""
    return (
        isinstance(view.step, Encode)
        and isinstance(view.step.module, Canonical)
        and view.parent is not None
        and not view.parent.placed
    )


def _module(view: View) -> Canonical:
    assert isinstance(view.step, Encode)
    assert isinstance(view.step.module, Canonical)
    return view.step.module


def _samples(parents: Sequence[View], contexts: Contexts, seed: int) -> Iterator[Tensor]:
    """Values of some views over the training split, where present, one batch after another."""
    size = min(SAMPLES, contexts.count("train"))
    for batch in contexts.batches("train", size, seed=seed):
        for parent in parents:
            values = evaluate([parent], batch.signals, batch.present)
            there = values.present[parent]
            if bool(there.any()):
                yield folded(parent, values.tensors[parent][there])
