"""The drawings of a run as files for papers: SVG that needs nothing else, and the same as PNG."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

from markupsafe import Markup

from infomax._errors import InfomaxError
from infomax.records import write_bytes_atomic, writing
from infomax.report import curves, found, known, scatter
from infomax.report.folder import Folder, read
from infomax.report.page import COLORS, HERE, drawing_of_views

ZOOM = 3
"""Pixels of a PNG for each unit of its SVG."""


def write_figures(run: Path, out: Path) -> list[Path]:
    """Write every drawing of a run's report to a folder, as SVG and as PNG, light, on white.

    ``views`` is the graph of views with its nats, ``curve-1`` ... an edge through training,
    ``profile-1`` ... what
    the stages of a judged view know, ``nats-before`` and ``nats-after`` the map between
    views, ``map`` the embeddings. A drawing whose records the run lacks is left out.

    Raises:
        InfomaxError: no run folder, nothing to draw, or a folder that cannot be written.
    """
    drawings = figures(read(Path(run)))
    if not drawings:
        raise InfomaxError(
            wanted="a run with something to draw",
            got=f"{run}, which has no views, metrics or results yet",
            fix="train it first",
        )
    written = []
    with writing(out):
        out.mkdir(parents=True, exist_ok=True)
        for name, drawing in drawings.items():
            svg = standalone(drawing)
            for suffix, content in ((".svg", svg.encode()), (".png", png(svg))):
                written.append(out / f"{name}{suffix}")
                write_bytes_atomic(written[-1], content)
    return written


def figures(folder: Folder) -> dict[str, Markup]:
    """The drawings of a run, by the name of their file."""
    results = folder.results
    out = {}
    views = drawing_of_views(folder)
    if views:
        out["views"] = views["wide"]
    for i, curve in enumerate(curves.collect(folder.metrics, results)):
        out[f"curve-{i + 1}"] = curves.draw(curve, i % COLORS)
    if results is not None:
        for i, held in enumerate(known.profiles(results)):
            out[f"profile-{i + 1}"] = held["drawing"]
        for shown in found.maps(results.map):
            out[f"nats-{shown['stage']}"] = shown["drawing"]
    if folder.atlas is not None:
        out["map"] = scatter.draw(folder.atlas)
    return out


def standalone(drawing: str) -> str:
    """An SVG file of a drawing: its style inside, every colour a plain one, on white.

    Programs that draw SVG outside of browsers know neither variables nor mixed colours.
    """
    colours = _colours()
    root = ElementTree.fromstring(_resolved(drawing, colours))
    _, _, width, height = root.attrib["viewBox"].split()
    root.attrib |= {"xmlns": "http://www.w3.org/2000/svg", "width": width, "height": height}
    style = ElementTree.Element("style")
    style.text = _resolved((HERE / "drawing.css").read_text(encoding="utf-8"), colours)
    white = {"width": "100%", "height": "100%", "style": "fill:#ffffff"}
    root[:0] = [style, ElementTree.Element("rect", white)]
    return ElementTree.tostring(root, encoding="unicode")


def png(svg: str) -> bytes:
    """A PNG of an SVG, with a font that is always there."""
    import resvg_py
    from matplotlib import font_manager

    fonts = [str(font_manager.findfont(f"DejaVu Sans{kind}")) for kind in ("", ":bold")]
    return bytes(
        resvg_py.svg_to_bytes(
            svg_string=svg,
            zoom=ZOOM,
            font_files=fonts,
            skip_system_fonts=True,
            sans_serif_family="DejaVu Sans",
            font_family="DejaVu Sans",
        )
    )


def _colours() -> dict[str, str]:
    """The page's light colours, on white paper."""
    style = (HERE / "page.css").read_text(encoding="utf-8")
    light = style[: style.index("}")]
    return dict(re.findall(r"(--[\w-]+): (#[0-9a-f]{6});", light)) | {"--paper": "#ffffff"}


def _resolved(text: str, colours: dict[str, str]) -> str:
    text = re.sub(r"var\((--[\w-]+)\)", lambda found: colours[found[1]], text)
    return re.sub(
        r"color-mix\(in srgb, (#\w{6}) (\d+)%, (#\w{6})\)",
        lambda found: _mixed(found[1], int(found[2]) / 100, found[3]),
        text,
    )


def _mixed(one: str, share: float, other: str) -> str:
    pairs = [(int(one[i : i + 2], 16), int(other[i : i + 2], 16)) for i in (1, 3, 5)]
    return "#" + "".join(f"{round(share * a + (1 - share) * b):02x}" for a, b in pairs)
