"""The search itself: a query of one view, the nearest test contexts of every other view."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import final

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from infomax import checkpoint, data, runs
from infomax._errors import InfomaxError
from infomax.building import Study
from infomax.data import Contexts
from infomax.evaluation.embedding import device_of, embedded, flat
from infomax.evaluation.searching import between, comparing, some
from infomax.explore.faces import Face, chosen, faces, way
from infomax.heldout import SEED
from infomax.recipe import Recipe

Say = Callable[[str], None]
MOST = 50
"""Answers of each view at most."""


@final
@dataclass(frozen=True)
class Hit:
    """A test context that was found: its row in the source, its score, whether it is the query."""

    row: int
    score: float
    own: bool


@final
@dataclass(frozen=True)
class Answer:
    """The nearest contexts by one view.

    ``trained``: an edge of the recipe (or one encoder) made query and answers comparable.
    ``own_rank``: the place of the query's own context among all ``among``; None where it has none.
    """

    view: str
    by: str
    trained: bool
    among: int
    own_rank: int | None
    hits: tuple[Hit, ...]


@final
class Index:
    """The test contexts of a run, ready to be searched by each of its views.

    Args:
        recipe: the recipe of the run.
        study: its trained views.
        contexts: the data, with the splits train and test.
        say: told what is being embedded.

    Raises:
        InfomaxError: no view that two test contexts have.
    """

    def __init__(
        self, recipe: Recipe, study: Study, contexts: Contexts, say: Say = lambda words: None
    ) -> None:
        self.recipe = recipe
        self.contexts = contexts
        batch = some(contexts)
        pairs = between(comparing(study, batch))
        say(f"embedding {contexts.count('test')} contexts of {contexts.name}")
        named = chosen(recipe, study, pairs, batch)
        self.faces: dict[str, Face] = {face.name: face for face in faces(named, contexts)}
        if not self.faces:
            raise InfomaxError(
                wanted="a view of one vector a context that two test contexts have",
                got=f"none in {contexts.name} (views: {', '.join(study.views)})",
                fix="give other data, or a recipe whose encoders end in one vector a context",
            )
        self.ways = {
            (a.name, b.name): found
            for a in self.faces.values()
            for b in self.faces.values()
            if (found := way(a, b, pairs, contexts)) is not None
        }
        self.rows = contexts.rows("test")
        self._places = {row: place for place, row in enumerate(self.rows.tolist())}
        self._one = Lock()

    def face(self, name: str) -> Face:
        """The view of this name.

        Raises:
            InfomaxError: there is none that can be asked by.
        """
        if name not in self.faces:
            raise InfomaxError(
                wanted=f"view: one of {', '.join(self.faces)}",
                got=repr(name),
                fix="name one of these",
            )
        return self.faces[name]

    def place(self, row: int) -> int:
        """The position in the test split of a row of the source.

        Raises:
            InfomaxError: it is no test context.
        """
        if row not in self._places:
            raise InfomaxError(
                wanted="the row number of a test context",
                got=str(row),
                fix="take one that the page shows (/api/sample)",
            )
        return self._places[row]

    def views_of(self, row: int) -> list[str]:
        """The views that a test context has."""
        place = self.place(row)
        return [name for name, face in self.faces.items() if np.isfinite(face.z[place]).all()]

    def embedding(self, name: str, signal: Tensor) -> Float[np.ndarray, " d"]:
        """A signal that is no context's, as `contexts` would read it, by one view.

        Raises:
            InfomaxError: it is too short for the view, or the encoder makes no numbers of it.
        """
        view = self.face(name).view
        with self._one:  # taps and seeds belong to one question at a time
            torch.manual_seed(SEED)
            batch = {view.signal: signal[None].to(device_of(view))}
            z: np.ndarray = flat(embedded([view], batch)[0])[0]
        if not np.isfinite(z).all():
            raise InfomaxError(
                wanted=f"a {view.signal} that the view {name} can be made of",
                got="one that is too short for it, or empty",
                fix="give a longer one",
            )
        return z

    def ask(self, name: str, z: Float[np.ndarray, " d"], k: int) -> list[Answer]:
        """The k nearest test contexts by every view that can be compared with this one."""
        return self._answers(name, z, k, None)

    def ask_row(self, name: str, row: int, k: int) -> list[Answer]:
        """The same, for a test context; its own answers are marked.

        Raises:
            InfomaxError: no such test context, or it lacks the view.
        """
        face, place = self.face(name), self.place(row)
        if not np.isfinite(face.z[place]).all():
            raise InfomaxError(
                wanted=f"a context that has the view {name}",
                got=f"row {row}, which has {', '.join(self.views_of(row)) or 'none'}",
                fix="ask by one of these, or take another context",
            )
        return self._answers(name, face.z[place], k, row)

    def _answers(
        self, name: str, z: Float[np.ndarray, " d"], k: int, row: int | None
    ) -> list[Answer]:
        self.face(name)
        if not 1 <= k <= MOST:
            raise InfomaxError(
                wanted=f"k, the number of answers, from 1 to {MOST}", got=str(k), fix="set k=6"
            )
        return [self._answer(pair, z, k, row) for pair in self.ways if pair[0] == name]

    def _answer(
        self, pair: tuple[str, str], z: Float[np.ndarray, " d"], k: int, row: int | None
    ) -> Answer:
        face, found = self.faces[pair[1]], self.ways[pair]
        scores = found.scores(z[None])
        rows = self.rows[face.there]
        best = np.argsort(-scores, kind="stable")[:k]
        own = np.flatnonzero(rows == row) if row is not None else np.array([], dtype=int)
        return Answer(
            view=face.name,
            by=found.by,
            trained=found.trained,
            among=len(rows),
            own_rank=1 + int((scores > scores[own[0]]).sum()) if len(own) else None,
            hits=tuple(Hit(int(rows[at]), float(scores[at]), bool(rows[at] == row)) for at in best),
        )


def opened(
    run: Path, source: str | None = None, *, allow_code: bool = False, say: Say = lambda words: None
) -> Index:
    """The index of a run's own test contexts, or of other data.

    Raises:
        InfomaxError: no run, no model in it, or data without the signals of its views.
    """
    recipe = runs.of(run)
    checkpoint.load(run / "model.safetensors")  # before any data is read
    if source is not None:
        recipe = recipe.model_copy(update={"data": data.override(recipe.data, source)})
    say("loading data")
    contexts = data.load(recipe.data)
    _, study = runs.load(run, contexts, recipe, own=source is None, allow_code=allow_code)
    return Index(recipe, study, contexts, say)
