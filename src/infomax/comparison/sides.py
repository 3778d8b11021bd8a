"""The runs that are compared: their names, how their recipes differ, and whether it is fair."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from infomax._errors import InfomaxError
from infomax.records import Results
from infomax.report import folder as folders
from infomax.report import words
from infomax.report.folder import Folder
from infomax.report.svg import shorten

ABSENT = "–"
LETTERS = 90


@dataclass(frozen=True, kw_only=True)
class Run:
    """One run by the name it has in the comparison."""

    name: str
    folder: Folder

    @property
    def results(self) -> Results | None:
        """What it came to, if it was evaluated."""
        return self.folder.results

    @property
    def state(self) -> str:
        """``finished``, ``interrupted``, ``failed`` or ``not evaluated``."""
        return self.results.status if self.results else "not evaluated"


@dataclass(frozen=True, kw_only=True)
class Difference:
    """A key of the recipes that is not the same everywhere, and its value in each."""

    key: str
    values: tuple[str, ...]


def read(paths: Sequence[Path]) -> list[Run]:
    """Read run folders; each is named by its folder, and by its parent's too where two are alike.

    Raises:
        InfomaxError: fewer than two different folders, one that is no run, damaged results.
    """
    places = list(dict.fromkeys(path.resolve() for path in paths))
    if len(places) < 2:
        raise InfomaxError(
            wanted="two or more run folders to compare",
            got=f"{len(places)}: " + ", ".join(map(str, paths)),
            fix="name the folders that `infomax train --out` wrote",
        )
    read_all = [folders.read(path) for path in places]
    names = [path.name for path in places]
    twice = Counter(names)
    names = [
        f"{path.parent.name}/{name}" if twice[name] > 1 else name
        for path, name in zip(places, names, strict=True)
    ]
    twice = Counter(names)
    names = [
        str(path) if twice[name] > 1 else name for path, name in zip(places, names, strict=True)
    ]
    return [Run(name=name, folder=f) for name, f in zip(names, read_all, strict=True)]


def differences(runs: Sequence[Run]) -> list[Difference]:
    """The keys of the recipes that differ; where a part is missing, the whole part is one key."""
    found: list[Difference] = []
    _differ("", [run.folder.recipe for run in runs], found)
    return found


def _differ(key: str, values: Sequence[object], found: list[Difference]) -> None:
    if all(value == values[0] for value in values):
        return
    maps = [value for value in values if isinstance(value, Mapping)]
    if len(maps) == len(values):
        for name in dict.fromkeys(name for each in maps for name in each):
            parts = [each.get(name, ABSENT) for each in maps]
            _differ(f"{key}.{name}" if key else str(name), parts, found)
        return
    lists = [value for value in values if isinstance(value, list)]
    if len(lists) == len(values) and len({len(value) for value in lists}) == 1:
        for index, items in enumerate(zip(*lists, strict=True)):
            _differ(f"{key}.{index}", items, found)
        return
    found.append(Difference(key=key, values=tuple(map(_told, values))))


def _told(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return shorten(text.replace('"', ""), LETTERS)


def warnings(runs: Sequence[Run]) -> list[str]:
    """What makes the comparison unfair or incomplete; empty where nothing does."""
    out = [
        f"{run.name} is {run.state}: what it lacks is left empty."
        for run in runs
        if run.state != "finished"
    ]
    done = [(run.name, run.results) for run in runs if run.results and run.results.terms]
    data = contexts_of(runs)
    if len(data) > 1:
        out.append(
            "These runs were not judged on the same contexts: " + _parted(data) + ". Differences "
            "between their numbers may be differences between the data, so no lead is marked."
        )
    mains = {name: words.main(results.terms) for name, results in done}
    sides = _grouped({name: term.side if term else "" for name, term in mains.items()})
    if len(sides) > 1:
        out.append(
            "A lower bound beside an upper bound or an estimate says nothing about which is "
            "larger: " + _parted(sides, told=True) + "."
        )
    bounds = _grouped({name: term.bound if term else "" for name, term in mains.items()})
    if len(sides) == 1 and len(bounds) > 1:
        out.append(
            "The main edges are valued by different bounds, which fall short by different "
            "amounts: " + _parted(bounds, told=True) + "."
        )
    versions = _grouped({name: str(r.environment.get("infomax", "")) for name, r in done})
    if len(versions) > 1:
        out.append("Different versions of infomax: " + _parted(versions, told=True) + ".")
    return out


def contexts_of(runs: Sequence[Run]) -> dict[Hashable, list[str]]:
    """The evaluated runs, grouped by the contexts that they were judged on."""
    return _grouped({r.name: _data(r.results) for r in runs if r.results and r.results.terms})


def _data(results: Results) -> Hashable:
    counts = results.data.get("contexts")
    held = counts.get("test") if isinstance(counts, Mapping) else None
    return str(results.data.get("fingerprint") or results.data.get("name")), held


def _grouped(of: Mapping[str, Hashable]) -> dict[Hashable, list[str]]:
    groups: dict[Hashable, list[str]] = {}
    for name, value in of.items():
        groups.setdefault(value, []).append(name)
    return groups


def _parted(groups: Mapping[Hashable, Sequence[str]], *, told: bool = False) -> str:
    return " | ".join(
        ", ".join(names) + (f" ({value})" if told else "") for value, names in groups.items()
    )
