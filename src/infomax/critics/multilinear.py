"""The critic of three and more views: a product of all of them, summed over dimensions."""

from __future__ import annotations

import math
from collections.abc import Sequence

from jaxtyping import Float
from torch import Tensor, nn

from infomax._errors import InfomaxError
from infomax._layers import Hidden, mlp
from infomax._ranges import Count
from infomax.gaussian import products


class Multilinear(nn.Module):
    """A tower for each view and the sum of their products: f(x_1..x_n) = Σ_d Π_v g_v(x_v)_d / √dim.

    It sees what no pair shows, such as z = x·y.
    Costs a tower for each view and context, and one matrix product for all scores.

    Args:
        views: how many views an edge has.
        dim: width of the space in which the views meet.
        hidden: widths of the hidden layers of the towers; () for linear towers.

    Raises:
        InfomaxError: fewer than three views; views or candidates that do not fit.

    Source: Saporta et al. 2024 (arXiv 2411.01053), section 3.2, the multilinear inner product.

    Example:
        >>> import torch
        >>> x, y, z = torch.randn(4, 3), torch.randn(6, 7), torch.randn(6, 2)
        >>> Multilinear(views=3, dim=8)(0, x, [y, z]).shape
        torch.Size([4, 6])
    """

    def __init__(self, *, views: int = 3, dim: Count = 128, hidden: Hidden = (256,)) -> None:
        super().__init__()
        if views < 3:
            raise InfomaxError(
                wanted="three or more views", got=f"views: {views}", fix="leave `views` out"
            )
        self.scale = dim**-0.5
        self.towers = nn.ModuleList(mlp(hidden, dim) for _ in range(views))

    def forward(
        self, anchor: int, x: Float[Tensor, "n dx"], others: Sequence[Float[Tensor, "m _"]]
    ) -> Float[Tensor, "n m"]:
        """Scores of all anchors, of view number ``anchor``, with all tuples of the other views."""
        towers = list(self.towers)
        mine = towers.pop(anchor)
        if len(towers) != len(others):
            raise InfomaxError(
                wanted=f"{len(self.towers)} views", got=f"{len(others) + 1}", fix="set `views`"
            )
        tuples = math.prod(tower(y) for tower, y in zip(towers, others, strict=True))
        return products(self.scale * mine(x), tuples)

    def ceiling(self, k: int) -> float | None:
        """None: any score can be reached."""
        return None
