"""The point estimate and its interval: sampling error, optimism, doubt about the choice."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from infomax.estimation.choice import Record, alike
from infomax.estimation.ratio import Bounded, Held, bounded


def point(
    best: Record, records: Sequence[Record], bound: Bounded, level: float
) -> tuple[float, float, float]:
    """The point estimate and its interval.

    The mean of in-sample and held-out value of Donsker-Varadhan. Where few pairs carry a partition
    function, in sample or held out, one wild pair can pull it below what InfoNCE shows, which no
    such pair can move: the larger of the two stands, for both are bounds from below. Its error:
    that of the held-out rows, and half the correction. Below 2.5 standard errors it is 0, and rises
    to its full value at 4.

    A flexible winner (a mixture, a network) falls short of most dependences by an amount that its
    rows cannot show. The interval reaches up by as much more as one and a half corrections, and as
    what it gained over the next flexible candidate, at most a tenth of the value.

    The choice itself is in doubt: the interval reaches as high as that of the held-out bound of any
    candidate that validation could not tell from the winner.
    """
    held, fitted = _dv(best.test), _dv(best.train)
    spread = _stderr([fold.terms for fold in best.test])
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
    error = math.hypot(spread, correction / 2)
    trust = min(max((bound.nats / max(bound.stderr, 1e-12) - 2.5) / 1.5, 0.0), 1.0)
    two_sided = quantile((1 + level) / 2)
    reach = two_sided * error
    nats = trust * max(value, 0.0)
    above = trust * _shortfall(best, records, abs(correction), nats)
    low = max(nats - reach, 0.0) if trust > 0 else 0.0
    high = max(value, nats, 0.0) + reach + above
    others = [bounded(r.test) for r in records if r is not best and alike(r, best)]
    doubt = [other.nats + two_sided * other.stderr for other in others]
    return nats, low, max([high, *doubt])


def _shortfall(best: Record, records: Sequence[Record], correction: float, nats: float) -> float:
    if not best.candidate.flexible:
        return 0.0
    others = [r.validation[0].dv for r in records if r.candidate.flexible and r is not best]
    gained = max(best.validation[0].dv - max(others, default=-math.inf), 0.0)
    return 1.5 * correction + min(gained, 0.1 * nats)


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
