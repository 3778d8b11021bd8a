"""The harness all candidates pass: fit on folds, choose on validation, report on test.

A race. Everyone runs the first fold; the one that validation prefers, and the cheap ones it cannot
be told from, run the others; validation over all folds decides. The winner then meets a control:
the same fit to pairs that were torn apart.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence

import numpy as np
from jaxtyping import Float, Int
from torch import Tensor

from infomax.estimation.candidates import Candidate, Part
from infomax.estimation.choice import Record, behind, choose, spared
from infomax.estimation.ratio import hold
from infomax.estimation.splits import Split
from infomax.estimation.warped import Learned

Watch = Callable[[int, int, str], None]
GLANCE = 15_000
"""Test rows on which a candidate that has not won is valued."""
SHORTEST = 0.25
"""Seconds under which a fit is not worth its start."""


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
        self.skipped: list[str] = []

    def run(self, candidates: Sequence[Candidate]) -> tuple[Record, list[Record], Record | None]:
        """Race them; returns (the best, all that ran, the control of the best)."""
        folds = len(self.cut.folds)
        self.total = len(candidates) + folds
        records = self._heat([Record(c) for c in candidates])
        first = choose(records)
        rivals = [
            r
            for r in records
            if r is first or not (r.candidate.dear or behind(r, first))
        ]  # fmt: skip
        self.total = self.done + (folds - 1) * len(rivals) + 2
        for fold in range(1, folds):
            for record in rivals:
                share = (self._left() - self._closing(first, fold)) / (folds - fold + 1)
                cost = record.seconds / len(record.validation)
                if (share if record is first else share / 2) > self._least(record, 1.2 * cost):
                    self._fit(record, fold, share)
        ran = len(first.validation)
        best = choose([r for r in rivals if len(r.validation) == ran])
        self._halve(best)
        self._value(best)
        torn = self._control(best)
        self.watch(self.total, self.total, best.candidate.method)
        return best, records, torn

    def _heat(self, entries: Sequence[Record]) -> list[Record]:
        """Fit the first fold of each, as far as there is time; the first of them always."""
        ran: list[Record] = []
        dearest = 0.0
        for place, record in enumerate(entries):
            stopping = sum(r.candidate.stops for r in entries[place:])
            share = (self._left() - self._closing(record, 1)) / (stopping + len(self.cut.folds))
            if record.candidate.other_scale and spared(ran):
                continue
            growth = 4.0 if record.candidate.dear else 1.5  # the next may cost so much more
            if ran and share < self._least(record, growth * dearest):
                self.skipped.append(record.candidate.method)
                continue
            self._fit(record, 0, share)
            dearest = max(dearest, record.seconds)
            ran.append(record)
        return ran

    def _least(self, record: Record, cost: float) -> float:
        """The share of the time left that a fit needs: those that stop when told need little."""
        return SHORTEST if record.candidate.stops else cost

    def _closing(self, record: Record, folds: int) -> float:
        """Seconds to keep for valuing the winner on its test and training rows."""
        return 0.0 if self.deadline == math.inf else 2 * record.valuing * (folds + 1)

    def _fit(self, record: Record, fold: int, share: float) -> None:
        train, test = self.cut.folds[fold]
        part = self._part(train, self.cut.validation, self.seed + fold, share)
        self._try(record, part, (self.x[test[:GLANCE]], self.y[test[:GLANCE]]))

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
        until = time.perf_counter() + share
        x, y = self.x[train], self.y[of_y]
        return Part(x, y, self.x[hidden], self.y[of_hidden], seed, until)

    def _try(self, record: Record, part: Part, test: tuple[Tensor, Tensor]) -> None:
        begun = time.perf_counter()
        ratio = record.candidate.fit(part)
        on_validation = hold(ratio, part.x_validation, part.y_validation)
        record.fitted.append(ratio)
        record.validation.append(on_validation)
        fitted = time.perf_counter()
        record.test.append(hold(ratio, *test, on_validation.centre))
        record.valuing = time.perf_counter() - fitted
        record.seconds += time.perf_counter() - begun
        if isinstance(ratio, Learned) and not record.curve:
            record.curve = tuple(ratio.curve)
        self.done += 1
        self.watch(self.done, self.total, record.candidate.method)

    def _halve(self, best: Record) -> None:
        """Fit a flexible winner to half the rows of the first fold: what more rows would bring.

        Not where no time would be left for the control.
        """
        train, test = self.cut.folds[0]
        cost = best.seconds / len(best.fitted) + best.valuing
        share = (self._left() - self._closing(best, len(best.fitted))) / 3
        if not best.candidate.flexible or share < self._least(best, 1.2 * cost):
            return
        half = Record(best.candidate)
        part = self._part(train[::2], self.cut.validation, self.seed, share)
        self._try(half, part, (self.x[test[:GLANCE]], self.y[test[:GLANCE]]))
        whole, less = best.test[0], half.test[0]
        believed = whole.resolved and less.resolved
        best.drop = whole.dv - less.dv if believed else float((whole.nce - less.nce).mean())

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

    def _control(self, best: Record) -> Record | None:
        """The winning candidate on torn pairs, rows of y permuted within each part: 0 nats.

        One fold, every step of it as before. None where no time is left for it.
        """
        train, test = self.cut.folds[0]
        cost = best.seconds / len(best.fitted) + best.valuing
        if self._left() < self._least(Record(best.candidate), 1.2 * cost) + best.valuing:
            return None
        partner = np.arange(len(self.x))
        rng = np.random.default_rng(self.seed)
        glanced = test[:GLANCE]
        for rows in (train, glanced, self.cut.validation):
            partner[rows] = rng.permutation(rows)
        torn = Record(best.candidate)
        share = self._left() - 3 * best.valuing
        part = self._part(train, self.cut.validation, self.seed, share, partner)
        self._try(torn, part, (self.x[glanced], self.y[partner[glanced]]))
        seen = train[: len(glanced)]
        torn.train.append(hold(torn.fitted[0], self.x[seen], self.y[partner[seen]]))
        return torn

    def _left(self) -> float:
        return self.deadline - time.perf_counter()
