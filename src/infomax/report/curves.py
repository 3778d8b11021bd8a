"""Training curves, one small chart a term: train and validation nats, ceiling, held-out value."""

from __future__ import annotations

import json
import math
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from markupsafe import Markup

from infomax.records import Metric, MetricTerm, Results, Term
from infomax.report.svg import el, ticks
from infomax.report.words import nats

WIDTH, HEIGHT = 440.0, 264.0
LEFT, RIGHT, TOP, BOTTOM = 52.0, 14.0, 24.0, 44.0
MOST_POINTS = 400
SAME = 0.05
"""Nats by which ceilings may differ and be drawn as one."""

Key = tuple[tuple[str, ...], str, int]


@dataclass(kw_only=True)
class Curve:
    """One term through training: ``(epoch, nats)`` by split, its ceiling and its test value."""

    between: tuple[str, ...]
    bound: str
    side: str
    ceiling: float | None = None  # of validation
    same_ceiling: bool = True  # in training
    train: list[tuple[float, float]] = field(default_factory=list)
    validation: list[tuple[float, float]] = field(default_factory=list)
    final: Term | None = None


T = TypeVar("T", Term, MetricTerm)


def keyed(terms: Sequence[T]) -> list[tuple[Key, T]]:
    """Give each term a key: its ends, its bound, and which of those alike it is."""
    seen: Counter[tuple[tuple[str, ...], str]] = Counter()
    out: list[tuple[Key, T]] = []
    for term in terms:
        ends, bound = tuple(term.between), term.bound
        out.append(((ends, bound, seen[ends, bound]), term))
        seen[ends, bound] += 1
    return out


def collect(metrics: Sequence[Metric], results: Results | None) -> list[Curve]:
    """Turn the lines of metrics.jsonl into one curve a term, in the order of the results."""
    finals = dict(keyed(results.terms)) if results else {}
    order = list(finals)
    points: dict[Key, dict[str, list[tuple[float, float]]]] = {}
    last: dict[Key, dict[str, MetricTerm]] = {}
    for line in metrics:
        for key, term in keyed(line.terms):
            last.setdefault(key, {})[line.split] = term
            if math.isfinite(term.nats) and math.isfinite(line.epoch):
                by_split = points.setdefault(key, defaultdict(list))
                by_split[line.split].append((line.epoch, term.nats))
    curves = []
    for key in [*order, *(key for key in points if key not in finals)]:
        if key not in points:
            continue
        term = last[key].get("validation") or next(iter(last[key].values()))
        curve = Curve(between=term.between, bound=term.bound, side=term.side)
        curve.ceiling, trained = term.ceiling, last[key].get("train", term).ceiling
        curve.same_ceiling = abs((trained or 0.0) - (term.ceiling or 0.0)) < SAME
        curve.train = _thin(points[key].get("train", []))
        curve.validation = _thin(points[key].get("validation", []))
        curve.final = finals.get(key)
        curves.append(curve)
    return curves


def _thin(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    step = max(1, -(-len(points) // MOST_POINTS))
    kept = sorted(points[::-1][::step])  # the last point always stays
    return [(round(epoch, 4), round(value, 4)) for epoch, value in kept]


def draw(curve: Curve, color: int) -> Markup:
    """Draw one chart."""
    every = [*curve.train, *curve.validation]
    epochs = [epoch for epoch, _ in every]
    values = [value for _, value in every]
    end = curve.final.nats if curve.final and math.isfinite(curve.final.nats) else None
    if curve.final and end is not None:
        error = curve.final.stderr if math.isfinite(curve.final.stderr) else 0.0
        values += [end - error, end + error]
    low, high = min(0.0, *values), max(0.0, *values)
    ceiling = curve.ceiling
    shown = ceiling is not None and ceiling <= 4 * max(high, 0.1)
    top = max(high, ceiling if shown and ceiling else 0.0)
    span = (top - low) or 1.0
    low, top = (low - 0.04 * span if low < 0 else 0.0), top + 0.08 * span
    first, last = min(0.0, *epochs), max(epochs) or 1.0

    def x(epoch: float) -> float:
        return LEFT + (epoch - first) / (last - first) * (WIDTH - LEFT - RIGHT - 8)

    def y(value: float) -> float:
        return HEIGHT - BOTTOM - (value - low) / (top - low) * (HEIGHT - TOP - BOTTOM)

    parts: list[Markup] = []
    for tick in ticks(low, top):
        parts.append(_line("grid" if tick else "grid zero", LEFT, y(tick), WIDTH - RIGHT, y(tick)))
        parts.append(_text(LEFT - 7, y(tick) + 4, "end", f"{tick:g}".replace("-", "−")))
    for tick in ticks(first, last, 6):
        parts.append(_text(x(tick), HEIGHT - 26, "middle", f"{tick:g}"))
    parts.append(_text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 8, "middle", "epoch"))
    parts.append(_text(4, 12, "start", "nats"))
    named = "ceiling" if curve.same_ceiling else "ceiling of validation"
    if ceiling is not None and shown:
        parts.append(_line("ceiling", LEFT, y(ceiling), WIDTH - RIGHT, y(ceiling)))
        parts.append(_text(LEFT + 4, y(ceiling) - 5, "start", f"{named} {nats(ceiling)}"))
    elif ceiling is not None:
        parts.append(_text(LEFT + 4, TOP + 2, "start", f"↑ {named} {nats(ceiling)}, far above"))
    for split, points in (("train", curve.train), ("validation", curve.validation)):
        path = " ".join(f"{x(a):.1f},{y(b):.1f}" for a, b in points)
        parts.append(el("polyline", {"class": split, "points": path}))
        if len(points) <= 40:
            parts += [
                el("circle", {"class": split, "cx": x(a), "cy": y(b), "r": 2.4}) for a, b in points
            ]
    if end is not None and curve.final is not None:
        parts.append(_held_out(curve.final, x(last) + 8, y))
    data = {"x": [LEFT, WIDTH - RIGHT - 8, first, last], "train": curve.train}
    data["validation"] = curve.validation
    return el(
        "svg",
        {
            "viewBox": f"0 0 {WIDTH:.0f} {HEIGHT:.0f}",
            "class": "curve",
            "style": f"color:var(--c{color})",
            "role": "img",
            "aria-label": f"Nats between {' and '.join(curve.between)} by epoch, training and "
            "validation",
            "data-curve": json.dumps(data),
        },
        *parts,
        el("line", {"class": "cursor", "y1": TOP, "y2": HEIGHT - BOTTOM}),
    )


def _held_out(term: Term, x: float, y: object) -> Markup:
    assert callable(y)
    at = y(term.nats)
    error = term.stderr if math.isfinite(term.stderr) else 0.0
    bar = _line("held-out", x, y(term.nats - error), x, y(term.nats + error))
    mark = f"M{x:.1f} {at - 5:.1f}l5 5l-5 5l-5 -5z"
    return el("g", {}, bar, el("path", {"class": "held-out", "d": mark}))


def _line(kind: str, x1: float, y1: float, x2: float, y2: float) -> Markup:
    return el("line", {"class": kind, "x1": x1, "y1": y1, "x2": x2, "y2": y2})


def _text(x: float, y: float, anchor: str, text: str) -> Markup:
    return el("text", {"x": x, "y": y, "text-anchor": anchor}, text)
