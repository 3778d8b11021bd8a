"""Convolutional encoder of pictures, with named stages."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from infomax._errors import InfomaxError
from infomax._ranges import Count
from infomax.encoders.standard import StandardizePictures

MOST_STAGES = 6
Norm = Literal["picture", "place"]


class ConvNet(nn.Module):
    """A small residual convolutional network; each stage halves the picture.

    Channels are brought to the mean 0 and deviation 1 that they had in training (`start`).
    ``stage1`` is a strided stem; later stages are a strided convolution and a residual one, twice
    as wide as the one before. ``pool`` joins the means over a grid of places and the maximum over
    all of them; ``head`` is linear.
    Group normalization, not batch normalization: every picture is encoded by itself, so chunked,
    distributed and evaluated batches see the same function. Its mean and deviation are of the
    whole picture, though, and so tell every place something of all others: an edge between places
    and the whole can live on that alone. For such edges ``norm="place"`` normalizes the channels
    of each place by itself.

    Args:
        width: channels of the first stage.
        stages: number of stages; the picture shrinks by ``2 ** stages``.
        grid: cells along each side whose means are kept: 1 forgets where things are, 2 keeps
            the quadrant.
        dim: width of the output; None ends with the pooled features.
        channels: channels of the picture; None takes them from the first batch.
        norm: what is normalized by itself, a whole ``"picture"`` (in groups of 16 channels) or
            every ``"place"``.

    Source: Wu & He 2018 (arXiv:1803.08494); layer normalization of places: Ba et al. 2016
    (arXiv:1607.06450).

    Example:
        >>> net = ConvNet(channels=1, width=8, dim=16)
        >>> net(torch.zeros(2, 1, 28, 28)).shape
        torch.Size([2, 16])
    """

    def __init__(
        self,
        *,
        width: Count = 32,
        stages: Count = 3,
        grid: Count = 2,
        dim: Count | None = None,
        channels: Count | None = None,
        norm: Norm = "picture",
    ) -> None:
        super().__init__()
        if not 1 <= stages <= MOST_STAGES:
            raise InfomaxError(
                wanted=f"1 to {MOST_STAGES} stages (each halves the picture, doubles the width)",
                got=f"stages: {stages}",
                fix="use fewer stages, or an encoder of your own",
            )
        self.scale = StandardizePictures()
        stem = (
            nn.LazyConv2d(width, 3, stride=2, padding=1, bias=False)
            if channels is None
            else nn.Conv2d(channels, width, 3, stride=2, padding=1, bias=False)
        )
        self.stage1 = nn.Sequential(stem, normalized(norm, width), nn.ReLU())
        self._stages = ["stage1"]
        for index in range(2, stages + 1):
            self.add_module(f"stage{index}", _Stage(width, 2 * width, norm))
            self._stages.append(f"stage{index}")
            width *= 2
        self.pool = GridPool(grid)
        self.head: nn.Module = (
            nn.Identity() if dim is None else nn.Linear((grid * grid + 1) * width, dim)
        )

    def forward(self, picture: Float[Tensor, "n c h w"]) -> Float[Tensor, "n dim"]:
        """Encode a batch of pictures."""
        hidden = self.scale(picture)
        for name in self._stages:
            hidden = self.get_submodule(name)(hidden)
        features: Tensor = self.head(self.pool(hidden))
        return features

    def start(self, batches: Iterable[Tensor]) -> None:
        """Take the statistics of the first few thousand training pictures."""
        self.scale.start(batches)


def normalized(norm: Norm, width: int) -> nn.Module:
    """The normalization of feature maps of so many channels."""
    return PlaceNorm(width) if norm == "place" else nn.GroupNorm(max(1, width // 16), width)


class PlaceNorm(nn.Module):
    """Layer normalization over the channels of each place of feature maps ``[n, C, H, W]``."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)

    def forward(self, hidden: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
        """Normalize; channels last in memory make both turns free."""
        places: Tensor = self.norm(hidden.permute(0, 2, 3, 1))
        return places.permute(0, 3, 1, 2)


class _Stage(nn.Module):
    """Halve the picture, then add what one more convolution sees."""

    def __init__(self, inputs: int, outputs: int, norm: Norm) -> None:
        super().__init__()
        self.down = nn.Conv2d(inputs, outputs, 3, stride=2, padding=1, bias=False)
        self.norm1 = normalized(norm, outputs)
        self.conv = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.norm2 = normalized(norm, outputs)

    def forward(self, hidden: Tensor) -> Tensor:
        shrunk = torch.relu(self.norm1(self.down(hidden)))
        return torch.relu(shrunk + self.norm2(self.conv(shrunk)))


class GridPool(nn.Module):
    """Mean over each cell of a grid of places, and the maximum over all, side by side."""

    def __init__(self, grid: int) -> None:
        super().__init__()
        self.grid = grid

    def forward(self, hidden: Tensor) -> Tensor:
        cells = nn.functional.adaptive_avg_pool2d(hidden, self.grid).flatten(1)
        return torch.cat([cells, hidden.amax((2, 3))], dim=1)
