"""The parameters of an objective, and what one batch gives to every bound."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from infomax.objective.edge import Measured
from infomax.objective.formula import Objective
from infomax.views import Encode, Values, evaluate


class Model(nn.Module):
    """The parameters of an objective: its encoders and critics; called with the signals.

    Returns what each bound takes, in the order of the terms. `encode` and `measure` are its two
    halves: a context by itself, and contexts against each other.

    Args:
        objective: the edges.
        encoders: names of encoders, those outside the edges too; others are numbered.
    """

    def __init__(self, objective: Objective, encoders: dict[str, nn.Module] | None = None) -> None:
        super().__init__()
        named = dict(encoders or {})
        found = [node.step for view in objective.views for node in view.path]
        for step in found:
            if isinstance(step, Encode) and all(step.module is not m for m in named.values()):
                named[f"encoder{len(named)}"] = step.module
        self.objective = objective
        self.encoders = nn.ModuleDict(named)
        self.critics = nn.ModuleList(term.edge.critic for term in objective.terms)

    def forward(
        self,
        signals: Mapping[str, Tensor],
        present: Mapping[str, Tensor] | None = None,
        *,
        torn: bool = False,
    ) -> list[Measured]:
        """Compute what the bound of each term takes, every view once."""
        return self.measure(self.encode(signals, present), torn=torn)

    def encode(
        self, signals: Mapping[str, Tensor], present: Mapping[str, Tensor] | None = None
    ) -> Values:
        """The ends of all edges: each context by itself, so any part of a batch will do."""
        return evaluate(self.objective.views, signals, present)

    def measure(self, values: Values, *, torn: bool = False, tile: bool = False) -> list[Measured]:
        """What the bound of each term takes: all contexts of a batch against each other.

        Args:
            values: the ends of all edges, of the whole batch.
            torn: pair every anchor with another context, as a control.
            tile: leave out score matrices that would be large; their edges give a loss only.
        """
        return [term.edge.measure(values, torn=torn, tile=tile) for term in self.objective.terms]

    def loss(self, measured: list[Measured]) -> Tensor:
        """Return what training minimizes: the weighted sum of the bounds' losses.

        An edge that fewer than two contexts of the batch have both ends of is left out of it.
        """
        losses = [
            term.weight * (m.tiled() if m.tiled else term.edge.bound.loss(*m.terms, **m.keywords))
            for term, m in zip(self.objective.terms, measured, strict=True)
            if m.contexts > 1
        ]
        nothing = torch.zeros((), device=next(self.parameters()).device, requires_grad=True)
        return torch.stack(losses).sum() if losses else nothing
