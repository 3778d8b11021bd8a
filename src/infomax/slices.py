"""Parts of a signal: a half or a crop of a picture, a window in time, columns of a vector.

Pure functions of a batch, written as frozen records so that a recipe can name them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from infomax._errors import InfomaxError


@dataclass(frozen=True)
class Half:
    """The top, bottom, left or right half of pictures ``[n, C, H, W]``, less a gap at the seam.

    Neighbouring rows are nearly equal, so two halves share the seam; ``gap`` rows (or columns)
    are left out on each side of it.

    Example:
        >>> import torch
        >>> Half("bottom", gap=1)(torch.zeros(1, 1, 28, 28)).shape
        torch.Size([1, 1, 13, 28])
    """

    side: Literal["top", "bottom", "left", "right"]
    gap: int = 0

    def __call__(self, value: Tensor) -> Tensor:
        axis = 2 if self.side in ("top", "bottom") else 3
        _needs_axes(value, 4, f"half: {self.side}", "a picture")
        size = value.shape[axis]
        if self.side in ("top", "left"):
            return value.narrow(axis, 0, size // 2 - self.gap)
        start = (size + 1) // 2 + self.gap
        return value.narrow(axis, start, size - start)


@dataclass(frozen=True)
class Crop:
    """A fixed rectangle of pictures ``[n, C, H, W]``, in pixels."""

    top: int
    left: int
    height: int
    width: int

    def __call__(self, value: Tensor) -> Tensor:
        _needs_axes(value, 4, "crop", "a picture")
        _inside(self.top + self.height, value.shape[2], "crop", "rows")
        _inside(self.left + self.width, value.shape[3], "crop", "columns")
        return value[:, :, self.top : self.top + self.height, self.left : self.left + self.width]


def lengths(value: Tensor) -> Int[Tensor, " n"]:
    """Steps of each context before its padding, the exact zeros at the end of ``[n, T]``.

    Recordings of many lengths lie in one tensor, padded with exact zeros; encoders of sequences
    ``[n, T, d]`` keep that, so what is padding can be told at any stage.

    Example:
        >>> import torch
        >>> lengths(torch.tensor([[0.5, 0.0, 0.1, 0.0], [0.0, 0.0, 0.0, 0.0]])).tolist()
        [3, 0]
    """
    there = value.flatten(2).ne(0).any(2) if value.ndim > 2 else value.ne(0)
    ends: Tensor = there * torch.arange(1, value.shape[1] + 1, device=value.device)
    return ends.amax(1)


SILENCE = 100
"""A recording may fall short of a window by this part of it: its last samples may be zero."""


def long_enough(value: Tensor, end: int, length: int) -> Bool[Tensor, " n"]:
    """Which sounds ``[n, T]`` have a window of ``length`` samples that ends at sample ``end``.

    A recording ends with its last sample that is not zero; a hundredth of the window may lie
    beyond it, for a recording may end in a few zeros of its own. Series ``[n, T, C]`` are not
    padded: all of them reach.
    """
    if value.ndim != 2:
        return value.new_ones(len(value), dtype=torch.bool)
    return lengths(value) >= end - length // SILENCE


@dataclass(frozen=True)
class Window:
    """A window in time of sounds ``[n, T]`` or series ``[n, T, C]``, in samples.

    A recording that ends before the window does lacks this view (`reached`).

    Example:
        >>> import torch
        >>> sounds = torch.tensor([[1.0, 1, 1, 1], [1, 1, 0, 0]])
        >>> Window(1, 2)(sounds).shape, Window(1, 2).reached(sounds).tolist()
        (torch.Size([2, 2]), [True, False])
    """

    start: int
    length: int

    def __call__(self, value: Tensor) -> Tensor:
        _inside(self.start + self.length, value.shape[1], "window", "samples")
        return value[:, self.start : self.start + self.length]

    def reached(self, value: Tensor) -> Bool[Tensor, " n"]:
        """Which contexts are long enough."""
        return long_enough(value, self.start + self.length, self.length)


@dataclass(frozen=True)
class Columns:
    """Columns ``start`` to ``stop`` (excluded) of vectors ``[n, d]``."""

    start: int
    stop: int

    def __call__(self, value: Tensor) -> Tensor:
        _needs_axes(value, 2, "columns", "a vector")
        _inside(self.stop, value.shape[1], "columns", "columns")
        return value[:, self.start : self.stop]


def _needs_axes(value: Tensor, axes: int, what: str, kind: str) -> None:
    if value.ndim != axes:
        raise InfomaxError(
            wanted=f"{kind} for {what}",
            got=f"a signal of shape {tuple(value.shape)} (contexts first)",
            fix="slice another signal, or use the slice of its kind: half, crop, window, columns",
        )


def _inside(stop: int, size: int, what: str, unit: str) -> None:
    if stop > size:
        raise InfomaxError(
            wanted=f"a {what} inside the signal's {size} {unit}",
            got=f"one that ends at {stop}",
            fix=f"end the {what} at {size} or earlier"
            + (", or read more of each sound (data.signals.NAME.seconds)" * (what == "window")),
        )
