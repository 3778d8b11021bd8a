"""Retrieval, zero-shot classes and the map of nats, as the page's tables and drawings want them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from infomax.records import Results, Retrieval, Shared
from infomax.report import words
from infomax.report.svg import el, shorten

CELL, NAME = 108.0, 128.0
ROW = 62.0


def retrieval(results: Results) -> dict[str, Any]:
    """One row a direction, learned first and linear CCA below it; the columns are the k's."""
    ks = sorted({k for record in results.retrieval for k in record.recall})
    rows = []
    for record in results.retrieval:
        cells = [(k, *_recall(record, k)) for k in ks]
        rank = "" if not math.isfinite(record.median_rank) else f"{record.median_rank:.0f}"
        luck = "" if not math.isfinite(record.chance_rank) else f"{record.chance_rank:.0f}"
        rows.append(
            {
                "source": record.source,
                "target": record.target,
                "by": "linear CCA" if record.baseline == "cca" else record.baseline or "learned",
                "learned": record.baseline is None,
                "scored_by": record.scored_by,
                "right": record.right,
                "candidates": record.candidates,
                "contexts": record.contexts,
                "cells": cells,
                "rank": rank,
                "chance_rank": luck,
            }
        )
    return {"ks": ks, "rows": rows}


def _recall(record: Retrieval, k: int) -> tuple[str, str, str]:
    """Recall at k, its interval and chance, in words; empty where there is none."""
    low, high = record.interval.get(k, (math.nan, math.nan))
    between = ""
    if math.isfinite(low) and math.isfinite(high):
        between = f"{100 * low:.1f} to {100 * high:.1f}"
    chance = words.percent(record.chance[k]) if k in record.chance else ""
    return words.percent(record.recall.get(k)), between, chance


def sentence(results: Results) -> list[str]:
    """Say what the first search found, against chance."""
    first = next((r for r in results.retrieval if r.baseline is None and r.recall), None)
    if first is None:
        return []
    k = min(first.recall)
    luck = f" (chance {words.percent(first.chance[k])})" if k in first.chance else ""
    place = "first" if k == 1 else f"among the first {k}"
    return [
        f"Looking for {first.target} by {first.source} among {first.candidates:,} contexts, the "
        f"right one comes {place} in {words.percent(first.recall[k])} of the searches{luck}."
    ]


def maps(cells: Sequence[Shared]) -> list[dict[str, Any]]:
    """One heat map a stage: nats between every two views, with intervals; and how to read it."""
    out = []
    for stage in ("before", "after"):
        chosen = [cell for cell in cells if cell.stage == stage]
        if chosen:
            fewest, most = (f(c.contexts for c in chosen) for f in (min, max))
            dims = max(max(cell.dims) for cell in chosen)
            counted = f"{most:,}" if fewest == most else f"{fewest:,} to {most:,}"
            out.append(
                {
                    "title": "before training: the signals"
                    if stage == "before"
                    else "after training: the learned views",
                    "drawing": heat(chosen),
                    "note": f"Estimates (not bounds) with 95 % intervals, from {counted} test "
                    f"contexts; each view is reduced to its first {dims} principal components, "
                    "so whole views share at least as much.",
                }
            )
    return out


def heat(cells: Sequence[Shared]) -> Markup:
    """Draw a symmetric matrix of nats; the darker the more, relative to the largest."""
    names = list(dict.fromkeys(name for cell in cells for name in cell.between))
    at = {name: i for i, name in enumerate(names)}
    top = max((cell.nats for cell in cells if math.isfinite(cell.nats)), default=0.0)
    parts = []
    for name, i in at.items():
        middle = NAME + (i + 0.5) * CELL
        short = shorten(name, 15)
        parts.append(el("text", {"x": middle, "y": 18.0, "text-anchor": "middle"}, short))
        y = 30.0 + (i + 0.5) * ROW + 4
        parts.append(el("text", {"x": NAME - 10, "y": y, "text-anchor": "end"}, short))
    for cell in cells:
        a, b = (at[name] for name in cell.between)
        for row, column in ((a, b), (b, a)):
            parts.append(_cell(cell, NAME + column * CELL, 30.0 + row * ROW, top))
    width, height = NAME + CELL * len(names) + 8, 38.0 + ROW * len(names)
    size = {"viewBox": f"0 0 {width:g} {height:g}", "width": width, "height": height}
    told = "; ".join(f"{c.between[0]} and {c.between[1]}: {words.nats(c.nats)}" for c in cells)
    return el(
        "svg", {"class": "heat", "role": "img", "aria-label": f"Nats. {told}", **size}, *parts
    )


def _cell(cell: Shared, x: float, y: float, top: float) -> Markup:
    share = max(0.0, cell.nats) / top if top > 0 and math.isfinite(cell.nats) else 0.0
    low, high = cell.interval
    middle = {"x": x + CELL / 2, "text-anchor": "middle"}
    box = {"x": x + 2, "y": y + 2, "width": CELL - 4, "height": ROW - 4, "rx": 6}
    return el(
        "g",
        {"class": "dark" if share > 0.55 else None},
        el("rect", {**box, "fill-opacity": 0.08 + 0.87 * share}),
        el("text", {**middle, "y": y + 28, "class": "name"}, words.nats(cell.nats)),
        el("text", {**middle, "y": y + 45}, f"{words.nats(low)} to {words.nats(high)}"),
    )


def gallery(neighbours: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Keep what the page can show of neighbours.json: texts, labels, pictures, sounds."""
    return [
        {
            "from": str(search.get("from", "")),
            "to": str(search.get("to", "")),
            "among": search.get("among"),
            "rows": [
                {
                    "query": _item(row.get("query", {})),
                    "answers": [_item(answer) for answer in row.get("answers", [])],
                }
                for row in search.get("queries", [])
            ],
        }
        for search in neighbours
    ]


def _item(item: Mapping[str, Any]) -> dict[str, Any]:
    """An item whose media are data of their kind, never addresses."""
    out = {key: str(item[key]) for key in ("row", "label", "text") if key in item}
    for key, kind in (("picture", "data:image/"), ("sound", "data:audio/")):
        if str(item.get(key, "")).startswith(kind):
            out[key] = str(item[key])
    return out | {"right": item.get("right") is True}
