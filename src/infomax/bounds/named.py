"""All bounds in the order of the table, and the one of a given name."""

from __future__ import annotations

from infomax._errors import InfomaxError
from infomax.bounds import of_critics as c
from infomax.bounds import of_densities as d
from infomax.bounds.bound import Bound

ALL: tuple[Bound, ...] = (
    *(d.BarberAgakov, c.NWJ, c.DonskerVaradhan, c.TUBA, c.InfoNCE, c.SymmetricInfoNCE),
    *(c.Interpolated, c.JS, c.TightJS, c.SMILE, d.TractableNCE, d.LeaveOneOut, d.Rate),
    *(d.TractableDonskerVaradhan, d.TractableNWJ, d.CLUB, d.LearnedLeaveOneOut),
    d.DifferenceOfEntropies,
)


def by_name(name: str) -> Bound:
    """Find a bound by its name, however that is written: InfoNCE, infonce, donsker_varadhan.

    Errors: InfomaxError, listing the names, if there is none.

    Example:
        >>> by_name("donsker_varadhan").name
        'DonskerVaradhan'
    """
    plain = name.replace("_", "").replace("-", "").lower()
    for bound in ALL:
        if bound.name.lower() == plain:
            return bound
    raise InfomaxError(
        wanted="the name of a bound: " + ", ".join(bound.name for bound in ALL),
        got=repr(name),
        fix="choose one of these",
    )
