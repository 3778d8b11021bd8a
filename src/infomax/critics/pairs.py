"""Critics of pairs: every pair of two views -> one score, s[..., i, j] = f(x_i, y_j).

A critic is a module `critic(x: [..., n, dx], y: [..., m, dy]) -> [..., n, m]`. Leading axes are
positions and broadcast without copies (x [P, 1, n, d] with y [1, Q, m, d] gives [P, Q, n, m]);
input sizes are read from the first batch. The separable family (`Separable`, `Bilinear`, `Cosine`)
also gives `project(x, y)` and `scale`, with scores == scale * gx @ gy.mT, which is what a tiled
bound needs so as never to hold the matrix. `ceiling(k)` is the most InfoNCE can show because of
the *range* of the critic, beside its own log K.
"""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.modules.lazy import LazyModuleMixin

from infomax._errors import InfomaxError
from infomax._layers import Hidden, mlp
from infomax.gaussian import products


class Separable(nn.Module):
    """Two towers and an inner product: f(x, y) = g(x)·h(y) / √dim.

    Costs n + m towers for n·m scores.

    Args:
        dim: width of the space in which the views meet.
        hidden: widths of the hidden layers of both towers; () for linear towers.
        shared: one tower for both views, where they are of one kind.

    Source: Poole et al. 2019 (arXiv 1905.06922), section 3.

    Example:
        >>> Separable(dim=8)(torch.randn(4, 3), torch.randn(5, 7)).shape
        torch.Size([4, 5])
    """

    def __init__(self, *, dim: int = 128, hidden: Hidden = (256,), shared: bool = False) -> None:
        super().__init__()
        self.scale = dim**-0.5
        self.g = mlp(hidden, dim)
        self.h = None if shared else mlp(hidden, dim)

    def project(
        self, x: Float[Tensor, "... n dx"], y: Float[Tensor, "... m dy"]
    ) -> tuple[Float[Tensor, "... n d"], Float[Tensor, "... m d"]]:
        """Both towers: (gx, gy), with scores == scale * gx @ gy.mT."""
        return self.g(x), (self.h or self.g)(y)

    def forward(
        self, x: Float[Tensor, "... n dx"], y: Float[Tensor, "... m dy"]
    ) -> Float[Tensor, "... n m"]:
        """Scores of all pairs."""
        gx, gy = self.project(x, y)
        return products(self.scale * gx, gy)

    def ceiling(self, k: int) -> float | None:
        """None: any score can be reached."""
        return None


class Bilinear(LazyModuleMixin, nn.Module):
    """f(x, y) = xᵀ W y: the critic of CPC, one matrix and nothing else. W starts near zero.

    Source: van den Oord et al. 2018 (arXiv 1807.03748), eq. 3.

    Example:
        >>> Bilinear()(torch.randn(4, 3), torch.randn(5, 7)).shape
        torch.Size([4, 5])
    """

    weight: nn.UninitializedParameter
    scale = 1.0

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.UninitializedParameter()

    def initialize_parameters(self, x: Tensor, y: Tensor) -> None:
        """Size W as [dx, dy]; torch calls this once, before the first batch."""
        if self.has_uninitialized_params():
            with torch.no_grad():
                self.weight.materialize((x.shape[-1], y.shape[-1]), x.device, x.dtype)
                self.weight.normal_(std=0.1 / math.sqrt(x.shape[-1] * y.shape[-1]))

    def project(
        self, x: Float[Tensor, "... n dx"], y: Float[Tensor, "... m dy"]
    ) -> tuple[Float[Tensor, "... n dy"], Float[Tensor, "... m dy"]]:
        """(x W, y), with scores == gx @ gy.mT; run the critic once before, to size W."""
        return x @ self.weight, y

    def forward(
        self, x: Float[Tensor, "... n dx"], y: Float[Tensor, "... m dy"]
    ) -> Float[Tensor, "... n m"]:
        """Scores of all pairs."""
        return products(*self.project(x, y))

    def ceiling(self, k: int) -> float | None:
        """None: any score can be reached."""
        return None


class Cosine(nn.Module):
    """Towers on the unit sphere with a learned temperature: f(x, y) = cos(g(x), h(y)) / T.

    Scores stay within ±1/T, so InfoNCE has a second ceiling beside log k. Were every negative at
    the antipode it would be log k − log(1 + (k − 1) e^(−2/T)), but k points cannot all be
    antipodes: when every candidate is the positive of one row (a batch), the best they can do is
    a regular simplex, and the most InfoNCE can show is

        log k − log(1 + (k − 1) e^(−k / ((k − 1) T))),

    at T = 0.5 and k = 256, 1.98 nats of 5.55. (From Jensen's inequality over the negatives:
    their mean score less the positives' is at least −k / ((k − 1) T) on the sphere.) The
    temperature is learned (as 1/T, in log-space) and kept within [0.01, 1].

    Args:
        dim: width of the sphere's space.
        hidden: widths of the hidden layers of both towers; () for linear towers.
        shared: one tower for both views, where they are of one kind (SimCLR's projection head).
        temperature: where T starts.
        towers: False compares the views as they are, in the space that they share already.

    Raises:
        InfomaxError: a temperature outside [0.01, 1].

    Source: Chen et al. 2020 (arXiv 2002.05709), eq. 1; the learned scale: Radford et al. 2021
    (arXiv 2103.00020), section 2.5; the simplex: Graf et al. 2021 (arXiv 2102.08817), theorem 1.

    Example:
        >>> round(Cosine(temperature=0.5).ceiling(256), 2)
        1.98
    """

    COLDEST, WARMEST = 0.01, 1.0

    def __init__(
        self,
        *,
        dim: int = 128,
        hidden: Hidden = (256,),
        shared: bool = False,
        temperature: float = 0.1,
        towers: bool = True,
    ) -> None:
        super().__init__()
        if not self.COLDEST <= temperature <= self.WARMEST:
            raise InfomaxError(
                wanted=f"a temperature within [{self.COLDEST}, {self.WARMEST}]",
                got=f"{temperature}",
                fix="choose one inside; 0.07 to 0.5 is usual",
            )
        self.g: nn.Module = mlp(hidden, dim) if towers else nn.Identity()
        self.h = mlp(hidden, dim) if towers and not shared else None
        self.log_scale = nn.Parameter(torch.tensor(-math.log(temperature)))

    @property
    def scale(self) -> Float[Tensor, ""]:
        """1/T, within its bounds; gradients reach the temperature through it."""
        return self.log_scale.clamp(-math.log(self.WARMEST), -math.log(self.COLDEST)).exp()

    def project(
        self, x: Float[Tensor, "... n dx"], y: Float[Tensor, "... m dy"]
    ) -> tuple[Float[Tensor, "... n d"], Float[Tensor, "... m d"]]:
        """Both towers, of unit length: (gx, gy), with scores == scale * gx @ gy.mT."""
        return F.normalize(self.g(x), dim=-1), F.normalize((self.h or self.g)(y), dim=-1)

    def forward(
        self, x: Float[Tensor, "... n dx"], y: Float[Tensor, "... m dy"]
    ) -> Float[Tensor, "... n m"]:
        """Scores of all pairs, within ±1/T."""
        gx, gy = self.project(x, y)
        return products(self.scale * gx, gy)

    def ceiling(self, k: int) -> float | None:
        """Nats that InfoNCE over k candidates can show at the present temperature."""
        return math.log(k) - math.log1p((k - 1) * math.exp(-k / (k - 1) * self.scale.item()))


class Joint(nn.Module):
    """One network over each pair: f(x, y) = MLP([x, y]), the most expressive and the dearest.

    The first layer is split, W[x, y] = Wx x + Wy y, so that it costs n + m rows and nothing is
    concatenated; the later layers cost n·m rows.

    Args:
        hidden: widths of the hidden layers, at least one.

    Raises:
        InfomaxError: no hidden layer (the score would be u(x) + v(y), which knows nothing).

    Source: Belghazi et al. 2018 (arXiv 1801.04062); Poole et al. 2019 (1905.06922), section 3.

    Example:
        >>> Joint()(torch.randn(4, 3), torch.randn(5, 7)).shape
        torch.Size([4, 5])
    """

    def __init__(self, *, hidden: Hidden = (256, 256)) -> None:
        super().__init__()
        if not hidden:
            raise InfomaxError(
                wanted="one hidden layer or more", got="hidden=()", fix="give hidden=(256, 256)"
            )
        self.first_x = nn.LazyLinear(hidden[0])
        self.first_y = nn.LazyLinear(hidden[0], bias=False)
        self.rest = mlp(hidden[1:], 1)

    def forward(
        self, x: Float[Tensor, "... n dx"], y: Float[Tensor, "... m dy"]
    ) -> Float[Tensor, "... n m"]:
        """Scores of all pairs."""
        pairs = self.first_x(x).unsqueeze(-2) + self.first_y(y).unsqueeze(-3)
        scores: Tensor = self.rest(F.relu(pairs)).squeeze(-1)
        return scores

    def ceiling(self, k: int) -> float | None:
        """None: any score can be reached."""
        return None
