"""A heat map: named rows and columns of cells, the darker the more."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from infomax.report.svg import el, shorten

WIDTH, HEIGHT, NAME, TOP = 100.0, 50.0, 128.0, 30.0


@dataclass(frozen=True)
class Cell:
    """One cell: how dark (0 to 1), a number, a smaller line below, and what hovering says."""

    row: str
    column: str
    share: float
    value: str
    below: str
    told: str


def draw(cells: Sequence[Cell]) -> Markup:
    """Draw cells where they belong; rows and columns in the order in which they first come."""
    rows = list(dict.fromkeys(cell.row for cell in cells))
    columns = list(dict.fromkeys(cell.column for cell in cells))
    parts = []
    for i, name in enumerate(columns):
        at = {"x": NAME + (i + 0.5) * WIDTH, "y": 18.0, "text-anchor": "middle"}
        parts.append(el("text", at, shorten(name, 14)))
    for j, name in enumerate(rows):
        at = {"x": NAME - 10, "y": TOP + (j + 0.5) * HEIGHT + 4, "text-anchor": "end"}
        parts.append(el("text", at, shorten(name, 15)))
    for cell in cells:
        x = NAME + columns.index(cell.column) * WIDTH
        parts.append(_draw(cell, x, TOP + rows.index(cell.row) * HEIGHT))
    width, height = NAME + WIDTH * len(columns) + 8, TOP + HEIGHT * len(rows) + 8
    size = {"viewBox": f"0 0 {width:g} {height:g}", "width": width, "height": height}
    told = "; ".join(cell.told for cell in cells)
    return el("svg", {"class": "heat", "role": "img", "aria-label": told, **size}, *parts)


def _draw(cell: Cell, x: float, y: float) -> Markup:
    share = min(1.0, max(0.0, cell.share))
    middle = {"x": x + WIDTH / 2, "text-anchor": "middle"}
    box = {"x": x + 2, "y": y + 2, "width": WIDTH - 4, "height": HEIGHT - 4, "rx": 6}
    return el(
        "g",
        {"class": "dark" if share > 0.55 else None},
        el("title", {}, cell.told),
        el("rect", {**box, "fill-opacity": 0.08 + 0.87 * share}),
        el("text", {**middle, "y": y + 23, "class": "name"}, cell.value),
        el("text", {**middle, "y": y + 38}, cell.below),
    )
