"""What the profile says, in a sentence or two."""

from __future__ import annotations

import math
from collections.abc import Sequence

from infomax.evaluation.profile import UNTRAINED
from infomax.evaluation.stages import OUTPUT, RAW
from infomax.records import Held, Shortcut

SHORTCUT = 0.5
"""Share of an edge's nats above which low-level factors are called a shortcut."""
LITTLE = 0.1
"""Share of the best known factor below which no kind is said to be mostly known."""


def finding(held: Sequence[Held], shortcuts: Sequence[Shortcut] = ()) -> str:
    """Say what the first view knows most, what training changed, and whether edges have shortcuts.

    "Mostly low-level": it holds a smaller share of every label than of the low-level factors on
    average; of a view that holds hardly anything neither is said.

    Example:
        >>> known = {"view": "z", "stage": "output", "stderr": 0.01, "classes": 8}
        >>> bright = Held(factor="brightness", kind="low-level", nats=0.9, entropy=1.1, **known)
        >>> label = Held(factor="label", kind="label", nats=0.3, entropy=2.3, **known)
        >>> finding([bright, label]).split(": ")[0]
        'z holds mostly low-level features'
    """
    told = []
    if held:
        view = held[0].view
        stages = [cell.stage for cell in held if cell.view == view]
        last = OUTPUT if OUTPUT in stages else RAW
        cells = [c for c in held if c.view == view and c.stage == last and math.isfinite(c.nats)]
        told.append(_known(view, cells))
        before = {c.factor: c for c in held if c.view == view and c.stage == UNTRAINED}
        told.append(_changed(cells, before))
    told += [_shortcut(s) for s in shortcuts if math.isfinite(s.share)]
    return " ".join(sentence for sentence in told if sentence)


def _share(cell: Held) -> float:
    return max(0.0, cell.nats) / cell.entropy if cell.entropy > 0 else 0.0


def _of(cell: Held, unit: str = "") -> str:
    nats = max(0.0, cell.nats)  # zero is a lower bound too
    return f"{nats:.2f} of {cell.entropy:.2f}{unit} about {cell.factor}"


def _known(view: str, cells: Sequence[Held]) -> str:
    labels = sorted((c for c in cells if c.kind == "label"), key=_share, reverse=True)
    low = sorted((c for c in cells if c.kind == "low-level"), key=_share, reverse=True)
    if not labels or not low:
        some = (labels or low)[:3]
        if not some:
            return ""
        named = ", ".join(_of(c, " nats" if i == 0 else "") for i, c in enumerate(some))
        without = "" if labels else " (the data have no label)"
        return f"{view} holds {named}{without}."
    if max(_share(labels[0]), _share(low[0])) < LITTLE:
        named = ", ".join([_of(labels[0], " nats"), *map(_of, [*labels[1:2], *low[:2]])])
        return f"The probes read little of anything from {view}: {named}."
    average = sum(map(_share, low)) / len(low)
    if _share(labels[0]) < average:
        named = ", ".join([_of(low[0], " nats"), *map(_of, [*low[1:2], *labels[:2]])])
        return f"{view} holds mostly low-level features: {named}."
    named = ", ".join([_of(labels[0], " nats"), *map(_of, [*labels[1:2], *low[:2]])])
    return f"{view} holds more than low-level features: {named}."


def _changed(cells: Sequence[Held], before: dict[str, Held]) -> str:
    moves = []
    for cell in cells:
        twin = before.get(cell.factor)
        if twin is not None and math.isfinite(twin.nats):
            move = cell.nats - twin.nats
            if abs(move) > max(0.05, 2 * math.hypot(cell.stderr, twin.stderr)):
                moves.append((cell, move))
    if not before:
        return ""
    if not moves:
        return "The untrained encoder holds as much."
    first = [m for m in moves if m[0].kind == "label"][:1]
    rest = sorted((m for m in moves if m not in first), key=lambda m: -abs(m[1]))
    named = [f"{c.factor} {'+' if m > 0 else '−'}{abs(m):.2f}" for c, m in (first + rest)[:3]]
    return "Training changed " + ", ".join(named) + " nats against the untrained encoder."


def _shortcut(found: Shortcut) -> str:
    pair = f"{found.between[0]} and {found.between[1]}"
    reach = f"{max(0.0, found.nats):.2f} of the {found.edge_nats:.2f} nats between {pair}"
    if found.nats > found.edge_nats:
        reach = f"{found.nats:.2f} nats between {pair}, more than the edge's {found.edge_nats:.2f}"
    if found.same_input:
        return f"Both {pair} see one input, whose low-level factors alone reach {reach}."
    most = ", ".join(list(found.factors)[:2])
    if found.share >= SHORTCUT:
        by = f", most by {most}" if most else ""
        return f"A shortcut: low-level factors alone reach {reach} ({100 * found.share:.0f} %{by})."
    return f"Low-level factors alone reach {reach} ({100 * found.share:.0f} %)."
