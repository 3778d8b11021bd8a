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

from infomax.estimation.choice import Candidate, Record, behind, choose, spared
from infomax.estimation.learned import Learned
from infomax.estimation.ratio import hold
from infomax.estimation.splits import Part, Split

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
        for record in sorted(rivals, key=lambda r: r is not first):
            spare = (self._left() - self._closing(first, folds)) * folds / (folds + 2)
            part = spare if record is first else spare / 2
            wanted = folds - 1 if record is first else len(first.validation) - 1
            more = self._afford(record, part, wanted)
            self._fit(record, range(1, 1 + more), spare)
        ran = len(first.validation)
        best = choose([r for r in rivals if len(r.validation) == ran])
        torn = self._doubt(best)
        self._value(best)
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
            self._fit(record, range(1), share)
            dearest = max(dearest, record.seconds)
            ran.append(record)
        return ran

    def _least(self, record: Record, cost: float) -> float:
        """The share of the time left that a fit needs: those that stop when told need little."""
        return SHORTEST if record.candidate.stops else cost

    def _afford(self, record: Record, share: float, folds: int) -> int:
        """How many of so many more folds a candidate can be fitted to in these seconds."""
        if record.candidate.stops:
            return folds if share > SHORTEST else 0
        cost = 1.2 * record.seconds / len(record.validation)
        return int(max(min(share / max(cost, 1e-9), folds), 0))

    def _closing(self, record: Record, folds: int) -> float:
        """Seconds to keep for valuing the winner on its test and training rows."""
        return 0.0 if self.deadline == math.inf else 2 * record.valuing * (folds + 1)

    def _fit(self, record: Record, folds: Sequence[int], share: float) -> None:
        """Fit a candidate to some folds, all at once."""
        cuts = [self.cut.folds[fold] for fold in folds]
        parts = [
            self._part(train, self.cut.validation, self.seed + fold, share)
            for fold, (train, _) in zip(folds, cuts, strict=True)
        ]
        tests = [(self.x[test[:GLANCE]], self.y[test[:GLANCE]]) for _, test in cuts]
        self._try([record] * len(parts), parts, tests)

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

    def _try(
        self,
        records: Sequence[Record],
        parts: Sequence[Part],
        tests: Sequence[tuple[Tensor, Tensor]],
    ) -> None:
        """Fit a candidate to parts, all at once, and note each on the record it is for."""
        if not parts:
            return
        begun = time.perf_counter()
        candidate = records[0].candidate
        ratios = candidate.fit(parts)
        fitting = (time.perf_counter() - begun) / len(parts)
        for record, ratio, part, test in zip(records, ratios, parts, tests, strict=True):
            fitted = time.perf_counter()
            on_validation = hold(ratio, part.x_validation, part.y_validation)
            record.fitted.append(ratio)
            record.validation.append(on_validation)
            chosen = time.perf_counter()
            record.test.append(hold(ratio, *test, on_validation.centre))
            record.valuing = time.perf_counter() - chosen
            record.seconds += fitting + time.perf_counter() - fitted
            if isinstance(ratio, Learned) and not record.curve:
                record.curve = tuple(ratio.curve)
            self.done += 1
            self.watch(self.done, self.total, candidate.method)

    def _doubt(self, best: Record) -> Record | None:
        """Fit the winner twice more, at once: to torn pairs, and to half the rows.

        Torn pairs, rows of y permuted within each part, are a control: 0 nats, every step as
        before. Half the rows of the first fold say what more rows would bring. Returns the control;
        None where no time is left for it.
        """
        train, test = self.cut.folds[0]
        share = (self._left() - self._closing(best, len(best.fitted))) / 2
        more = self._afford(best, share, 2)
        if not more:
            return None
        glanced = test[:GLANCE]
        partner = np.arange(len(self.x))
        rng = np.random.default_rng(self.seed)
        for rows in (train, glanced, self.cut.validation):
            partner[rows] = rng.permutation(rows)
        torn, half = Record(best.candidate), Record(best.candidate)
        hidden = self.cut.validation
        parts = [
            self._part(train, hidden, self.seed, share, partner),
            self._part(train[::2], hidden, self.seed, share),
        ]
        of_y = (partner[glanced], glanced)
        tests = [(self.x[glanced], self.y[rows]) for rows in of_y]
        self._try([torn, half][:more], parts[:more], tests[:more])
        seen = train[: len(glanced)]
        torn.train.append(hold(torn.fitted[0], self.x[seen], self.y[partner[seen]]))
        if half.test:
            whole, less = best.test[0], half.test[0]
            believed = whole.resolved and less.resolved
            best.drop = whole.dv - less.dv if believed else float((whole.nce - less.nce).mean())
        return torn

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
