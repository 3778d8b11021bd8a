"""Puts the page together: the records of a run, drawn and worded, into one HTML file."""

from __future__ import annotations

import math
import os
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from markupsafe import Markup

from infomax.records import Probe, Results, Term, dumps
from infomax.report import atlas, curves, graph, schematic, words
from infomax.report.folder import Folder, read

COLORS = 8  # --c0 … --c7 in page.css
HERE = Path(__file__).parent


def write(run: Path) -> Path:
    """Write ``run/report.html``: one page that needs no network and no other file.

    A run that was interrupted, failed or lacks pieces gets a page that says so.

    Raises:
        InfomaxError: if ``run`` is not a run folder, or its results.json is damaged.
    """
    run = Path(run)
    html = render(read(run))
    path = run / "report.html"
    part = run / f".report.{os.getpid()}.part"
    try:
        part.write_text(html, encoding="utf-8")
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)
    return path


def render(folder: Folder) -> str:
    """Give the whole page of a run as text."""
    import jinja2

    environment = jinja2.Environment(
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
        loader=jinja2.FileSystemLoader(HERE),
    )
    environment.globals.update(
        nats=words.nats,
        with_error=words.with_error,
        percent=words.percent,
        finite=lambda value: value is not None and math.isfinite(value),
        sign=words.SIGN,
        side=words.SIDES,
    )
    return environment.get_template("page.html").render(_context(folder))


def _context(folder: Folder) -> dict[str, Any]:
    results = folder.results
    terms = list(results.terms) if results else []
    drawn = curves.collect(folder.metrics, results)
    data = results.data if results else {}
    map_data = atlas.payload(folder.atlas) if folder.atlas else None
    return {
        "css": Markup((HERE / "page.css").read_text(encoding="utf-8")),
        "js": Markup((HERE / "page.js").read_text(encoding="utf-8")),
        "folder": folder,
        "results": results,
        "title": (results.recipe if results else "") or folder.name,
        "paper": (results.paper if results else "") or str(folder.recipe.get("paper") or ""),
        "headline": words.headline(results),
        "state": _state(folder),
        "facts": _facts(results),
        "tiles": _tiles(results) if results else [],
        "sentences": _sentences(results) if results else [],
        "advice": words.ADVICE,
        "reasons": _reasons(results) if results else [],
        "graph": _graph(folder, terms, data),
        "curves": [(c, curves.draw(c, i % COLORS), i % COLORS) for i, c in enumerate(drawn)],
        "terms": [(term, i % COLORS) for i, term in enumerate(terms)],
        "probes": _probes(results.probes) if results else [],
        "map": map_data,
        "map_json": _for_script(map_data),
        "reproduce": _reproduce(results, folder),
    }


def _for_script(data: object) -> Markup:
    """Give JSON that cannot end the script element it stands in."""
    return Markup(dumps(data).replace("<", "\\u003c").replace("\u2028", " "))


def _state(folder: Folder) -> str:
    """Say what is unfinished; empty for a finished run."""
    last = folder.metrics[-1] if folder.metrics else None
    seen = f" The last thing it wrote is step {last.step}, epoch {last.epoch:g}." if last else ""
    if folder.results is None:
        begun = "is not evaluated yet, or was interrupted" if last else "has not begun to train"
        return f"This run {begun}: it has no results.json.{seen}"
    if folder.results.status == "interrupted":
        return "This run was interrupted. Its numbers are those of an unfinished training." + seen
    if folder.results.status == "failed":
        return "This run failed before its end. Its numbers are incomplete." + seen
    return ""


def _facts(results: Results | None) -> list[str]:
    if results is None:
        return []
    out = []
    if results.data.get("name"):
        out.append(str(results.data["name"]))
    counts = results.data.get("contexts")
    if isinstance(counts, Mapping) and counts.get("train"):
        out.append(f"{_count(counts['train'])} contexts to train on")
    held = [term.contexts for term in results.terms]
    if held:
        out.append(f"{_count(max(held))} held out")
    if math.isfinite(results.seconds):
        out.append(words.duration(results.seconds))
    return out


def _count(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) else str(value)


def _tiles(results: Results) -> list[dict[str, Any]]:
    """Choose the up to four numbers to see first."""
    tiles: list[dict[str, Any]] = []
    term = words.main(results.terms)
    if term is not None:
        ceiling = term.ceiling if term.ceiling and math.isfinite(term.ceiling) else None
        tiles.append(
            {
                "name": f"{term.between[0]} ↔ {term.between[1]}",
                "value": f"{words.SIGN[term.side]} {words.nats(term.nats, term.stderr)}",
                "unit": "nats",
                "below": words.with_error(term.nats, term.stderr) + f" · {words.SIDES[term.side]}",
                "share": term.nats / ceiling if ceiling and math.isfinite(term.nats) else None,
                "of": f"ceiling {words.nats(ceiling)}" if ceiling else "no ceiling",
                "marks": [],
            }
        )
    linear = [p for p in results.probes if p.metric == "accuracy"]
    for probe in sorted(linear, key=lambda p: p.labels_used != "all")[:2]:
        used = "all labels" if probe.labels_used == "all" else f"{probe.labels_used} labels a class"
        tiles.append(
            {
                "name": f"{probe.label}, {used}",
                "value": words.percent(probe.learned).removesuffix(" %"),
                "unit": "%",
                "below": f"raw {words.percent(probe.raw)} · untrained "
                f"{words.percent(probe.untrained)}",
                "share": probe.learned,
                "of": f"linear probe of {probe.view}",
                "marks": [v for v in (probe.raw, probe.untrained) if math.isfinite(v)],
            }
        )
    shape = results.representation
    if shape is not None:
        rank = shape.effective_rank
        tiles.append(
            {
                "name": "dimensions in use",
                "value": f"{rank:.1f}" if math.isfinite(rank) else "–",
                "unit": f"of {shape.dimension}",
                "below": "effective rank of the learned view",
                "share": rank / max(1, shape.dimension) if math.isfinite(rank) else None,
                "of": "",
                "marks": [],
            }
        )
    return tiles


def _reasons(results: Results) -> list[str]:
    """Say why the verdict is what it is: of the terms at fault, or else of the main one."""
    first = words.main(results.terms)
    told = [t for t in results.terms if t.verdict != "ok"] or ([first] if first else [])
    name = len(results.terms) > 1
    return [(f"{words.pair(t)}: " if name else "") + t.why for t in told if t.why]


def _sentences(results: Results) -> list[str]:
    term = words.main(results.terms)
    out = words.meaning(term) if term else []
    linear = [p for p in results.probes if p.metric == "accuracy"] or list(results.probes)[:2]
    return out + [words.probe_sentence(p) for p in linear[:2]]


def _graph(folder: Folder, terms: Sequence[Term], data: Mapping[str, object]) -> dict[str, Markup]:
    """Draw the views and the edges, wide and narrow."""
    edges = []
    for i, term in enumerate(terms):
        away = term.weight < 0
        weight = abs(term.weight)
        factor = ("− " if away else "") + (f"{weight:g} × " if weight != 1 else "")
        amount = words.with_error(term.nats, term.stderr)
        edges.append(
            graph.Edge(
                a=term.between[0],
                b=term.between[1],
                value=f"{words.SIGN[term.side]} {amount}",
                below=f"{factor}{term.bound}" + (", minimized" if away else ""),
                color=i % COLORS,
                minimized=away,
            )
        )
    if not edges:
        edges = _planned(folder.recipe)
    ends = [end for edge in edges for end in (edge.a, edge.b)]
    views = graph.nodes(folder.recipe, ends, atlas.thumbnail(folder.atlas))
    if not views:
        return {}
    counts = data.get("contexts")
    held = counts.get("test") if isinstance(counts, Mapping) else None
    root = f"{_count(held)} held out" if held else ""
    return {
        "wide": schematic.draw(views, edges, schematic.WIDE, root),
        "narrow": schematic.draw(views, edges, schematic.NARROW, root),
    }


def _planned(recipe: Mapping[str, Any]) -> list[graph.Edge]:
    """Give the edges that a recipe asks for, without values: the run has none yet."""
    edges: list[graph.Edge] = []
    for key in ("maximize", "minimize"):
        for item in recipe.get(key) or []:
            between = item.get("between") if isinstance(item, dict) else None
            if isinstance(between, list) and len(between) == 2:
                away = key == "minimize"
                edges.append(
                    graph.Edge(
                        a=str(between[0]),
                        b=str(between[1]),
                        value="no value yet",
                        below=str(item.get("bound", "")) + (", minimized" if away else ""),
                        color=len(edges) % COLORS,
                        minimized=away,
                    )
                )
    return edges


def _probes(probes: Sequence[Probe]) -> list[dict[str, Any]]:
    """Group the probes by view and label: one panel each, a row of three bars a probe."""
    groups: dict[tuple[str, str], list[Probe]] = defaultdict(list)
    for probe in probes:
        groups[probe.view, probe.label].append(probe)
    out = []
    for (view, label), members in groups.items():
        rows = []
        for probe in members:
            used = (
                "all labels"
                if probe.labels_used == "all"
                else f"{probe.labels_used} labels a class"
            )
            classifier = words.method(probe).removeprefix("a ")
            bars = [("raw input", probe.raw), ("untrained encoder", probe.untrained)]
            rows.append(
                {
                    "title": f"{classifier}, {used}",
                    "bars": [*bars, ("learned", probe.learned)],
                    "stderr": probe.stderr,
                    "sentence": words.probe_sentence(probe),
                }
            )
        out.append({"view": view, "label": label, "rows": rows})
    return out


def _reproduce(results: Results | None, folder: Folder) -> dict[str, Any]:
    """Gather what another person needs to cite the numbers and get them again."""
    env = dict(results.environment) if results else {}
    command = env.pop("command", "")
    if isinstance(command, list | tuple):
        command = " ".join(str(word) for word in command)
    data = dict(results.data) if results else {}
    skipped = data.pop("skipped", None)
    names = [str(name) for name in skipped] if isinstance(skipped, list | tuple) else []
    rows = [(key, _cell(value)) for key, value in [*env.items(), *_data_rows(data)]]
    term = words.main(results.terms) if results else None
    quote = ""
    if results and term and math.isfinite(term.nats):
        ceiling = "" if term.ceiling is None else f", ceiling {words.nats(term.ceiling)}"
        seed = f", seed {env['seed']}" if "seed" in env else ""
        version = f" {env['infomax']}" if "infomax" in env else ""
        quote = (
            f"{words.pair(term)}: {words.WORDS[term.side]} "
            f"{words.with_error(term.nats, term.stderr)} nats "
            f"({term.bound}, {words.SIDES[term.side]}, {term.contexts:,} {term.split} contexts, "
            f"negatives from {term.negatives}{ceiling}; infomax{version}, recipe "
            f"{results.recipe or folder.name}{seed})."
        )
    return {"command": command, "rows": rows, "skipped": names, "quote": quote}


def _data_rows(data: Mapping[str, object]) -> list[tuple[str, object]]:
    out: list[tuple[str, object]] = []
    for key, value in data.items():
        if isinstance(value, Mapping):
            value = ", ".join(f"{_count(v)} {k}" for k, v in value.items())
        out.append((f"data: {key}", value))
    return out


def _cell(value: object) -> str:
    return value if isinstance(value, str) else _count(value)
