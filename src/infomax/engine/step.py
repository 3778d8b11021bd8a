"""The gradient of one batch: in chunks, over processes, and the same as in one piece.

::

    encode each chunk                 (without a graph, if the share is large)
    gather all ends of edges          the only place where contexts meet
    bounds of all against all         their gradient at the ends
    each chunk, backwards             (encoded again, with the same random draws)
    add up over processes

Source: Gao et al. 2021, Scaling deep contrastive learning batch size under memory limited setup
(arXiv:2101.06983).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

import torch
from torch import Tensor

from infomax import distributed
from infomax.engine.clock import Clock
from infomax.engine.plan import Plan, seed_of
from infomax.objective import Model
from infomax.objective.ends import apart, join, together
from infomax.views import Values

Mixed = Callable[[], AbstractContextManager[object]]


@dataclass(frozen=True)
class Draw:
    """Whose turn it is: the seed of the run and the step, from which all random draws follow."""

    seed: int
    step: int

    def begin(self, place: int = -1) -> None:
        """Begin the draws of a chunk anew."""
        torch.manual_seed(seed_of(self.seed, self.step, place))


def gradient(
    model: Model,
    signals: Mapping[str, Tensor],
    present: Mapping[str, Tensor],
    plan: Plan,
    draw: Draw,
    *,
    mixed: Mixed,
    clock: Clock,
) -> tuple[Tensor, Values]:
    """Add this process's part of the gradient of a batch to the parameters.

    Args:
        model: encoders and critics.
        signals: this process's share of the batch.
        present: who has which signal, for signals that some contexts of the data lack.
        plan: how the batch is cut.
        draw: the random draws of this step.
        mixed: the precision of encoders, as a context; critics and bounds are in float32.
        clock: told where the time goes.

    Returns:
        The loss of the whole batch, and the ends of all edges, cut from the graph.
    """
    views = model.objective.views

    def encode(chunk: slice) -> Values:
        draw.begin(plan.share.start + chunk.start)
        with mixed():
            return model.encode(
                {name: value[chunk] for name, value in signals.items()},
                {name: there[chunk] for name, there in present.items()},
            )

    with clock("augment"), torch.set_grad_enabled(not plan.cached):
        encoded = [encode(chunk) for chunk in plan.chunks()]
    parts = [apart(values, views) for values in encoded]
    with clock("bound"):
        mine = [_wide(tensor) for tensor in join(parts)]
        whole = distributed.gather(mine, plan.counts)
        leaves = [t.detach().requires_grad_(t.is_floating_point()) for t in whole]
        draw.begin()
        loss = model.loss(model.measure(together(encoded[0], views, leaves), tile=True))
        # Every process computes the whole loss, so the parameters of critics count once in all.
        (loss / len(plan.shares)).backward()  # type: ignore[no-untyped-call]
    grads = [_share(leaf.grad, plan) for leaf in leaves]
    for index, chunk in enumerate(plan.chunks()):
        if plan.cached:
            with clock("augment"):
                parts[index] = apart(encode(chunk), views)
        with clock("backward"):
            _backward(parts[index], grads, chunk)
    return loss.detach(), together(encoded[0], views, [leaf.detach() for leaf in leaves])


def _wide(value: Tensor) -> Tensor:
    """Embeddings in float32 or wider, whatever the encoders compute in."""
    value = value.detach()
    return value.float() if value.is_floating_point() and value.itemsize < 4 else value


def _share(grad: Tensor | None, plan: Plan) -> Tensor | None:
    """The part of a gradient at all ends that is this process's."""
    return None if grad is None else grad[plan.share] * len(plan.shares)


def _backward(outputs: Sequence[Tensor], grads: Sequence[Tensor | None], chunk: slice) -> None:
    pairs = [
        (output, grad[chunk].to(output.dtype))
        for output, grad in zip(outputs, grads, strict=True)
        if grad is not None and output.requires_grad
    ]
    if pairs:
        torch.autograd.backward([o for o, _ in pairs], [g for _, g in pairs])
