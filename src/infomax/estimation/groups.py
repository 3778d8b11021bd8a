"""Columns that fall into independent groups: the log-ratio is the sum of those of the groups.

If (X, Y) = (X_1, Y_1), (X_2, Y_2), ... and the groups are independent of each other,

    log p(x, y)/(p(x) p(y)) = Σ_g log p(x_g, y_g)/(p(x_g) p(y_g)),     I(X; Y) = Σ_g I(X_g; Y_g),

and each term is of few columns, where a model of all of them would have to learn the sum. Groups
are found on training rows: columns are linked where they correlate beyond chance, straight or bent
(Hermite polynomials of the ranks, up to the third), or one with the product of two (of a turn by an
angle that a third column sets, no two tell). A group with columns of one side only says nothing.
That the groups are independent is a guess like any model's: the sum is a critic, judged by
validation beside the others, and its bound holds whether the guess is right or not.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from infomax.estimation.choice import Candidate, Record, choose
from infomax.estimation.ratio import Ratio, hold
from infomax.estimation.splits import Part
from infomax.gaussian import gaussianize, rank_knots

BROADEST = 400  # columns of x and y together, above which groups are not looked for
BY_THREE = 40  # above which they are looked for by two columns only
SHOWN = 5  # groups that are named
LOOKED_AT = 10_000  # rows, which come in random order: more show links of less than 0.001 nats
CHANCE = 1e-3
"""Probability that independent columns are linked anywhere, at the most (normal theory)."""


@dataclass(frozen=True)
class Group:
    """Columns that are linked; `bent` if by more than the Gaussian copula of their correlations."""

    x: tuple[int, ...]
    y: tuple[int, ...]
    bent: bool


def groups(x: Float[Tensor, "n dx"], y: Float[Tensor, "n dy"]) -> list[Group]:
    """Groups of linked columns that have some of x and some of y, by their first column of x.

    Those that are not bent are one group, the last: one Gaussian is theirs all.

    Columns are linked if a mean of products of their polynomials, over its standard error, exceeds
    the two-sided normal quantile at CHANCE over the number of all means that are looked at. A group
    is bent if one exceeds it after ρ^k, what a Gaussian copula has for two k-th polynomials, is
    taken off, or if it takes three columns to link it.

    Example:
        >>> x = torch.randn(3000, 4, generator=torch.Generator().manual_seed(0))
        >>> y = torch.stack([x[:, 0] + x[:, 1], x[:, 2].square(), torch.flip(x[:, 0], [0])], 1)
        >>> for group in groups(x, y):
        ...     print(group)
        Group(x=(2,), y=(1,), bent=True)
        Group(x=(0, 1), y=(0,), bent=False)
    """
    from scipy.sparse.csgraph import connected_components

    dx = x.shape[1]
    rows = torch.cat([x[:LOOKED_AT], y[:LOOKED_AT]], 1).double()
    z = gaussianize(rows, *rank_knots(rows))
    width = z.shape[1]
    pairs = torch.triu_indices(width, width, 1) if width <= BY_THREE else torch.zeros(2, 0).long()
    looked_at = pairs.shape[1] * 2 * (width - 2) + 9 * width * (width - 1) / 2
    far = -float(torch.special.ndtri(torch.tensor(CHANCE / looked_at / 2, dtype=torch.float64)))

    order = torch.arange(3, device=z.device)
    bent = _unit(torch.stack([z, z.square() - 1, z * (z.square() - 3)], 1).flatten(1))
    mean, error = (part.reshape(3, width, 3, width) for part in _products(bent, bent))
    linked = ((mean / error).abs() > far).any(0).any(1)
    gaussian = mean[0, :, 0, :] ** (1 + order[:, None, None])
    mean[order, :, order, :] -= gaussian
    curved = ((mean / error).abs() > far).any(0).any(1).fill_diagonal_(False)

    mean, error = _products(_unit(z[:, pairs[0]] * z[:, pairs[1]]), bent[:, : 2 * width])
    by_three = ((mean / error).abs() > far).reshape(-1, 2, width).any(1)
    by_three &= (pairs.T[:, :, None] != torch.arange(width)).all(1)
    by_three &= ~(linked[pairs[0]] & linked[pairs[1]])  # a Gaussian has those that two show
    which, third = by_three.nonzero(as_tuple=True)
    for two in pairs:
        linked[two[which], third] = curved[two[which], third] = True

    _, number = connected_components(linked.numpy(), directed=False)
    found, straight = [], Group((), (), False)
    for group in dict.fromkeys(number[:dx].tolist()):
        of_group = np.flatnonzero(number == group)
        of_x = tuple(of_group[of_group < dx].tolist())
        of_y = tuple((of_group[of_group >= dx] - dx).tolist())
        if of_y and bool(curved[of_group][:, of_group].any()):
            found.append(Group(of_x, of_y, True))
        elif of_y:
            straight = Group(straight.x + of_x, straight.y + of_y, False)
    return found + [straight] * bool(straight.x)


def _unit(columns: Float[Tensor, "n k"]) -> Float[Tensor, "n k"]:
    """Columns less their mean, of deviation one."""
    centred = columns - columns.mean(0)
    scale: Tensor = centred.square().mean(0).sqrt().clamp_min(1e-12)
    return centred / scale


def _products(
    a: Float[Tensor, "n k"], b: Float[Tensor, "n l"]
) -> tuple[Float[Tensor, "k l"], Float[Tensor, "k l"]]:
    """Means of the products of columns, and their standard errors."""
    mean = a.mT @ b / len(a)
    spread = a.square().mT @ b.square() / len(a) - mean.square()
    return mean, (spread.clamp_min(1e-12) / len(a)).sqrt()


class GroupedRatio(Ratio):
    """The sum of log-ratios, each of a group of columns."""

    def __init__(self, parts: Sequence[tuple[Group, Ratio]]) -> None:
        self.parts = parts
        self.block = min((ratio.block for _, ratio in parts), default=self.block)

    def matrix(self, x: Float[Tensor, "n dx"], y: Float[Tensor, "m dy"]) -> Float[Tensor, "n m"]:
        """Log-ratios of all pairs."""
        total = torch.zeros(len(x), len(y), dtype=torch.float64)
        for group, ratio in self.parts:
            total += ratio.matrix(x[:, group.x], y[:, group.y])
        return total

    @property
    def notes(self) -> tuple[str, ...]:
        """Which columns belong together."""
        shown = [f"x {_listed(g.x)} with y {_listed(g.y)}" for g, _ in self.parts[:SHOWN]]
        if len(self.parts) > SHOWN:
            shown.append("…")
        return (
            "The value is a sum over groups of columns (counted from 0) that seem independent of "
            f"each other: {'; '.join(shown)}.",
        )

    def log_partition(self, x: Float[Tensor, "n dx"], y: Float[Tensor, "n dy"]) -> float:
        """Σ_g log E_q[e^(f_g)]: what it is for independent groups, however large the sum.

        Of a group whose pairs do not resolve it, what InfoNCE takes in its place: the sum has no
        ceiling, where InfoNCE of all groups at once has one.
        """
        held = [hold(ratio, x[:, group.x], y[:, group.y]) for group, ratio in self.parts]
        return sum((h.mean - h.steady for h in held), 0.0)


def straight(ran: Sequence[Record]) -> bool:
    """Whether groups were looked for, and none is bent: then one Gaussian says it all."""
    ratios = [ratio for record in ran for ratio in record.fitted[:1]]
    return any(
        isinstance(ratio, GroupedRatio) and not any(group.bent for group, _ in ratio.parts)
        for ratio in ratios
    )


def _listed(columns: tuple[int, ...]) -> str:
    return ", ".join(map(str, columns))


@dataclass
class Grouped:
    """Fits a sum over groups: the first time a group is met, validation chooses its candidate.

    Args:
        candidates: training rows of a group -> those for it, the simplest first.
    """

    candidates: Callable[[Tensor, Tensor], Sequence[Candidate]]

    def __post_init__(self) -> None:
        self.chosen: dict[Group, Candidate] = {}
        self.known: list[Group] = []

    def __call__(self, parts: Sequence[Part]) -> list[Ratio]:
        """Fit the groups of each part's own training rows; of torn pairs, those known before."""
        found = [groups(part.x, part.y) or self.known for part in parts]
        self.known = self.known or found[0]
        fitted: list[list[tuple[Group, Ratio]]] = [[] for _ in parts]
        every = list(dict.fromkeys(group for some in found for group in some))
        for group in every:
            here = [k for k, some in enumerate(found) if group in some]
            cut = [_cut(parts[k], group, len(every)) for k in here]
            first = [] if group in self.chosen else [self._choose(group, cut[0], parts[0])]
            ratios = [*first, *self.chosen[group].fit(cut[len(first) :])]
            for k, ratio in zip(here, ratios, strict=True):
                fitted[k].append((group, ratio))
        return [GroupedRatio(some) for some in fitted]

    def _choose(self, group: Group, part: Part, whole: Part) -> Ratio:
        """Fit all candidates to a group; the simplest that validation cannot tell from the best.

        Of a group that is not bent the first will do, and of all columns together: for these there
        are the candidates beside this one.
        """
        candidates = self.candidates(part.x, part.y)
        everything = part.x.shape[1] + part.y.shape[1] == whole.x.shape[1] + whole.y.shape[1]
        if not group.bent or everything:
            candidates = candidates[:1]
        begun = time.perf_counter()
        share = replace(part, seconds=part.seconds / len(candidates))
        records: list[Record] = []
        for candidate in candidates:
            if records and time.perf_counter() - begun > part.seconds:
                break
            if candidate.spare(records):
                continue
            (ratio,) = candidate.fit([share])
            held = hold(ratio, part.x_validation, part.y_validation)
            records.append(Record(candidate, fitted=[ratio], validation=[held]))
        best = choose(records)
        self.chosen[group] = best.candidate
        return best.fitted[0]


def _cut(part: Part, group: Group, shares: int) -> Part:
    """The columns of a group, and its share of the time."""
    return replace(
        part,
        x=part.x[:, group.x],
        y=part.y[:, group.y],
        x_validation=part.x_validation[:, group.x],
        y_validation=part.y_validation[:, group.y],
        seconds=part.seconds / shares,
    )
