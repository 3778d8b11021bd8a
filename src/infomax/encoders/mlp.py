"""Multi-layer perceptron, for vectors and for small pictures laid flat."""

from __future__ import annotations

from collections.abc import Iterable

from jaxtyping import Float
from torch import Tensor, nn

from infomax._ranges import Count
from infomax.encoders.standard import Standardize, first


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

    def __init__(self, *, hidden: tuple[Count, ...] = (256, 256), dim: Count = 64) -> None:
        super().__init__()
        self.scale = Standardize()
        self._stages = [f"stage{index}" for index in range(1, len(hidden) + 1)]
        for index, width in enumerate(hidden, start=1):
            stage = nn.Sequential(nn.LazyLinear(width), nn.LayerNorm(width), nn.GELU())
            self.add_module(f"stage{index}", stage)
        self.head = nn.LazyLinear(dim)

    def forward(self, value: Float[Tensor, " n *signal"]) -> Float[Tensor, " n dim"]:
        """Encode a batch."""
        hidden = self.scale(value.float()) if value.ndim == 2 else value.flatten(1).float()
        for name in self._stages:
            hidden = self.get_submodule(name)(hidden)
        features: Tensor = self.head(hidden)
        return features

    def start(self, batches: Iterable[Tensor]) -> None:
        """Take the statistics of the first few thousand training vectors."""
        self.scale.start(batch.float() for batch in first(batches) if batch.ndim == 2)
