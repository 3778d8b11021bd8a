"""The objective as the formula reads: a weighted sum of edges.

``I(a, b) + 0.5 * I(c, b, bound=bounds.JS) - 1e-3 * I(x, z, bound=bounds.Rate)``.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from torch import nn

from infomax import bounds
from infomax._errors import InfomaxError
from infomax.bounds import Bound
from infomax.critics import Multilinear, Separable
from infomax.objective.edge import Edge
from infomax.pairing import Negatives, Positions
from infomax.posteriors import StandardNormal
from infomax.views import View


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
                ends = " and ".join(map(str, term.edge.views))
                verb = "maximize" if term.weight > 0 else "minimize"
                raise InfomaxError(
                    wanted=f"a bound that is tight when you {verb} it",
                    got=f"{verb} {term.edge.bound.name} between {ends}, "
                    f"a bound on the {wrong} side",
                    fix="maximize lower bounds (InfoNCE, NWJ, JS), minimize upper ones (Rate)",
                )

    @property
    def views(self) -> tuple[View, ...]:
        """The ends of all edges and what they are given, each once."""
        return tuple(dict.fromkeys(view for term in self.terms for view in term.edge.ends))

    def __add__(self, other: Objective) -> Objective:
        return Objective(self.terms + other.terms)

    def __sub__(self, other: Objective) -> Objective:
        return self + -1.0 * other

    def __mul__(self, weight: float) -> Objective:
        return Objective(tuple(replace(term, weight=weight * term.weight) for term in self.terms))

    __rmul__ = __mul__

    def __neg__(self) -> Objective:
        return -1.0 * self


def I(  # noqa: E743 - the formula's letter
    a: View,
    b: View,
    *,
    bound: Bound | None = None,
    critic: nn.Module | None = None,
    positions: Positions = "all",
    negatives: Negatives = "batch",
    given: View | None = None,
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
        given: the view whose posterior takes the marginal's place: the information beyond it,
            I(a; b | given).

    Raises:
        InfomaxError: both a marginal and ``given``.
    """
    if critic is not None and given is not None:
        raise InfomaxError(
            wanted=f"a marginal, or the view that stands in for it (given: {given})",
            got="both",
            fix="take one of them out",
        )
    chosen = bounds.InfoNCE if bound is None else bound
    if critic is None:
        critic = Separable() if chosen.needs == "scores" else StandardNormal()
    return Objective((Term(1.0, Edge((a, b), chosen, critic, positions, negatives, given)),))


def TC(*views: View, bound: Bound | None = None, critic: nn.Module | None = None) -> Objective:
    """Total correlation of three or more views: what they share beyond what any pair shows.

    ``TC(v_1, ..., v_n) = KL(p(v_1, ..., v_n) || p(v_1) ... p(v_n)) >= max_pairs I(v_a; v_b)``.
    InfoNCE with each view in turn as the anchor x and the tuples y of the others as candidates,
    negatives from the product of the marginals, is a lower bound with the ceiling log K: with
    ``r = e^f(x, y_1) / ((1/K) sum_k e^f(x, y_k))`` the bound of Nguyen, Wainwright and Jordan says
    ``TC >= E_p[log r] + 1 - E_q[r]``, and ``E_q[r] = 1``, for under the product of the marginals
    the positive is a candidate like any other. A batch of n contexts gives K = n - (views - 2);
    its shuffled tuples have contexts in common, of which the value shows nothing (as in Symile).

    Args:
        views: three or more views of one vector a context (of two, it is `I`).
        bound: how it is bounded; InfoNCE where not said.
        critic: scores of tuples; multilinear of 128 dimensions where not said.

    Raises:
        InfomaxError: fewer than three views.

    Source: Saporta et al. 2024, Contrasting with Symile (arXiv:2411.01053);
    Watanabe 1960.

    Example:
        >>> from infomax import Context
        >>> context = Context()
        >>> TC(*map(context.signal, ("picture", "words", "voice"))).terms[0].edge.bound.name
        'InfoNCE'
    """
    if len(views) < 3:
        raise InfomaxError(
            wanted="three or more views",
            got=f"{len(views)}",
            fix="name all the views that share; between two views it is I(a, b)",
        )
    chosen = bounds.InfoNCE if bound is None else bound
    scored = Multilinear(views=len(views)) if critic is None else critic
    return Objective((Term(1.0, Edge(views, chosen, scored)),))
