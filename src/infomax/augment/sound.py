"""Augmentations of sounds ``[n, samples]`` and series ``[n, T, C]``, each context its own draw.

Sounds are padded with exact zeros at the end; these keep that, so that the encoders still know
where a recording ends.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from infomax._errors import InfomaxError
from infomax._ranges import Amount, Count, Finite, Positive, Share
from infomax.slices import lengths, long_enough

Sounds = Float[Tensor, "n samples"]


@dataclass(frozen=True)
class crop_time:
    """Cut out a window at a random place of the real part of each recording.

    Recordings shorter than the window lack the view (`reached`), so what is left has no padding.

    Args:
        seconds: length of the window.
        rate: samples a second (Hz); it must be the data's. Of a series: steps in a unit of time.

    Raises:
        InfomaxError: a window longer than the signal.

    Example:
        >>> crop_time(seconds=0.5, rate=8000)(torch.randn(3, 16000)).shape
        torch.Size([3, 4000])
    """

    seconds: Positive = 1.0
    rate: Count = 16000

    @property
    def samples(self) -> int:
        """Length of the window in samples."""
        return max(1, round(self.seconds * self.rate))

    def reached(self, value: Tensor) -> Bool[Tensor, " n"]:
        """Which recordings are as long as the window."""
        return long_enough(value, self.samples, self.samples)

    def __call__(self, value: Float[Tensor, "n t *c"]) -> Float[Tensor, "n window *c"]:
        if self.samples > value.shape[1]:
            raise InfomaxError(
                wanted=f"signals of {self.samples} samples or more for crop_time",
                got=f"signals of {value.shape[1]}",
                fix="set seconds lower, or read more of each sound (data.signals.NAME.seconds)",
            )
        spare = (lengths(value) - self.samples).clamp_min(0) + 1
        starts = (torch.rand(len(value), device=value.device) * spare).long()
        places = starts[:, None] + torch.arange(self.samples, device=value.device)
        rows = torch.arange(len(value), device=value.device)[:, None]
        return value[rows, places]


@dataclass(frozen=True)
class shift_time:
    """Move each sound earlier or later by up to ``share`` of the signal's length.

    What is moved over an end is lost; silence comes in at the start, padding at the end.
    """

    share: Share = 0.1

    def __call__(self, value: Sounds) -> Sounds:
        n, length = value.shape[:2]
        most = self.share * length
        draw = 2 * torch.rand(n, device=value.device) - 1
        shifts = (draw * (most + 0.999)).long()
        places = torch.arange(length, device=value.device) - shifts[:, None]
        inside = (places >= 0) & (places < length)
        return value.gather(1, places.clamp(0, length - 1)) * inside


@dataclass(frozen=True)
class gain:
    """Make each sound louder or softer by up to so many decibels."""

    decibels: Amount = 6.0

    def __call__(self, value: Sounds) -> Sounds:
        draw = 2 * torch.rand(len(value), 1, device=value.device) - 1
        return value * 10 ** (self.decibels * draw / 20)


@dataclass(frozen=True)
class hiss:
    """Add white noise at a random signal-to-noise ratio, not in the padding.

    ``x + sqrt(mean(x^2) / 10^(r / 10)) e`` with r between ``lowest`` and ``highest`` decibels and
    the mean over the real part of each recording.
    """

    lowest: Finite = 10.0
    highest: Finite = 40.0

    def __call__(self, value: Sounds) -> Sounds:
        real = lengths(value)[:, None]
        power = value.square().sum(1, keepdim=True) / real.clamp_min(1)
        span = torch.rand(len(value), 1, device=value.device) * (self.highest - self.lowest)
        spread = (power / 10 ** ((self.lowest + span) / 10)).sqrt()
        inside = torch.arange(value.shape[1], device=value.device) < real
        return value + spread * torch.randn_like(value) * inside


@dataclass(frozen=True)
class rescale:
    """Multiply each channel of a series by its own random factor ``e^(spread * N(0, 1))``.

    Source: Um et al. 2017 (arXiv:1706.00527), scaling.
    """

    spread: Amount = 0.1

    def __call__(self, value: Float[Tensor, "n t c"]) -> Float[Tensor, "n t c"]:
        factors = torch.randn(len(value), 1, value.shape[2], device=value.device)
        return value * (self.spread * factors).exp()
