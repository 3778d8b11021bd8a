"""The information profile as the page draws it: a heat map of stages and factors for each view."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from markupsafe import Markup

from infomax.records import Held, Results
from infomax.report import words
from infomax.report.svg import el, shorten

CELL, ROW, NAME = 92.0, 46.0, 128.0


def profiles(results: Results) -> list[dict[str, Any]]:
    """One drawing a view; labels above low-level factors, stages from raw to output."""
    if results.profile is None:
        return []
    out = []
    for view in dict.fromkeys(cell.view for cell in results.profile.held):
        cells = [cell for cell in results.profile.held if cell.view == view]
        out.append({"view": view, "drawing": heat(sorted(cells, key=lambda c: c.kind != "label"))})
    return out


def heat(cells: Sequence[Held]) -> Markup:
    """Draw one view: the darker, the more of a factor's entropy a stage holds."""
    stages = list(dict.fromkeys(cell.stage for cell in cells))
    factors = list(dict.fromkeys(cell.factor for cell in cells))
    parts = []
    for i, stage in enumerate(stages):
        at = {"x": NAME + (i + 0.5) * CELL, "y": 18.0, "text-anchor": "middle"}
        parts.append(el("text", at, shorten(stage, 12)))
    for j, factor in enumerate(factors):
        at = {"x": NAME - 10, "y": 30.0 + (j + 0.5) * ROW + 4, "text-anchor": "end"}
        parts.append(el("text", at, shorten(factor, 15)))
    for cell in cells:
        x = NAME + stages.index(cell.stage) * CELL
        parts.append(_cell(cell, x, 30.0 + factors.index(cell.factor) * ROW))
    width, height = NAME + CELL * len(stages) + 8, 38.0 + ROW * len(factors)
    size = {"viewBox": f"0 0 {width:g} {height:g}", "width": width, "height": height}
    told = "; ".join(f"{c.stage}, {c.factor}: {words.nats(c.nats)}" for c in cells)
    return el(
        "svg", {"class": "heat", "role": "img", "aria-label": f"Nats. {told}", **size}, *parts
    )


def _cell(cell: Held, x: float, y: float) -> Markup:
    known = math.isfinite(cell.nats) and cell.entropy > 0
    share = min(1.0, max(0.0, cell.nats / cell.entropy)) if known else 0.0
    middle = {"x": x + CELL / 2, "text-anchor": "middle"}
    box = {"x": x + 2, "y": y + 2, "width": CELL - 4, "height": ROW - 4, "rx": 6}
    return el(
        "g",
        {"class": "dark" if share > 0.55 else None},
        el("title", {}, f"{words.with_error(cell.nats, cell.stderr)} nats about {cell.factor}"),
        el("rect", {**box, "fill-opacity": 0.08 + 0.87 * share}),
        el("text", {**middle, "y": y + 21, "class": "name"}, words.nats(cell.nats)),
        el("text", {**middle, "y": y + 35}, f"of {words.nats(cell.entropy)}"),
    )
