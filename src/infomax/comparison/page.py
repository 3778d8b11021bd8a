"""Puts the comparison together: one HTML page in the looks of a report, and one JSON object."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import asdict
from itertools import groupby
from pathlib import Path
from typing import Any

from infomax.comparison import curve
from infomax.comparison.rows import judged, rows
from infomax.comparison.sides import Run, differences, warnings
from infomax.report import curves, known, words
from infomax.report.page import COLORS, environment, looks

HERE = Path(__file__).parent


def write(runs: Sequence[Run], out: Path) -> Path:
    """Write the page as a file that needs no network and no other file; whole or not at all."""
    part = out.with_name(f".{out.name}.{os.getpid()}.part")
    try:
        part.write_text(render(runs), encoding="utf-8")
        os.replace(part, out)
    finally:
        part.unlink(missing_ok=True)
    return out


def told(runs: Sequence[Run]) -> dict[str, Any]:
    """Everything that the comparison says, for a program to read."""
    found = curve.points(runs)
    return {
        "runs": [{"name": run.name, "state": run.state} for run in runs],
        "warnings": warnings(runs),
        "differences": [asdict(difference) for difference in differences(runs)],
        "rows": [asdict(row) for row in rows(runs)],
        "curve": {"points": [asdict(p) for p in found], "finding": curve.finding(found)},
    }


def render(runs: Sequence[Run]) -> str:
    """Give the page as text."""
    found = curve.points(runs)
    grouped = [(group, list(own)) for group, own in groupby(rows(runs), key=lambda row: row.group)]
    template = environment(HERE).get_template("compare.html")
    page: str = template.render(
        css=looks(),
        runs=runs,
        headline=headline(runs),
        warnings=warnings(runs),
        groups=grouped,
        differences=differences(runs),
        curve=curve.draw(found) if found else "",
        finding=curve.finding(found),
        by_views=curve.differ_in_views(runs),
        profiles=[(run.name, drawing) for run in runs for drawing in _profile(run)],
        curves=[(run.name, *drawn) for run in runs for drawn in _training(run)],
        commands=[
            (run.name, str(run.results.environment.get("command", "")))
            for run in runs
            if run.results
        ],
    )
    return page


def headline(runs: Sequence[Run]) -> str:
    """Say in a sentence what the comparison shows first."""
    leads = [row for row in rows(runs) if row.best is not None]
    if not leads:
        return f"{len(runs)} runs; none leads another by more than the error of the difference."
    row = leads[0]
    assert row.best is not None
    cell = row.cells[row.best]
    assert cell is not None
    return f"{runs[row.best].name} leads in {row.name}: {cell.text}."


def _profile(run: Run) -> list[Any]:
    if run.results is None:
        return []
    drawn = known.profiles(run.results)
    first = [p for p in drawn if p["view"] in judged(run.results)[:1]] or drawn[:1]
    return [entry["drawing"] for entry in first]


def _training(run: Run) -> list[tuple[str, Any]]:
    drawn = curves.collect(run.folder.metrics, run.results)
    main = words.main(run.results.terms) if run.results else None
    ends = tuple(main.between) if main else None
    own = [c for c in drawn if ends is None or c.between == ends][:1]
    return [(" ↔ ".join(c.between), curves.draw(c, i % COLORS)) for i, c in enumerate(own)]
