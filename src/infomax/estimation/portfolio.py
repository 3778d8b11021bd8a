"""The harness all candidates pass: fit on folds, choose on validation, report on test.

A race. Everyone runs the first fold; the one that validation prefers (or its mean with another, if
that is better), and the cheap ones it cannot be told from, run the others; validation over
all folds decides. The winner also meets a control: the same fit to pairs that were torn apart.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from itertools import groupby

import numpy as np
from jaxtyping import Float, Int
from torch import Tensor

from infomax.estimation.choice import Candidate, Record, behind, choose
from infomax.estimation.ensemble import ensemble, join, rivals
from infomax.estimation.learned import Learned, Lesson, learn
from infomax.estimation.ratio import Ratio, hold
from infomax.estimation.splits import Part, Split

Watch = Callable[[int, int, str], None]
GLANCE = 15_000
"""Test rows on which a candidate that has not won is valued."""
SHORTEST = 0.25
"""Seconds under which a fit is not worth its start."""


@dataclass(frozen=True)
class Job:
    """A candidate to fit: what it is noted on, the rows to fit to, and the rows to test on."""

    record: Record
    part: Part
    test: Int[np.ndarray, " t"]
    partner: Int[np.ndarray, " n"] | None = None  # row i of x goes with row partner[i] of y


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
        self.deadline = math.inf if deadline is None else deadline
        self.done = 0
        self.total = 0
        self.ran: list[Record] = []
        self.skipped: list[str] = []

    def run(self, candidates: Sequence[Candidate]) -> tuple[Record, list[Record], Record | None]:
        """Race them; returns (the best, all that ran, the control of the best)."""
        folds = len(self.cut.folds)
        self.total = len(candidates) + folds
        records = self._heat([Record(c) for c in candidates])
        first = self._joined(choose(records), records)
        others = [
            r
            for r in records
            if r is not first and not (r.candidate.dear or behind(r, first))
        ]  # fmt: skip
        self.total = self.done + (folds - 1) * (len(others) + 1) + 2
        torn = self._finish(first)
        for record in others:
            share = (self._left() - self._closing(first, folds)) / 2
            more = self._afford(record, share, len(first.validation) - 1)
            self._try(self._jobs(record, range(1, 1 + more), share))
        ran = len(first.validation)
        best = choose([r for r in (first, *others) if len(r.validation) == ran])
        if best is not first:
            self.total += 2
            torn = self._finish(best)
        self._value(best)
        self.watch(self.total, self.total, best.candidate.method)
        return best, records, torn

    def _heat(self, entries: Sequence[Record]) -> list[Record]:
        """Fit the first fold of each, as far as there is time; the first of them always.

        Those that seem too dear are asked again at the end: what stops when told may have left more
        than its share.
        """
        late = self._lap(self._lap(entries))
        self.skipped = [record.candidate.method for record in late]
        return [record for record in entries if record.validation]

    def _lap(self, entries: Sequence[Record]) -> list[Record]:
        """Fit the first fold of those that time allows; returns those that it does not."""
        late: list[Record] = []
        waiting = sum(r.candidate.stops for r in entries)
        for some in _rounds(entries):
            one, ran = some[0], self.ran
            slots = waiting + len(self.cut.folds)
            waiting -= sum(r.candidate.stops for r in some)
            if one.candidate.after in [record.candidate.method for record in late]:
                late += some
                continue
            if one.candidate.spare(ran):
                continue
            if one.candidate.needs:
                import_module(one.candidate.needs)
            left = self._left() - (self._closing(choose(ran), 1) if ran else 0.0)
            share = left / slots * len(some)
            dear = one.candidate.dear or one.candidate.stops
            if ran and (share if dear else left / 2) < self._expected(one):
                late += some
                continue
            self._try([job for record in some for job in self._jobs(record, range(1), share)])
            self.ran += some
        return late

    def _expected(self, record: Record) -> float:
        """The most that fitting one fold is expected to cost, by what others have.

        Four times what a smaller one of its kind has cost; if it is the first of a dear kind, of
        what any first one has. Those that stop when told need little.
        """
        if record.candidate.stops:
            return SHORTEST
        before = record.candidate.after
        known = [
            r.seconds
            for r in self.ran
            if not r.candidate.stops and before in (r.candidate.method, r.candidate.after)
        ]
        return (4.0 if before or record.candidate.dear else 1.5) * max(known, default=0.0)

    def _joined(self, winner: Record, ran: list[Record]) -> Record:
        """The winner, or its mean with another, if all fits of that can be afforded; it ran too."""
        fits = len(self.cut.folds) + 1  # folds and doubts, less the first
        means = [join(winner, rival) for rival in rivals(winner, ran)]
        within = [mean for mean in means if self._afford(mean, self._left(), fits) == fits]
        if len(within) < len(means):
            self.skipped.append("means of two")
        (job,) = self._jobs(winner, range(1), math.inf)
        joined = ensemble(winner, within, job.part)
        if joined is None:
            return winner
        self._test(joined, joined.fitted[0], job)
        ran.append(joined)
        return joined

    def _finish(self, best: Record) -> Record | None:
        """Fit the winner to the folds that it has not seen, to torn pairs, and to half the rows.

        All at once, which keeps every core at work. Torn pairs, rows of y permuted within each
        part, are a control: 0 nats, every step as before. Half the rows of the first fold say what
        more rows would bring. Returns the control; None where no time is left for it.
        """
        folds = len(self.cut.folds)
        fits = self._afford(best, self._left(), folds + 1)
        valuing = self._closing(best, fits + 1) + 2 * best.valuing * fits
        share = (self._left() - valuing) * (folds + 1) / (folds + 2)
        torn, half = Record(best.candidate), Record(best.candidate)
        train, test = self.cut.folds[0]
        glanced, hidden = test[:GLANCE], self.cut.validation
        partner = np.arange(len(self.x))
        rng = np.random.default_rng(self.seed)
        for rows in (train, glanced, hidden):
            partner[rows] = rng.permutation(rows)
        doubts = [
            Job(torn, self._part(train, hidden, self.seed, share, partner), glanced, partner),
            Job(half, self._part(train[::2], hidden, self.seed, share), glanced),
        ]
        others = self._jobs(best, range(len(best.validation), folds), share)
        jobs = [*others[:1], *doubts, *others[1:]]  # what matters most if there is little time
        self._try(jobs[:fits])
        if half.test:
            whole, less = best.test[0], half.test[0]
            believed = whole.resolved and less.resolved
            worth = [h.dv if believed else float(h.nce.mean()) for h in (whole, less)]
            best.drop = worth[0] - max(worth[1], 0.0)  # less than nothing: nothing was found
        if not torn.fitted:
            return None
        seen = train[: len(glanced)]
        torn.train.append(hold(torn.fitted[0], self.x[seen], self.y[partner[seen]]))
        return torn

    def _afford(self, record: Record, left: float, fits: int) -> int:
        """For how many more fits of a candidate, each valued in the end, these seconds suffice."""
        fit = 1.2 * record.seconds / max(len(record.validation), 1)
        if record.candidate.stops:
            fit = SHORTEST + 2 * record.valuing
        valuing = self._closing(record, 1)  # of each fit, and of the one that there is
        return int(max(min((left - valuing) / max(fit + valuing, 1e-9), fits), 0))

    def _closing(self, record: Record, folds: int) -> float:
        """Seconds to keep for valuing so many folds: on training rows, and on more test rows."""
        glanced = len(self.cut.folds[0][1]) > GLANCE
        return (2 if glanced else 1) * record.valuing * folds

    def _jobs(self, record: Record, folds: Sequence[int], share: float) -> list[Job]:
        """A candidate to fit to some folds."""
        cuts = [(fold, *self.cut.folds[fold]) for fold in folds]
        return [
            Job(
                record,
                self._part(train, self.cut.validation, self.seed + fold, share),
                test[:GLANCE],
            )
            for fold, train, test in cuts
        ]

    def _part(
        self,
        train: Int[np.ndarray, " t"],
        hidden: Int[np.ndarray, " v"],
        seed: int,
        share: float,
        partner: Int[np.ndarray, " n"] | None = None,
    ) -> Part:
        """Rows to fit to; with `partner`, row i of x goes with row partner[i] of y."""
        of_y, of_hidden = (train, hidden) if partner is None else (partner[train], partner[hidden])
        x, y = self.x[train], self.y[of_y]
        return Part(x, y, self.x[hidden], self.y[of_hidden], seed, share)

    def _try(self, jobs: Sequence[Job]) -> None:
        """Fit candidates to parts, all at once, and note each on the record it is for."""
        if not jobs:
            return
        begun = time.perf_counter()
        fits, parts = [job.record.candidate.fit for job in jobs], [job.part for job in jobs]
        lessons = [fit for fit in fits if isinstance(fit, Lesson)]
        ratios = learn(lessons, parts) if lessons else fits[0](parts)
        fitting = (time.perf_counter() - begun) / len(jobs)
        for job, ratio in zip(jobs, ratios, strict=True):
            record, part, fitted = job.record, job.part, time.perf_counter()
            record.fitted.append(ratio)
            record.validation.append(hold(ratio, part.x_validation, part.y_validation))
            self._test(record, ratio, job)
            record.seconds += fitting + time.perf_counter() - fitted
            if isinstance(ratio, Learned) and not record.curve:
                record.curve = tuple(ratio.curve)
            self.done += 1
            self.watch(self.done, self.total, record.candidate.method)

    def _test(self, record: Record, ratio: Ratio, job: Job) -> None:
        """Value what validation has seen last on the rows to test on, and keep the time."""
        begun, centre = time.perf_counter(), record.validation[-1].centre
        of_y = job.test if job.partner is None else job.partner[job.test]
        record.test.append(hold(ratio, self.x[job.test], self.y[of_y], centre))
        record.valuing = time.perf_counter() - begun

    def _value(self, best: Record) -> None:
        """Value the winner on all test rows, and on as many training rows.

        The training rows of a fold are those that the next fold tests: over all folds they are the
        same rows as the test rows, so that their sampling error is the same, and the difference of
        the two values is optimism alone.
        """
        folds = self.cut.folds[: len(best.fitted)]
        for k, (ratio, (train, test)) in enumerate(zip(best.fitted, folds, strict=True)):
            rows = len(test)
            if rows > GLANCE:
                afford = GLANCE * 0.3 * max(self._left(), 0.0) / max(best.valuing, 1e-9)
                rows = max(GLANCE, int(min(afford, rows)))
                centre = best.validation[k].centre
                best.test[k] = hold(ratio, self.x[test[:rows]], self.y[test[:rows]], centre)
            more = len(self.cut.folds) > 1
            seen = self.cut.folds[(k + 1) % len(self.cut.folds)][1] if more else train
            best.train.append(hold(ratio, self.x[seen[:rows]], self.y[seen[:rows]]))

    def _left(self) -> float:
        return self.deadline - time.perf_counter()


def _rounds(entries: Sequence[Record]) -> Iterator[list[Record]]:
    """Those that learn and follow each other are one round, as they can be taught at once."""
    for learns, some in groupby(entries, lambda r: isinstance(r.candidate.fit, Lesson)):
        if learns:
            yield list(some)
        else:
            yield from ([one] for one in some)
