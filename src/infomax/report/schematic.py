"""The graph of views, drawn like the schematic it is: a tree on the left, its edges on the right.

Views are read from left to right; the edges between them are brackets, each with its nats. The same
tree is drawn twice: in columns, and indented for narrow screens.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from markupsafe import Markup

from infomax.report import cards
from infomax.report.cards import Box
from infomax.report.graph import ROOT, Edge, Node, lanes, places, spread
from infomax.report.svg import el


@dataclass(frozen=True, kw_only=True)
class Size:
    """Measures of one drawing, in pixels."""

    columns: bool
    step: float  # from one depth to the next
    card: float
    height: float  # of a card with a sign
    picture: float  # more of one that shows what the view looks like
    gap: float  # between rows
    lane: float
    label: float  # room for the text beside a bracket


ROOM = 980.0  # the widest drawing that fits the page without scrolling
PHONE = 330.0  # the same on a phone 390 pixels wide
WIDE = Size(columns=True, step=196, card=156, height=46, picture=56, gap=18, lane=22, label=150)
NARROW = Size(columns=False, step=16, card=138, height=40, picture=44, gap=12, lane=11, label=84)


def draw(views: Sequence[Node], edges: Sequence[Edge], size: Size, root: str = "") -> Markup:
    """Draw the graph as one SVG; ``root`` is a line below the word context."""
    ends = {end for edge in edges for end in edge.ends}
    at = places(views, ends, size.columns)
    size = _fitted(size, at, edges)
    first = 104.0 if size.columns else size.card
    shift = first + 36 - size.step if size.columns else 0.0
    shown = {v.name for v in views if v.specimen}
    middles, bottom = _rows(at, shown, size)

    def box(name: str) -> Box:
        depth, row = at[name]
        return Box(
            left=0.5 if name == ROOT else depth * size.step + shift,
            y=middles[row],
            width=first if name == ROOT else size.card,
            height=size.height + (size.picture + 6 if name in shown else 0),
        )

    right = max(box(name).right for name in at)
    brackets, width, lowest = _brackets(edges, box, right, size)
    parents = {v.name: v.parent if v.parent in at else ROOT for v in views}
    wires = [_wire(box(parents[v.name]), box(v.name), size) for v in views]
    drawn = [cards.context(box(ROOT), root)]
    drawn += [
        cards.card(
            v,
            box(v.name),
            used=v.name in ends,
            large=size.columns,
            picture=size.picture if v.specimen else 0,
        )
        for v in views
    ]
    height = max(bottom, lowest)
    told = "; ".join(f"{' and '.join(e.ends)}: {e.value} ({e.below})" for e in edges)
    return el(
        "svg",
        {
            "viewBox": f"0 0 {width:.0f} {height:.0f}",
            "width": f"{width:.0f}",
            "height": f"{height:.0f}",
            "class": "wide" if size.columns else "narrow",
            "role": "group" if any(v.specimen and v.specimen.sound for v in views) else "img",
            "aria-label": f"Graph of views. {told}",
        },
        *wires,
        *brackets,
        *drawn,
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


def _rows(at: dict[str, tuple[int, int]], shown: set[str], size: Size) -> tuple[list[float], float]:
    """Where the middle of each row is, and where the last one ends."""
    heights = [size.height] * (1 + max(row for _, row in at.values()))
    for name in shown:
        heights[at[name][1]] = size.height + size.picture + 6
    middles, top = [], size.gap / 2
    for height in heights:
        middles.append(top + height / 2)
        top += height + size.gap
    return middles, top - size.gap / 2


def _wire(parent: Box, child: Box, size: Size) -> Markup:
    x, to, below = parent.right, child.left, child.y
    if not size.columns:
        start = parent.left + 9
        d = f"M{start} {parent.y + parent.height / 2}V{below}H{to}"
    elif below == parent.y:
        d = f"M{x} {below}H{to}"
    else:
        d = f"M{x} {parent.y}H{to - 18}V{below - 8}q0 8 8 8H{to}"
    return el("path", {"class": "wire", "d": d})


def _brackets(
    edges: Sequence[Edge], box: Callable[[str], Box], right: float, size: Size
) -> tuple[list[Markup], float, float]:
    """Draw the edges; returns them, the width of the drawing and where the last label ends."""
    uses: dict[str, list[int]] = {}
    for i, edge in enumerate(edges):
        for end in edge.ends:
            uses.setdefault(end, []).append(i)

    def attach(name: str, i: int, again: int) -> tuple[float, float]:
        card, mine = box(name), uses[name]
        k = mine.index(i) + again
        apart = min(9.0, (card.height - 12) / max(1, len(mine) - 1))
        return card.right, card.y + (k - (len(mine) - 1) / 2) * apart

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
