"""The map of the embeddings as a drawing that stands still: a dot a context, coloured by label."""

from __future__ import annotations

import colorsys
from collections.abc import Sequence

from markupsafe import Markup

from infomax.report.atlas import payload
from infomax.report.folder import Atlas
from infomax.report.svg import el, shorten

SIDE, MARGIN, LEGEND, LINE = 480.0, 12.0, 150.0, 19.0


def draw(atlas: Atlas) -> Markup:
    """Draw the places of a map; a legend names the labels, as many as fit."""
    shown = payload(atlas)
    names = shown.get("names", [])
    fills = [f"fill:{_plain(*parts)}" for parts in shown.get("colours", [])]
    labels = shown.get("label", [0] * len(shown["x"]))
    dots = [
        _dot(x / 1000 * (SIDE - 2 * MARGIN), y / 1000 * (SIDE - 2 * MARGIN), 2.6, style)
        for x, y, style in zip(
            shown["x"],
            shown["y"],
            [fills[label] if fills else "fill:var(--accent)" for label in labels],
            strict=True,
        )
    ]
    width = SIDE + (LEGEND if names else 0)
    told = f"Map of the embeddings {atlas.view}, {atlas.method}, {len(dots)} contexts"
    size = {"viewBox": f"0 0 {width:g} {SIDE:g}", "role": "img", "aria-label": told}
    return el("svg", size, el("g", {"fill-opacity": 0.75}, *dots), *_legend(names, fills))


def _legend(names: Sequence[str], fills: Sequence[str]) -> list[Markup]:
    fits = int((SIDE - 2 * MARGIN) / LINE)
    listed = names if len(names) <= fits else names[: fits - 1]
    rows = [8 + LINE * i for i in range(len(names))]
    out = [_dot(SIDE, row, 5, style) for _, row, style in zip(listed, rows, fills, strict=False)]
    out += [_line(shorten(name, 18), row) for name, row in zip(listed, rows, strict=False)]
    if len(listed) < len(names):
        out.append(_line(f"and {len(names) - len(listed)} more", rows[len(listed)]))
    return out


def _line(words: str, row: float) -> Markup:
    return el("text", {"x": SIDE + 2 * MARGIN, "y": row + MARGIN + 4}, words)


def _dot(x: float, y: float, radius: float, style: str) -> Markup:
    return el("circle", {"cx": x + MARGIN, "cy": y + MARGIN, "r": radius, "style": style})


def _plain(hue: float, saturation: int, light: int) -> str:
    parts = colorsys.hls_to_rgb(hue / 360, light / 100, saturation / 100)
    return "#" + "".join(f"{round(255 * part):02x}" for part in parts)
