"""The information profile as the page draws it: a heat map of stages and factors for each view."""

from __future__ import annotations

import math
from typing import Any

from infomax.records import Held, Results
from infomax.report import heat, words


def profiles(results: Results) -> list[dict[str, Any]]:
    """One drawing a view; labels above low-level factors, stages from raw to output."""
    if results.profile is None:
        return []
    out = []
    for view in dict.fromkeys(cell.view for cell in results.profile.held):
        held = [cell for cell in results.profile.held if cell.view == view]
        cells = [_cell(cell) for cell in sorted(held, key=lambda c: c.kind != "label")]
        out.append({"view": view, "drawing": heat.draw(cells)})
    return out


def _cell(held: Held) -> heat.Cell:
    known = math.isfinite(held.nats) and held.entropy > 0
    return heat.Cell(
        row=held.factor,
        column=held.stage,
        share=held.nats / held.entropy if known else 0.0,
        value=words.nats(held.nats),
        below=f"of {words.nats(held.entropy)}",
        told=f"{held.stage}: {words.with_error(held.nats, held.stderr)} nats about {held.factor}",
    )
