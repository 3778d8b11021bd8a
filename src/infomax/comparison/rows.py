"""The numbers of several runs as rows, one cell a run, and which cell is best beyond its error."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, replace

from infomax.comparison.sides import Run, contexts_of
from infomax.records import Held, Probe, Results, Retrieval, Term
from infomax.report import curves, words

Z95 = 1.96
NATS, PROBES, RETRIEVAL = "Nats, held out", "Probes", "Retrieval"
PROFILE, REST = "Nats about factors, at the output", "The representation"


@dataclass(frozen=True, kw_only=True)
class Cell:
    """A number of one run with its 95 % interval (NaN where unknown), as text, and what it means.

    ``text`` is the number with its side, ``below`` what it is to be seen beside.
    """

    value: float
    low: float = math.nan
    high: float = math.nan
    text: str
    below: str = ""


@dataclass(frozen=True, kw_only=True)
class Row:
    """One quantity over all runs; ``best`` is the run that leads by more than the errors allow.

    ``best`` is None where more is not better (nats), where runs tie or are not judged on the same
    contexts, and where one is alone.
    """

    group: str
    name: str
    cells: tuple[Cell | None, ...]
    best: int | None = None


def rows(runs: Sequence[Run]) -> list[Row]:
    """Every number that at least one run has, in groups.

    Where the main edges are not the same they get a row of their own, before all edges.
    """
    results = [run.results for run in runs]
    fair = len(contexts_of(runs)) < 2
    edges = _keyed(NATS, results, _terms)
    mains = [main_edge(r) for r in results]
    if len({key for key, _ in filter(None, mains)}) > 1:
        cells = [_named(main[1]) if main else None for main in mains]
        edges = [Row(group=NATS, name="main edge", cells=tuple(cells)), *edges]
    return [
        *edges,
        *_keyed(PROBES, results, _probes, leads=fair),
        *_keyed(RETRIEVAL, results, _retrieval, leads=fair),
        *_keyed(PROFILE, results, _profile),
        *_keyed(REST, results, _rest),
    ]


def best(cells: Sequence[Cell | None]) -> int | None:
    """The largest, if it is `above` the next.

    Example:
        >>> a, b = (Cell(value=v, low=v - 0.02, high=v + 0.02, text="") for v in (0.8, 0.7))
        >>> best([b, a]), best([a, a]), best([a, None])
        (1, None, None)
    """
    there = [(c.value, i, c) for i, c in enumerate(cells) if c and math.isfinite(c.value)]
    if len(there) < 2:
        return None
    (_, first, top), (_, _, other) = sorted(there, key=lambda entry: -entry[0])[:2]
    return first if above(top, other) else None


def above(one: Cell, other: Cell) -> bool:
    """Whether one value is larger by more than twice the error of their difference.

    The errors are added as if independent; runs share their test contexts, so that the true error
    is smaller: the claim is careful. Where an error is not known nothing is claimed.
    """
    error = math.hypot(*((cell.high - cell.low) / (2 * Z95) for cell in (one, other)))
    return one.value - other.value > 2 * error


def _keyed(
    group: str,
    results: Sequence[Results | None],
    of: Callable[[Results], Mapping[Hashable, tuple[str, Cell]]],
    *,
    leads: bool = False,
) -> list[Row]:
    """A row for each key that some run has; it is named as the first that has it names it."""
    found = [of(r) if r else {} for r in results]
    names = {key: name for each in reversed(found) for key, (name, _) in each.items()}
    keys = dict.fromkeys(key for each in found for key in each)
    out = []
    for key in keys:
        cells = tuple(each[key][1] if key in each else None for each in found)
        lead = best(cells) if leads else None
        out.append(Row(group=group, name=names[key], cells=cells, best=lead))
    return out


def around(value: float, stderr: float | None) -> tuple[float, float]:
    """The 95 % interval by a standard error; NaN where there is none."""
    if stderr is None or not math.isfinite(stderr):
        return math.nan, math.nan
    return value - Z95 * stderr, value + Z95 * stderr


def nats_cell(term: Term) -> Cell:
    """The value of an edge with its side, and its bound, ceiling and verdict below."""
    low, high = around(term.nats, term.stderr)
    ceiling = "" if term.ceiling is None else f", ceiling {words.nats(term.ceiling)}"
    verdict = "" if term.verdict == "ok" else f", {term.verdict}"
    text = f"{words.SIGN[term.side]} {words.with_error(term.nats, term.stderr)}"
    below = f"{term.bound}{ceiling}{verdict}"
    return Cell(value=term.nats, low=low, high=high, text=text, below=below)


def _terms(results: Results) -> Mapping[Hashable, tuple[str, Cell]]:
    return {key: (_name(term), nats_cell(term)) for key, term in curves.keyed(results.terms)}


def main_edge(results: Results | None) -> tuple[curves.Key, Term] | None:
    """The edge that is spoken of first, and its key."""
    term = words.main(results.terms) if results else None
    if results is None or term is None:
        return None
    return next((key, own) for key, own in curves.keyed(results.terms) if own is term)


def _named(term: Term) -> Cell:
    cell = nats_cell(term)
    return replace(cell, below=f"{_name(term)}: {cell.below}")


def _name(term: Term) -> str:
    ahead = f", {term.positions} ahead" if isinstance(term.positions, int) else ""
    given = f" given {term.given}" if term.given else ""
    return " ↔ ".join(term.between) + given + ahead + (", minimized" if term.weight < 0 else "")


def judged(results: Results) -> list[str]:
    """The views that are probed, first to last."""
    return list(dict.fromkeys(probe.view for probe in results.probes))


def _probes(results: Results) -> Mapping[Hashable, tuple[str, Cell]]:
    views = judged(results)
    out: dict[Hashable, tuple[str, Cell]] = {}
    for probe in results.probes:
        key = (views.index(probe.view), probe.label, probe.metric, probe.labels_used)
        place = "" if len(views) == 1 else f"view {views.index(probe.view) + 1}: "
        classifier = words.method(probe).removeprefix("a ")
        name = f"{place}{probe.label}, {classifier}, {words.labels(probe)}"
        out[key] = (name, accuracy_cell(probe))
    return out


def accuracy_cell(probe: Probe) -> Cell:
    """What a probe reads, and its view and baselines below."""
    low, high = around(probe.learned, words.probe_error(probe, probe.contexts))
    beside = [("raw", probe.raw), ("untrained", probe.untrained)]
    told = [f"{name} {words.percent(value)}" for name, value in beside if math.isfinite(value)]
    return Cell(
        value=probe.learned,
        low=low,
        high=high,
        text=_share(probe.learned, low, high),
        below=" · ".join([probe.view, *told]),
    )


def _share(value: float, low: float, high: float) -> str:
    if not math.isfinite(low):
        return words.percent(value)
    return f"{words.percent(value)} ± {50 * (high - low):.1f}"


def _retrieval(results: Results) -> Mapping[Hashable, tuple[str, Cell]]:
    return {
        (found.source, found.target, k): (f"{found.source} → {found.target}, recall@{k}", cell)
        for found in results.retrieval
        if found.baseline is None
        for k, cell in _recalls(found).items()
    }


def _recalls(found: Retrieval) -> dict[int, Cell]:
    out = {}
    for k, value in found.recall.items():
        low, high = found.interval.get(k, (math.nan, math.nan))
        chance = found.chance.get(k, math.nan)
        below = f"chance {words.percent(chance)} among {found.candidates:,}"
        text = _share(value, low, high)
        out[k] = Cell(value=value, low=low, high=high, text=text, below=below)
    return out


def _profile(results: Results) -> Mapping[Hashable, tuple[str, Cell]]:
    held = outputs(results)
    names = [(h, h.factor + (" (label)" if h.kind == "label" else "")) for h in held]
    return {(h.kind, h.factor): (name, _known(h)) for h, name in names}


def outputs(results: Results) -> list[Held]:
    """What the output of the first judged view holds, labels first."""
    if results.profile is None:
        return []
    views = dict.fromkeys(held.view for held in results.profile.held)
    view = next((name for name in judged(results) if name in views), next(iter(views), ""))
    held = [h for h in results.profile.held if h.view == view and h.stage == "output"]
    return sorted(held, key=lambda h: h.kind != "label")


def _known(held: Held) -> Cell:
    low, high = around(held.nats, held.stderr)
    text = f"≥ {words.with_error(held.nats, held.stderr)}"
    below = f"{held.view}, of {words.nats(held.entropy)}"
    return Cell(value=held.nats, low=low, high=high, text=text, below=below)


def _rest(results: Results) -> Mapping[Hashable, tuple[str, Cell]]:
    out: dict[Hashable, tuple[str, Cell]] = {}
    rank = results.representation
    if rank is not None:
        text = f"{rank.effective_rank:.1f}"
        cell = Cell(value=rank.effective_rank, text=text, below=f"of {rank.dimension} dimensions")
        out["rank"] = ("effective rank", cell)
        for key, told in words.SPHERE.items():
            value = getattr(rank, key)
            if math.isfinite(value):
                out[key] = (key, Cell(value=value, text=words.nats(value), below=told))
    if math.isfinite(results.seconds):
        took = Cell(value=results.seconds, text=words.duration(results.seconds))
        out["time"] = ("train and evaluate", took)
    return out
