"""How much should views share? Nats of the main edge against a probe, one point a run."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from infomax.comparison.rows import around
from infomax.comparison.sides import Run
from infomax.records import Probe
from infomax.report import words
from infomax.report.svg import el, ticks

WIDTH, HEIGHT = 640.0, 400.0
LEFT, RIGHT, TOP, BOTTOM = 62.0, 26.0, 20.0, 50.0


@dataclass(frozen=True, kw_only=True)
class Point:
    """One run: nats its views share and accuracy of its probe, each with its 95 % interval."""

    name: str
    nats: float
    nats_interval: tuple[float, float]
    accuracy: float
    accuracy_interval: tuple[float, float]
    probe: str
    side: str
    saturated: bool


def points(runs: Sequence[Run]) -> list[Point]:
    """The runs that have both, fewest nats first.

    The probe is linear, with all labels, of the first label that all of them have. Empty where
    fewer than two have both, or where their nats are not of one side.

    Source: Tian et al. 2020, What makes for good views (arXiv:2005.10243), figure 1.
    """
    found: list[tuple[Run, dict[str, Probe]]] = []
    for run in runs:
        probes = run.results.probes if run.results else ()
        linear = [p for p in probes if p.metric == "accuracy" and p.labels_used == "all"]
        if linear:
            found.append((run, {probe.label: probe for probe in reversed(linear)}))
    common = (
        [label for label in found[0][1] if all(label in own for _, own in found)] if found else []
    )
    if not common:
        return []
    out = []
    for run, probes_of in found:
        probe, term = probes_of[common[0]], words.main(run.results.terms) if run.results else None
        if term is None or not math.isfinite(term.nats) or not math.isfinite(probe.learned):
            continue
        out.append(
            Point(
                name=run.name,
                nats=term.nats,
                nats_interval=around(term.nats, term.stderr),
                accuracy=probe.learned,
                accuracy_interval=around(probe.learned, words.probe_error(probe, probe.contexts)),
                probe=f"{probe.label}, linear, all labels",
                side=term.side,
                saturated=term.verdict == "saturated",
            )
        )
    if len(out) < 2 or len({point.side for point in out}) > 1:
        return []
    return sorted(out, key=lambda point: point.nats)


def differ_in_views(runs: Sequence[Run]) -> bool:
    """Whether the runs are about different views, not only trained otherwise."""
    first, *others = ([run.folder.recipe.get(k) for k in ("views", "maximize")] for run in runs)
    return any(other != first for other in others)


def finding(found: Sequence[Point]) -> str:
    """One sentence: where the best probe lies on the way from few nats to many, if anywhere."""
    if len(found) < 2:
        return ""
    best = max(found, key=lambda point: point.accuracy)
    others = [point for point in found if not _clearly_below(point, best)]
    if len(others) == len(found):
        return "The probes differ by no more than their errors, however much the views share."
    told = f"The best probe ({best.name}, {words.percent(best.accuracy)})"
    first, last = found[0] in others, found[-1] in others
    if len(found) > 2 and not first and not last:
        return f"{told} is neither where views share most nor where they share least."
    if last and not first:
        return (
            f"{told} is among the runs whose views share most; those that share least are below it."
        )
    if first and not last:
        return (
            f"{told} is among the runs whose views share least; those that share most are below it."
        )
    return f"{told} is reached by views that share little and by views that share much."


def _clearly_below(point: Point, best: Point) -> bool:
    errors = [(p.accuracy_interval[1] - p.accuracy_interval[0]) / 3.92 for p in (point, best)]
    return best.accuracy - point.accuracy > 2 * math.hypot(*errors)


def draw(found: Sequence[Point]) -> Markup:
    """Draw the points with their intervals, each with its name."""
    xs = [v for p in found for v in (p.nats, *p.nats_interval) if math.isfinite(v)]
    ys = [v for p in found for v in (p.accuracy, *p.accuracy_interval) if math.isfinite(v)]
    x_low, x_high = _room(xs)
    y_low, y_high = _room(ys)

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
    way = " ".join(f"{x(p.nats):.1f},{y(p.accuracy):.1f}" for p in found)
    parts.append(el("polyline", {"class": "train", "points": way}))
    for point in found:
        parts.append(_mark(point, x, y))
    told = "; ".join(f"{p.name}: {p.nats:.2f} nats, {words.percent(p.accuracy)}" for p in found)
    size = {"viewBox": f"0 0 {WIDTH:g} {HEIGHT:g}", "role": "img", "aria-label": told}
    return el("svg", {"class": "curve", "style": "--c:var(--c0)", **size}, *parts)


def _room(values: Sequence[float]) -> tuple[float, float]:
    low, high = min(values), max(values)
    margin = 0.12 * (high - low) or 0.05 * abs(high) or 0.05
    return low - margin, high + margin


def _mark(point: Point, x: object, y: object) -> Markup:
    assert callable(x)
    assert callable(y)
    at, up = x(point.nats), y(point.accuracy)
    bars = []
    if all(map(math.isfinite, point.accuracy_interval)):
        low, high = map(y, point.accuracy_interval)
        bars.append(el("line", {"class": "held-out", "x1": at, "x2": at, "y1": low, "y2": high}))
    if all(map(math.isfinite, point.nats_interval)):
        left, right = map(x, point.nats_interval)
        bars.append(el("line", {"class": "held-out", "x1": left, "x2": right, "y1": up, "y2": up}))
    last = at > WIDTH - 190
    name = {"x": at + (-9 if last else 9), "y": up - 9, "text-anchor": "end" if last else "start"}
    told = f"{point.name}: {point.nats:.2f} nats, {words.percent(point.accuracy)}"
    return el(
        "g",
        {},
        el("title", {}, told),
        *bars,
        el("circle", {"cx": at, "cy": up, "r": 4.5}),
        el(
            "text",
            {**name, "class": "name"},
            point.name + (" (saturated)" if point.saturated else ""),
        ),
    )
