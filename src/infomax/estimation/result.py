"""What an estimate says: a frozen record, the same in Python, in JSON and on the command line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field

from infomax.records import Side, Verdict

KEYS = (
    "nats",
    "interval",
    "level",
    "lower_bound",
    "lower_limit",
    "upper_limit",
    "method",
    "ceiling",
    "verdict",
    "samples",
    "candidates",
    "control",
    "notes",
)


@dataclass(frozen=True, kw_only=True)
class Tried:
    """One candidate: what it showed on validation (which chose) and on test (which reports)."""

    method: str
    side: Side
    validation_nats: float | None
    test_nats: float | None
    seconds: float
    stderr: float | None = None  # of test_nats
    curve: Sequence[tuple[int, float, float]] = ()  # step, training nats, validation nats


@dataclass(frozen=True, kw_only=True)
class Control:
    """What the winning candidate reports on torn pairs, where the truth is 0 nats."""

    nats: float
    interval: tuple[float, float]
    lower_bound: float


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """How much two variables tell about each other, in nats, and what may be claimed about it.

    Args:
        nats: the best point estimate: corrected for the optimism of fitting, so not a bound.
        interval: two-sided, around `nats`, at `level`.
        level: the confidence of `interval`, and of the one-sided `lower_limit`.
        lower_bound: held-out value of the winning lower bound; None where there is none (a
            conditional information is a difference of two).
        lower_limit: one-sided confidence limit of `lower_bound`.
        upper_limit: a limit from above if one can be certified (known conditional, discrete).
        method: the candidate that validation chose.
        ceiling: the most the reported lower bound could have shown, if it has a ceiling.
        verdict: "ok", "high-variance" (the partition function is not resolved), "saturated", or
            "overfitted" (the control finds information where there is none).
        samples: rows of one training fold, of validation, and of all test folds.
        candidates: what the others said.
        control: the winner, fitted anew to torn pairs and reported likewise; None where it does
            not apply (a difference, a known conditional) or no time was left.
        notes: what can and cannot be claimed, in plain words.

    Example:
        >>> import numpy as np
        >>> from infomax import estimate
        >>> x = np.random.default_rng(0).normal(size=(500, 1))
        >>> found = estimate(x, x + np.random.default_rng(1).normal(size=(500, 1)))
        >>> found.interval[0] < 0.3466 < found.interval[1], found.lower_limit < 0.3466
        (True, True)
    """

    nats: float
    interval: tuple[float, float]
    level: float = 0.95
    lower_bound: float | None
    lower_limit: float | None
    upper_limit: float | None = None
    method: str
    ceiling: float | None = None
    verdict: Verdict = "ok"
    samples: Mapping[str, int]
    candidates: Sequence[Tried]
    control: Control | None = None
    notes: Sequence[str] = field(default_factory=tuple)

    def to_json(self) -> dict[str, object]:
        """Give the object of `infomax estimate --json`: exactly these keys, plain values."""
        whole = asdict(self)
        told = ("method", "side", "validation_nats", "test_nats", "seconds")
        whole["candidates"] = [{key: asdict(c)[key] for key in told} for c in self.candidates]
        whole["interval"] = list(self.interval)
        if self.control is not None:
            whole["control"] = {**asdict(self.control), "interval": list(self.control.interval)}
        whole["samples"] = dict(self.samples)
        whole["notes"] = list(self.notes)
        return {key: whole[key] for key in KEYS}
