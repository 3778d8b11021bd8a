"""Multi-layer perceptron, for vectors and for small pictures laid flat."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor, nn


class MLP(nn.Module):
    """Fully connected layers with layer normalization; the input is laid flat.

    ``h_l = gelu(norm(W_l h_{l-1}))``, and ``z = W h`` at the end. Stages: ``stage1`` ...
    (the hidden layers) and ``head``. Layer normalization, not batch normalization: every
    context is encoded by itself, so evaluation and other batch sizes see the same function.

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
        for index, width in enumerate(hidden, start=1):
            stage = nn.Sequential(nn.LazyLinear(width), nn.LayerNorm(width), nn.GELU())
            self.add_module(f"stage{index}", stage)
        self.head = nn.LazyLinear(dim)

    def forward(self, value: Float[Tensor, "n *signal"]) -> Float[Tensor, "n dim"]:
        """Encode a batch."""
        hidden = value.flatten(1).float()
        for stage in self.children():
            hidden = stage(hidden)
        return hidden
