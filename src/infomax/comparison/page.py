"""Draws a comparison: one HTML page in the looks of a report."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path

from markupsafe import Markup

from infomax.comparison.curve import draw
from infomax.comparison.rows import judged
from infomax.comparison.sides import Run
from infomax.comparison.whole import Comparison
from infomax.records import write_text_atomic, writing
from infomax.report import curves, known, words
from infomax.report.page import COLORS, environment, looks

HERE = Path(__file__).parent


def write(found: Comparison, out: Path) -> None:
    """Write the page as a file that needs no network and no other file; whole or not at all.

    Raises:
        InfomaxError: it cannot be written.
    """
    html = render(found)
    with writing(out):
        write_text_atomic(out, html)


def render(found: Comparison) -> str:
    """Give the page as text."""
    page: str = (
        environment(HERE)
        .get_template("compare.html")
        .render(
            css=looks(),
            found=found,
            runs=found.runs,
            groups=[(group, list(own)) for group, own in groupby(found.rows, lambda r: r.group)],
            curve=draw(found.points) if found.points else "",
            profiles=[(run.name, _profile(run)) for run in found.runs if _profile(run)],
            curves=[
                (run.name, *drawn)
                for i, run in enumerate(found.runs)
                if (drawn := _training(run, i % COLORS))
            ],
            commands=[
                (run.name, run.results.environment.get("command"))
                for run in found.runs
                if run.results
            ],
        )
    )
    return page


def _profile(run: Run) -> Markup | None:
    """What the stages of the first judged view know."""
    drawn = {p["view"]: p["drawing"] for p in known.profiles(run.results)} if run.results else {}
    first = judged(run.results)[:1] if run.results else []
    return next((drawn[view] for view in [*first, *drawn] if view in drawn), None)


def _training(run: Run, color: int) -> tuple[str, Markup] | None:
    """The curve of the main edge; of the first edge where the run is not evaluated."""
    main = words.main(run.results.terms) if run.results else None
    drawn = curves.collect(run.folder.metrics, run.results)
    own = next((c for c in drawn if main is None or c.final is main), None)
    return (" ↔ ".join(own.between), curves.draw(own, color)) if own else None
