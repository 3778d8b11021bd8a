"""Some test contexts looked for by another view, as things to look at: pictures, texts, sounds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, final

import numpy as np
import torch

from infomax.data import Contexts
from infomax.encoders.texts import strings
from infomax.evaluation.fixed import before
from infomax.evaluation.retrieval import Score
from infomax.evaluation.showing import png, sound, uri
from infomax.views import View, evaluate

QUERIES, ANSWERS, AMONG = 10, 5, 1000
TILE, LETTERS = 64, 160
BYTES = 3_000_000
"""All pictures and sounds together; what is beyond is told by its row number."""


@final
class Gallery:
    """What contexts look and sound like by one view or another, within a budget of bytes.

    Args:
        contexts: the data.
        rates: Hz of each sound signal.
        label: the label that is written beside each.
    """

    def __init__(self, contexts: Contexts, rates: Mapping[str, int], label: str | None) -> None:
        self.contexts = contexts
        self.rates = rates
        self.label = label
        self.left = BYTES
        self.pairs_shown = 0

    def items(self, view: View, rows: np.ndarray) -> list[dict[str, Any]]:
        """One item for each position of the test split: row, label, and text, picture or sound."""
        source = before(view)
        kind = self.contexts.signals[view.signal].kind
        batch = self.contexts.take("test", rows)
        torch.manual_seed(0)
        values = evaluate([source], batch.signals).tensors[source]
        out = []
        for row, value in zip(batch.index.tolist(), values, strict=True):
            item: dict[str, Any] = {"row": row}
            if self.label is not None:
                item["label"] = str(self.contexts.labels[self.label][row])
            if kind == "text" and value.ndim == 1:
                item["text"] = strings(value[None])[0][:LETTERS]
            elif kind == "picture" and value.ndim == 3:
                self._within(item, "picture", partial(_png, value.numpy()))
            elif kind == "sound" and value.ndim == 1:
                rate = self.rates.get(view.signal, 16000)
                self._within(item, "sound", partial(_mp3, value.numpy(), rate))
            out.append(item)
        return out

    def _within(self, item: dict[str, Any], key: str, made: Callable[[], str]) -> None:
        if self.left > 0:
            item[key] = made()
            self.left -= len(item[key])


def looked_for(
    names: tuple[str, str],
    views: tuple[View, View],
    score: Score,
    there: np.ndarray,
    groups: np.ndarray,
    gallery: Gallery,
) -> dict[str, Any]:
    """Some contexts by one view and the five best answers by the other, the right ones marked.

    Args:
        names: of the query's and the candidates' view.
        views: the two.
        score: positions of queries and candidates (of ``there``) -> scores.
        there: positions in the test split of the contexts that have both views.
        groups: contexts with the same number are right answers for one another.
        gallery: shows them.
    """
    rng = np.random.default_rng(0)
    pool = rng.permutation(len(there))[:AMONG]
    asked = pool[:QUERIES]
    best = np.argsort(-score(asked, pool), axis=1, kind="stable")[:, :ANSWERS]
    queries = gallery.items(views[0], there[asked])
    found = []
    for query, position, row in zip(queries, asked, best, strict=True):
        answers = gallery.items(views[1], there[pool[row]])
        for answer, other in zip(answers, pool[row], strict=True):
            answer["right"] = bool(groups[other] == groups[position])
        found.append({"query": query, "answers": answers})
    return {"from": names[0], "to": names[1], "among": len(pool), "queries": found}


def worth_showing(item: Mapping[str, Any]) -> bool:
    """Whether there is more to an item than its row number."""
    return bool({"text", "picture", "sound", "label"} & set(item))


def _png(value: np.ndarray) -> str:
    return uri("image/png", png(value, TILE)[0])


def _mp3(wave: np.ndarray, rate: int) -> str:
    return uri(*sound(wave, rate))
