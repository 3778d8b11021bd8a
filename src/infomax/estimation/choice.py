"""What a candidate is and has shown, and how validation chooses between them: row by row."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch
from jaxtyping import Float
from torch import Tensor

from infomax.estimation.ratio import Held, Ratio
from infomax.estimation.splits import Part

SAME = 1e-3
"""Share of the better one's nats that is no difference between two candidates."""


@dataclass(frozen=True)
class Candidate:
    """One way to get a log-ratio; its place in the list is its complexity."""

    method: str
    fit: Callable[[Sequence[Part]], Sequence[Ratio]]  # a model for each part
    dear: bool = False  # runs the other folds only if it wins the first
    stops: bool = False  # heeds `Part.seconds`
    after: str | None = None  # the smaller one of its kind, which ran before it
    needs: str | None = None  # a module to import, whose seconds are not the fit's
    entropies: str | None = None  # name of E_p[f] where that is a difference of entropies
    spare: Callable[[Sequence[Record]], bool] = lambda ran: False  # given what ran, leave it out?


@dataclass
class Record:
    """What one candidate has shown so far, fold by fold."""

    candidate: Candidate
    fitted: list[Ratio] = field(default_factory=list)
    validation: list[Held] = field(default_factory=list)
    test: list[Held] = field(default_factory=list)
    train: list[Held] = field(default_factory=list)
    seconds: float = 0.0
    valuing: float = 0.0  # of these, seconds spent on the last fold's test rows
    curve: Sequence[tuple[int, float, float]] = ()
    drop: float | None = None  # nats lost held out when fitted to half the rows; None: not known

    def chosen_by(self, *, steady: bool, folds: int) -> Float[Tensor, " v"]:
        """The validation terms, averaged over the first folds: NWJ's, or InfoNCE's."""
        held = self.validation[:folds]
        return torch.stack([h.nce if steady else h.terms for h in held]).mean(0)

    @property
    def worth(self) -> float:
        """Nats on validation, over all folds that ran."""
        folds = len(self.validation)
        return float(self.chosen_by(steady=not self.resolved(folds), folds=folds).mean())

    def resolved(self, folds: int) -> bool:
        """Whether the partition function on validation is resolved in these folds."""
        return all(h.resolved for h in self.validation[:folds])


def choose(records: Sequence[Record]) -> Record:
    """The simplest candidate that validation cannot tell from the best (one standard error).

    They are compared row by row, so that the error is of the difference; on InfoNCE, which is
    always steady, where a partition function is not resolved. One that is not finite in any fold
    is out, and of those that find less than nothing a simpler one stands, unless it is far behind.
    """
    whole = [r for r in records if all(math.isfinite(h.mean) for h in r.validation)]
    best, *others = whole or records
    for record in others:
        if not alike(best, record) and (record.worth > 0 or behind(best, record)):
            best = record
    return best


def alike(record: Record, best: Record) -> bool:
    """Whether a candidate is no worse than another by more than validation's standard error.

    A network that starts as a Gaussian and learns nothing is that Gaussian in other digits: they
    differ by 1e-6 nats, with an error of 1e-7. A thousandth of the nats is no difference either.
    """
    mean, stderr = gain(record, best)
    return not mean < -max(stderr, SAME * best.worth)  # so that NaN decides nothing


def behind(record: Record, first: Record) -> bool:
    """Whether a candidate has lost to another after one fold: by more than three errors."""
    mean, stderr = gain(record, first)
    return mean < -3 * stderr


def lost(line: Sequence[str], ran: Sequence[Record]) -> bool:
    """Whether the last of a line of candidates did not run, or is `behind` another of the line."""
    of_line = [r for r in ran if r.candidate.method in line]
    last = [r for r in of_line if r.candidate.method == line[-1]]
    return not last or behind(last[0], choose(of_line))


def led(line: Sequence[str], ran: Sequence[Record]) -> bool:
    """Whether the last of a line of candidates ran, and is the one that validation chooses."""
    of_line = [r for r in ran if r.candidate.method in line]
    return bool(of_line) and choose(of_line).candidate.method == line[-1]


def gain(record: Record, other: Record) -> tuple[float, float]:
    """What validation gives one candidate over another, over the folds of both, and its error."""
    folds = min(len(record.validation), len(other.validation))
    steady = not (other.resolved(folds) and record.resolved(folds))
    more = record.chosen_by(steady=steady, folds=folds) - other.chosen_by(
        steady=steady, folds=folds
    )
    return float(more.mean()), float(more.std()) / len(more) ** 0.5
