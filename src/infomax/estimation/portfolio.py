"""The harness all candidates pass: fit on folds, choose on validation, report on test.

One set of validation rows is laid aside first, and never tested on; the others are cut into folds,
each of which tests the models fitted to the rest. So every row but the validation ones is tested
once, by a model that has not seen it, and the choice between candidates has seen no test row.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from infomax.estimation.candidates import Candidate, Part
from infomax.estimation.ratio import Held, hold
from infomax.estimation.warped import Learned

Watch = Callable[[int, int, str], None]
MANY = 40_000
"""Rows above which one split serves instead of folds."""
MOST = {"train": 60_000, "validation": 5_000, "test": 50_000}
"""The most rows that each part takes of very large data."""


@dataclass(frozen=True)
class Split:
    """Row numbers: validation, and (train, test) of each fold."""

    validation: Int[np.ndarray, "v"]
    folds: Sequence[tuple[Int[np.ndarray, "_"], Int[np.ndarray, "_"]]]

    @property
    def counts(self) -> dict[str, int]:
        """Rows of one training fold, of validation, of all test folds."""
        return {
            "train": len(self.folds[0][0]),
            "validation": len(self.validation),
            "test": sum(len(test) for _, test in self.folds),
        }


def split(copies: Int[np.ndarray, "n"], seed: int) -> Split:
    """Cut rows into validation and folds, equal copies together; seeded.

    Args:
        copies: a number for each row, the same for exact copies of a row.
        seed: of the order.

    Example:
        >>> cut = split(np.arange(10_000), seed=0)
        >>> len(cut.folds), cut.counts["validation"], cut.counts["test"]
        (4, 1000, 9000)
    """
    n = len(copies)
    rng = np.random.default_rng(seed)
    groups, number = np.unique(copies, return_inverse=True)
    place = rng.permutation(len(groups))[number]  # copies share their place
    rows = np.argsort(place, kind="stable")
    level = place[rows] / len(groups)
    share = 0.1 if n >= 5000 else 0.2
    if n > MANY:
        parts = [rows[level < 0.05], rows[(level >= 0.05) & (level < 0.3)], rows[level >= 0.3]]
        sizes = (MOST["validation"], MOST["test"], MOST["train"])
        validation, test, train = (p[:most] for p, most in zip(parts, sizes, strict=True))
        return Split(validation, [(train, test)])
    validation, rest = rows[level < share], rows[level >= share]
    count = 4 if n >= 2000 else 5
    turn = np.floor((level[level >= share] - share) / (1 - share) * count * (1 - 1e-12)).astype(int)
    return Split(validation, [(rest[turn != k], rest[turn == k]) for k in range(count)])


@dataclass
class Record:
    """What one candidate has shown so far, fold by fold."""

    candidate: Candidate
    validation: list[Held] = field(default_factory=list)
    test: list[Held] = field(default_factory=list)
    train: list[Held] = field(default_factory=list)
    seconds: float = 0.0
    curve: Sequence[tuple[int, float, float]] = ()

    def chosen_by(self, *, steady: bool, folds: int) -> Float[Tensor, " v"]:
        """The validation terms, averaged over the first folds: NWJ's, or InfoNCE's."""
        held = self.validation[:folds]
        return torch.stack([h.nce if steady else h.terms for h in held]).mean(0)

    def resolved(self, folds: int) -> bool:
        """Whether the partition function on validation is resolved in these folds."""
        return all(h.resolved for h in self.validation[:folds])


class Portfolio:
    """Candidates on one split of two variables.

    Args:
        x: rows of x.
        y: the paired rows.
        cut: validation and folds.
        seed: of all fits.
        deadline: `time.perf_counter()` by which to be done; None: work is fixed, and the answer
            with it.
        watch: called with (done, of, words) after each fit.
    """

    def __init__(
        self,
        x: Float[Tensor, "n dx"],
        y: Float[Tensor, "n dy"],
        cut: Split,
        *,
        seed: int,
        deadline: float | None,
        watch: Watch,
    ) -> None:
        self.x, self.y, self.cut, self.seed, self.watch = x, y, cut, seed, watch
        self.deadline = float("inf") if deadline is None else deadline
        self.done = 0
        self.total = 0
        self.skipped: list[str] = []

    def run(self, candidates: Sequence[Candidate]) -> tuple[Record, list[Record]]:
        """Fit them all, the dear ones on one fold until they prove better; returns (best, all)."""
        folds = len(self.cut.folds)
        cheap = [Record(c) for c in candidates if not c.dear]
        dear = [Record(c) for c in candidates if c.dear]
        self.total = folds * (len(cheap) + bool(dear)) + max(len(dear) - 1, 0)
        kept: list[Record] = []
        for record in cheap:
            if kept and self._expected(kept) > self._left() * 0.5:
                self.skipped.append(record.candidate.method)
                self.done += folds
                continue
            for k in range(folds):
                self._fit(record, k, float("inf"))
            kept.append(record)
        best = choose(kept, folds)
        tried = []
        for place, record in enumerate(dear):
            share = self._left() / (len(dear) - place + folds)
            if share < 0.3:
                self.skipped.append(record.candidate.method)
                continue
            self._fit(record, 0, time.perf_counter() + share)
            tried.append(record)
        if tried:
            first = choose(tried, 1)
            if choose([best, first], 1) is first:
                for k in range(1, folds):
                    share = self._left() / (folds - k + 0.5)
                    self._fit(first, k, time.perf_counter() + share)
                best = choose([best, first], folds)
        self.watch(self.total, self.total, best.candidate.method)
        return best, kept + tried

    def _fit(self, record: Record, fold: int, until: float) -> None:
        train, test = self.cut.folds[fold]
        hidden = self.cut.validation
        begun = time.perf_counter()
        x, y = self.x[train], self.y[train]
        x_v, y_v = self.x[hidden], self.y[hidden]
        ratio = record.candidate.fit(Part(x, y, x_v, y_v, self.seed + fold, until))
        on_validation = hold(ratio, x_v, y_v)
        record.validation.append(on_validation)
        record.test.append(hold(ratio, self.x[test], self.y[test], on_validation.centre))
        seen = self._seen(fold)
        record.train.append(hold(ratio, self.x[seen], self.y[seen]))
        record.seconds += time.perf_counter() - begun
        if isinstance(ratio, Learned) and not record.curve:
            record.curve = tuple(ratio.curve)
        self.done += 1
        self.watch(self.done, self.total, record.candidate.method)

    def _seen(self, fold: int) -> Int[np.ndarray, "n"]:
        """Training rows of a fold to value its model on: those that the next fold tests.

        Over all folds they are the same rows as the test rows, so that their sampling error is
        the same, and the difference of the two values is optimism alone.
        """
        folds = self.cut.folds
        if len(folds) > 1:
            return folds[(fold + 1) % len(folds)][1]
        return folds[0][0][: len(folds[0][1])]

    def _left(self) -> float:
        return self.deadline - time.perf_counter()

    @staticmethod
    def _expected(kept: Sequence[Record]) -> float:
        return 2 * max(record.seconds for record in kept)


def choose(records: Sequence[Record], folds: int) -> Record:
    """The simplest candidate that validation cannot tell from the best (one standard error).

    They are compared row by row, so that the error is of the difference; on InfoNCE, which is
    always steady, where a partition function is not resolved.
    """
    best = records[0]
    for record in records[1:]:
        steady = not (best.resolved(folds) and record.resolved(folds))
        more = record.chosen_by(steady=steady, folds=folds) - best.chosen_by(
            steady=steady, folds=folds
        )
        if more.mean() > more.std() / len(more) ** 0.5:
            best = record
    return best
