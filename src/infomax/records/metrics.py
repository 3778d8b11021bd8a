"""metrics.jsonl: one line a validation, what training looked like on the way."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from infomax.records.files import Ends, Number, Side, dumps, read_record, write_text_atomic


@dataclass(frozen=True, kw_only=True)
class MetricTerm:
    """The value of one edge at one moment of training."""

    between: Ends
    bound: str
    side: Side
    nats: Number
    ceiling: float | None = None


@dataclass(frozen=True, kw_only=True)
class Metric:
    """One line of metrics.jsonl: where training stands on one split."""

    step: int
    epoch: Number
    split: Literal["train", "validation"]
    seconds: Number = math.nan
    objective: Number = math.nan
    terms: Sequence[MetricTerm] = ()

    def to_json(self) -> dict[str, object]:
        """Give the object of one line."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: object, where: str = "metrics.jsonl") -> Metric:
        """Read one line's object; raises InfomaxError that names the key at fault."""
        return read_record(cls, data, where)


def append_metric(path: Path, metric: Metric) -> None:
    """Add one line to metrics.jsonl."""
    with path.open("a", encoding="utf-8") as file:
        file.write(dumps(metric.to_json()) + "\n")


def keep_metrics(path: Path, step: int) -> None:
    """Keep only the lines up to a step: a resumed run writes the later ones again."""
    lines = [metric for metric in read_metrics(path)[0] if metric.step <= step]
    write_text_atomic(path, "".join(dumps(m.to_json()) + "\n" for m in lines))


def read_metrics(path: Path) -> tuple[list[Metric], int]:
    """Read metrics.jsonl: the lines, and how many were damaged (a killed run leaves half a line).

    A missing file is a run that has not begun: no lines.
    """
    if not path.exists():
        return [], 0
    lines: list[Metric] = []
    damaged = 0
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            lines.append(Metric.from_json(json.loads(line)))
        except ValueError:  # InfomaxError is one too
            damaged += bool(line.strip())
    return lines, damaged
