"""Figures of an estimate: candidates with intervals, learning curves, ceilings; a heat map."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from infomax._errors import InfomaxError
from infomax.estimation.result import Estimate
from infomax.records import check_target, write_text_atomic, writing

FORMATS = (".html", ".png")
COLOURS = {"lower": "#1f77b4", "upper": "#d62728", "estimate": "#7f7f7f"}


def draw(found: Estimate, path: Path) -> None:
    """Draw an estimate to FILE.html (plotly, self-contained) or FILE.png (matplotlib).

    Raises:
        InfomaxError: another suffix, or a folder that does not exist.
    """
    check_target(path, "a plot", *FORMATS)
    with writing(path):
        if path.suffix == ".html":
            write_text_atomic(path, _page(found))
        else:
            _picture(found, path)


def _bars(found: Estimate) -> list[tuple[str, float, float, str]]:
    """Name, value, half width and side of everything that has a value."""
    return [
        (c.method, c.test_nats, 1.96 * (c.stderr or 0.0), c.side)
        for c in found.candidates
        if c.test_nats is not None
    ]


def _title(found: Estimate) -> str:
    low, high = found.interval
    return (
        f"I(X; Y) = {found.nats:.3f} nats, {found.level:.0%} [{low:.3f}, {high:.3f}], by "
        f"{found.method} ({found.verdict})"
    )


def _lines(found: Estimate) -> list[tuple[str, float, str]]:
    """The limits worth a line across: name, value, dash."""
    limits = (
        ("lower limit", found.lower_limit, "dot"),
        ("upper limit", found.upper_limit, "dot"),
        ("ceiling", found.ceiling, "dash"),
    )
    return [(name, value, dash) for name, value, dash in limits if value is not None]


def _page(found: Estimate) -> str:
    from plotly import graph_objects as go
    from plotly.subplots import make_subplots

    curves = [c for c in found.candidates if c.curve]
    figure: Any = make_subplots(
        rows=2 if curves else 1,
        cols=1,
        subplot_titles=["held-out nats of the candidates"] + (["training"] if curves else []),
    )
    for name, value, half, side in _bars(found):
        point = {"array": [half], "type": "data"}
        figure.add_scatter(
            x=[value], y=[name], error_x=point, mode="markers", marker_color=COLOURS[side],
            name=f"{name} ({side})", row=1, col=1,
        )  # fmt: skip
    low, high = found.interval
    figure.add_vrect(x0=low, x1=high, opacity=0.15, fillcolor="black", row=1, col=1)
    figure.add_vline(x=found.nats, row=1, col=1)
    for name, value, dash in _lines(found):
        figure.add_vline(x=value, line_dash=dash, annotation_text=name, row=1, col=1)
    for c in curves:
        steps, fitted, held = zip(*c.curve, strict=True)
        for values, what, dash in ((fitted, "training", "dot"), (held, "validation", "solid")):
            line = go.Scatter(x=steps, y=values, name=f"{c.method}, {what}", line_dash=dash)
            figure.add_trace(line, row=2, col=1)
    figure.update_layout(
        title=_title(found), height=900 if curves else 500, template="simple_white"
    )
    page: str = figure.to_html(include_plotlyjs=True, full_html=True)
    return page


def _picture(found: Estimate, path: Path) -> None:
    try:
        from matplotlib.figure import Figure
    except ModuleNotFoundError as missing:
        raise InfomaxError(
            wanted="matplotlib, for a .png", got="none installed", fix="use FILE.html instead"
        ) from missing
    curves = [c for c in found.candidates if c.curve]
    figure = Figure(figsize=(8, 8 if curves else 4), layout="constrained")
    axes: Any = figure.subplots(1 + bool(curves), 1, squeeze=False)
    top = axes[0, 0]
    for name, value, half, side in _bars(found):
        top.errorbar(value, name, xerr=half, fmt="o", color=COLOURS[side])
    top.axvspan(*found.interval, color="black", alpha=0.12)
    top.axvline(found.nats, color="black")
    for name, value, dash in _lines(found):
        top.axvline(value, linestyle=":" if dash == "dot" else "--", color="black")
        top.annotate(name, (value, 0.02), xycoords=("data", "axes fraction"), rotation=90)
    top.set_xlabel("held-out nats (blue: lower bounds, grey: estimates, red: upper bounds)")
    figure.suptitle(_title(found), fontsize=10)
    for c in curves:
        steps, fitted, held = zip(*c.curve, strict=True)
        drawn = axes[1, 0].plot(steps, held, label=f"{c.method}, validation")
        axes[1, 0].plot(steps, fitted, ":", color=drawn[0].get_color(), label="training")
    if curves:
        axes[1, 0].set_xlabel("step")
        axes[1, 0].set_ylabel("nats")
        axes[1, 0].legend(fontsize=8)
    figure.savefig(path, dpi=150)


def heat_map(views: Sequence[str], estimates: Mapping[tuple[str, str], Estimate]) -> str:
    """A page with the matrix of nats between views, each cell with its interval."""
    from plotly import graph_objects as go

    values: dict[tuple[str, str], float] = {}
    words: dict[tuple[str, str], str] = {}
    for (a, b), found in estimates.items():
        low, high = found.interval
        for pair in ((a, b), (b, a)):
            values[pair] = found.nats
            words[pair] = f"{found.nats:.2f}<br>[{low:.2f}, {high:.2f}]"
    names = list(views)
    figure: Any = go.Figure(
        go.Heatmap(
            x=names,
            y=names,
            z=[[values.get((a, b)) for b in names] for a in names],
            text=[[words.get((a, b), "") for b in names] for a in names],
            texttemplate="%{text}",
            colorbar_title="nats",
        )
    )
    figure.update_layout(title="Mutual information between views, nats", template="simple_white")
    figure.update_yaxes(autorange="reversed")
    page: str = figure.to_html(include_plotlyjs=True, full_html=True)
    return page
