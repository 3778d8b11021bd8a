"""What a person sees in a terminal: progress, tables. Plain lines where there is no terminal."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from types import TracebackType

from rich import progress as bars
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from infomax.comparison import Comparison
from infomax.recipe import Recipe
from infomax.records import Probe, Results, Retrieval, Term
from infomax.report.words import SPHERE

out = Console(highlight=False)
EVERY = 10.0
"""Seconds between two lines where there is no terminal."""


def line(words: str) -> None:
    """Print one line, whole."""
    out.print(words, soft_wrap=True, markup=False)


class Progress:
    """A bar with the live held-out nats and the time left; plain lines without a terminal.

    ``silent``: say nothing, as all processes but the first.
    """

    def __init__(self, *, silent: bool = False) -> None:
        self._silent = silent
        self._bar = bars.Progress(
            bars.TextColumn("{task.description}"),
            bars.BarColumn(),
            bars.MofNCompleteColumn(),
            bars.TextColumn("{task.fields[words]}"),
            bars.TimeElapsedColumn(),
            bars.TextColumn("left"),
            bars.TimeRemainingColumn(),
            console=out,
            transient=True,
            disable=silent or not out.is_terminal,
        )
        self._task: bars.TaskID | None = None
        self._spoken = 0.0
        self._begun = time.perf_counter()

    def __enter__(self) -> Progress:
        self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bar.stop()

    def step(self, done: int, total: int, words: str) -> None:
        """Note that a training step is done."""
        if self._silent:
            return
        if out.is_terminal:
            if self._task is None:
                self._task = self._bar.add_task("training", total=total, words="", completed=done)
                self._bar.reset(self._task, completed=done, total=total, description="training")
            held = f"held out {words}" if words else ""
            self._bar.update(self._task, completed=done, words=held)
            return
        now = time.perf_counter()
        if now - self._spoken >= EVERY or done == total:
            self._spoken = now
            line(f"step {done}/{total}  {now - self._begun:.0f} s  {words and 'held out ' + words}")

    def say(self, words: str) -> None:
        """Say what is being done besides training."""
        if self._silent:
            return
        if not out.is_terminal:
            line(words)
            return
        if self._task is not None:
            self._bar.remove_task(self._task)
        self._task = self._bar.add_task(words, total=None, words="")

    def note(self, words: str) -> None:
        """Say what a person should know, above the bar."""
        if not self._silent:
            line(words)


def profile(parts: Mapping[str, tuple[float, float]]) -> None:
    """Print where a step's time went: milliseconds a step, and share."""
    listing = Table(title="Where the time of a step goes", title_justify="left")
    for name in ("part", "ms a step", "share"):
        listing.add_column(name, justify="left" if name == "part" else "right")
    for part, (milliseconds, share) in parts.items():
        listing.add_row(part, f"{milliseconds:.1f}", f"{share:.0%}")
    out.print(listing)


def table(results: Results) -> None:
    """Print held-out nats and probes, each beside its baselines and controls."""
    nats = Table(title="Mutual information, held out (nats)", title_justify="left")
    for name in ("between", "bound", "nats", "ceiling", "train", "shuffled", "verdict"):
        nats.add_column(name, justify="right" if name in _NUMBERS else "left", no_wrap=True)
    for term in results.terms:
        nats.add_row(*_term(term))
    out.print(nats)
    for term in results.terms:
        if term.verdict != "ok":
            line(f"{' - '.join(term.between)}: {term.verdict}: {term.why}")
    if results.probes:
        probes = Table(title="Probes (test accuracy)", title_justify="left")
        sides = [s for s in _SIDES if any(getattr(p, s) == getattr(p, s) for p in results.probes)]
        for name in ("label of view", "probe, labels", *sides):
            probes.add_column(name, justify="right" if name in _NUMBERS else "left")
        for probe in results.probes:
            probes.add_row(*_probe(probe, sides))
        out.print(probes)
        for note in dict.fromkeys(note for probe in results.probes for note in probe.notes):
            line(note)
    if results.retrieval:
        _retrieval(results.retrieval)
    for told in results.zero_shot:
        line(
            f"zero-shot {told.label} of {told.view} by {told.text}: {told.accuracy:.3f} "
            f"± {told.stderr:.3f} of {told.contexts}, balanced {told.balanced:.3f} "
            f"(chance {told.chance:.3f}, commonest class {told.majority:.3f})"
        )
    for cell in results.map:
        line(
            f"shared {cell.stage} training: {' - '.join(cell.between)}: {cell.nats:.2f} nats "
            f"[{cell.interval[0]:.2f}, {cell.interval[1]:.2f}]"
        )
    if results.profile and results.profile.finding:
        line(results.profile.finding)
    if results.representation:
        rank = results.representation
        line(f"effective rank {rank.effective_rank:.1f} of {rank.dimension} dimensions")
        for name, meaning in SPHERE.items():
            if not math.isnan(value := getattr(rank, name)):
                line(f"{name} {value:.2f} ({meaning})")
    skipped = results.data.get("skipped")
    if isinstance(skipped, list) and skipped:
        line(f"skipped {len(skipped)} unreadable contexts: {'; '.join(map(str, skipped[:5]))}")


def compared(found: Comparison) -> None:
    """Print runs side by side: warnings, every number, what differs in the recipes."""
    for words in found.warnings:
        line(words)
    listing = Table(title="Runs side by side (95 % intervals)", title_justify="left")
    listing.add_column("", overflow="fold")
    for run in found.runs:
        listing.add_column(run.name, overflow="fold")
    group = ""
    for row in found.rows:
        if row.group != group:
            listing.add_section()
            listing.add_row(f"[bold]{row.group}[/bold]")
            group = row.group
        cells = []
        for place, cell in enumerate(row.cells):
            text = "-" if cell is None else escape(cell.text)
            text = f"[bold]{text}[/bold]" if row.best == place else text
            below = escape(cell.below) if cell and cell.below else ""
            cells.append(f"{text}\n[dim]{below}[/dim]" if below else text)
        listing.add_row(escape(row.name), *cells)
    out.print(listing)
    line(found.headline)
    if found.finding:
        line(found.finding)
    if found.differences:
        keys = Table(title="What differs in the recipes", title_justify="left")
        for name in ("key", *(run.name for run in found.runs)):
            keys.add_column(name, overflow="fold")
        for difference in found.differences:
            keys.add_row(*map(escape, (difference.key, *difference.values)))
        out.print(keys)


_SIDES = ("majority", "raw", "pca", "cca", "untrained", "learned")
_NUMBERS = {"nats", "ceiling", "train", "shuffled", *_SIDES}
_KINDS = {"accuracy": "linear", "balanced_accuracy": "linear, balanced", "knn_accuracy": "k-NN"}
_SIGNS = {"lower": "≥", "upper": "≤", "estimate": "≈"}


def _term(term: Term) -> list[str]:
    return [
        "\n".join(term.between),
        f"{term.bound}\n{term.side}",
        f"{_SIGNS[term.side]} {term.nats:.2f} ± {term.stderr:.2f}",
        "-" if term.ceiling is None else f"{term.ceiling:.2f}",
        f"{term.train_nats:.2f}",
        f"{term.control_nats:.2f}",
        term.verdict,
    ]


def _probe(probe: Probe, sides: Sequence[str]) -> list[str]:
    kind = _KINDS.get(probe.metric, probe.metric)
    used = probe.labels_used if probe.labels_used == "all" else f"{probe.labels_used}/class"
    numbers = (getattr(probe, side) for side in sides)
    shown = ("-" if n != n else f"{n:.3f}" for n in numbers)
    return [f"{probe.label}\n{probe.view}", f"{kind}\n{used}", *shown]


def _retrieval(records: Sequence[Retrieval]) -> None:
    """Recall at each k beside chance; linear CCA of the same contexts below."""
    ks = sorted({k for record in records for k in record.recall})
    found = Table(title="Retrieval among test contexts (chance in brackets)", title_justify="left")
    for name in ("from", "by", "among"):
        found.add_column(name)
    for name in (*(f"recall@{k}" for k in ks), "median rank"):
        found.add_column(name, justify="right", no_wrap=True)
    for record in records:
        shares = [
            f"{record.recall[k]:.3f}\n({record.chance.get(k, float('nan')):.3f})"
            if k in record.recall
            else "-"
            for k in ks
        ]
        found.add_row(
            f"{record.source}\n→ {record.target}",
            record.baseline or "learned",
            str(record.candidates),
            *shares,
            f"{record.median_rank:.0f}\n({record.chance_rank:.0f})",
        )
    out.print(found)


def recipes(shipped: Mapping[str, Recipe]) -> None:
    """Print the shipped recipes with their paper and their edges."""
    listing = Table(show_lines=True)
    for name in ("recipe", "paper", "maximizes information between"):
        listing.add_column(name, overflow="fold")
    for name, recipe in shipped.items():
        edges = ", ".join(" - ".join(edge.between) for edge in recipe.maximize)
        listing.add_row(name, recipe.paper, edges)
    out.print(listing)
