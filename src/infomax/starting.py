"""What encoders learn from training samples before the first step: statistics, vocabularies.

An encoder asks for them by having ``start(batches: Iterable[Tensor]) -> None``. It is handed the
inputs of every view that it makes, of the training contexts that have them, and takes as many
batches as it needs: a few thousand samples for a mean, all of them for a vocabulary. What it
learns is its state: buffers, of any size, which travel with its weights.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import torch
from torch import Tensor, nn

from infomax.data import Contexts
from infomax.views import Encode, View, evaluate, folded

SAMPLES = 1024
"""Training contexts in each batch."""


@torch.no_grad()
def start(views: Iterable[View], contexts: Contexts, seed: int) -> None:
    """Let encoders that ask for it see training samples of what they will be given.

    One by one, in the order of the views: an encoder may stand on another, started before it.
    An encoder that several views share sees the inputs of all of them.

    Args:
        views: the views of a recipe, parents before children.
        contexts: the data; only the training split is read.
        seed: decides the order of the samples.
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


def _samples(parents: Sequence[View], contexts: Contexts, seed: int) -> Iterator[Tensor]:
    """Values of some views over the training split, where present, one batch after another."""
    size = min(SAMPLES, contexts.count("train"))
    for batch in contexts.batches("train", size, seed=seed):
        for parent in parents:
            there = batch.present[parent.signal]
            if bool(there.any()):
                value = evaluate([parent], batch.signals).tensors[parent][there]
                yield folded(parent, value)
