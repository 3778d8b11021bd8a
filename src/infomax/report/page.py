"""Puts the page together: the records of a run, drawn and worded, into one HTML file."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from infomax.records import Term, dumps, write_text_atomic, writing
from infomax.report import atlas, curves, found, graph, known, panels, schematic, words
from infomax.report.folder import Folder, read

if TYPE_CHECKING:
    import jinja2

COLORS = 8  # --c0 … --c7 in page.css
HERE = Path(__file__).parent


def write(run: Path) -> Path:
    """Write ``run/report.html``: one page that needs no network and no other file.

    A run that was interrupted, failed or lacks pieces gets a page that says so.

    Raises:
        InfomaxError: if ``run`` is not a run folder, its results.json is damaged, or the page
            cannot be written.
    """
    run = Path(run)
    path = run / "report.html"
    html = render(read(run))
    with writing(path):
        write_text_atomic(path, html)
    return path


def render(folder: Folder) -> str:
    """Give the whole page of a run as text."""
    page: str = environment(HERE).get_template("page.html").render(_context(folder))
    return page


def looks() -> Markup:
    """The style sheet of every page."""
    return Markup(
        "".join((HERE / name).read_text(encoding="utf-8") for name in ("page.css", "drawing.css"))
    )


def environment(templates: Path) -> jinja2.Environment:
    """What makes a page of the templates in a folder; every text is escaped."""
    import jinja2

    made = jinja2.Environment(
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
        loader=jinja2.FileSystemLoader(templates),
    )
    made.globals.update(
        nats=words.nats,
        with_error=words.with_error,
        percent=words.percent,
        ahead=words.ahead,
        finite=lambda value: value is not None and math.isfinite(value),
        sign=words.SIGN,
        side=words.SIDES,
    )
    return made


def _context(folder: Folder) -> dict[str, Any]:
    results = folder.results
    terms = list(results.terms) if results else []
    drawn = curves.collect(folder.metrics, results)
    map_data = atlas.payload(folder.atlas) if folder.atlas else None
    return {
        "css": looks(),
        "js": Markup((HERE / "page.js").read_text(encoding="utf-8")),
        "folder": folder,
        "results": results,
        "title": (results.recipe if results else "")
        or str(folder.recipe.get("name") or folder.name),
        "paper": (results.paper if results else "") or str(folder.recipe.get("paper") or ""),
        "headline": words.headline(results),
        "state": _state(folder),
        "facts": panels.facts(results),
        "tiles": panels.tiles(results) if results else [],
        "sentences": panels.sentences(results) if results else [],
        "sphere": words.sphere(results.representation)
        if results and results.representation
        else [],
        "advice": words.ADVICE,
        "reasons": panels.reasons(results) if results else [],
        "graph": drawing_of_views(folder),
        "sounds": _for_script({n: s.sound for n, s in folder.specimens.items() if s.sound}),
        "curves": [(c, curves.draw(c, i % COLORS), i % COLORS) for i, c in enumerate(drawn)],
        "terms": [(term, i % COLORS) for i, term in enumerate(terms)],
        "probes": panels.probes(results) if results else [],
        "retrieval": found.retrieval(results) if results else {},
        "heat": found.maps(results.map) if results else [],
        "profiles": known.profiles(results) if results else [],
        "gallery": found.gallery(folder.neighbours),
        "map": map_data,
        "map_json": _for_script(map_data),
        "reproduce": panels.reproduce(results, folder),
    }


def _for_script(data: object) -> Markup:
    """Give JSON that cannot end the script element it stands in."""
    return Markup(dumps(data).replace("<", "\\u003c").replace("\u2028", " "))


def _state(folder: Folder) -> str:
    """Say what is unfinished; empty for a finished run."""
    last = folder.metrics[-1] if folder.metrics else None
    epoch = f", epoch {last.epoch:g}" if last and math.isfinite(last.epoch) else ""
    seen = f" The last thing it wrote is step {last.step}{epoch}." if last else ""
    if folder.results is None:
        begun = "is not evaluated yet, or was interrupted" if last else "has not begun to train"
        return f"This run {begun}: it has no results.json.{seen}"
    if folder.results.status == "finished":
        return ""
    ended = {"interrupted": "was interrupted", "failed": "failed before its end"}
    numbers = "Its numbers are incomplete." if folder.results.terms else "It was not evaluated."
    return f"This run {ended[folder.results.status]}. {numbers}{seen}"


def drawing_of_views(folder: Folder) -> dict[str, Markup]:
    """Draw the views and the edges, wide and narrow; nothing where there are none."""
    results = folder.results
    terms: Sequence[Term] = results.terms if results else ()
    data: Mapping[str, object] = results.data if results else {}
    edges = []
    for i, term in enumerate(terms):
        away = term.weight < 0
        weight = abs(term.weight)
        factor = ("− " if away else "") + (f"{weight:.2g} × " if weight != 1 else "")
        amount = words.with_error(term.nats, term.stderr)
        edges.append(
            graph.Edge(
                ends=tuple(term.between),
                value=f"{words.SIGN[term.side]} {amount}",
                below=f"{factor}{term.bound}"
                + (f", {term.positions} ahead" if words.ahead(term) else "")
                + (f", given {term.given}" if term.given else "")
                + (", minimized" if away else ""),
                color=i % COLORS,
                minimized=away,
            )
        )
    if not edges:
        edges = _planned(folder.recipe)
    ends = [end for edge in edges for end in edge.ends]
    views = graph.nodes(folder.recipe, ends, folder.specimens)
    if not views:
        return {}
    counts = data.get("contexts")
    held = counts.get("test") if isinstance(counts, Mapping) else None
    root = f"{panels.count(held)} held out" if held else ""
    return {
        "wide": schematic.draw(views, edges, schematic.WIDE, root),
        "narrow": schematic.draw(views, edges, schematic.NARROW, root),
    }


def _planned(recipe: Mapping[str, Any]) -> list[graph.Edge]:
    """Give the edges that a recipe asks for, without values: the run has none yet."""
    edges: list[graph.Edge] = []
    for key in ("maximize", "minimize"):
        asked = recipe.get(key)
        for item in asked if isinstance(asked, list) else ():
            between = item.get("between") if isinstance(item, dict) else None
            if not isinstance(between, list) or len(between) < 2:
                continue
            ends = tuple(map(str, between))
            away = key == "minimize"
            pairs = item.get("edges") == "all-pairs"
            edges += [
                graph.Edge(
                    ends=tuple(group),
                    value="no value yet",
                    below=str(item.get("bound", ""))
                    + (f", given {item['given']}" if item.get("given") else "")
                    + (", minimized" if away else ""),
                    color=(len(edges) + i) % COLORS,
                    minimized=away,
                )
                for i, group in enumerate(combinations(ends, 2) if pairs else [ends])
            ]
    return edges
