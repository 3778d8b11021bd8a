"""An edge: two views that should share information, and what its bound takes in a batch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool
from torch import Tensor, nn

from infomax._errors import InfomaxError
from infomax.bounds import Bound
from infomax.pairing import Negatives, Pairs, Positions, arrange
from infomax.views import Encode, Slice, Values, View, vectors

Gather = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Edge:
    """Two views that should share information, and how that is bounded.

    ``critic`` is any module ``(x, y) -> scores``; for a bound on densities (Rate, ...) the second
    view must come from a stochastic encoder and ``critic`` is the marginal r(y), a module with
    ``log_prob``. With ``given``, another view of b's own space by a stochastic encoder, its
    posterior takes the marginal's place, and what is bounded is the information between a and b
    that the context of ``given`` does not already hold:

        ``E[log p(b | a) - log p(b | given)] >= I(a; b | given)``.

    Source: Federici et al. 2020 (arXiv:2002.07017), section 3.
    """

    a: View
    b: View
    bound: Bound
    critic: nn.Module
    positions: Positions = "all"
    negatives: Negatives = "batch"
    given: View | None = None

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
        if self.a is self.b:
            raise InfomaxError(
                wanted="an edge between two views",
                got=f"'{self.a}' twice",
                fix="name another view as one of its ends",
            )
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

    def _both(self, values: Values) -> Tensor | None:
        masks = {name: values.present[name] for name in self.signals if name in values.present}
        return torch.stack(list(masks.values())).all(0) if masks else None

    @property
    def conditions(self) -> tuple[View, ...]:
        """The view that the information is conditional on, if there is one."""
        return () if self.given is None else (self.given,)

    @property
    def signals(self) -> tuple[str, ...]:
        """The signals both ends, and what is given, need."""
        return tuple(dict.fromkeys(v.signal for v in (self.a, self.b, *self.conditions)))


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
