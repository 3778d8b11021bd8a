"""The objective: a weighted sum of edges between views, written as in the formula.

``I(a, b) + 0.5 * I(c, b, bound=bounds.JS) - 1e-3 * I(x, z, bound=bounds.Rate)``. An `Edge` knows
what its bound takes (scores of all pairs, or log densities) and computes just that from the views
of a batch.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import torch
from jaxtyping import Bool
from torch import Tensor, nn

from infomax import bounds
from infomax._errors import InfomaxError
from infomax.bounds import Bound
from infomax.critics import Separable
from infomax.pairing import Negatives, Pairs, Positions, arrange
from infomax.posteriors import StandardNormal
from infomax.slices import Columns, Crop, Half, Window
from infomax.views import Encode, Values, View, evaluate, vectors

Gather = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Edge:
    """Two views that should share information, and how that is bounded.

    ``critic`` is any module ``(x, y) -> scores``; for a bound on densities (Rate, ...) the second
    view must come from a stochastic encoder and ``critic`` is the marginal r(y), a module with
    ``log_prob``.
    """

    a: View
    b: View
    bound: Bound
    critic: nn.Module
    positions: Positions = "all"
    negatives: Negatives = "batch"

    def measure(
        self, values: Values, gather: Gather = lambda x: x, *, torn: bool = False
    ) -> Measured:
        """Return what the bound takes: scores of all pairs, or log densities.

        Only contexts that have both ends take part; `gather` joins them across processes.
        ``torn`` pairs each anchor with the next context, so that nothing is shared: the control.
        """
        both = self._both(values)
        if self.bound.needs == "densities":
            return self._densities(values, both, torn)
        x, y = vectors(self.a, values.tensors[self.a]), vectors(self.b, values.tensors[self.b])
        if both is not None:
            x, y = x[both], y[both]
        if torn:
            y = y.roll(1, 0)
        if len(y) < 2:
            return Measured(Pairs(x, y, len(y)), ())
        pairs = arrange(gather(x), gather(y), self.positions, self.negatives)
        return Measured(pairs, (self.critic(pairs.x, pairs.y),))

    def _densities(self, values: Values, both: Tensor | None, torn: bool) -> Measured:
        if self.b not in values.posteriors:
            raise InfomaxError(
                wanted=f"a known posterior p({self.b} | {self.a}) for the bound {self.bound.name}",
                got=f"'{self.b}', whose encoder is not stochastic",
                fix="give that encoder a Gaussian head, or choose a bound of a critic",
            )
        z = values.tensors[self.b]
        log_p = values.posteriors[self.b].log_prob_pairs(z)
        log_r = self.critic.log_prob(z)  # type: ignore[operator]
        if both is not None:
            z, log_p, log_r = z[both], log_p[both][:, both], log_r[both]
        if torn:
            log_p, log_r = log_p.roll(1, 0), log_r.roll(1, 0)
        contexts = torch.arange(len(z), device=z.device)
        pairs = Pairs(z, z, len(z), rows=contexts, columns=contexts)
        return Measured(pairs, (log_p, log_r) if len(z) > 1 else ())

    def check(self) -> None:
        """Refuse an edge that would bound something else than it says.

        A bound on densities is about p(b | a), so b must come from a by encoders and slices alone:
        another view, or a draw of an augmentation in between, is not what the posterior is of.
        """
        if self.a is self.b:
            raise InfomaxError(
                wanted="an edge between two views",
                got=f"'{self.a}' twice",
                fix="name another view as one of its ends",
            )
        if self.bound.needs != "densities":
            return
        below = self.b.path[self.b.path.index(self.a) + 1 :] if self.a in self.b.path else ()
        known = (Encode, Half, Crop, Window, Columns)
        if not below or not all(isinstance(view.step, known) for view in below):
            raise InfomaxError(
                wanted=f"a posterior p({self.b} | {self.a}) for the bound {self.bound.name}: "
                f"'{self.b}' made from '{self.a}' by encoders",
                got="'" + "' -> '".join(str(view) for view in self.b.path) + "'",
                fix="put the edge between the view its stochastic encoder is given and its output",
            )
        if self.positions != "all" or self.negatives != "batch":
            raise InfomaxError(
                wanted=f"negatives: batch and positions: all for the bound {self.bound.name}",
                got=f"negatives: {self.negatives}, positions: {self.positions}",
                fix="leave both out, or choose a bound of a critic",
            )

    def _both(self, values: Values) -> Tensor | None:
        masks = {name: values.present[name] for name in self.signals if name in values.present}
        return torch.stack(list(masks.values())).all(0) if masks else None

    @property
    def signals(self) -> tuple[str, ...]:
        """The signals both ends need."""
        return tuple(dict.fromkeys((self.a.signal, self.b.signal)))


@dataclass(frozen=True)
class Measured:
    """What a bound is computed from in one batch: how it was paired, and its arguments."""

    pairs: Pairs
    terms: tuple[Tensor, ...]

    @property
    def keywords(self) -> dict[str, Tensor]:
        """Where the positives are, if not on the diagonal."""
        return {} if self.pairs.positives is None else {"positives": self.pairs.positives}

    @property
    def contexts(self) -> int:
        """How many contexts took part; fewer than two say nothing, and there are no terms."""
        return self.pairs.contexts

    def restricted(self, contexts: Bool[Tensor, " contexts"]) -> Measured:
        """Return what is left when only the marked contexts take part."""
        rows, columns, positives = self.pairs.select(contexts)
        first, *rest = self.terms
        pairs = replace(self.pairs, contexts=int(contexts.sum()), positives=positives)
        if self.pairs.rows is None:
            return Measured(pairs, (first[contexts],))
        terms = (first[..., rows, :][..., columns], *(term[rows] for term in rest))
        return Measured(pairs, terms)

    @property
    def candidates(self) -> int:
        """K, the number of candidates of an anchor: what a ceiling of log K counts."""
        return self.terms[0].shape[-1]


@dataclass(frozen=True)
class Term:
    """An edge and its weight in the objective; a negative weight minimizes."""

    weight: float
    edge: Edge


@dataclass(frozen=True)
class Objective:
    """A weighted sum of edges, to be maximized over encoders and critics.

    ``sum_edges w_ab I(V_a; V_b)``. Add, subtract and scale objectives as in the formula.

    Example:
        >>> from infomax import Context
        >>> context = Context()
        >>> x, y = context.signal("x"), context.signal("y")
        >>> objective = I(x, y) + 0.5 * I(y, x, bound=bounds.JS)
        >>> [term.weight for term in objective.terms]
        [1.0, 0.5]
    """

    terms: tuple[Term, ...] = field(default=())

    def check(self) -> None:
        """Refuse an objective whose optimum would say nothing about the information.

        Raises:
            InfomaxError: if there is no term, or a lower bound would be minimized, or an upper
                bound maximized.
        """
        if not self.terms:
            raise InfomaxError(
                wanted="an objective of one term or more",
                got="an empty one",
                fix="name an edge: I(a, b), or `maximize: [{between: [a, b]}]`",
            )
        for term in self.terms:
            term.edge.check()
            wrong = "upper" if term.weight > 0 else "lower"
            if term.weight != 0 and term.edge.bound.side == wrong:
                verb = "maximize" if term.weight > 0 else "minimize"
                raise InfomaxError(
                    wanted=f"a bound that is tight when you {verb} it",
                    got=f"{verb} {term.edge.bound.name} between {term.edge.a} and {term.edge.b}, "
                    f"a bound on the {wrong} side",
                    fix="maximize lower bounds (InfoNCE, NWJ, JS), minimize upper ones (Rate)",
                )

    @property
    def views(self) -> tuple[View, ...]:
        """The ends of all edges, each once."""
        return tuple(dict.fromkeys(v for term in self.terms for v in (term.edge.a, term.edge.b)))

    def __add__(self, other: Objective) -> Objective:
        return Objective(self.terms + other.terms)

    def __sub__(self, other: Objective) -> Objective:
        return self + -1.0 * other

    def __mul__(self, weight: float) -> Objective:
        return Objective(tuple(replace(term, weight=weight * term.weight) for term in self.terms))

    __rmul__ = __mul__

    def __neg__(self) -> Objective:
        return -1.0 * self


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


def I(  # noqa: E743 - the formula's letter
    a: View,
    b: View,
    *,
    bound: Bound | None = None,
    critic: nn.Module | None = None,
    positions: Positions = "all",
    negatives: Negatives = "batch",
) -> Objective:
    """Mutual information between two views: one term of an objective.

    Args:
        a: the view of the anchors.
        b: the view of the candidates.
        bound: how it is bounded; InfoNCE where not said.
        critic: scores of all pairs; a separable one of 128 dimensions where not said. For a bound
            on densities the marginal r(b); the standard normal where not said.
        positions: how places pair: ``"all"``, ``"same"``, or k, the steps ahead.
        negatives: ``"batch"``, ``"within"`` the context, or ``"both"``.
    """
    chosen = bounds.InfoNCE if bound is None else bound
    if critic is None:
        critic = Separable() if chosen.needs == "scores" else StandardNormal()
    return Objective((Term(1.0, Edge(a, b, chosen, critic, positions, negatives)),))
