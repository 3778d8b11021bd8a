"""results.json: what a run came to, typed (DESIGN section 5)."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

from infomax._errors import InfomaxError
from infomax.records.files import Ends, Number, Side, Split, Status, Verdict, read_record
from infomax.records.knowledge import Profile


@dataclass(frozen=True, kw_only=True)
class Term:
    """One edge of the objective, valued on contexts that training never saw."""

    between: Ends
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
    """How well a label is read from the learned view, and from what it has to beat."""

    view: str
    label: str
    metric: str  # "accuracy", "balanced_accuracy" (both linear) or "knn_accuracy"
    labels_used: Literal["all"] | int = "all"  # or the number of labels a class
    raw: Number = math.nan
    untrained: Number = math.nan
    pca: Number = math.nan  # the raw input's first components, as many as the learned view has
    cca: Number = math.nan  # linear canonical correlation with the other end of an edge
    learned: Number
    stderr: float | None = None  # of learned
    majority: Number = math.nan  # by always naming the commonest training class
    contexts: int | None = None  # test contexts that it is counted over
    notes: Sequence[str] = ()


@dataclass(frozen=True, kw_only=True)
class Retrieval:
    """Share of queries of which a right answer is among the first k candidates, beside chance."""

    source: str  # "from" in the file
    target: str  # "to"
    candidates: int
    recall: Mapping[int, float]  # "recall@k"
    chance: Mapping[int, float] = field(default_factory=dict)  # "chance@k"
    interval: Mapping[int, tuple[float, float]] = field(default_factory=dict)  # "interval@k", 95 %
    median_rank: Number = math.nan
    chance_rank: Number = math.nan
    contexts: int | None = None  # test contexts that have both views
    right: str | None = None  # the label whose equals count as right; None: the context alone
    scored_by: str = ""
    baseline: str | None = None  # "cca", or None: the learned views


@dataclass(frozen=True, kw_only=True)
class ZeroShot:
    """How well classes are told by their names in text alone."""

    view: str
    text: str
    label: str
    accuracy: Number
    stderr: Number = math.nan
    balanced: Number = math.nan  # mean over classes
    majority: Number = math.nan
    chance: Number = math.nan
    contexts: int
    prompts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Shared:
    """One cell of the map of nats: how much two views share, by `estimate`."""

    between: tuple[str, str]
    stage: Literal["before", "after"]  # training: raw signals, or learned views
    nats: Number
    interval: tuple[Number, Number]
    lower_bound: Number = math.nan
    lower_limit: Number = math.nan
    dims: tuple[int, int]  # principal components that each was reduced to
    contexts: int
    verdict: str = "ok"


@dataclass(frozen=True, kw_only=True)
class Representation:
    """How the learned view uses its space: dimensions in use, and how it lies on the sphere."""

    effective_rank: Number
    dimension: int
    alignment: Number = math.nan  # mean squared distance of the main edge's pairs, 0 to 4
    uniformity: Number = math.nan  # log mean exp(-2 d²) of different contexts, -8 to 0


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
    zero_shot: Sequence[ZeroShot] = ()
    map: Sequence[Shared] = ()
    representation: Representation | None = None
    profile: Profile | None = None
    data: Mapping[str, object] = field(default_factory=dict)
    environment: Mapping[str, object] = field(default_factory=dict)
    seconds: Number = math.nan

    def to_json(self) -> dict[str, object]:
        """Give the object that results.json holds (DESIGN section 5)."""
        out = asdict(self)
        out["retrieval"] = [_named_for_file(entry) for entry in out["retrieval"]]
        return out

    @classmethod
    def from_json(cls, data: object, where: str = "results.json") -> Results:
        """Read what `to_json` gave; raises InfomaxError that names the key at fault."""
        if isinstance(data, Mapping) and isinstance(data.get("retrieval"), list):
            data = {**data, "retrieval": [_named_for_python(r) for r in data["retrieval"]]}
        return read_record(cls, data, where)


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


_AT = ("recall", "chance", "interval")
_FILE = {"source": "from", "target": "to"}


def _named_for_file(entry: Mapping[str, object]) -> dict[str, object]:
    """Turn the fields of `Retrieval` into the file's ``from, to, recall@k, chance@k``."""
    out = {_FILE.get(key, key): value for key, value in entry.items() if key not in _AT}
    for stem in _AT:
        values = entry[stem]
        assert isinstance(values, Mapping)
        out |= {f"{stem}@{k}": value for k, value in values.items()}
    return out


def _named_for_python(entry: object) -> object:
    """Turn the file's ``from, to, recall@k, chance@k`` into the fields of `Retrieval`."""
    if not isinstance(entry, Mapping):
        return entry
    python = {name: key for key, name in _FILE.items()}
    out = {python.get(key, key): value for key, value in entry.items()}
    for stem in _AT:
        hits = {key: re.fullmatch(rf"{stem}@(\d+)", str(key)) for key in entry}
        out[stem] = {int(hit[1]): entry[key] for key, hit in hits.items() if hit}
    return out
