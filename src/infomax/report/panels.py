"""The records of a run as the page's panels want them: tiles, sentences, bars, how to cite."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from infomax.records import Probe, Results
from infomax.report import found, words
from infomax.report.folder import Folder


def facts(results: Results | None) -> list[str]:
    """List what the run is about: its data, its size, its time."""
    if results is None:
        return []
    out = []
    if results.data.get("name"):
        out.append(str(results.data["name"]))
    counts = results.data.get("contexts")
    if isinstance(counts, Mapping) and counts.get("train"):
        out.append(f"{count(counts['train'])} contexts to train on")
    if held_out(results):
        out.append(f"{count(held_out(results))} held out")
    if math.isfinite(results.seconds):
        out.append(words.duration(results.seconds))
    return out


def tiles(results: Results) -> list[dict[str, Any]]:
    """Choose the few numbers to see first."""
    tiles: list[dict[str, Any]] = []
    term = words.main(results.terms)
    if term is not None:
        ceiling = term.ceiling if term.ceiling and math.isfinite(term.ceiling) else None
        tiles.append(
            {
                "name": " ↔ ".join(term.between),
                "value": f"{words.SIGN[term.side]} {words.nats(term.nats, term.stderr)}",
                "unit": "nats",
                "below": words.error(term.nats, term.stderr) + words.SIDES[term.side],
                "share": term.nats / ceiling if ceiling and math.isfinite(term.nats) else None,
                "of": f"ceiling {words.nats(ceiling)}" if ceiling else "no ceiling",
                "marks": [],
            }
        )
    linear = [p for p in results.probes if p.metric == "accuracy"]
    for probe in sorted(linear, key=lambda p: p.labels_used != "all")[:2]:
        tiles.append(
            {
                "name": f"{probe.label}, {words.labels(probe)}",
                "value": words.percent(probe.learned).removesuffix("\u00a0%"),
                "unit": "%",
                "below": f"raw {words.percent(probe.raw)[:-2]} · untrained "
                f"{words.percent(probe.untrained)[:-2]}",
                "share": probe.learned,
                "of": f"linear probe of {probe.view}",
                "marks": [v for v in (probe.raw, probe.untrained) if math.isfinite(v)],
            }
        )
    search = next((r for r in results.retrieval if r.baseline is None and 1 in r.recall), None)
    if search is not None:
        luck = search.chance.get(1)
        tiles.append(
            {
                "name": f"{search.source} → {search.target}",
                "value": words.percent(search.recall[1]).removesuffix("\u00a0%"),
                "unit": "%",
                "below": "" if luck is None else f"chance {words.percent(luck)}",
                "share": search.recall[1],
                "of": f"found first among {search.candidates:,}",
                "marks": [] if luck is None else [luck],
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


def reasons(results: Results) -> list[str]:
    """Say why the verdict is what it is: of the terms at fault, or else of the main one."""
    first = words.main(results.terms)
    told = [t for t in results.terms if t.verdict != "ok"] or ([first] if first else [])
    name = len(results.terms) > 1
    return [(f"{words.pair(t)}: {t.why}" if name else sentence(t.why)) for t in told if t.why]


def sentence(text: str) -> str:
    """Give a clause a capital and a full stop."""
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", "!")) else ".")


def sentences(results: Results) -> list[str]:
    """Say in plain words what the terms, the profile, the linear probes and retrieval came to."""
    term = words.main(results.terms)
    out = words.meaning(term) if term else []
    out += words.others(results.terms)
    out += [results.profile.finding] if results.profile and results.profile.finding else []
    linear = [p for p in results.probes if p.metric == "accuracy"] or list(results.probes)[:2]
    out += [words.probe_sentence(p, held_out(results)) for p in linear[:2]]
    return out + found.sentence(results)


def probes(results: Results) -> list[dict[str, Any]]:
    """Group the probes by view and label: one panel each, a row of three bars a probe."""
    groups: dict[tuple[str, str], list[Probe]] = defaultdict(list)
    for probe in results.probes:
        groups[probe.view, probe.label].append(probe)
    out = []
    for (view, label), members in groups.items():
        rows = []
        for probe in members:
            classifier = words.method(probe).removeprefix("a ")
            bars = [("raw input", probe.raw), ("untrained", probe.untrained)]
            more = (
                ("one class", probe.majority),
                ("PCA of raw", probe.pca),
                ("linear CCA", probe.cca),
            )
            bars = [bar for bar in more if math.isfinite(bar[1])] + bars
            rows.append(
                {
                    "title": f"{classifier}, {words.labels(probe)}",
                    "bars": [*bars, ("learned", probe.learned)],
                    "stderr": words.probe_error(probe, held_out(results)),
                }
            )
        notes = list(dict.fromkeys(note for probe in members for note in probe.notes))
        out.append({"view": view, "label": label, "rows": rows, "notes": notes})
    return out


def reproduce(results: Results | None, folder: Folder) -> dict[str, Any]:
    """Gather what another person needs to cite the numbers and get them again."""
    env = dict(results.environment) if results else {}
    command = env.pop("command", "")
    if isinstance(command, list | tuple):
        command = " ".join(str(word) for word in command)
    data = dict(results.data) if results else {}
    skipped = data.pop("skipped", None)
    names = [str(name) for name in skipped] if isinstance(skipped, list | tuple) else []
    rows = [(key, _cell(value)) for key, value in env.items()]
    rows += [(f"data: {key}", _cell(value)) for key, value in data.items()]
    term = words.main(results.terms) if results else None
    quote = ""
    crossed = results and term and "crossed" in (results.verdict, term.verdict)
    if results and term and math.isfinite(term.nats) and not crossed:
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


def _cell(value: object) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{count(v)} {k}" for k, v in value.items())
    return count(value)


def held_out(results: Results) -> int | None:
    """Count the contexts of the test split; None where the run does not say."""
    counts = results.data.get("contexts")
    told = counts.get("test") if isinstance(counts, Mapping) else None
    return told if isinstance(told, int) else max((t.contexts for t in results.terms), default=None)


def count(value: object) -> str:
    """Write a number with its thousands apart; anything else as text."""
    return f"{value:,}" if isinstance(value, int) else str(value)
