"""How a run ends before its end: asked to stop, or by numbers that are not finite."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import FrameType

import torch
from jaxtyping import Bool
from torch import Tensor

from infomax._errors import NotFinite

IN_A_ROW = 10
"""Steps that may be skipped one after the other before a run gives up."""


class Interrupted(KeyboardInterrupt):
    """Training was asked to stop, and has saved its state."""


def stopped_at(step: int) -> Interrupted:
    """What is raised when training was asked to stop and the state is saved."""
    return Interrupted(f"state saved at step {step}; go on with --resume")


@contextmanager
def stoppable() -> Iterator[Callable[[], bool]]:
    """Turn Ctrl-C and SIGTERM into a question the training loop asks between steps."""
    asked: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        if asked:
            raise KeyboardInterrupt
        asked.append(number)

    try:
        before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    except ValueError:  # not in the main thread: nothing to catch
        before = {}
    try:
        yield lambda: bool(asked)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def not_finite(step: int, rows: Sequence[int]) -> NotFinite:
    """The error of a run whose gradients stay NaN or infinite, with the contexts of the last."""
    first = ", ".join(str(row) for row in rows[:8]) + (", ..." if len(rows) > 8 else "")
    return NotFinite(
        wanted="finite gradients",
        got=f"NaN or infinity in {IN_A_ROW} steps in a row, up to step {step}; "
        f"the last on the contexts in rows {first}",
        fix="lower train.lr, or look at those rows (all are in not_finite.json); the last finite "
        "state is saved",
    )


def suspects(tensors: Sequence[Tensor]) -> Bool[Tensor, " n"]:
    """Which contexts have an embedding that is not finite.

    Example:
        >>> suspects([torch.tensor([[1.0], [float("nan")]])])
        tensor([False,  True])
    """
    floats = [t for t in tensors if t.is_floating_point()]
    return torch.stack([~t.reshape(len(t), -1).isfinite().all(1) for t in floats]).any(0)
