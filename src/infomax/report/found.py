"""Retrieval, zero-shot classes and the map of nats, as the page's tables and drawings want them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from infomax.records import Results, Retrieval, Shared
from infomax.report import heat, words


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
                    "stage": stage,
                    "title": "before training: the signals"
                    if stage == "before"
                    else "after training: the learned views",
                    "drawing": heat.draw(_cells(chosen)),
                    "note": f"Estimates (not bounds) with 95 % intervals, from {counted} test "
                    f"contexts; each view is reduced to its first {dims} principal components, "
                    "so whole views share at least as much.",
                }
            )
    return out


def _cells(found: Sequence[Shared]) -> list[heat.Cell]:
    """Both halves of a symmetric matrix; the darker the more, relative to the largest."""
    top = max((cell.nats for cell in found if math.isfinite(cell.nats)), default=0.0)
    names = list(dict.fromkeys(name for cell in found for name in cell.between))
    cells = {}
    for cell in found:
        low, high = (words.nats(end) for end in cell.interval)
        for row, column in (cell.between, cell.between[::-1]):
            cells[row, column] = heat.Cell(
                row=row,
                column=column,
                share=cell.nats / top if top > 0 and math.isfinite(cell.nats) else 0.0,
                value=words.nats(cell.nats),
                below=f"{low} to {high}",
                told=f"{row} and {column}: {words.nats(cell.nats)} nats",
            )
    places = [(a, b) for a in names for b in names if (a, b) in cells]
    return [cells[place] for place in places]


def gallery(neighbours: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Keep what the page can show of neighbours.json: texts, labels, pictures, sounds."""
    return [
        {
            "from": str(search.get("from", "")),
            "to": str(search.get("to", "")),
            "among": among if isinstance(among := search.get("among"), int) else None,
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
