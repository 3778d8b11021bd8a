"""The frozen results that cross rooms, to and from JSON: what a run folder says, typed.

A number that could not be had is NaN here and ``null`` in a file: a bare NaN is not JSON. Reading
is forgiving about what it does not know (extra keys are ignored: a newer infomax may write more)
and strict about what it does: a wrong type or a missing key is an `InfomaxError` that names it.
All information is in nats; a negative ``weight`` is a term that was minimized.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import re
import types
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, asdict, dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Literal, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from infomax._errors import InfomaxError

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
    nats: float
    stderr: float = math.nan
    ceiling: float | None = None
    contexts: int
    split: Split = "test"
    control_nats: float = math.nan  # the same with shuffled pairs: what nothing looks like
    verdict: Verdict = "ok"
    why: str = ""
    train_nats: float = math.nan
    weight: float = 1.0
    negatives: str = "batch"
    positions: str | int = "all"  # or so many steps ahead


@dataclass(frozen=True, kw_only=True)
class Probe:
    """How well a label is read from the raw input, the untrained and the learned view."""

    view: str
    label: str
    metric: str  # "accuracy" (linear) or "knn_accuracy"
    labels_used: Literal["all"] | int = "all"  # or the number of labels a class
    raw: float = math.nan
    untrained: float = math.nan
    learned: float
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

    effective_rank: float
    dimension: int


@dataclass(frozen=True, kw_only=True)
class MetricTerm:
    """The value of one edge at one moment of training."""

    between: tuple[str, str]
    bound: str
    side: Side
    nats: float
    ceiling: float | None = None


@dataclass(frozen=True, kw_only=True)
class Metric:
    """One line of metrics.jsonl: where training stands on one split."""

    step: int
    epoch: float
    split: Literal["train", "validation"]
    seconds: float = math.nan
    objective: float = math.nan
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
    data: Mapping[str, object] = field(default_factory=dict)
    environment: Mapping[str, object] = field(default_factory=dict)
    seconds: float = math.nan

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
    if not isinstance(data, Mapping):
        raise _damaged(where, "an object", data)
    hints = get_type_hints(cls)
    values = {}
    for f in fields(cls):  # type: ignore[arg-type]
        if f.name in data:
            values[f.name] = _read(hints[f.name], data[f.name], f"{where}: {f.name}")
        elif f.default is MISSING and f.default_factory is MISSING:
            raise _damaged(where, f"the key {f.name!r}", sorted(map(str, data)))
    return cls(**values)


def _read(kind: object, value: object, where: str) -> object:
    """Check one value against the annotation of its field."""
    origin, among = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        if value is None and type(None) in among:
            return None
        for one in among[:-1]:
            with contextlib.suppress(InfomaxError):
                return _read(one, value, where)
        return _read(among[-1] if among[-1] is not type(None) else among[0], value, where)
    if origin is Literal:
        if value not in among:
            raise _damaged(where, f"one of {', '.join(among)}", value)
        return value
    if origin is tuple:
        if not isinstance(value, list | tuple) or len(value) != len(among):
            raise _damaged(where, f"{len(among)} names", value)
        return tuple(_read(a, v, where) for a, v in zip(among, value, strict=True))
    if origin is Sequence:
        if not isinstance(value, list | tuple):
            raise _damaged(where, "a list", value)
        return [_read(among[0], v, f"{where}[{i}]") for i, v in enumerate(value)]
    if origin is Mapping:
        if not isinstance(value, Mapping):
            raise _damaged(where, "an object", value)
        return {k: _read(among[1], v, f"{where}: {k}") for k, v in value.items()}
    if is_dataclass(kind):
        return _read_record(cast("type[object]", kind), value, where)
    if kind is float and value is None:
        return math.nan
    wanted = {float: (int, float), int: (int,), str: (str,)}.get(cast("type[object]", kind))
    if wanted is not None and (isinstance(value, bool) or not isinstance(value, wanted)):
        words = {float: "a number", int: "a whole number", str: "text"}
        raise _damaged(where, words[cast("type[float]", kind)], value)
    return float(cast(float, value)) if kind is float else value


def _damaged(where: str, wanted: str, got: object) -> InfomaxError:
    return InfomaxError(
        wanted=f"{where}: {wanted}",
        got=repr(got)[:120],
        fix="the file is damaged or not ours: evaluate the run again, or restore it from a copy",
    )
