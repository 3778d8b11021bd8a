"""The states of a run in its folder: the last, the one before it, and the best."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from infomax import checkpoint
from infomax._errors import InfomaxError
from infomax.checkpoint import State
from infomax.data import Contexts

CHECKPOINTS = Path("checkpoints")
LAST = CHECKPOINTS / "last.safetensors"
PREVIOUS = CHECKPOINTS / "previous.safetensors"
BEST = CHECKPOINTS / "best.safetensors"

Say = Callable[[str], None]


@dataclass
class Standing:
    """Where a run stands, beside its parameters.

    Attributes:
        step: steps done, skipped ones too.
        best: the best held-out objective so far.
        skipped: steps left out because their gradient was not finite.
        in_a_row: how many of those were the last ones.
    """

    step: int = 0
    best: float = -math.inf
    skipped: int = 0
    in_a_row: int = 0

    def facts(self, contexts: Contexts) -> dict[str, object]:
        """What is saved of it, with the data it belongs to."""
        return {**vars(self), "data": contexts.fingerprint}

    def take(self, facts: dict[str, float]) -> None:
        """Go on from saved facts."""
        for name in vars(self):
            if name in facts:
                setattr(self, name, facts[name])


def save(out: Path, state: State) -> None:
    """Write the last state of a run; the one before it is kept as the previous."""
    checkpoint.save(out / LAST, state, keep=out / PREVIOUS)


def save_best(out: Path, packed: Mapping[str, Tensor], facts: dict[str, object]) -> None:
    """Write the parameters of the best model so far, of all that is packed."""
    tensors = {name: value for name, value in packed.items() if name.startswith("model.")}
    checkpoint.save(out / BEST, State(tensors, facts))


def best(out: Path) -> dict[str, Tensor]:
    """The parameters of the best model of a run folder; the last ones, if none was valued."""
    state = checkpoint.load(out / (BEST if (out / BEST).exists() else LAST))
    return {name: value for name, value in state.tensors.items() if name.startswith("model.")}


def resumable(out: Path, contexts: Contexts, say: Say = lambda words: None) -> State | None:
    """The last whole state of a run folder, if it was trained on these contexts.

    A damaged state is said, set aside (``*.damaged``), and the one before it taken. None: the run
    ended before it saved anything, and begins anew.

    Raises:
        InfomaxError: every state is damaged, or the data or their split have changed.
    """
    damaged: list[tuple[Path, InfomaxError]] = []
    for path in (out / LAST, out / PREVIOUS):
        if not path.exists():
            continue
        try:
            state = checkpoint.load(path)
        except InfomaxError as error:
            damaged.append((path, error))
            continue
        checkpoint.same_data(state, contexts.fingerprint, contexts.name)
        _set_aside([path for path, _ in damaged], say, f"going on from step {state.facts['step']}")
        if not whole_best(out):
            _set_aside([out / BEST], say, "the best is chosen anew from here on")
            state = State(state.tensors, {**state.facts, "best": -math.inf})
        return state
    if damaged:
        raise damaged[0][1]
    return None


def whole_best(out: Path) -> bool:
    """Whether the best state, if there is one, can be read."""
    try:
        return not (out / BEST).exists() or bool(checkpoint.load(out / BEST).tensors)
    except InfomaxError:
        return False


def _set_aside(paths: list[Path], say: Say, then: str) -> None:
    for path in paths:
        path.rename(path.with_name(f"{path.name}.damaged"))
        say(f"{path} is damaged and was set aside as {path.name}.damaged; {then}")
