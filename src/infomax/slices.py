"""Parts of a signal: a half, a crop, the colours or the patches of a picture; time; columns.

Pure functions of a batch, written as frozen records so that a recipe can name them. A slice that
gives many parts of one context, as `Patches` does, says so with ``places``: its value has an axis
of positions after that of the contexts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from infomax._errors import InfomaxError


@dataclass(frozen=True)
class Half:
    """The top, bottom, left or right half of a signal, less a gap at the seam.

    Of pictures ``[n, C, H, W]`` any half; of vectors ``[n, d]`` and series ``[n, T, C]`` the left
    or the right half of the columns. Neighbouring rows of a picture are nearly equal, so two
    halves share the seam; ``gap`` rows (or columns) are left out on each side of it.

    Raises:
        InfomaxError: the top or bottom of what has no rows; a gap that leaves nothing.

    Example:
        >>> Half("bottom", gap=1)(torch.zeros(1, 1, 28, 28)).shape
        torch.Size([1, 1, 13, 28])
        >>> Half("left")(torch.tensor([[1, 2, 3, 4, 5]])).tolist()
        [[1, 2]]
    """

    side: Literal["top", "bottom", "left", "right"]
    gap: int = 0

    def __call__(self, value: Tensor) -> Tensor:
        if self.side in ("top", "bottom"):
            _needs_axes(value, 4, f"half: {self.side}", "a picture")
        axis = -2 if self.side in ("top", "bottom") else -1
        size = value.shape[axis]
        first = self.side in ("top", "left")
        start, stop = (0, size // 2 - self.gap) if first else ((size + 1) // 2 + self.gap, size)
        if stop <= start:
            raise InfomaxError(
                wanted=f"something in the {self.side} half of {size} rows or columns",
                got=f"nothing, with a gap of {self.gap}",
                fix="make the gap smaller, or halve a larger signal",
            )
        return value.narrow(axis, start, stop - start)


@dataclass(frozen=True)
class Channels:
    """The lightness (``L``) or the colour (``ab``) of RGB pictures ``[n, 3, H, W]`` in [0, 1].

    CIE L*a*b*, so that one says nothing of the other by definition, only by what is seen:
    ``L / 100`` and ``(a, b) / 220 + 1/2``, both within [0, 1]; a grey point has ab = (1/2, 1/2).

    Raises:
        InfomaxError: a picture without three colours.

    Source: Tian, Krishnan & Isola 2019, Contrastive multiview coding (arXiv:1906.05849).

    Example:
        >>> grey = torch.full((1, 3, 2, 2), 0.5)
        >>> Channels("L")(grey).shape, Channels("ab")(grey)[0, :, 0, 0].round(decimals=2)
        (torch.Size([1, 1, 2, 2]), tensor([0.5000, 0.5000]))
    """

    part: Literal["L", "ab"]

    def __call__(self, value: Tensor) -> Tensor:
        from kornia.color import rgb_to_lab

        _needs_axes(value, 4, f"channels: {self.part}", "a picture")
        if value.shape[1] != 3:
            raise InfomaxError(
                wanted=f"a colour picture (red, green, blue) for channels: {self.part}",
                got=f"pictures of {value.shape[1]} channel(s)",
                fix="grey pictures have no colour: take halves or augmentations of them as views; "
                "of colour files, set channels: 3 in data.signals",
            )
        lab: Tensor = rgb_to_lab(value)
        return lab[:, :1] / 100 if self.part == "L" else lab[:, 1:] / 220 + 0.5


@dataclass(frozen=True)
class Patches:
    """All squares of ``size`` pixels, ``stride`` apart, of pictures: ``[n, P, C, size, size]``.

    In raster order, row by row, ``columns(W)`` in a row: the patch k rows below is
    ``k * columns(W)`` positions ahead. An encoder sees every patch by itself.

    Raises:
        InfomaxError: a picture smaller than one patch.

    Source: van den Oord et al. 2018, section 3.2 (arXiv:1807.03748).

    Example:
        >>> Patches(8, 4)(torch.zeros(2, 1, 28, 28)).shape, Patches(8, 4).columns(28)
        (torch.Size([2, 36, 1, 8, 8]), 6)
    """

    size: int
    stride: int
    places: ClassVar[bool] = True

    def columns(self, width: int) -> int:
        """Patches side by side in a picture ``width`` pixels wide."""
        return (width - self.size) // self.stride + 1

    def __call__(self, value: Tensor) -> Tensor:
        _needs_axes(value, 4, "patches", "a picture")
        _inside(self.size, min(value.shape[2:]), "patch", "rows or columns")
        cut = value.unfold(2, self.size, self.stride).unfold(3, self.size, self.stride)
        return torch.movedim(cut, 1, 3).flatten(1, 2)


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
    beyond it, for a recording may end in a few zeros of its own. Series ``[n, T, C]`` may end in
    many (counts do): one that is not over before the window reaches it.
    """
    if value.ndim != 2:
        return lengths(value) > end - length
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
            fix="slice another signal, or use one of its kind: half, crop, channels, patches of "
            "a picture; window of a sound or series; half or columns of a vector",
        )


def _inside(stop: int, size: int, what: str, unit: str) -> None:
    if stop > size:
        raise InfomaxError(
            wanted=f"a {what} inside the signal's {size} {unit}",
            got=f"one that ends at {stop}",
            fix=f"end the {what} at {size} or earlier"
            + (", or read more of each sound (data.signals.NAME.seconds)" * (what == "window")),
        )
