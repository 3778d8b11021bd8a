"""Residual network for small pictures, with named stages."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from jaxtyping import Float
from torch import Tensor, nn

from infomax._errors import InfomaxError
from infomax._ranges import Count
from infomax.encoders.conv import GridPool, Norm, normalized
from infomax.encoders.standard import StandardizePictures

MOST_STAGES = 5


class ResNet(nn.Module):
    """A residual network for small pictures: ``relu(x + f(x))``, two convolutions a block.

    Channels are standardized as in `ConvNet`. ``stem`` is one 3 x 3 convolution at full size;
    ``stage1`` keeps the size, each later stage halves it and is twice as wide; ``pool`` and
    ``head`` end it. Two blocks in each of four stages are the 18 layers of ResNet-18, one block
    in each the 10 of ResNet-10.
    Group normalization, not batch normalization, as in `ConvNet`: every picture is encoded by
    itself, so chunked, distributed and evaluated batches see the same function; ``norm="place"``
    for edges between places and the whole.

    Args:
        blocks: residual blocks of each stage.
        width: channels of the stem and the first stage.
        grid: cells along each side whose means are kept, beside the maximum over all places.
        dim: width of the output; None ends with the pooled features.
        channels: channels of the picture; None takes them from the first batch.
        norm: what is normalized by itself: the ``"picture"``, or every ``"place"``.

    Raises:
        InfomaxError: no stage or too many, or a stage without a block.

    Source: He et al. 2016 (arXiv:1512.03385), section 4.2; Wu & He 2018 (arXiv:1803.08494).

    Example:
        >>> net = ResNet(channels=3, blocks=(1, 1, 1), width=16, dim=32)
        >>> net(torch.zeros(2, 3, 16, 16)).shape
        torch.Size([2, 32])
    """

    def __init__(
        self,
        *,
        blocks: tuple[Count, ...] = (2, 2, 2, 2),
        width: Count = 32,
        grid: Count = 1,
        dim: Count | None = None,
        channels: Count | None = None,
        norm: Norm = "picture",
    ) -> None:
        super().__init__()
        if not 1 <= len(blocks) <= MOST_STAGES or min(blocks) < 1:
            raise InfomaxError(
                wanted=f"blocks of 1 to {MOST_STAGES} stages, one or more each",
                got=f"blocks: {list(blocks)}",
                fix="write e.g. blocks: [2, 2, 2, 2] (18 layers) or [1, 1, 1, 1] (10)",
            )
        self.scale = StandardizePictures()
        first = (
            nn.LazyConv2d(width, 3, padding=1, bias=False)
            if channels is None
            else nn.Conv2d(channels, width, 3, padding=1, bias=False)
        )
        self.stem = nn.Sequential(first, normalized(norm, width), nn.ReLU())
        self._stages = [f"stage{index}" for index in range(1, len(blocks) + 1)]
        for index, (name, count) in enumerate(zip(self._stages, blocks, strict=True)):
            wider = width * (2 if index else 1)
            members = [_Block(width, wider, stride=2 if index else 1, norm=norm)]
            members += [_Block(wider, wider, stride=1, norm=norm) for _ in range(count - 1)]
            self.add_module(name, nn.Sequential(*members))
            width = wider
        self.pool = GridPool(grid)
        self.head: nn.Module = (
            nn.Identity() if dim is None else nn.Linear((grid * grid + 1) * width, dim)
        )

    def forward(self, picture: Float[Tensor, "n c h w"]) -> Float[Tensor, "n dim"]:
        """Encode a batch of pictures."""
        hidden = self.stem(self.scale(picture))
        for name in self._stages:
            hidden = self.get_submodule(name)(hidden)
        features: Tensor = self.head(self.pool(hidden))
        return features

    def start(self, batches: Iterable[Tensor]) -> None:
        """Take the statistics of the first few thousand training pictures."""
        self.scale.start(batches)


class _Block(nn.Module):
    """Two convolutions beside a way past them, which is one convolution where the shape changes."""

    def __init__(self, inputs: int, outputs: int, stride: int, norm: Norm) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False)
        self.norm1 = normalized(norm, outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.norm2 = normalized(norm, outputs)
        self.past: nn.Module = nn.Identity()
        if stride != 1 or inputs != outputs:
            way = nn.Conv2d(inputs, outputs, 1, stride=stride, bias=False)
            self.past = nn.Sequential(way, normalized(norm, outputs))

    def forward(self, hidden: Tensor) -> Tensor:
        inner = torch.relu(self.norm1(self.conv1(hidden)))
        return torch.relu(self.past(hidden) + self.norm2(self.conv2(inner)))
