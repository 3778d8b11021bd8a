"""`estimate(x, y)`: a number a scientist can defend, with what may be claimed about it."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

import numpy as np
from torch import Tensor

from infomax._errors import InfomaxError
from infomax.estimation import inputs
from infomax.estimation.candidates import FEWEST, continuous, discrete
from infomax.estimation.choice import Record
from infomax.estimation.classes import upper_limit
from infomax.estimation.conditional import alone, conditional
from infomax.estimation.copies import copies
from infomax.estimation.inputs import Discrete, Variable
from infomax.estimation.interval import point, quantile
from infomax.estimation.known import bracket
from infomax.estimation.neighbours import neighbours
from infomax.estimation.portfolio import Portfolio, Watch
from infomax.estimation.ratio import Bounded, bounded
from infomax.estimation.result import Control, Estimate, Tried
from infomax.estimation.splits import MANY, split
from infomax.posteriors import Density
from infomax.records import Verdict

CROWDED = 3
"""Training rows for each column under which a value is said to be low."""
THOROUGH = 60.0
"""Seconds of budget from which the slow candidates are tried too."""


def estimate(
    x: object,
    y: object,
    *,
    given: object = None,
    posterior: Callable[[Tensor], Density] | None = None,
    discrete: Discrete = "auto",
    level: float = 0.95,
    seed: int = 0,
    budget: float | None = None,
    max_dropped: float = 0.1,
    progress: Watch = lambda done, total, words: None,
) -> Estimate:
    """Estimate I(X; Y) in nats, with an interval, a held-out lower bound and what it rests on.

        I(X; Y) = E_p[log p(x, y) / (p(x) p(y))]

    A portfolio of log-ratios (Gaussian, Student-t and mixture copulas, clusters; learned critics;
    boosted trees; classifiers and tables for discrete variables) is fitted by cross-fitting.
    Validation rows choose; test rows report. `nats` is the mean of the winner's in-sample and
    held-out value, whose errors are about opposite; `lower_bound` is held-out only.

    Args:
        x: [n, dx] numbers or classes: NumPy, torch, pandas or polars.
        y: [n, dy], paired with x row by row.
        given: [n, dz]; I(X; Y | Z) = I(X; (Y, Z)) - I(X; Z) is estimated instead.
        posterior: x -> the known density p(y | x) (see `infomax.posteriors`): bounds on both sides.
        discrete: which of the two hold classes; "auto": strings, booleans and few integers.
        level: confidence of the interval, and of the one-sided limits.
        seed: the same seed gives the same answer, and the global random state is left alone.
        budget: seconds to take, about; by default the work is fixed instead.
        max_dropped: share of rows that may be dropped for NaN or infinity.
        progress: called with (done, of, words).

    Raises:
        InfomaxError: unpaired, unreadable, constant or too few rows, or too many not finite.

    Source: bounds: Nguyen et al. 2010 (arXiv 0809.0853), van den Oord et al. 2018 (1807.03748);
    what cannot be known: McAllester & Stratos 2020 (1811.04251).

    Example:
        >>> import numpy as np
        >>> rng = np.random.default_rng(0)
        >>> x = rng.normal(size=(1000, 2))
        >>> found = estimate(x, rng.normal(size=(1000, 2)))
        >>> found.nats < 0.05, found.interval[0]
        (True, 0.0)
    """
    inputs.settings(
        level=level, seed=seed, budget=budget, max_dropped=max_dropped, discrete=discrete
    )
    if given is not None:
        alone(discrete, posterior)
        return conditional(
            estimate, x, y, given, level=level, seed=seed, budget=budget,
            max_dropped=max_dropped, progress=progress,
        )  # fmt: skip
    begun = time.perf_counter()
    columns_x, columns_y, notes = inputs.paired(x, y, max_dropped=max_dropped)
    said = {"auto": (None, None), "x": (True, False), "y": (False, True)}
    of_x, of_y = said.get(discrete, (discrete == "both",) * 2)
    if posterior is not None:  # it is a function of the numbers as they are
        rows = inputs.numbers(columns_x, "x"), inputs.numbers(columns_y, "y")
        return bracket(
            *rows, posterior, level, quantile(level), quantile((1 + level) / 2), seed, notes
        )
    a = inputs.variable(columns_x, "x", of_x)
    b = inputs.variable(columns_y, "y", of_y)
    notes += [*a.notes, *b.notes]
    deadline = None if budget is None else begun + budget
    return _portfolio(a, b, level, seed, deadline, budget, notes, progress)


def _portfolio(
    a: Variable,
    b: Variable,
    level: float,
    seed: int,
    deadline: float | None,
    budget: float | None,
    notes: list[str],
    watch: Watch,
) -> Estimate:
    n = len(a.rows)
    numbers, repeated = np.arange(n), 0
    if not (a.classes and b.classes):
        numbers, repeated = copies(a.rows, b.rows)
    if repeated:
        notes.append(
            f"{repeated} rows are exact copies of others; copies are kept on one side of every "
            "split, but they are no new evidence, so intervals are too narrow."
        )
    if n - repeated < inputs.FEWEST:
        raise InfomaxError(
            wanted=f"{inputs.FEWEST} different pairs or more",
            got=f"{n - repeated}; the other {repeated} are exact copies of them",
            fix="give more samples",
        )
    after = inputs.follows(a.rows), inputs.follows(b.rows)
    if min(after) > max(0.1, 4 / math.sqrt(n)):
        notes.append(
            f"Rows are like the row before them, in x ({after[0]:.2f}) and in y ({after[1]:.2f}). "
            "Of series and of repeated measurements interval and limit are too narrow, and what "
            "one subject shares with itself counts: take rows far apart, or one of each. (Rows "
            "that are only sorted do no harm.)"
        )
    cut = split(numbers, seed)
    first = cut.folds[0][0]
    rows = len(first)
    if a.classes or b.classes:
        list_of = discrete(x=a.classes, y=b.classes)
    else:
        thorough = budget is not None and budget >= THOROUGH
        list_of = continuous(a.rows[first], b.rows[first], thorough=thorough)
        if rows < FEWEST:
            notes.append(f"{rows} training rows: too few for networks, so none was tried.")
        if rows < CROWDED * (a.rows.shape[1] + b.rows.shape[1]):
            notes.append(
                f"Fewer than {CROWDED} training rows a column: every model is shrunk towards no "
                "dependence, so the value is low, and the interval may end below the truth."
            )
    folds = Portfolio(a.rows, b.rows, cut, seed=seed, deadline=deadline, watch=watch)
    best, records, torn = folds.run(list_of)
    notes += best.fitted[0].notes
    if folds.skipped:
        notes.append(f"Out of budget, not tried: {', '.join(folds.skipped)}.")
    tried = [told for record in records for told in _tried(record)]
    singly = np.unique(numbers, return_index=True)[1]  # a copy is its own nearest neighbour
    second = [] if a.classes or b.classes else neighbours(a.rows[singly], b.rows[singly], seed=seed)
    opinion = second[0].test_nats if second else None
    tried += second
    samples = {**cut.counts, "test": sum(len(fold.positive) for fold in best.test)}
    if n > MANY:
        notes.append(
            f"Of {n:,} rows {sum(samples.values()):,} were used, in one split, "
            f"{samples['train']:,} to fit: closed forms see these, networks batches of them."
        )
    one_sided = quantile(level)
    bound = bounded(best.test)
    nats, low, high = point(best, records, bound, level, opinion)
    upper = upper_limit(a.codes, b.codes, one_sided)
    if upper is not None:
        nats, high, low = min(nats, upper), min(high, upper), min(low, upper)
        notes.append(f"Discrete: never above the smaller entropy, at most {upper:.3f} nats.")
    limit = min(bound.nats - one_sided * bound.stderr, nats)
    verdict = _verdict(bound, max(nats, bound.nats), samples["test"], notes)
    control = None if torn is None else _control(torn, level)
    if control is not None and control.interval[0] > 0:
        notes.append(
            f"The control fails: on torn pairs, where there is nothing, {best.candidate.method} "
            f"reports {control.nats:.3f} nats. Do not believe the value."
        )
        verdict = "overfitted" if verdict == "ok" else verdict
    if torn is None:
        notes.append("Out of budget: the control on torn pairs was not run.")
    if low <= 0:
        notes.append("Not distinguishable from 0: no candidate finds dependence beyond its error.")
    return Estimate(
        nats=nats,
        interval=(low, high),
        level=level,
        lower_bound=bound.nats,
        lower_limit=limit,
        upper_limit=upper,
        method=best.candidate.method,
        ceiling=bound.ceiling,
        verdict=verdict,
        samples=samples,
        candidates=tried,
        control=control,
        notes=notes,
    )


def _control(torn: Record, level: float) -> Control:
    bound = bounded(torn.test)
    nats, low, high = point(torn, [torn], bound, level)
    return Control(nats=nats, interval=(low, high), lower_bound=bound.nats)


def _tried(record: Record) -> list[Tried]:
    """What a candidate says: its lower bound, and what a normalized model estimates beside it."""
    bound = bounded(record.test)
    folds = len(record.validation)
    told = Tried(
        method=record.candidate.method,
        side="lower",
        validation_nats=record.worth,
        test_nats=bound.nats,
        seconds=record.seconds,
        stderr=bound.stderr,
        curve=record.curve,
    )
    if record.candidate.entropies is None:
        return [told]
    means = [sum(fold.mean for fold in held) / folds for held in (record.validation, record.test)]
    beside = Tried(
        method=record.candidate.entropies,
        side="estimate",
        validation_nats=means[0],
        test_nats=means[1],
        seconds=0.0,
    )
    return [told, beside]


def _verdict(bound: Bounded, nats: float, test: int, notes: list[str]) -> Verdict:
    """Judge the bound, and say in words what its size forbids to claim."""
    near = nats > math.log(test) - 2
    if near or not bound.resolved:
        notes.append(
            f"From samples alone no distribution-free lower bound with high confidence exceeds "
            f"about ln N = {math.log(test):.2f} nats (McAllester & Stratos 2020): `nats` beyond "
            "`lower_limit` rests on the model."
        )
    if bound.resolved:
        return "ok"
    notes.append(
        "Too few pairs carry the partition function, so the lower bound is InfoNCE's, with a "
        f"ceiling of {bound.ceiling:.2f} nats."
    )
    assert bound.ceiling is not None
    return "saturated" if bound.nats > bound.ceiling - 0.5 else "high-variance"
