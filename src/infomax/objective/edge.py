"""An edge: views that should share information, and what its bound takes in a batch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool
from torch import Tensor, nn

from infomax._errors import InfomaxError
from infomax.bounds import Bound
from infomax.objective.tiling import tiled
from infomax.pairing import Negatives, Pairs, Positions, arrange, fair, tuples
from infomax.views import Encode, Slice, Values, View, vectors


@dataclass(frozen=True)
class Edge:
    """Two or more views that should share information, and how that is bounded.

    ``critic`` is any module ``(x, y) -> scores``; for a bound on densities (Rate, ...) the second
    view must come from a stochastic encoder and ``critic`` is the marginal r(y), a module with
    ``log_prob``. An edge of three or more views is about their total correlation, and
    ``critic`` a module ``(anchor, x, others) -> scores``. With ``given``, another view of b's own
    space by a stochastic encoder, its posterior takes the marginal's place, and what is bounded is
    the information between a and b that the context of ``given`` does not already hold:

        ``E[log p(b | a) - log p(b | given)] >= I(a; b | given)``.

    Source: Federici et al. 2020 (arXiv:2002.07017), section 3.
    """

    views: tuple[View, ...]
    bound: Bound
    critic: nn.Module
    positions: Positions = "all"
    negatives: Negatives = "batch"
    given: View | None = None

    @property
    def joint(self) -> bool:
        """Whether it is about the total correlation of more than two views."""
        return len(self.views) > 2

    @property
    def a(self) -> View:
        """The first view."""
        return self.views[0]

    @property
    def b(self) -> View:
        """The second view."""
        return self.views[1]

    def measure(self, values: Values, *, torn: bool = False, tile: bool = False) -> Measured:
        """Return what the bound takes: scores of all pairs, or log densities.

        Only contexts that have all ends take part.
        ``torn`` pairs each anchor with the next context, so that nothing is shared: the control.
        ``tile`` gives no scores but a loss in tiles where the matrix would be large.
        """
        both = values.together(*self.ends)
        if self.bound.needs == "densities":
            return self._densities(values, both, torn)
        if self.joint:
            return self._tuples(values, both, torn)
        x, y = vectors(self.a, values.tensors[self.a]), vectors(self.b, values.tensors[self.b])
        if both is not None:
            x, y = x[both], y[both]
        if torn:
            y = y.roll(1, 0)
        if len(y) < 2:
            return Measured(Pairs(x, y, len(y)), ())
        pairs = arrange(x, y, self.positions, self.negatives)
        in_tiles = tiled(self.bound, self.critic, pairs) if tile else None
        if in_tiles is not None:
            return Measured(pairs, (), in_tiles)
        return Measured(pairs, (self.critic(pairs.x, pairs.y),))

    def _tuples(self, values: Values, both: Tensor | None, torn: bool) -> Measured:
        """Scores ``[views, n, 2 n]``: each view in turn is the anchor of tuples of the others."""
        ends = [vectors(view, values.tensors[view]) for view in self.views]
        strange = [str(v) for v, value in zip(self.views, ends, strict=True) if value.ndim != 2]
        if strange:
            raise InfomaxError(
                wanted="one vector a context as each end of an edge of total correlation",
                got=f"'{strange[0]}', which has positions",
                fix="end the edge at the output of an encoder that pools",
            )
        if both is not None:
            ends = [value[both] for value in ends]
        if torn:
            ends = [value.roll(index, 0) for index, value in enumerate(ends)]
        n, others = len(ends[0]), len(ends) - 1
        if n <= others:  # too few for one shuffled tuple: none take part
            return Measured(Pairs(ends[0], ends[1], 0), ())
        members = tuples(n, others, ends[0].device)
        scores = []
        for anchor, x in enumerate(ends):
            rest = ends[:anchor] + ends[anchor + 1 :]
            candidates = [value[members[:, u]] for u, value in enumerate(rest)]
            scores.append(self.critic(anchor, x, candidates))
        rows = torch.arange(n, device=members.device)
        pairs = Pairs(x, candidates[0], n, rows=rows, columns=members, mask=fair(members))
        return Measured(pairs, (torch.stack(scores),))

    def _densities(self, values: Values, both: Tensor | None, torn: bool) -> Measured:
        z = values.tensors[self.b]
        for view in (self.b, *self.conditions):
            if view not in values.posteriors:
                raise InfomaxError(
                    wanted=f"a known posterior of '{view}' for the bound {self.bound.name}",
                    got=f"'{view}', whose encoder is not stochastic",
                    fix="give that encoder a Gaussian head, or choose a bound of a critic",
                )
            shape = tuple(values.tensors[view].shape)
            if shape != (len(z), z.shape[-1]):
                raise InfomaxError(
                    wanted=f"one vector a context, of the size of '{self.b}', for the bound "
                    f"{self.bound.name}",
                    got=f"'{view}' of shape {shape} (contexts first)",
                    fix="encode whole contexts, and give the heads one dimension",
                )
        log_p = values.posteriors[self.b].log_prob_pairs(z)
        if self.given is None:
            log_r = self.critic.log_prob(z)  # type: ignore[operator]
        else:
            log_r = values.posteriors[self.given].log_prob(z)
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
        twice = [view for view in self.views if self.views.count(view) > 1]
        if twice:
            raise InfomaxError(
                wanted="an edge between different views",
                got=f"'{twice[0]}' twice",
                fix="name another view as one of its ends",
            )
        if self.joint:
            self._check_joint()
        if self.given is not None and not self.bound.conditional:
            raise InfomaxError(
                wanted="a bound that may be `given` another view: rate",
                got=f"{self.bound.name} between {self.a} and {self.b}, given {self.given}",
                fix="take `given` out, or choose that bound",
            )
        if self.given is not None and (
            self.b in self.given.path or not isinstance(self.given.step, Encode)
        ):
            raise InfomaxError(
                wanted=f"given: what a stochastic encoder makes of another view than '{self.b}'",
                got=f"'{self.given}'",
                fix="name the output of a Gaussian head, over the same space",
            )
        if self.bound.needs != "densities":
            return
        below = self.b.path[self.b.path.index(self.a) + 1 :] if self.a in self.b.path else ()
        if not below or not all(isinstance(view.step, Encode | Slice) for view in below):
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

    def _check_joint(self) -> None:
        plain = self.positions == "all" and self.negatives == "batch"
        if self.bound.needs == "densities" or self.bound.two_sided or not plain:
            raise InfomaxError(
                wanted="an edge of total correlation with a one-sided bound of a critic (each view "
                "is an anchor in turn), and nothing said of positions or negatives",
                got=f"{self.bound.name}, positions: {self.positions}, negatives: {self.negatives}",
                fix="choose bound: infonce and leave the others out, or write edges: all-pairs",
            )

    @property
    def conditions(self) -> tuple[View, ...]:
        """The view that the information is conditional on, if there is one."""
        return () if self.given is None else (self.given,)

    @property
    def ends(self) -> tuple[View, ...]:
        """The views a context must have to take part: its own, and what is given."""
        return (*self.views, *self.conditions)


@dataclass(frozen=True)
class Measured:
    """What a bound is computed from in one batch: how it was paired, and its arguments."""

    pairs: Pairs
    terms: tuple[Tensor, ...]
    tiled: Callable[[], Tensor] | None = None
    """The loss, where there are no terms because they would be too large."""

    @property
    def keywords(self) -> dict[str, Tensor]:
        """Where the positives are, if not on the diagonal; what counts, if not everything."""
        told = {"positives": self.pairs.positives, "mask": self.pairs.mask}
        return {name: value for name, value in told.items() if value is not None}

    @property
    def contexts(self) -> int:
        """How many contexts took part; fewer than two say nothing, and there are no terms."""
        return self.pairs.contexts

    def restricted(self, contexts: Bool[Tensor, " contexts"]) -> Measured:
        """Return what is left when only the marked contexts take part."""
        rows, columns, positives = self.pairs.select(contexts)
        first, *rest = self.terms
        mask = None if self.pairs.mask is None else self.pairs.mask[rows][:, columns]
        pairs = replace(self.pairs, contexts=int(contexts.sum()), positives=positives, mask=mask)
        if self.pairs.rows is None:
            return Measured(pairs, (first[contexts],))
        terms = (first[..., rows, :][..., columns], *(term[rows] for term in rest))
        return Measured(pairs, terms)

    @property
    def candidates(self) -> int:
        """K, the number of candidates of an anchor: what a ceiling of log K counts."""
        if self.pairs.mask is not None:
            return int(self.pairs.mask.sum(-1).max())
        return self.terms[0].shape[-1]
