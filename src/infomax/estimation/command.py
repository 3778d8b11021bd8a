"""The verb `infomax estimate`: files in, a table or JSON out."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from infomax._errors import InfomaxError
from infomax.estimation.answer import estimate
from infomax.estimation.drawing import FORMATS, draw
from infomax.estimation.files import read
from infomax.estimation.inputs import settings
from infomax.estimation.result import Estimate
from infomax.records import check_target


def run(
    x: str,
    y: str,
    *,
    given: str | None,
    as_json: bool,
    plot: Path | None,
    seed: int,
    budget: float | None,
    max_dropped: float,
    discrete: str = "auto",
) -> Estimate:
    """Estimate from files (FILE.npy, FILE.npz:key, FILE.csv:col1,col2, FILE.parquet), and draw.

    Raises:
        InfomaxError: files that cannot be read or rows that cannot be used.
    """
    settings(level=0.95, seed=seed, budget=budget, max_dropped=max_dropped, discrete=discrete)
    if plot is not None:
        check_target(plot, "--plot", *FORMATS)
    if budget is not None:
        budget = max(budget - time.process_time(), 0.5)  # the start of the program counts
    sides = read(x), read(y)
    _apart(x, y, *(set(getattr(side, "columns", ())) for side in sides))
    with _bar() as step:
        found = estimate(
            *sides,
            given=None if given is None else read(given),
            discrete=discrete,  # type: ignore[arg-type]
            seed=seed,
            budget=budget,
            max_dropped=max_dropped,
            progress=step,
        )
    if plot is not None:
        draw(found, plot)
    if as_json:
        sys.stdout.write(json.dumps(found.to_json(), indent=2) + "\n")
    else:
        show(found)
    return found


def _apart(x: str, y: str, of_x: set[str], of_y: set[str]) -> None:
    """Refuse a table as a whole beside columns of itself: they would stand on both sides.

    Raises:
        InfomaxError: naming them.
    """
    files = [spec if Path(spec).is_file() else spec.rpartition(":")[0] for spec in (x, y)]
    both = sorted(map(str, of_x & of_y))
    if files[0] == files[1] and both and {x, y} & {files[0]}:
        raise InfomaxError(
            wanted="other columns in X than in Y",
            got=f"{', '.join(both[:5])} of {files[0]} on both sides",
            fix=f"name the columns of each: {files[0]}:COLUMN,COLUMN",
        )


def show(found: Estimate) -> None:
    """Print the answer, the candidates as a table, and the notes."""
    from rich.console import Console
    from rich.table import Table

    out = Console(highlight=False)
    low, high = found.interval
    out.print(
        f"[bold]{found.nats:.3f} nats[/bold], {found.level:.0%} interval {low:.3f} to {high:.3f} "
        f"(an estimate, by {found.method}; verdict: {found.verdict})"
    )
    held, limit = _number(found.lower_bound), _number(found.lower_limit)
    out.print(f"held-out lower bound {held}, one-sided {found.level:.0%} limit {limit}")
    if found.upper_limit is not None:
        out.print(f"upper limit {found.upper_limit:.3f}")
    table = Table("candidate", "side", "validation", "test", "± s.e.", "seconds")
    for c in found.candidates:
        table.add_row(
            f"[bold]{c.method}[/bold]" if c.method == found.method else c.method,
            c.side,
            _number(c.validation_nats),
            _number(c.test_nats),
            _number(c.stderr),
            f"{c.seconds:.1f}",
        )
    if found.control is not None:
        held = _number(found.control.lower_bound)
        table.add_row("control: torn pairs", "lower", "", held, "", "")
    out.print(table)
    used = ", ".join(f"{part} {count:,}" for part, count in found.samples.items())
    out.print(f"rows: {used}")
    for note in found.notes:
        out.print(f"- {note}", markup=False)


@contextmanager
def _bar() -> Iterator[Callable[[int, int, str], None]]:
    """A bar on standard error, in a terminal, with what is being fitted and the time left."""
    from rich import progress as bars
    from rich.console import Console

    out = Console(stderr=True)
    columns = (
        bars.TextColumn("fitting"),
        bars.BarColumn(),
        bars.MofNCompleteColumn(),
        bars.TextColumn("{task.description}"),
        bars.TimeElapsedColumn(),
        bars.TextColumn("left"),
        bars.TimeRemainingColumn(),
    )
    with bars.Progress(*columns, console=out, transient=True, disable=not out.is_terminal) as bar:
        task = bar.add_task("", total=None)

        def step(done: int, total: int, words: str) -> None:
            bar.update(task, completed=done, total=total, description=words)

        yield step


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
