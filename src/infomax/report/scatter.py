"""The map of the embeddings as a drawing that stands still: a dot a context, coloured by label."""

from __future__ import annotations

from markupsafe import Markup

from infomax.report.atlas import payload
from infomax.report.folder import Atlas
from infomax.report.svg import el, shorten

SIDE, LEGEND, LINE = 480.0, 150.0, 19.0
HUES = 137.5


def draw(atlas: Atlas) -> Markup:
    """Draw the places of a map; a legend names the labels, as many as fit."""
    shown = payload(atlas)
    names = shown.get("names", [])
    labels = shown.get("label", [0] * len(shown["x"]))
    dots = [
        el(
            "circle",
            {
                "cx": 12 + x / 1000 * (SIDE - 24),
                "cy": 12 + y / 1000 * (SIDE - 24),
                "r": 2.6,
                "fill-opacity": 0.75,
                **_filled(label),
            },
        )
        for x, y, label in zip(shown["x"], shown["y"], labels, strict=True)
    ]
    fits = int((SIDE - 24) / LINE)
    listed = list(enumerate(names))[: fits if len(names) <= fits else fits - 1]
    legend = [
        el(
            "g",
            {},
            el(
                "circle",
                {"cx": SIDE + 12, "cy": 20 + LINE * i, "r": 5, "style": f"fill:{colour(i)}"},
            ),
            el("text", {"x": SIDE + 24, "y": 24 + LINE * i}, shorten(name, 18)),
        )
        for i, name in listed
    ]
    if len(listed) < len(names):
        more = {"x": SIDE + 24, "y": 24 + LINE * len(listed)}
        legend.append(el("text", more, f"and {len(names) - len(listed)} more"))
    width = SIDE + (LEGEND if names else 0)
    told = f"Map of the embeddings {atlas.view}, {atlas.method}, {len(dots)} contexts"
    size = {"viewBox": f"0 0 {width:g} {SIDE:g}", "role": "img", "aria-label": told}
    return el("svg", size, *dots, *legend)


def _filled(label: int) -> dict[str, str]:
    return {"style": f"fill:{colour(label)}"}


def colour(label: int) -> str:
    """A colour of a label, far from those of its neighbours.

    Example:
        >>> colour(0), colour(1)
        ('#2741c1', '#c13b27')
    """
    import colorsys

    light = 0.36 if label % 2 and label >= 10 else 0.455
    red, green, blue = colorsys.hls_to_rgb((230 + HUES * label) % 360 / 360, light, 0.66)
    return "#" + "".join(f"{round(255 * part):02x}" for part in (red, green, blue))
