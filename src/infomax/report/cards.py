"""The cards of the graph: the context, and each view with what it looks like, or else a sign."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup

from infomax.report import specimen
from infomax.report.graph import Node
from infomax.report.signs import sign
from infomax.report.svg import el, shorten


@dataclass(frozen=True, kw_only=True)
class Box:
    """Where a card lies: its left edge, the middle of its height, its width and height."""

    left: float
    y: float
    width: float
    height: float

    @property
    def right(self) -> float:
        """Its right edge."""
        return self.left + self.width


def context(box: Box, below: str) -> Markup:
    """Draw what all views are of; ``below`` is a line below the word."""
    middle = {"x": box.left + box.width / 2, "text-anchor": "middle"}
    return el(
        "g",
        {"class": "context"},
        el("rect", {**_frame(box), "rx": box.height / 2}),
        el("text", {**middle, "y": box.y - 2 if below else box.y + 4, "class": "name"}, "context"),
        el("text", {**middle, "y": box.y + 13, "class": "made"}, below) if below else "",
    )


def card(view: Node, box: Box, *, used: bool, large: bool, picture: float) -> Markup:
    """Draw a view; ``picture`` is the height of what it looks like, if that is known.

    Args:
        view: what is drawn.
        box: where.
        used: whether an edge ends at it.
        large: for a wide page.
        picture: pixels; 0 for a sign at the left instead.
    """
    if picture:
        assert view.specimen is not None
        inside = box.left + 6, box.y - box.height / 2 + 6, box.width - 12, picture
        face = specimen.draw(view.specimen, view.name, inside)
        text, line = box.left + 9, box.y + picture / 2 + 2
    else:
        side = box.height - 12 if large else 22
        face = sign(view.kind, box.left + 6, box.y - side / 2, side)
        text, line = box.left + side + (15 if large else 11), box.y
    fits = box.right - text - 5
    font = max(10.0, min(13.5 if large else 12.0, fits / (0.65 * len(view.name))))
    name = shorten(view.name, max(3, int(fits / (0.65 * font) + 0.01)))
    style = {"class": "name", "style": f"font-size:{font:.1f}px"}
    made = shorten(view.made, max(3, int(fits / (6.3 if large else 5.6))))
    return el(
        "g",
        {"class": f"view {view.kind}" + ("" if used else " passive")},
        el("title", {}, f"{view.name}: {view.made}" if view.made else view.name),
        el("rect", {**_frame(box), "rx": 9}),
        face,
        el("text", {"x": text, "y": line - 2 if view.made else line + 4, **style}, name),
        el("text", {"x": text, "y": line + 13, "class": "made"}, made),
        _badge("probed", box.right - 8, box.y - box.height / 2) if view.probed else "",
    )


def _frame(box: Box) -> dict[str, float]:
    top = box.y - box.height / 2
    return {"x": box.left, "y": top, "width": box.width, "height": box.height}


def _badge(text: str, right: float, y: float) -> Markup:
    width = 6.4 * len(text) + 8
    frame = {"x": right - width, "y": y - 9, "width": width, "height": 14, "rx": 7}
    middle = {"x": right - width / 2, "y": y + 1.5, "text-anchor": "middle"}
    return el("g", {"class": "badge"}, el("rect", frame), el("text", middle, text))
