"""Who has which view: counted once before training, by signals that are missing and windows in
time that a recording does not reach.

An edge learns from the contexts that have both of its ends. Which these are is known from the data
and the slices alone, without any encoder, so it is said (and an edge without contexts refused)
before the first step.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import final

import numpy as np
import torch
from jaxtyping import Bool

from infomax._errors import InfomaxError
from infomax.data import SPLITS, Batch, Contexts
from infomax.objective import Objective
from infomax.slices import lengths
from infomax.views import Encode, Reaching, Values, View, evaluate

FEWEST = 4
"""Contexts without which a split says nothing about an edge."""
CHUNK = 512
NAMED = 5


@final
@dataclass(frozen=True, eq=False)
class Census:
    """Which contexts have which views: a mask over each split, for the views that some lack."""

    contexts: Contexts
    masks: Mapping[str, Mapping[View, Bool[np.ndarray, " n"]]]

    def having(self, split: str, *views: View) -> Bool[np.ndarray, " n"]:
        """Which contexts of a split have all of some views."""
        there = np.ones(self.contexts.count(split), dtype=bool)
        for view in views:
            there &= self.masks[split].get(view, True)
        return there

    def count(self, *views: View) -> int:
        """Contexts of all splits that have all of some views."""
        return sum(int(self.having(split, *views).sum()) for split in self.masks)

    def short(self) -> list[str]:
        """One sentence for each step that some contexts are too short for.

        Such as ``window_5: 123 of 2780 contexts reach it; too short are rows 3, 8, ...``.
        """
        said: list[str] = []
        for view in self.masks["train"]:
            if not isinstance(view.step, Reaching) or view.parent is None:
                continue
            could, total = self.count(view), self.count(view.parent)
            if could < total:
                said.append(f"'{view}': {could} of {total} contexts reach it; {self._few(view)}")
        return said

    def _few(self, view: View) -> str:
        assert view.parent is not None
        rows = [
            self.contexts.rows(split)[self.having(split, view.parent) & ~self.having(split, view)]
            for split in self.masks
        ]
        first = ", ".join(map(str, np.sort(np.concatenate(rows))[:NAMED].tolist()))
        return f"too short are rows {first}, ... of the source"


def census(views: Iterable[View], contexts: Contexts) -> Census:
    """Look which contexts have each view; reads the data once if a view has a `Reaching` step."""
    known = {node: None for view in views for node in view.path}
    masks: dict[str, dict[View, np.ndarray]] = {}
    for split in SPLITS:
        rows = contexts.rows(split)
        of_signals = {
            name: column.present[rows]
            for name, column in contexts.signals.items()
            if not column.present[rows].all()
        }
        reached = _reached([view for view in known if _asks(view)], contexts, split)
        masks[split] = {}
        for view in known:
            parts = [reached[node] for node in view.path if node in reached]
            if view.signal in of_signals:
                parts.append(of_signals[view.signal])
            if parts:
                masks[split][view] = np.logical_and.reduce(parts)
    # a view is in the masks of every split, or of none
    everywhere = {view: None for view in known if any(view in m for m in masks.values())}
    for split, found in masks.items():
        full = np.ones(contexts.count(split), dtype=bool)
        masks[split] = {view: found.get(view, full) for view in everywhere}
    return Census(contexts, masks)


def _asks(view: View) -> bool:
    before = view.path[:-1]
    return isinstance(view.step, Reaching) and not any(isinstance(v.step, Encode) for v in before)


@torch.no_grad()
def _reached(
    asking: list[View], contexts: Contexts, split: str
) -> dict[View, Bool[np.ndarray, " n"]]:
    if not asking:
        return {}
    parts: dict[View, list[np.ndarray]] = {view: [] for view in asking}
    for batch in contexts.batches(split, CHUNK, seed=None):
        with torch.random.fork_rng():  # a random window: only its length counts here
            values = evaluate(asking, batch.signals)
        for view in asking:
            parts[view].append(values.present[view].cpu().numpy())
    return {view: np.concatenate(masks) for view, masks in parts.items()}


def check(objective: Objective, found: Census, *judged: View) -> None:
    """Refuse views that no context has, and edges between views that hardly occur together.

    Raises:
        InfomaxError: a window past the end of every recording; fewer than four contexts of a split
            that have both ends of an edge, or a view that is judged.
    """
    contexts = found.contexts
    for view in found.masks["train"]:
        if isinstance(view.step, Reaching) and found.count(view) == 0:
            raise InfomaxError(
                wanted=f"recordings that reach the view '{view}' ({view.step})",
                got=f"none: all {found.count(*view.path[:-1])} end before",
                fix="let it end earlier, or read more of each (data.signals.NAME.seconds)",
            )
    for ends in (*(term.edge.ends for term in objective.terms), *((view,) for view in judged)):
        for split in SPLITS:
            having = int(found.having(split, *ends).sum())
            needed = max(FEWEST, len(ends))
            if having >= needed:
                continue
            alone = [f"{int(found.having(split, view).sum())} have '{view}'" for view in ends]
            raise InfomaxError(
                wanted=f"{needed} or more contexts in the {split} split of {contexts.name} with "
                + " and ".join(f"'{view}'" for view in ends),
                got=f"{having} (of {contexts.count(split)}, " + ", ".join(alone) + ")",
                fix="take that edge out, or bring contexts that have its views together",
            )


def check_steps(objective: Objective, values: Values, contexts: Contexts) -> None:
    """Refuse edges whose steps are partly the padding of short recordings.

    Telling padding from sound is easy and says nothing, yet it would count as information.

    Raises:
        InfomaxError: an edge from or to the steps of recordings that are shorter than the signal.
    """
    for view in objective.views:
        steps, there = values.tensors[view], values.together(view)
        if steps.ndim != 3 or contexts.signals[view.signal].kind != "sound":
            continue
        short = lengths(steps if there is None else steps[there]) < steps.shape[1]
        if bool(short.any()):
            raise InfomaxError(
                wanted=f"steps of recordings without padding at the end of an edge, '{view}'",
                got=f"padding in {int(short.sum())} of the first {len(short)} contexts",
                fix="encode a part of one length: `augment: crop_time` or `window` before `encode`",
            )


def sample(objective: Objective, contexts: Contexts, size: int) -> Batch:
    """The first training contexts, such that every edge has two that have both its ends.

    Layers are sized on it. Where the first ``size`` will not do, others are added.

    Raises:
        InfomaxError: there are no two such contexts.
    """
    count = contexts.count("train")
    rows = list(range(min(size, count)))
    batch = contexts.take("train", rows)
    short = _lacking(objective, batch)
    for start in range(len(rows), count, CHUNK):
        if not short:
            break
        place = range(start, min(start + CHUNK, count))
        more = contexts.take("train", place)
        for index, having in _together(objective, more).items():
            if index in short:
                most = len(objective.terms[index].edge.ends)
                rows += [place[i] for i in np.flatnonzero(having)[:most].tolist()]
        batch = contexts.take("train", rows)
        short = _lacking(objective, batch)
    if short:
        ends = objective.terms[min(short)].edge.ends
        raise InfomaxError(
            wanted=f"contexts in the train split of {contexts.name} with "
            + " and ".join(f"'{view}'" for view in ends),
            got="none, or one",
            fix="take that edge out, or bring contexts that have its views together",
        )
    return batch


def _lacking(objective: Objective, batch: Batch) -> set[int]:
    """Edges that a batch has too few contexts for: a tuple of others needs as many as views."""
    found = _together(objective, batch)
    return {index for index, m in found.items() if m.sum() < len(objective.terms[index].edge.ends)}


@torch.no_grad()
def _together(objective: Objective, batch: Batch) -> dict[int, Bool[np.ndarray, " n"]]:
    """Which contexts of a batch have both ends of each edge, by the number of its term."""
    ends = [term.edge.ends for term in objective.terms]
    decides = {v: _decides(v) for some in ends for v in some}
    asking = list(dict.fromkeys(decides.values()))
    with torch.random.fork_rng():
        values = evaluate(asking, batch.signals, batch.present)
    found = {}
    for index, some in enumerate(ends):
        both = values.together(*(decides[view] for view in some))
        found[index] = np.ones(len(batch), dtype=bool) if both is None else both.cpu().numpy()
    return found


def _decides(view: View) -> View:
    """The view on the way that decides who has this one: the last that asks, or the signal."""
    return next((node for node in reversed(view.path) if _asks(node)), view.path[0])
