"""Where the time of a step goes: `infomax train --profile`."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import nn

PARTS = ("data", "augment", "encode", "bound", "backward", "optimizer", "between epochs")


class Clock:
    """Seconds by part of a step; reads the time only when it is asked to.

    Example:
        >>> clock = Clock(on=True)
        >>> with clock("data"):
        ...     pass
        >>> list(clock.seconds)
        ['data']
    """

    def __init__(self, *, on: bool = False) -> None:
        self.on = on
        self.seconds: dict[str, float] = {}
        self.steps = 0
        self._part, self._deep, self._since = "", 0, 0.0

    @contextmanager
    def __call__(self, part: str) -> Iterator[None]:
        """Add the time inside to a part."""
        if not self.on:
            yield
            return
        started, self._part = self._now(), part
        try:
            yield
        finally:
            self._add(part, self._now() - started)
            self._part = ""

    def _add(self, part: str, seconds: float) -> None:
        self.seconds[part] = self.seconds.get(part, 0.0) + seconds

    def watch(self, encoders: nn.ModuleDict) -> None:
        """Tell encoders apart from augmentations: what they take counts as 'encode'."""
        if not self.on:
            return
        for module in encoders.values():
            module.register_forward_pre_hook(self._enter)
            module.register_forward_hook(self._leave)

    def _enter(self, module: nn.Module, given: object) -> None:
        if self._deep == 0:
            self._since = self._now()
        self._deep += 1

    def _leave(self, module: nn.Module, given: object, output: object) -> None:
        self._deep -= 1
        if self._deep == 0 and self._part == "augment":
            taken = self._now() - self._since
            self._add("encode", taken)
            self._add("augment", -taken)

    def table(self) -> Mapping[str, tuple[float, float]]:
        """Milliseconds a step and share of the whole, part by part."""
        whole = sum(self.seconds.values()) or 1.0
        return {
            part: (1e3 * self.seconds[part] / max(1, self.steps), self.seconds[part] / whole)
            for part in PARTS
            if part in self.seconds
        }

    def _now(self) -> float:
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        return time.perf_counter()
