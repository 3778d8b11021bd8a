"""The learned candidate: warp each side, then be Gaussian; plus a low-rank rest.

    f(x, y) = log-ratio of a Gaussian (a(x), b(y); ρ) + <g(x), h(y)> / √k + u(x) + v(y)

a and b start as the canonical variables and learn a residual; g, h, u, v start at nothing. Every
term is separable, so all pairs of a batch cost two small networks and one product: the partition
function of each step runs over 250,000 pairs, and training is steady where a joint network, which
sees a thousand pairs for that price, overfits.
"""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn

from infomax.gaussian import canonical, products, shrunk_correlation, with_ends

LARGEST = 1 - 1e-4
"""Canonical correlation that a network in float32 can have: 4.3 nats a pair."""


class Radial(nn.Module):
    """Add to the columns of z their radius and the columns times it: r = mean z², [z, log r …].

    The radius is what rotations and heavy tails depend on, and what a network of 128 units is
    slowest to find.
    """

    def forward(self, z: Float[Tensor, "n d"]) -> Float[Tensor, "n 2*d+2"]:
        """Shape [n, 2 d + 2]."""
        r = z.square().mean(1, keepdim=True)
        bent = (z * (r - 1)).clamp(-10, 10)
        return torch.cat([z, torch.log(r + 0.01) / 2, r.clamp(max=10) - 1, bent], 1)


class Warped(nn.Module):
    """The critic of this module's formula, on scaled rows.

    Args:
        x: scaled training rows; the start is their canonical correlation.
        y: the paired rows.
        width: units of the two hidden layers of each side.
        rank: k, products of free features.

    Example:
        >>> x = torch.randn(900, 2, generator=torch.Generator().manual_seed(0))
        >>> Warped(x, x + x.flip(1))(x[:3], x[:5]).shape
        torch.Size([3, 5])
    """

    def __init__(
        self,
        x: Float[Tensor, "n dx"],
        y: Float[Tensor, "n dy"],
        *,
        width: int = 128,
        rank: int = 16,
    ) -> None:
        super().__init__()
        z = torch.cat([x, y], 1).double()
        wx, wy, rho = (part.to(x.dtype) for part in canonical(shrunk_correlation(z), x.shape[1]))
        self.wx, self.wy = nn.Parameter(wx), nn.Parameter(wy)
        self.rho = nn.Parameter(torch.atanh(rho.clamp(max=LARGEST)))
        self.pairs, self.rank = len(rho), rank
        self.of_x = _tower(x.shape[1], self.pairs + rank + 1, width)
        self.of_y = _tower(y.shape[1], self.pairs + rank + 1, width)
        # a, b start canonical; g is random and h zero: nothing yet, but it can learn
        _silence(self.of_x, [*range(self.pairs), -1])
        _silence(self.of_y, list(range(self.pairs + rank + 1)))

    def forward(self, x: Float[Tensor, "n dx"], y: Float[Tensor, "m dy"]) -> Float[Tensor, "n m"]:
        """Scores of all pairs, in nats."""
        split = [self.pairs, self.rank, 1]
        warp_x, g, u = self.of_x(x).split(split, 1)
        warp_y, h, v = self.of_y(y).split(split, 1)
        rho = torch.tanh(self.rho).clamp(max=LARGEST)
        tight = 1 - rho.square()
        a, b, own = x @ self.wx + warp_x, y @ self.wy + warp_y, rho.square() / (2 * tight)
        left = torch.cat([a * (rho / tight), g / math.sqrt(self.rank)], 1)
        of_x = u.squeeze(1) - a.square() @ own - 0.5 * tight.log().sum()
        of_y = v.squeeze(1) - b.square() @ own
        return products(*with_ends(left, torch.cat([b, h], 1), of_x, of_y))


def _tower(inputs: int, outputs: int, width: int) -> nn.Sequential:
    return nn.Sequential(
        Radial(),
        nn.Linear(2 * inputs + 2, width),
        nn.SiLU(),
        nn.Linear(width, width),
        nn.SiLU(),
        nn.Linear(width, outputs),
    )


def _silence(tower: nn.Sequential, outputs: list[int]) -> None:
    """Start these outputs of a tower at zero."""
    last = tower[-1]
    assert isinstance(last, nn.Linear)
    with torch.no_grad():
        last.weight[outputs] = 0
        last.bias.zero_()
