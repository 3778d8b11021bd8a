"""The mean of two candidates that see different things: trees the edges, a network the bends."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from jaxtyping import Float
from torch import Tensor

from infomax.estimation.choice import Candidate, Record, behind, gain
from infomax.estimation.ratio import Ratio, hold
from infomax.estimation.splits import Part

WORTH = 0.005
"""Nats that a mean must gain: less is not worth the time of a second fit."""
RIVALS = 3
"""How many candidates the winner is joined with, on trial."""


class MeanRatio(Ratio):
    """The mean of log-ratios: the geometric mean of what the models say.

    Args:
        members: fitted to the same rows.
    """

    def __init__(self, members: Sequence[Ratio]) -> None:
        self.members = members
        self.block = min(member.block for member in members)

    def matrix(self, x: Float[Tensor, "n dx"], y: Float[Tensor, "m dy"]) -> Float[Tensor, "n m"]:
        """Mean of the members' log-ratios of all pairs."""
        total = self.members[0].matrix(x, y).double()
        for member in self.members[1:]:
            total = total + member.matrix(x, y)
        return total / len(self.members)

    @property
    def notes(self) -> tuple[str, ...]:
        """What is to be said of any member."""
        return tuple(dict.fromkeys(note for member in self.members for note in member.notes))


def ensemble(winner: Record, ran: Sequence[Record], part: Part) -> Record | None:
    """The mean of the winner's log-ratio and another's, if validation prefers one.

    A step of ensemble selection (Caruana et al. 2004, doi 10.1145/1015330.1015432): the mean with
    the largest gain over the winner, row by row, if that is more than its standard error. Tried are
    those that have not lost to the winner. Of a mean no model knows the partition function: it is
    taken only where the pairs resolve that.

    Args:
        winner: what validation chose.
        ran: all that ran, with their fits to the first fold.
        part: the first fold's rows, and validation.
    """
    rivals = [r for r in ran if r is not winner and not behind(r, winner)]
    best, most = None, WORTH
    for rival in sorted(rivals, key=lambda r: -gain(r, winner)[0])[:RIVALS]:
        pair = (winner, rival)
        mean = MeanRatio([record.fitted[0] for record in pair])
        joined = Record(
            _together([record.candidate for record in pair]),
            fitted=[mean],
            validation=[hold(mean, part.x_validation, part.y_validation)],
            seconds=sum(record.seconds for record in pair),
        )
        more, error = gain(joined, winner)
        if more > max(most, error) and joined.worth > 0 and joined.resolved(1):
            best, most = joined, more
    return best


def _together(candidates: Sequence[Candidate]) -> Candidate:
    return Candidate(
        " + ".join(candidate.method for candidate in candidates),
        partial(_fit, candidates),
        dear=True,
        stops=all(candidate.stops for candidate in candidates),
    )


def _fit(candidates: Sequence[Candidate], parts: Sequence[Part]) -> list[MeanRatio]:
    """Fit each candidate to all parts, in its share of their time."""
    shares = [replace(part, seconds=part.seconds / len(candidates)) for part in parts]
    columns = [candidate.fit(shares) for candidate in candidates]
    return [MeanRatio(members) for members in zip(*columns, strict=True)]
