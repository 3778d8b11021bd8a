"""Encoders over time: strided stages, a recurrent context, pooling; and series.

Sequences are ``[n, T, d]``, and sequences of many lengths are padded with exact zeros at the end.
Every layer here keeps that: what is padding stays zero, and what is not never depends on how much
padding follows. Nothing here looks ahead in time, neither convolutions (padded on the left) nor
normalization (over the features of one step, never over time): output t is a function of inputs up
to t alone, so predicting later steps from earlier ones is never predicting what was seen.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from infomax._errors import InfomaxError
from infomax._ranges import Count
from infomax.encoders.standard import Standardize, first
from infomax.slices import lengths


def masked(value: Float[Tensor, "n t d"], real: Int[Tensor, " n"]) -> Float[Tensor, "n t d"]:
    """Set the steps after the first ``real`` of each context to zero."""
    return value * real_steps(value, real)[:, :, None]


def real_steps(value: Float[Tensor, "n t d"], real: Int[Tensor, " n"]) -> Bool[Tensor, "n t"]:
    """Which steps of each context are before its padding: its first ``real``."""
    return torch.arange(value.shape[1], device=value.device) < real[:, None]


class Stage(nn.Module):
    """One strided step up: ``h = gelu(norm(conv(x)))``, then ``h + gelu(norm(W h))``.

    The kernel spans two strides, the one before and this one, so that output t sees inputs up to
    ``stride * (t + 1)`` and none after. Normalization takes away the size of what it is given; a
    convolution with a bias keeps it, beside which it is large or small.
    """

    def __init__(self, width: int, stride: int, inputs: int | None = None) -> None:
        super().__init__()
        kernel = 2 * stride if stride > 1 else 3
        self.stride, self.before = stride, kernel - stride
        self.conv: nn.Module = (
            nn.LazyConv1d(width, kernel, stride)  # of a series, whose size says something
            if inputs is None
            else nn.Conv1d(inputs, width, kernel, stride, bias=False)
        )
        self.norm = nn.LayerNorm(width)
        self.mix = nn.Sequential(nn.Linear(width, width), nn.LayerNorm(width), nn.GELU())

    def forward(self, value: Float[Tensor, "n t d"]) -> Float[Tensor, "n s width"]:
        real = -(-lengths(value) // self.stride)
        room = (self.before, -value.shape[1] % self.stride)
        hidden = self.conv(F.pad(value.transpose(1, 2), room)).transpose(1, 2)
        hidden = F.gelu(self.norm(hidden))
        return masked(hidden + self.mix(hidden), real)


class Pool(nn.Module):
    """Mean and maximum over the real steps of a sequence, side by side: ``[n, T, d] -> [n, 2 d]``.

    Example:
        >>> Pool()(torch.tensor([[[1.0], [3.0], [0.0]]]))
        tensor([[2., 3.]])
    """

    def forward(self, value: Float[Tensor, " n *signal"]) -> Float[Tensor, " n twice"]:
        if value.ndim != 3:
            raise InfomaxError(
                wanted="a sequence [n, steps, features] to pool",
                got=f"a view of shape {tuple(value.shape)} (contexts first)",
                fix="pool the stage of an encoder of sounds or series, or its context",
            )
        real = lengths(value)
        mean = value.sum(1) / real.clamp_min(1)[:, None]
        padding = torch.arange(value.shape[1], device=value.device) >= real[:, None]
        lowest = torch.finfo(value.dtype).min
        highest = value.masked_fill(padding[:, :, None], lowest).amax(1)
        return torch.cat([mean, highest.masked_fill((real == 0)[:, None], 0)], 1)


class GRU(nn.Module):
    """A recurrent network over a sequence: its output at t is a context of all up to t.

    ``c_t = g(z_1, ..., z_t)``, the context from which contrastive predictive coding predicts.

    Args:
        width: size of the state.
        layers: recurrent layers, one on the other.

    Source: van den Oord et al. 2018, section 2.3 (arXiv:1807.03748); Cho et al. 2014.

    Example:
        >>> GRU(width=8)(torch.randn(2, 20, 5)).shape
        torch.Size([2, 20, 8])
    """

    def __init__(self, *, width: Count = 128, layers: Count = 1) -> None:
        super().__init__()
        self.inputs = nn.LazyLinear(width)
        self.recurrent = nn.GRU(width, width, layers, batch_first=True)

    def forward(self, value: Float[Tensor, "n t d"]) -> Float[Tensor, "n t width"]:
        """The context at every step; zero where the input is padding."""
        states, _ = self.recurrent(self.inputs(value))
        return masked(states, lengths(value))


class Pyramid(nn.Module, ABC):
    """Strided stages over a sequence, pooled over its real steps, and a linear head.

    Stages are named ``stage1``, ``stage2``, ... and give sequences; ``pool`` gives the mean and
    the maximum over time; ``head`` is linear, or nothing where ``dim`` is None.
    """

    def __init__(
        self, widths: tuple[int, ...], strides: tuple[int, ...], dim: int | None, inputs: int | None
    ) -> None:
        super().__init__()
        self._stages: list[str] = []
        for index, (width, stride) in enumerate(zip(widths, strides, strict=True), start=1):
            self.add_module(f"stage{index}", Stage(width, stride, inputs))
            self._stages.append(f"stage{index}")
            inputs = width
        self.pool = Pool()
        self.head: nn.Module = nn.Identity() if dim is None else nn.Linear(2 * widths[-1], dim)

    @abstractmethod
    def forward(self, value: Tensor) -> Tensor:
        """Bring a signal to a sequence, and climb."""

    def climb(self, value: Float[Tensor, "n t d"]) -> Float[Tensor, "n dim"]:
        """All stages, then pool and head."""
        for name in self._stages:
            value = self.get_submodule(name)(value)
        features: Tensor = self.head(self.pool(value))
        return features


class Series(Pyramid):
    """One-dimensional convolutions over a series ``[n, T, C]``, each channel standardized.

    Series of many lengths are padded at the end with steps of exact zeros, which are left out.

    Args:
        width: features of every stage.
        stages: number of stages; each halves the time.
        dim: width of the output; None ends with the pooled features.

    Raises:
        InfomaxError: no stage.

    Example:
        >>> net = Series(width=16, stages=2, dim=8)
        >>> net(torch.randn(4, 50, 3)).shape
        torch.Size([4, 8])
    """

    def __init__(self, *, width: Count = 64, stages: Count = 3, dim: Count | None = None) -> None:
        at_least_one(stages)
        super().__init__((width,) * stages, (2,) * stages, dim, None)
        self.scale = Standardize()

    def forward(self, series: Float[Tensor, "n t c"]) -> Float[Tensor, "n dim"]:
        """Encode a batch of series."""
        return self.climb(masked(self.scale(series.float()), lengths(series)))

    def start(self, batches: Iterable[Float[Tensor, "n t c"]]) -> None:
        """Take the statistics of each channel over training series, padding left out."""
        self.scale.start(
            batch.float()[real_steps(batch, lengths(batch))] for batch in first(batches)
        )


def at_least_one(count: int, what: str = "stage") -> None:
    """Refuse an encoder without stages (or layers)."""
    if count < 1:
        raise InfomaxError(
            wanted=f"one {what} or more", got=f"{what}s: {count}", fix=f"set {what}s to 2 or 3"
        )
