"""Multi-layer perceptron, for vectors and for small pictures laid flat."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from jaxtyping import Float
from torch import Tensor, nn

ENOUGH = 4096
"""Training vectors that a mean and a deviation are taken from."""


class Standardize(nn.Module):
    """Bring every number of a vector to mean 0 and deviation 1, as they were in training.

    ``(x - mean) / std``, with the statistics that `start` took; numbers that never change stay.
    Columns may differ by orders of magnitude (lengths in mm beside moments in the thousands), and
    the statistics must be those of training wherever the encoder is used: so they are its state.
    """

    mean: Tensor
    std: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(1))
        self.register_buffer("std", torch.ones(1))

    @torch.no_grad()
    def start(self, sample: Float[Tensor, "n d"]) -> None:
        """Take the statistics of training vectors."""
        std = sample.std(0)
        self.mean = sample.mean(0)
        self.std = torch.where(std > 1e-6 * sample.abs().amax(0).clamp_min(1e-12), std, 1.0)

    def forward(self, value: Float[Tensor, "n d"]) -> Float[Tensor, "n d"]:
        return (value - self.mean) / self.std


class MLP(nn.Module):
    """Fully connected layers with layer normalization; vectors are standardized first.

    ``h_l = gelu(norm(W_l h_{l-1}))``, and ``z = W h`` at the end. Stages: ``stage1`` ...
    (the hidden layers) and ``head``. Layer normalization, not batch normalization: every
    context is encoded by itself, so evaluation and other batch sizes see the same function.
    Signals with more axes (pictures) are laid flat as they are.

    Args:
        hidden: widths of the hidden layers.
        dim: width of the output.

    Example:
        >>> import torch
        >>> MLP(hidden=(32,), dim=8)(torch.zeros(4, 1, 7, 7)).shape
        torch.Size([4, 8])
    """

    def __init__(self, *, hidden: tuple[int, ...] = (256, 256), dim: int = 64) -> None:
        super().__init__()
        self.scale = Standardize()
        self._stages = [f"stage{index}" for index in range(1, len(hidden) + 1)]
        for index, width in enumerate(hidden, start=1):
            stage = nn.Sequential(nn.LazyLinear(width), nn.LayerNorm(width), nn.GELU())
            self.add_module(f"stage{index}", stage)
        self.head = nn.LazyLinear(dim)

    def forward(self, value: Float[Tensor, "n *signal"]) -> Float[Tensor, "n dim"]:
        """Encode a batch."""
        hidden = self.scale(value.float()) if value.ndim == 2 else value.flatten(1).float()
        for name in self._stages:
            hidden = self.get_submodule(name)(hidden)
        features: Tensor = self.head(hidden)
        return features

    def start(self, batches: Iterable[Tensor]) -> None:
        """Take the statistics of the first few thousand training vectors."""
        taken: list[Tensor] = []
        for batch in batches:
            if batch.ndim != 2:
                return
            taken.append(batch.float())
            if sum(map(len, taken)) >= ENOUGH:
                break
        if taken:
            self.scale.start(torch.cat(taken))
