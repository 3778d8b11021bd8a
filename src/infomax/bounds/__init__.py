"""Bounds of mutual information in nats: pure functions, and the `Bound` objects that edges take."""

from infomax.bounds import tiled
from infomax.bounds.bound import Bound
from infomax.bounds.densities import (
    barber_agakov,
    club,
    difference_of_entropies,
    leave_one_out,
    rate,
    tractable_donsker_varadhan,
    tractable_nce,
    tractable_nwj,
)
from infomax.bounds.jensen_shannon import js, js_signal, js_tight, smile
from infomax.bounds.named import ALL, by_name
from infomax.bounds.of_critics import (
    JS,
    NWJ,
    SMILE,
    TUBA,
    DonskerVaradhan,
    InfoNCE,
    Interpolated,
    SymmetricInfoNCE,
    TightJS,
)
from infomax.bounds.of_densities import (
    CLUB,
    BarberAgakov,
    DifferenceOfEntropies,
    LearnedLeaveOneOut,
    LeaveOneOut,
    Rate,
    TractableDonskerVaradhan,
    TractableNCE,
    TractableNWJ,
)
from infomax.bounds.scores import donsker_varadhan, infonce, interpolated, mine, nwj, tuba

__all__ = [
    "ALL",
    "CLUB",
    "JS",
    "NWJ",
    "SMILE",
    "TUBA",
    "BarberAgakov",
    "Bound",
    "DifferenceOfEntropies",
    "DonskerVaradhan",
    "InfoNCE",
    "Interpolated",
    "LearnedLeaveOneOut",
    "LeaveOneOut",
    "Rate",
    "SymmetricInfoNCE",
    "TightJS",
    "TractableDonskerVaradhan",
    "TractableNCE",
    "TractableNWJ",
    "barber_agakov",
    "by_name",
    "club",
    "difference_of_entropies",
    "donsker_varadhan",
    "infonce",
    "interpolated",
    "js",
    "js_signal",
    "js_tight",
    "leave_one_out",
    "mine",
    "nwj",
    "rate",
    "smile",
    "tiled",
    "tractable_donsker_varadhan",
    "tractable_nce",
    "tractable_nwj",
    "tuba",
]
