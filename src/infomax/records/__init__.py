"""The frozen results that cross rooms, to and from JSON: what a run folder says, typed.

A number that could not be had is NaN here and ``null`` in a file: a bare NaN is not JSON. Reading
is forgiving about what it does not know (extra keys are ignored: a newer infomax may write more)
and strict about what it does: a wrong type or a missing key is an `InfomaxError` that names it.
All information is in nats; a negative ``weight`` is a term that was minimized.
"""

from infomax.records.files import (
    Number,
    Side,
    Split,
    Status,
    Verdict,
    check_target,
    dumps,
    write_bytes_atomic,
    write_json_atomic,
    write_text_atomic,
    writing,
)
from infomax.records.knowledge import Held, Profile, Shortcut
from infomax.records.metrics import (
    Metric,
    MetricTerm,
    append_metric,
    keep_metrics,
    read_metrics,
)
from infomax.records.results import (
    Probe,
    Representation,
    Results,
    Retrieval,
    Shared,
    Term,
    ZeroShot,
    read_results,
)

__all__ = [
    "Held",
    "Metric",
    "MetricTerm",
    "Number",
    "Probe",
    "Profile",
    "Representation",
    "Results",
    "Retrieval",
    "Shared",
    "Shortcut",
    "Side",
    "Split",
    "Status",
    "Term",
    "Verdict",
    "ZeroShot",
    "append_metric",
    "check_target",
    "dumps",
    "keep_metrics",
    "read_metrics",
    "read_results",
    "write_bytes_atomic",
    "write_json_atomic",
    "write_text_atomic",
    "writing",
]
