"""What a run folder holds, as far as it goes: an unfinished run is read too, and says so."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from infomax._errors import InfomaxError
from infomax.records import Metric, Results, read_metrics, read_results
from infomax.report import specimen
from infomax.report.specimen import Specimen


@dataclass(frozen=True, kw_only=True)
class Atlas:
    """A 2-D map of embeddings: one point a context, with what is known and kept of it.

    Attributes:
        points: places on the map, float ``[n, 2]``.
        index: number of each context in its data set, int ``[n]``.
        labels: text ``[n]``, or None.
        pictures: uint8 ``[n, H, W, C]``, or None.
        texts: ``[n]``, or None.
        sounds: data URIs of audio ``[n]``, empty where none is kept, or None.
        view: name of the view that is shown.
        method: how the two dimensions were made.
    """

    points: np.ndarray
    index: np.ndarray
    labels: np.ndarray | None
    pictures: np.ndarray | None
    texts: np.ndarray | None = None
    sounds: np.ndarray | None = None
    view: str
    method: str


@dataclass(frozen=True, kw_only=True)
class Folder:
    """The records of one run; what is missing is None or empty, and ``notes`` says why."""

    name: str
    recipe: Mapping[str, Any] = field(default_factory=dict)
    recipe_text: str = ""
    metrics: Sequence[Metric] = ()
    results: Results | None = None
    atlas: Atlas | None = None
    specimens: Mapping[str, Specimen] = field(default_factory=dict)
    specimen_row: int | None = None
    neighbours: Sequence[Mapping[str, Any]] = ()
    notes: Sequence[str] = ()


def read(run: Path) -> Folder:
    """Read a run folder.

    Raises:
        InfomaxError: if it is not a run folder, or its results.json is damaged.
    """
    files = ("recipe.yaml", "metrics.jsonl", "results.json")
    if not any((run / name).is_file() for name in files):
        raise InfomaxError(
            wanted=f"a run folder, with {', '.join(files)}",
            got=f"{run}, which has none of them" if run.is_dir() else f"no folder {run}",
            fix="give the folder that `infomax train --out` wrote",
        )
    notes: list[str] = []
    recipe, text = _recipe(run / "recipe.yaml", notes)
    metrics, damaged = read_metrics(run / "metrics.jsonl")
    if damaged:
        notes.append(f"{damaged} damaged line(s) of metrics.jsonl were left out.")
    results = None
    if (run / "results.json").exists():
        results = read_results(run / "results.json")
    specimens, row = _specimens(run / "views.json", notes)
    return Folder(
        name=run.resolve().name,
        recipe=recipe,
        recipe_text=text,
        metrics=metrics,
        results=results,
        atlas=_atlas(run / "map.npz", notes),
        specimens=specimens,
        specimen_row=row,
        neighbours=_neighbours(run / "neighbours.json", notes),
        notes=notes,
    )


def _recipe(path: Path, notes: list[str]) -> tuple[Mapping[str, Any], str]:
    if not path.is_file():
        notes.append("recipe.yaml is missing: the views are drawn from the edges alone.")
        return {}, ""
    text = path.read_text(encoding="utf-8", errors="replace")
    try:
        recipe = yaml.safe_load(text)
    except yaml.YAMLError as error:
        notes.append(f"recipe.yaml cannot be read: {error}")
        return {}, text
    return (recipe if isinstance(recipe, dict) else {}), text


def _specimens(path: Path, notes: list[str]) -> tuple[dict[str, Specimen], int | None]:
    """One context as each view has it, by the name of the view, and its row."""
    if not path.is_file():
        return {}, None
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        shown = {str(name): specimen.read(view) for name, view in found["views"].items()}
        return shown, int(found["row"])
    except (ValueError, TypeError, KeyError, AttributeError, OSError) as error:
        notes.append(f"views.json cannot be read, so the views are drawn as signs: {error}")
        return {}, None


def _neighbours(path: Path, notes: list[str]) -> list[Mapping[str, Any]]:
    """The searches to look at; whatever is not as we write it is left out, with a note."""
    if not path.is_file():
        return []
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        rows = [row for search in found for row in search["queries"]]
        items = [item for row in rows for item in (row["query"], *row["answers"])]
        if not all(isinstance(item, dict) for item in items):
            raise ValueError("an item is not a mapping")
    except (ValueError, TypeError, KeyError, OSError) as error:
        notes.append(f"neighbours.json cannot be read, so no answers are shown: {error}")
        return []
    return list(found)


def _atlas(path: Path, notes: list[str]) -> Atlas | None:
    if not path.is_file():
        return None
    try:
        with np.load(path, allow_pickle=False) as file:
            held = {name: file[name] for name in file.files}
        points = held["points"].astype(np.float64)
        n = len(points)
        atlas = Atlas(
            points=points,
            index=held.get("index", np.arange(n)),
            labels=held.get("labels"),
            pictures=held.get("pictures"),
            texts=held.get("texts"),
            sounds=held.get("sounds"),
            view=str(held.get("view", "")),
            method=str(held.get("method", "")),
        )
        if points.shape != (n, 2) or not np.isfinite(points).all():
            raise ValueError(f"points of shape {points.shape} are not finite places on a plane")
        for name in ("index", "labels", "pictures", "texts", "sounds"):
            if held.get(name) is not None and len(held[name]) != n:
                raise ValueError(f"{len(held[name])} {name} for {n} points")
        if atlas.pictures is not None and (
            atlas.pictures.ndim != 4 or atlas.pictures.dtype != np.uint8
        ):
            raise ValueError(f"pictures {atlas.pictures.dtype} {atlas.pictures.shape}")
        for name, kind in (("texts", "U"), ("sounds", "S")):
            if held.get(name) is not None and held[name].dtype.kind != kind:
                raise ValueError(f"{name} {held[name].dtype}")
    except Exception as error:  # a broken archive raises many kinds; the rest of the page stands
        notes.append(f"map.npz cannot be read, so there is no map: {error}")
        return None
    return atlas if len(atlas.points) else None
