"""The bounds of known densities as `Bound` objects; all take the same terms, (log_p, log_r).

A bound that is true only for the true conditional comes twice: `LeaveOneOut` (upper) and, for a
learned q, `LearnedLeaveOneOut` (estimate). CLUB is used with a learned q, so it is an estimate.
"""

from __future__ import annotations

import math
from functools import partial

from torch import Tensor

from infomax._errors import InfomaxError
from infomax.bounds import densities
from infomax.bounds.bound import Bound
from infomax.bounds.matrix import paired
from infomax.bounds.of_critics import Function, minus
from infomax.bounds.scores import Mask, Positives


def _of_conditional(
    value: Function,
    log_p: Tensor,
    log_r: Tensor | None = None,
    *,
    positives: Positives = None,
    mask: Mask = None,
) -> Tensor:
    """Take the terms of a bound that needs log_p alone."""
    return value(log_p, positives=positives, mask=mask)


def _of_pairs(
    value: Function,
    log_p: Tensor,
    log_r: Tensor | None = None,
    *,
    positives: Positives = None,
    mask: Mask = None,
) -> Tensor:
    """Take the terms of a bound that needs the pairs alone: a mask hides only other candidates."""
    if log_r is None:
        raise InfomaxError(
            wanted="log_p of a known conditional and log_r of a model of the marginal",
            got="no log_r",
            fix="give a marginal model r(y), or use LeaveOneOut, which needs none",
        )
    return value(paired(log_p, positives, mask)[1], log_r)


def _recovered(
    log_q: Tensor,
    log_r: Tensor | None = None,
    *,
    entropy: float | None,
    positives: Positives = None,
    mask: Mask = None,
) -> Tensor:
    return densities.barber_agakov(paired(log_q, positives, mask)[1], entropy)


def _log_likelihood(log_q_paired: Tensor, log_r: Tensor) -> Tensor:
    """What fits q and r, each on its own; the estimate is a difference where this is a sum."""
    return densities.rate(log_q_paired, -log_r)


_nce = partial(_of_conditional, densities.tractable_nce)
_leave_one_out = partial(_of_conditional, densities.leave_one_out)
_club = partial(_of_conditional, densities.club)
_rate = partial(_of_pairs, densities.rate)

TractableNCE = Bound(
    name="TractableNCE",
    side="lower",
    needs="densities",
    loss=partial(minus, _nce),
    value=_nce,
    ceiling=math.log,
)
TractableNWJ = Bound(
    name="TractableNWJ",
    side="lower",
    needs="densities",
    loss=partial(minus, densities.tractable_nwj),
    value=densities.tractable_nwj,
)
TractableDonskerVaradhan = Bound(
    name="TractableDonskerVaradhan",
    side="estimate",  # as DonskerVaradhan: lower in the limit only
    needs="densities",
    loss=partial(minus, densities.tractable_donsker_varadhan),
    value=densities.tractable_donsker_varadhan,
)
Rate = Bound(
    name="Rate",
    side="upper",
    needs="densities",
    loss=partial(minus, _rate),
    value=_rate,
    conditional=True,
)
LeaveOneOut = Bound(
    name="LeaveOneOut",
    side="upper",
    needs="densities",
    loss=partial(minus, _leave_one_out),
    value=_leave_one_out,
)
LearnedLeaveOneOut = Bound(
    name="LearnedLeaveOneOut",
    side="estimate",
    needs="densities",
    loss=partial(minus, _leave_one_out),
    value=_leave_one_out,
)
CLUB = Bound(
    name="CLUB", side="estimate", needs="densities", loss=partial(minus, _club), value=_club
)
DifferenceOfEntropies = Bound(
    name="DifferenceOfEntropies",
    side="estimate",
    needs="densities",
    loss=partial(minus, partial(_of_pairs, _log_likelihood)),
    value=partial(_of_pairs, densities.difference_of_entropies),
)


def _barber_agakov(entropy: float | None = None) -> Bound:
    return Bound(
        name="BarberAgakov",
        side="lower",
        needs="densities",
        loss=partial(minus, partial(_recovered, entropy=0.0)),  # a constant trains nothing
        value=partial(_recovered, entropy=entropy),
        settings=(("entropy", entropy),),
        remake=_barber_agakov,
    )


BarberAgakov = _barber_agakov()
