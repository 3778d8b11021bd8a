"""How much should views share? Nats of the main edge against a probe, one point a run."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from infomax.comparison.rows import Cell, above, accuracy_cell, main_edge, nats_cell
from infomax.comparison.sides import Run, contexts_of
from infomax.records import Probe, Results, Side
from infomax.report import words
from infomax.report.svg import el, shorten, ticks

WIDTH, HEIGHT = 480.0, 320.0
LEFT, RIGHT, TOP, BOTTOM = 46.0, 20.0, 30.0, 50.0


@dataclass(frozen=True, kw_only=True)
class Point:
    """One run: nats its views share, accuracy of its probe, and what the two are."""

    name: str
    nats: Cell
    accuracy: Cell
    bound: str
    side: Side
    probe: str
    saturated: bool


def points(runs: Sequence[Run]) -> list[Point]:
    """The runs that have both, fewest nats first.

    The probe is linear, with all labels, of the first label that all of them have. Empty where
    fewer than two have both, or where they are not comparable: other contexts, or other bounds.

    Source: Tian et al. 2020, What makes for good views (arXiv:2005.10243), figure 1.
    """
    done = [(run.name, run.results) for run in runs if run.results]
    found = [(name, results, _linear(results)) for name, results in done]
    found = [entry for entry in found if entry[2]]
    label = next((n for _, _, p in found[:1] for n in p if all(n in q for *_, q in found)), None)
    if label is None or len(contexts_of(runs)) > 1:
        return []
    out = []
    for name, results, probes in found:
        main = main_edge(results)
        if main is None or not math.isfinite(main[1].nats):
            continue
        term = main[1]
        out.append(
            Point(
                name=name,
                nats=nats_cell(term),
                accuracy=accuracy_cell(probes[label]),
                bound=term.bound,
                side=term.side,
                probe=f"{label}, linear, all labels",
                saturated=term.verdict == "saturated",
            )
        )
    if len(out) < 2 or len({point.bound for point in out}) > 1:
        return []
    return sorted(out, key=lambda point: point.nats.value)


def _linear(results: Results) -> dict[str, Probe]:
    """The linear probe with all labels of each label, of the first view that has one."""
    linear = [p for p in results.probes if p.metric == "accuracy" and p.labels_used == "all"]
    return {p.label: p for p in reversed(linear) if math.isfinite(p.learned)}


def differ_in_views(runs: Sequence[Run]) -> bool:
    """Whether the runs are about different views, not only trained otherwise."""
    first, *others = ([run.folder.recipe.get(k) for k in ("views", "maximize")] for run in runs)
    return any(other != first for other in others)


def finding(found: Sequence[Point]) -> str:
    """One sentence: where the best probe lies on the way from few nats to many, if anywhere."""
    if not found:
        return ""
    best = max(found, key=lambda point: point.accuracy.value)
    near = [not above(best.accuracy, point.accuracy) for point in found]
    if all(near):
        return "The probes differ by no more than their errors, however much is shown to be shared."
    told = f"The best probe ({best.name}, {words.percent(best.accuracy.value)})"
    where = {
        (False, False): "is neither where views are shown to share most nor where least",
        (False, True): "is among the runs whose views are shown to share most; the least is below",
        (True, False): "is among the runs whose views are shown to share least; the most is below",
        (True, True): "is reached by views that are shown to share little and much alike",
    }
    return f"{told} {where[near[0], near[-1]]}."


def draw(found: Sequence[Point]) -> Markup:
    """Draw the points with their intervals, each with its name."""
    x_low, x_high = _room([point.nats for point in found])
    y_low, y_high = _room([point.accuracy for point in found])

    def x(value: float) -> float:
        return LEFT + (value - x_low) / (x_high - x_low) * (WIDTH - LEFT - RIGHT)

    def y(value: float) -> float:
        return HEIGHT - BOTTOM - (value - y_low) / (y_high - y_low) * (HEIGHT - TOP - BOTTOM)

    parts: list[Markup] = []
    for tick in ticks(y_low, y_high, 5):
        at = {"x1": LEFT, "x2": WIDTH - RIGHT, "y1": y(tick), "y2": y(tick), "class": "grid"}
        parts.append(el("line", at))
        place = {"x": LEFT - 8, "y": y(tick) + 4, "text-anchor": "end"}
        parts.append(el("text", place, f"{100 * tick:g}"))
    for tick in ticks(x_low, x_high, 6):
        place = {"x": x(tick), "y": HEIGHT - BOTTOM + 18, "text-anchor": "middle"}
        parts.append(el("text", place, f"{tick:g}".replace("-", "−")))
    sign = words.SIGN[found[0].side]
    middle = {"x": (LEFT + WIDTH - RIGHT) / 2, "y": HEIGHT - 10, "text-anchor": "middle"}
    parts.append(
        el("text", middle, f"nats that the views share ({sign}, {words.SIDES[found[0].side]})")
    )
    parts.append(el("text", {"x": 8, "y": TOP - 6}, f"%  {found[0].probe}"))
    way = " ".join(f"{x(p.nats.value):.1f},{y(p.accuracy.value):.1f}" for p in found)
    parts.append(el("polyline", {"class": "train", "points": way}))
    for point in found:
        parts.append(_mark(point, x, y))
    told = "; ".join(map(_told, found))
    size = {"viewBox": f"0 0 {WIDTH:g} {HEIGHT:g}", "role": "img", "aria-label": told}
    return el("svg", {"class": "curve", "style": "color:var(--c0)", **size}, *parts)


def _room(cells: Sequence[Cell]) -> tuple[float, float]:
    values = [v for c in cells for v in (c.value, c.low, c.high) if math.isfinite(v)]
    low, high = min(values), max(values)
    margin = 0.12 * (high - low) or 0.05 * abs(high) or 0.05
    return low - margin, high + margin


def _told(point: Point) -> str:
    return f"{point.name}: {point.nats.text} nats, {point.accuracy.text}"


def _mark(point: Point, x: Callable[[float], float], y: Callable[[float], float]) -> Markup:
    at, up = x(point.nats.value), y(point.accuracy.value)
    bars = []
    for cell, place in ((point.accuracy, y), (point.nats, x)):
        if math.isfinite(cell.low) and math.isfinite(cell.high):
            low, high = place(cell.low), place(cell.high)
            ends = {"x1": at, "x2": at, "y1": low, "y2": high}
            if place is x:
                ends = {"x1": low, "x2": high, "y1": up, "y2": up}
            bars.append(el("line", {"class": "held-out", **ends}))
    last = at > WIDTH / 2
    name = {"x": at + (-9 if last else 9), "y": up - 9, "text-anchor": "end" if last else "start"}
    shown = point.name + (" (saturated)" if point.saturated else "")
    return el(
        "g",
        {},
        el("title", {}, _told(point)),
        *bars,
        el("circle", {"cx": at, "cy": up, "r": 4.5}),
        el("text", {**name, "class": "name"}, shorten(shown, 30)),
    )
