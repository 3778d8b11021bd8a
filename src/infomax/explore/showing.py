"""What contexts look and sound like on the page: items as JSON, media by context number."""

from __future__ import annotations

from typing import Any, final

import numpy as np
import torch
from torch import Tensor

from infomax._errors import InfomaxError
from infomax.encoders.texts import strings
from infomax.evaluation.fixed import before
from infomax.evaluation.showing import png, sound, uri
from infomax.explore.index import Answer, Index
from infomax.heldout import SEED
from infomax.views import Signal, View, evaluate

LARGEST = 512
"""Pixels a side of a picture on the page."""
LETTERS = 600
NUMBERS = 6
RATE = 16000


@final
class Showing:
    """The contexts of an index as things to look at and listen to.

    Args:
        index: whose contexts.
    """

    def __init__(self, index: Index) -> None:
        self.index = index
        self.signals = {view.signal: view.path[0] for view in self._views()}
        labels = index.contexts.label_names
        self.label = labels[0] if labels else None

    def _views(self) -> list[View]:
        return [face.view for face in self.index.faces.values()]

    def rate(self, signal: str) -> int:
        """Hz of a signal, if it is a sound."""
        return int(getattr(self.index.recipe.data.signals.get(signal), "rate", RATE))

    def items(self, rows: list[int], view: str | None = None) -> list[dict[str, Any]]:
        """One item for each row: label, every signal it has, what it lacks.

        Args:
            rows: of test contexts.
            view: whose signal, or part of it, comes first.
        """
        contexts = self.index.contexts
        batch = contexts.take("test", [self.index.place(row) for row in rows])
        first = self._part(view) if view is not None else None
        found_by = self.index.face(view).view.signal if view is not None else None
        order = sorted(self.signals, key=lambda name: name != found_by)
        nodes = {name: self.signals[name] for name in order}
        shown = dict.fromkeys([*([first] if first is not None else []), *nodes.values()])
        torch.manual_seed(SEED)
        values = evaluate(shown, batch.signals, batch.present)
        out = []
        for place, row in enumerate(rows):
            item: dict[str, Any] = {"row": row, "views": self.index.views_of(row)}
            if self.label is not None:
                item["label"] = str(contexts.labels[self.label][row])
            item["parts"] = [
                self._shown(node, values.tensors[node][place], self._address(node, view, row))
                for node in shown
                if node not in values.present or bool(values.present[node][place])
            ]
            item["lacks"] = [n for n in nodes if not bool(batch.present[n][place])]
            out.append(item)
        return out

    def query(self, view: str, row: Tensor) -> dict[str, Any]:
        """A signal that was given, as the encoder of a view sees it."""
        node = self._part(view) or self.signals[self.index.face(view).view.signal]
        torch.manual_seed(SEED)
        value = evaluate([node], {node.signal: row[None]}).tensors[node][0]
        return {"parts": [self._shown(node, value, None)]}

    def media(self, node: View, row: int) -> tuple[str, bytes]:
        """The picture or sound of a context: its type and the file.

        Raises:
            InfomaxError: no such context, or it has no picture or sound there.
        """
        batch = self.index.contexts.take("test", [self.index.place(row)])
        torch.manual_seed(SEED)
        values = evaluate([node], batch.signals, batch.present)
        kind, value = self._kind(node), values.tensors[node][0]
        if node in values.present and not bool(values.present[node][0]):
            raise InfomaxError(
                wanted=f"a context that has {node.signal}",
                got=f"row {row}, which lacks it",
                fix="take another context",
            )
        return self._file(kind, value, node.signal, row)

    def node(self, of: str, name: str) -> View:
        """The signal, or the part of it that a view sees, of this name.

        Raises:
            InfomaxError: there is none.
        """
        if of == "signal" and name in self.signals:
            return self.signals[name]
        if of == "view":
            return before(self.index.face(name).view)
        raise InfomaxError(
            wanted=f"signal: one of {', '.join(self.signals)}", got=repr(name), fix="name one"
        )

    def answers(self, found: list[Answer]) -> list[dict[str, Any]]:
        """Answers with items in the place of rows."""
        out = []
        for answer in found:
            items = self.items([hit.row for hit in answer.hits], answer.view)
            for item, hit in zip(items, answer.hits, strict=True):
                item |= {"score": hit.score, "own": hit.own}
            fields = ("view", "by", "trained", "among", "own_rank")
            out.append({f: getattr(answer, f) for f in fields} | {"found": items})
        return out

    def _part(self, view: str | None) -> View | None:
        """What the encoder of a view is given, if that is not the whole signal."""
        node = before(self.index.face(view).view) if view is not None else None
        return None if node is None or isinstance(node.step, Signal) else node

    def _kind(self, node: View) -> str:
        return self.index.contexts.signals[node.signal].kind

    def _address(self, node: View, view: str | None, row: int) -> str:
        if isinstance(node.step, Signal):
            return f"media/signal/{node.signal}/{row}"
        return f"media/view/{view}/{row}"

    def _shown(self, node: View, value: Tensor, address: str | None) -> dict[str, Any]:
        kind = self._kind(node)
        part: dict[str, Any] = {"signal": node.signal, "kind": kind}
        if kind == "text" and value.ndim == 1:
            part["text"] = strings(value[None].byte())[0][:LETTERS]
        elif (kind, value.ndim) in (("picture", 3), ("sound", 1)):
            if address is None:
                address = uri(*self._file(kind, value, node.signal, 0))
            part["src"] = address
        else:
            numbers = value.flatten()[: NUMBERS + 1].tolist()
            more = " …" if len(numbers) > NUMBERS else ""
            part["text"] = ", ".join(f"{number:.3g}" for number in numbers[:NUMBERS]) + more
        return part

    def _file(self, kind: str, value: Tensor, signal: str, row: int) -> tuple[str, bytes]:
        array: np.ndarray = value.float().numpy()
        if kind == "picture" and array.ndim == 3:
            return "image/png", png(array, LARGEST)[0]
        if kind == "sound" and array.ndim == 1:
            return sound(array, self.rate(signal))
        raise InfomaxError(
            wanted=f"a picture or a sound of row {row}",
            got=f"the signal {signal}, a {kind}",
            fix="read it from /api/ask",
        )
