"""The point estimate and its interval: sampling error, optimism, doubt about the choice."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from infomax.estimation.choice import Record, alike
from infomax.estimation.ratio import Bounded, Held


def point(
    best: Record,
    records: Sequence[Record],
    bound: Bounded,
    level: float,
    second: float | None = None,
) -> tuple[float, float, float]:
    """The point estimate and its interval.

    The mean of in-sample and held-out value of Donsker-Varadhan. Where few pairs carry a partition
    function, in sample or held out, one wild pair can pull it below what InfoNCE shows, which no
    such pair can move: the larger of the two stands, for both are bounds from below. Below 2.5
    standard errors it is 0, and rises to its full value at 4.

    The error is that of the held-out rows, with half the correction below and the whole above: a
    model with many parameters for its rows errs low. What more rows would bring, `_shortfall`, has
    its place above, too: a network falls short of most dependences, and a Gaussian is shrunk. So
    has a second opinion above the value.

    The choice itself is in doubt: the interval reaches as high as that of any candidate that
    validation could not tell from the winner, by what test gives it over the winner row by row.

    Args:
        best: the winner.
        records: all that ran.
        bound: the winner's lower bound.
        level: confidence.
        second: nats that an estimator outside the race gives, if there is one.
    """
    held, fitted = _dv(best.test), _dv(best.train)
    spread = _stderr([_dv_terms(fold) for fold in best.test])
    if not bound.resolved:
        pairs = sum(fold.effective for fold in best.test)
        spread = math.hypot(_stderr([fold.positive for fold in best.test]), pairs**-0.5)
    if not all(fold.resolved for fold in (*best.test, *best.train)):
        steady = [
            float(torch.cat([f.nce for f in part]).mean()) for part in (best.test, best.train)
        ]
        if sum(steady) > held + fitted:
            held, fitted = steady
            spread = _stderr([fold.nce for fold in best.test])
    correction = (fitted - held) / 2
    value = held + correction
    trust = min(max((bound.nats / max(bound.stderr, 1e-12) - 2.5) / 1.5, 0.0), 1.0)
    nats = trust * max(value, 0.0)
    two_sided = quantile((1 + level) / 2)
    below, above = (two_sided * math.hypot(spread, part * correction) for part in (0.5, 1.0))
    low = max(nats - below, 0.0) if trust > 0 else 0.0
    tops = [max(value, nats, 0.0) + above]
    if trust > 0:
        tops.append(held + _shortfall(best, abs(correction)) + below)
    if second is not None:
        tops.append(second + below)
    for other in records:
        if other is not best and alike(other, best):
            more, error = _ahead(other, best)
            tops.append(held + more + math.hypot(two_sided * error, below))
    return nats, low, max(tops)


def _ahead(other: Record, best: Record) -> tuple[float, float]:
    """What test gives a candidate over the winner, on the rows that both have seen; its error."""
    pairs = list(zip(other.test, best.test, strict=False))
    steady = not all(a.resolved and b.resolved for a, b in pairs)
    more = []
    for a, b in pairs:
        rows = min(len(a.positive), len(b.positive))
        ours, theirs = ((h.nce if steady else _dv_terms(h))[:rows] for h in (b, a))
        more.append(theirs - ours)
    return float(torch.cat(more).mean()), _stderr(more)


def _dv_terms(held: Held) -> Tensor:
    """Terms whose mean is Donsker-Varadhan: unlike NWJ's, no partition can blow them up."""
    shown = held.mass / max(held.partition, 1e-300)
    return held.positive - held.log_partition - 2 * (shown - 1)


def _shortfall(best: Record, correction: float) -> float:
    """What the winner may lack held out, from what half the rows cost it.

    Held-out nats of n rows are I - c n^(-1/2), the slow rate of a model that has no shape given:
    then they lack 1/(√2 - 1) times what they gain between n/2 and n. At the quick rate 1/n of a
    model with a shape that gain equals the correction, which stands for it where it is larger or
    alone: between two sizes learning may stand still.
    """
    gain = max(correction, best.drop or 0.0)
    return gain / (math.sqrt(2) - 1)


def _stderr(parts: Sequence[Tensor]) -> float:
    terms = torch.cat(list(parts))
    return float(terms.std()) / math.sqrt(len(terms))


def _dv(folds: Sequence[Held]) -> float:
    return sum(fold.dv * len(fold.positive) for fold in folds) / sum(
        len(fold.positive) for fold in folds
    )


def quantile(level: float) -> float:
    """Give the one-sided quantile of the normal distribution."""
    return math.sqrt(2) * float(torch.erfinv(torch.tensor(2 * level - 1, dtype=torch.float64)))
