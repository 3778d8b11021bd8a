"""The mean of two candidates that see different things: trees the edges, a network the bends."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import torch
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
        return torch.stack([member.matrix(x, y).double() for member in self.members]).mean(0)

    @property
    def notes(self) -> tuple[str, ...]:
        """What is to be said of any member."""
        return tuple(dict.fromkeys(note for member in self.members for note in member.notes))


def join(one: Record, other: Record) -> Record:
    """The mean of two candidates that have run, not yet valued; it costs what both do."""
    pair = (one, other)
    candidate = Candidate(
        " + ".join(record.candidate.method for record in pair),
        partial(_fit, [record.candidate for record in pair]),
        stops=all(record.candidate.stops for record in pair),
    )
    return Record(
        candidate,
        fitted=[MeanRatio([record.fitted[0] for record in pair])],
        seconds=sum(record.seconds for record in pair),
        valuing=sum(record.valuing for record in pair),
    )


def rivals(winner: Record, ran: Sequence[Record]) -> list[Record]:
    """Those that have not lost to the winner, the nearest first: to be joined with it on trial."""
    ahead = [(gain(r, winner)[0], r) for r in ran if r is not winner and not behind(r, winner)]
    known = [entry for entry in ahead if math.isfinite(entry[0])]
    return [r for _, r in sorted(known, key=lambda entry: -entry[0])[:RIVALS]]


def ensemble(winner: Record, means: Sequence[Record], part: Part) -> Record | None:
    """The mean of the winner's log-ratio and another's, if validation prefers one.

    A step of ensemble selection (Caruana et al. 2004, doi 10.1145/1015330.1015432): the mean with
    the largest gain over the winner, row by row, if that is more than its standard error. Of a mean
    no model knows the partition function: it is taken only where the pairs resolve that.

    Args:
        winner: what validation chose.
        means: of it and others (`join`); they are valued on validation.
        part: the first fold's rows, and validation.
    """
    best, most = None, WORTH
    for mean in means:
        mean.validation.append(hold(mean.fitted[0], part.x_validation, part.y_validation))
        more, error = gain(mean, winner)
        if more > max(most, error) and mean.worth > 0 and mean.resolved(1):
            best, most = mean, more
    return best


def _fit(candidates: Sequence[Candidate], parts: Sequence[Part]) -> list[MeanRatio]:
    """Fit each candidate to all parts, in its share of their time."""
    shares = [replace(part, seconds=part.seconds / len(candidates)) for part in parts]
    columns = [candidate.fit(shares) for candidate in candidates]
    return [MeanRatio(members) for members in zip(*columns, strict=True)]
