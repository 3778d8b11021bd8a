"""The whole comparison, made once: the page, the terminal and JSON only draw it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from infomax.comparison.curve import Point, differ_in_views, finding, points
from infomax.comparison.rows import Row, rows
from infomax.comparison.sides import Difference, Run, differences, read, warnings


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Several runs side by side.

    ``rows`` are their numbers, a cell a run; ``points`` and ``finding`` are about how much views
    should share, and empty where the runs cannot say; ``by_views``: they differ in their views.
    """

    runs: Sequence[Run]
    warnings: Sequence[str]
    differences: Sequence[Difference]
    rows: Sequence[Row]
    points: Sequence[Point]
    finding: str
    by_views: bool

    @property
    def headline(self) -> str:
        """The first lead beyond error, in a sentence."""
        for row in self.rows:
            cell = None if row.best is None else row.cells[row.best]
            if row.best is not None and cell is not None:
                return f"{self.runs[row.best].name} leads in {row.name}: {cell.text}."
        return f"{len(self.runs)} runs; no lead beyond the error of the difference can be claimed."

    def to_json(self) -> dict[str, object]:
        """Give everything that is said, for a program to read."""
        return {
            "runs": [{"name": run.name, "state": run.state} for run in self.runs],
            "headline": self.headline,
            "warnings": list(self.warnings),
            "differences": [asdict(difference) for difference in self.differences],
            "rows": [asdict(row) for row in self.rows],
            "points": [asdict(point) for point in self.points],
            "finding": self.finding,
        }


def compare(folders: Sequence[Path]) -> Comparison:
    """Read run folders and put them side by side.

    Raises:
        InfomaxError: fewer than two different folders, one that is no run, damaged results.
    """
    runs = read(folders)
    found = points(runs)
    return Comparison(
        runs=runs,
        warnings=warnings(runs),
        differences=differences(runs),
        rows=rows(runs),
        points=found,
        finding=finding(found),
        by_views=differ_in_views(runs),
    )
