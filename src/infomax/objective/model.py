"""The parameters of an objective, and what one batch gives to every bound."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from infomax.objective.edge import Gather, Measured
from infomax.objective.formula import Objective
from infomax.views import Encode, evaluate


class Model(nn.Module):
    """The parameters of an objective: its encoders and critics; called with the signals.

    Returns what each bound takes, in the order of the terms.

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
        signals: dict[str, Tensor],
        present: dict[str, Tensor] | None = None,
        gather: Gather = lambda x: x,
        *,
        torn: bool = False,
    ) -> list[Measured]:
        """Compute what the bound of each term takes, every view once."""
        values = evaluate(self.objective.views, signals, present)
        return [term.edge.measure(values, gather, torn=torn) for term in self.objective.terms]

    def loss(self, measured: list[Measured]) -> Tensor:
        """Return what training minimizes: the weighted sum of the bounds' losses.

        An edge that fewer than two contexts of the batch have both ends of is left out of it.
        """
        losses = [
            term.weight * term.edge.bound.loss(*m.terms, **m.keywords)
            for term, m in zip(self.objective.terms, measured, strict=True)
            if m.contexts > 1
        ]
        nothing = next(self.parameters()).sum() * 0
        return torch.stack([nothing, *losses]).sum()
