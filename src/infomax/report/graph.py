"""The graph of views as a recipe tells it, and where each view and each edge goes on paper.

Views are a tree: the context, its signals, what is computed from them. A view that an edge ends at
has a row of its own, so that its line to the edge's bracket crosses no other view.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from infomax.report.specimen import Specimen

ROOT = ""


@dataclass(frozen=True, kw_only=True)
class Node:
    """A view: its parent in the graph (ROOT for a signal) and what was done to the parent."""

    name: str
    parent: str
    made: str
    kind: str  # of a signal: picture, sound, text, vector, series; slice, augment, features, middle
    specimen: Specimen | None = None
    probed: bool = False


@dataclass(frozen=True, kw_only=True)
class Edge:
    """A term of the objective between views: its value as text, and a line below it."""

    ends: tuple[str, ...]
    value: str
    below: str
    color: int
    minimized: bool = False


def nodes(
    recipe: Mapping[str, Any], ends: Sequence[str], specimens: Mapping[str, Specimen]
) -> list[Node]:
    """Read the views of a recipe; views that only the edges name are hung on the context.

    ``specimens`` is what some views look like, by their names.
    """
    views = recipe.get("views")
    specs: dict[str, Any] = dict(views) if isinstance(views, dict) else {}
    specs = {str(k): v if isinstance(v, dict) else {} for k, v in specs.items()}
    asked = recipe.get("evaluate")
    judged = asked.get("view") if isinstance(asked, dict) else None
    probed = judged if isinstance(judged, list) else [judged]
    found: dict[str, Node] = {}
    plain = {str(s.get("signal")): name for name, s in specs.items() if set(s) == {"signal"}}
    for name, spec in specs.items():
        signal = spec.get("signal")
        steps = {k: v for k, v in spec.items() if k not in ("of", "signal") and v is not None}
        if "of" in spec:
            parent = str(spec["of"])
        elif signal is not None and steps:
            parent = plain.get(str(signal), str(signal))
        else:
            parent = ROOT
        if parent not in specs and parent != ROOT:
            found.setdefault(parent, _signal(parent, parent, recipe))
        if parent == ROOT:
            found[name] = _signal(name, str(signal or name), recipe)
        else:
            found[name] = Node(name=name, parent=parent, made=_made(steps), kind=_kind(steps))
    for name in ends:
        found.setdefault(name, Node(name=name, parent=ROOT, made="", kind="features"))
    return [
        replace(node, probed=node.name in probed, specimen=specimens.get(node.name))
        for node in found.values()
    ]


def _signal(name: str, signal: str, recipe: Mapping[str, Any]) -> Node:
    data = recipe.get("data")
    signals = data.get("signals") if isinstance(data, dict) else None
    spec = signals.get(signal) if isinstance(signals, dict) else None
    kind = str(spec.get("kind", "")) if isinstance(spec, dict) else ""
    kind = kind or ("picture" if re.search("pict|image", signal + name) else "signal")
    return Node(
        name=name,
        parent=ROOT,
        made=f"signal {signal}" if signal != name else kind,
        kind=kind,
    )


def _made(steps: Mapping[str, Any]) -> str:
    """Say what was done to the parent, from whatever keys the recipe used."""
    parts = []
    for key, value in steps.items():
        if key == "encode":
            at = steps.get("at")
            parts.append(f"{value} at {at}" if at else f"after {value}")
        elif key == "half":
            parts.append(f"{value.get('side', '') if isinstance(value, dict) else value} half")
        elif key == "augment":
            parts.append(_plain(value))
        elif key == "window" and isinstance(value, dict) and value.get("second") is not None:
            parts.append(f"{value.get('length')} s at second {value['second']:g}")
        elif key != "at":
            parts.append(f"{key} {_plain(value)}")
    return ", ".join(parts)


def _plain(value: object) -> str:
    if isinstance(value, dict):
        return str(value.get("kind") or " ".join(f"{k} {_plain(v)}" for k, v in value.items()))
    if isinstance(value, list):
        return " + ".join(_plain(v) for v in value)
    return str(value)


def _kind(steps: Mapping[str, Any]) -> str:
    if "encode" in steps:
        return "middle" if steps.get("at") else "features"
    return "augment" if "augment" in steps else "slice"


def places(views: Sequence[Node], ends: set[str], columns: bool) -> dict[str, tuple[int, int]]:
    """Give each view its depth and row; the context is ``ROOT``.

    In columns a view shares the row of its first child, unless an edge ends at it.
    """
    children: dict[str, list[str]] = {}
    names = {view.name for view in views}
    for view in views:
        children.setdefault(view.parent if view.parent in names else ROOT, []).append(view.name)
    out: dict[str, tuple[int, int]] = {}
    row = 0

    def visit(name: str, depth: int) -> None:
        nonlocal row
        if name in out:
            return  # a recipe with a cycle is not ours to judge here
        out[name] = (depth, row)
        below = children.get(name, [])
        if not below or name in ends or not columns:
            row += 1
        for child in below:
            visit(child, depth + 1)

    visit(ROOT, 0)
    for view in views:  # what a cycle hides from the context
        visit(view.name, 1)
    return out


def lanes(spans: Sequence[tuple[float, float]]) -> list[int]:
    """Give each bracket a lane, so that none overlaps another; short ones lie inside.

    Example:
        >>> lanes([(0, 3), (0, 1), (2, 3)])
        [1, 0, 0]
    """
    taken: list[list[tuple[float, float]]] = []
    out = [0] * len(spans)
    for i in sorted(range(len(spans)), key=lambda i: spans[i][1] - spans[i][0]):
        low, high = spans[i]
        for lane in range(len(taken) + 1):
            if lane == len(taken):
                taken.append([])
            if all(high < a or b < low for a, b in taken[lane]):
                taken[lane].append((low, high))
                out[i] = lane
                break
    return out


def spread(wanted: Sequence[float], gap: float, low: float) -> list[float]:
    """Move labels as little as needed so that they are ``gap`` apart, none above ``low``.

    Labels that would overlap become a block around the middle of where they want to be.

    Example:
        >>> spread([50, 50, 200], 40, 20)
        [30.0, 70.0, 200.0]
    """
    order = sorted(range(len(wanted)), key=lambda i: wanted[i])
    blocks: list[tuple[float, list[int]]] = []  # where the first stands, and who
    for i in order:
        blocks.append((max(low, wanted[i]), [i]))
        while len(blocks) > 1 and blocks[-2][0] + gap * len(blocks[-2][1]) > blocks[-1][0]:
            members = blocks[-2][1] + blocks[-1][1]
            middle = sum(wanted[j] - gap * k for k, j in enumerate(members)) / len(members)
            blocks[-2:] = [(max(low, middle), members)]
    placed = {j: first + gap * k for first, members in blocks for k, j in enumerate(members)}
    return [float(placed[i]) for i in range(len(wanted))]
