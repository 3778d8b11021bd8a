"""The graph of views, drawn like the schematic it is: a tree on the left, its edges on the right.

Views are read from left to right; the edges between them are brackets, each with its nats. The same
tree is drawn twice: in columns, and indented for narrow screens.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from markupsafe import Markup

from infomax.report.graph import ROOT, Edge, Node, lanes, places, spread
from infomax.report.signs import face
from infomax.report.svg import el, shorten

Box = tuple[float, float, float]  # left, middle height, width


@dataclass(frozen=True, kw_only=True)
class Size:
    """Measures of one drawing, in pixels."""

    columns: bool
    step: float  # from one depth to the next
    card: float
    height: float
    row: float
    lane: float
    label: float  # room for the text beside a bracket


ROOM = 980.0  # the widest drawing that fits the page without scrolling
PHONE = 330.0  # the same on a phone 390 pixels wide
WIDE = Size(columns=True, step=196, card=156, height=46, row=64, lane=22, label=150)
NARROW = Size(columns=False, step=16, card=138, height=40, row=52, lane=11, label=84)


def draw(views: Sequence[Node], edges: Sequence[Edge], size: Size, root: str = "") -> Markup:
    """Draw the graph as one SVG; ``root`` is a line below the word context."""
    ends = {end for edge in edges for end in edge.ends}
    at = places(views, ends, size.columns)
    size = _fitted(size, at, edges)
    context = 104.0 if size.columns else size.card
    shift = context + 36 - size.step if size.columns else 0.0

    def box(name: str) -> Box:
        depth, row = at[name]
        left = 0.5 if name == ROOT else depth * size.step + shift
        return left, row * size.row + size.row / 2, context if name == ROOT else size.card

    right = max(box(name)[0] + box(name)[2] for name in at)
    brackets, width, bottom = _brackets(edges, box, right, size)
    parents = {v.name: v.parent if v.parent in at else ROOT for v in views}
    wires = [_wire(box(parents[v.name]), box(v.name), size) for v in views]
    cards = [_root(box(ROOT), root, size)]
    cards += [_card(v, box(v.name), size, v.name in ends) for v in views]
    height = max(bottom, max(row for _, row in at.values()) * size.row + size.row)
    told = "; ".join(f"{' and '.join(e.ends)}: {e.value} ({e.below})" for e in edges)
    return el(
        "svg",
        {
            "viewBox": f"0 0 {width:.0f} {height:.0f}",
            "width": f"{width:.0f}",
            "height": f"{height:.0f}",
            "class": "wide" if size.columns else "narrow",
            "role": "img",
            "aria-label": f"Graph of views. {told}",
        },
        *wires,
        *brackets,
        *cards,
    )


def _fitted(size: Size, at: dict[str, tuple[int, int]], edges: Sequence[Edge]) -> Size:
    """Narrow the columns (or the cards) of a deep graph, so that it fits the page."""
    wide, small = (7.8, 6.6) if size.columns else (7.4, 5.9)
    longest = [max(len(e.value) * wide, len(e.below) * small) for e in edges]
    size = replace(size, label=max([size.label if edges else 0.0, *longest]))
    rows = [sorted(float(at[end][1]) for end in e.ends) for e in edges]
    bends = max(lanes([(row[0], row[-1]) for row in rows]), default=0) * size.lane
    depth = max(1, *(depth for depth, _ in at.values()))
    if not size.columns:
        left = PHONE - 34 - bends - size.label - depth * size.step
        return replace(size, card=max(100.0, min(size.card, left)))
    # context, the gap after it, the columns (the last without its gap of 24), the brackets
    step = (ROOM - 104 - 36 + 24 - 46 - bends - size.label) / depth
    step = max(130.0, min(size.step, step))
    return replace(size, step=step, card=step - (40 if step > 180 else 24))


def _wire(parent: Box, child: Box, size: Size) -> Markup:
    left, y, width = parent
    to, below, _ = child
    if not size.columns:
        x = left + 9
        return el("path", {"class": "wire", "d": f"M{x} {y + size.height / 2}V{below}H{to}"})
    x, turn = left + width, to - 18
    if below == y:
        return el("path", {"class": "wire", "d": f"M{x} {y}H{to}"})
    return el("path", {"class": "wire", "d": f"M{x} {y}H{turn}V{below - 8}q0 8 8 8H{to}"})


def _root(box: Box, below: str, size: Size) -> Markup:
    left, y, width = box
    middle = {"x": left + width / 2, "text-anchor": "middle"}
    frame = {"x": left, "y": y - size.height / 2, "width": width, "height": size.height, "rx": 23}
    return el(
        "g",
        {"class": "context"},
        el("rect", frame),
        el("text", {**middle, "y": y - 2 if below else y + 4, "class": "name"}, "context"),
        el("text", {**middle, "y": y + 13, "class": "made"}, below) if below else "",
    )


def _card(view: Node, box: Box, size: Size, used: bool) -> Markup:
    left, y, width = box
    top, room = y - size.height / 2, size.height
    frame = {"x": left, "y": top, "width": width, "height": room, "rx": 9}
    side = room - 12 if size.columns else 22
    text = left + side + (15 if size.columns else 11)
    fits = left + width - text - 5
    font = max(10.5, min(13.5 if size.columns else 12.0, fits / (0.65 * len(view.name))))
    name = shorten(view.name, max(3, int(fits / (0.65 * font) + 0.01)))
    style = {"class": "name", "style": f"font-size:{font:.1f}px"}
    made = shorten(view.made, max(3, int(fits / (6.3 if size.columns else 5.6))))
    return el(
        "g",
        {"class": f"view {view.kind}" + ("" if used else " passive")},
        el("title", {}, f"{view.name}: {view.made}" if view.made else view.name),
        el("rect", frame),
        face(view, left + 6, y - side / 2, side),
        el("text", {"x": text, "y": y - 2 if view.made else y + 4, **style}, name),
        el("text", {"x": text, "y": y + 13, "class": "made"}, made),
        _badge("probed", left + width - 8, top) if view.probed else "",
    )


def _badge(text: str, right: float, y: float) -> Markup:
    width = 6.4 * len(text) + 8
    frame = {"x": right - width, "y": y - 7, "width": width, "height": 14, "rx": 7}
    middle = {"x": right - width / 2, "y": y + 3.5, "text-anchor": "middle"}
    return el("g", {"class": "badge"}, el("rect", frame), el("text", middle, text))


def _brackets(
    edges: Sequence[Edge], box: Callable[[str], Box], right: float, size: Size
) -> tuple[list[Markup], float, float]:
    """Draw the edges; returns them, the width of the drawing and where the last label ends."""
    uses: dict[str, list[int]] = {}
    for i, edge in enumerate(edges):
        for end in edge.ends:
            uses.setdefault(end, []).append(i)

    def attach(name: str, i: int, again: int) -> tuple[float, float]:
        left, y, width = box(name)
        mine = uses[name]
        k = mine.index(i) + again
        apart = min(9.0, (size.height - 12) / max(1, len(mine) - 1))
        return left + width, y + (k - (len(mine) - 1) / 2) * apart

    tips = [
        sorted(
            (attach(end, i, edge.ends[:k].count(end)) for k, end in enumerate(edge.ends)),
            key=lambda tip: tip[1],
        )
        for i, edge in enumerate(edges)
    ]
    spans = [(ends[0][1], ends[-1][1]) for ends in tips]
    lane = lanes(spans)
    first = right + (26 if size.columns else 18)
    label = first + (max(lane, default=0)) * size.lane + (20 if size.columns else 13)
    rows = spread([(low + high) / 2 for low, high in spans], 40, 20)
    out = []
    for i, edge in enumerate(edges):
        (ax, ay), *between, (bx, by) = tips[i]
        x, y, mid = first + lane[i] * size.lane, rows[i], sum(spans[i]) / 2
        bend = 7 if by - ay >= 0 else -7
        bend = int(max(-abs(by - ay) / 2, min(abs(by - ay) / 2, bend)))
        turn = abs(bend)
        line = (
            f"M{ax:.1f} {ay:.1f}H{x - turn:.1f}q{turn} 0 {turn} {bend}V{by - bend:.1f}"
            f"q0 {bend} {-turn} {bend}H{bx:.1f}"
        ) + "".join(f"M{to:.1f} {at:.1f}H{x:.1f}" for to, at in between)
        leader = (
            f"M{x:.1f} {mid:.1f}C{label - 8:.1f} {mid:.1f} {x:.1f} {y:.1f} {label - 5:.1f} {y:.1f}"
        )
        out.append(
            el(
                "g",
                {
                    "class": "edge" + (" minimized" if edge.minimized else ""),
                    "style": f"color:var(--c{edge.color})",
                },
                el("title", {}, f"{' and '.join(edge.ends)}: {edge.value}, {edge.below}"),
                el("path", {"d": line}),
                el("path", {"d": leader, "class": "leader"}),
                *(el("circle", {"cx": to, "cy": at, "r": 3}) for to, at in tips[i]),
                el("text", {"x": label, "y": y - 1, "class": "value"}, edge.value),
                el("text", {"x": label, "y": y + 14, "class": "made"}, edge.below),
            )
        )
    return out, label + size.label * bool(edges), max(rows, default=0) + 26
