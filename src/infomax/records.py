"""The frozen results that cross rooms, to and from JSON: what a run folder says, typed.

A number that could not be had is NaN here and ``null`` in a file: a bare NaN is not JSON. Reading
is forgiving about what it does not know (extra keys are ignored: a newer infomax may write more)
and strict about what it does: a wrong type or a missing key is an `InfomaxError` that names it.
All information is in nats; a negative ``weight`` is a term that was minimized.
"""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal, TypeVar

from pydantic import TypeAdapter, ValidationError

from infomax._errors import InfomaxError
from infomax.knowledge import Number, Profile

Side = Literal["lower", "upper", "estimate"]
Verdict = Literal["ok", "saturated", "overfitted", "collapsed", "high-variance", "crossed"]
Status = Literal["finished", "interrupted", "failed"]
Split = Literal["train", "validation", "test"]
T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Term:
    """One edge of the objective, valued on contexts that training never saw."""

    between: tuple[str, str]
    bound: str
    side: Side
    nats: Number
    stderr: Number = math.nan
    ceiling: float | None = None
    contexts: int
    split: Split = "test"
    control_nats: Number = math.nan  # the same with shuffled pairs: what nothing looks like
    verdict: Verdict = "ok"
    why: str = ""
    train_nats: Number = math.nan
    weight: Number = 1.0
    negatives: str = "batch"
    positions: str | int = "all"  # or so many steps ahead
    given: str | None = None  # the view that the information is conditional on


@dataclass(frozen=True, kw_only=True)
class Probe:
    """How well a label is read from the raw input, the untrained and the learned view."""

    view: str
    label: str
    metric: str  # "accuracy" (linear) or "knn_accuracy"
    labels_used: Literal["all"] | int = "all"  # or the number of labels a class
    raw: Number = math.nan
    untrained: Number = math.nan
    learned: Number
    stderr: float | None = None  # of learned


@dataclass(frozen=True, kw_only=True)
class Retrieval:
    """Share of queries whose own context is among the first k candidates, beside chance."""

    source: str  # "from" in the file
    target: str  # "to"
    candidates: int
    recall: Mapping[int, float]  # "recall@k"
    chance: Mapping[int, float] = field(default_factory=dict)  # "chance@k"


@dataclass(frozen=True, kw_only=True)
class Representation:
    """How many of the dimensions of the learned view are in use."""

    effective_rank: Number
    dimension: int


@dataclass(frozen=True, kw_only=True)
class MetricTerm:
    """The value of one edge at one moment of training."""

    between: tuple[str, str]
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
        return _read_record(cls, data, where)


@dataclass(frozen=True, kw_only=True)
class Results:
    """Everything results.json says about a run.

    Example:
        >>> term = Term(between=("a", "b"), bound="js", side="lower", nats=2.9, contexts=100)
        >>> results = Results(terms=[term], recipe="dim-local")
        >>> Results.from_json(results.to_json()).terms[0].between
        ('a', 'b')
    """

    status: Status = "finished"
    verdict: Verdict = "ok"
    recipe: str = ""
    paper: str = ""
    terms: Sequence[Term] = ()
    probes: Sequence[Probe] = ()
    retrieval: Sequence[Retrieval] = ()
    representation: Representation | None = None
    profile: Profile | None = None
    data: Mapping[str, object] = field(default_factory=dict)
    environment: Mapping[str, object] = field(default_factory=dict)
    seconds: Number = math.nan

    def to_json(self) -> dict[str, object]:
        """Give the object that results.json holds (DESIGN section 5)."""
        out = asdict(self)
        out["retrieval"] = [
            {"from": r.source, "to": r.target, "candidates": r.candidates}
            | {f"recall@{k}": value for k, value in r.recall.items()}
            | {f"chance@{k}": value for k, value in r.chance.items()}
            for r in self.retrieval
        ]
        return out

    @classmethod
    def from_json(cls, data: object, where: str = "results.json") -> Results:
        """Read what `to_json` gave; raises InfomaxError that names the key at fault."""
        if isinstance(data, Mapping) and isinstance(data.get("retrieval"), list):
            data = {**data, "retrieval": [_named_for_python(r) for r in data["retrieval"]]}
        return _read_record(cls, data, where)


def dumps(obj: object, indent: int | None = None) -> str:
    """Give strict JSON: what is not finite becomes null; paths text; arrays lists."""
    return json.dumps(_plain(obj), allow_nan=False, ensure_ascii=False, indent=indent)


def write_json_atomic(path: Path, obj: object) -> None:
    """Write JSON so that a reader finds the old file or the new one, never half of one."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        part.write_text(dumps(obj, indent=2) + "\n", encoding="utf-8")
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def append_metric(path: Path, metric: Metric) -> None:
    """Add one line to metrics.jsonl."""
    with path.open("a", encoding="utf-8") as file:
        file.write(dumps(metric.to_json()) + "\n")


def keep_metrics(path: Path, step: int) -> None:
    """Keep only the lines up to a step: a resumed run writes the later ones again."""
    lines = [metric for metric in read_metrics(path)[0] if metric.step <= step]
    part = path.with_name(f".{path.name}.part")
    part.write_text("".join(dumps(m.to_json()) + "\n" for m in lines), encoding="utf-8")
    os.replace(part, path)


def read_results(path: Path) -> Results:
    """Read results.json; a missing, damaged or foreign file raises InfomaxError."""
    fix = "run `infomax evaluate` on the run folder to write it again"
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InfomaxError(wanted=f"the results {path}", got="no such file", fix=fix) from None
    except (ValueError, OSError) as error:
        raise InfomaxError(wanted=f"JSON in {path}", got=str(error), fix=fix) from None
    return Results.from_json(data, where=path.name)


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


def _plain(obj: object) -> object:
    if isinstance(obj, Mapping):
        return {str(key): _plain(value) for key, value in obj.items()}
    if hasattr(obj, "tolist"):  # numpy and torch, scalars and arrays
        obj = obj.tolist()
    if isinstance(obj, list | tuple):
        return [_plain(value) for value in obj]
    if isinstance(obj, float) and not math.isfinite(obj):
        return None
    return str(obj) if isinstance(obj, Path) else obj


def _named_for_python(entry: object) -> object:
    """Turn the file's ``from, to, recall@k, chance@k`` into the fields of `Retrieval`."""
    if not isinstance(entry, Mapping):
        return entry
    out = {{"from": "source", "to": "target"}.get(key, key): v for key, v in entry.items()}
    for stem in ("recall", "chance"):
        hits = {key: re.fullmatch(rf"{stem}@(\d+)", str(key)) for key in entry}
        out[stem] = {int(hit[1]): entry[key] for key, hit in hits.items() if hit}
    return out


def _read_record(cls: type[T], data: object, where: str) -> T:
    """Check JSON against the annotations of a record, strictly; unknown keys are ignored."""
    try:
        return TypeAdapter(cls).validate_json(json.dumps(data), strict=True)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = "".join(f"[{at}]" if isinstance(at, int) else f": {at}" for at in first["loc"])
        got = "nothing" if first["type"] == "missing" else repr(first["input"])[:120]
        raise InfomaxError(
            wanted=f"{where}{place}: {first['msg']}",
            got=got,
            fix="the file is damaged or not ours: evaluate the run again, or restore a copy",
        ) from None
