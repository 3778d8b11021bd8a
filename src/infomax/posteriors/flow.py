"""Flows, on zuko, which is imported only when one is built."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from infomax.posteriors.marginals import Marginal, MixtureMarginal


def identity_spline_flow(dim: int, context: int, transforms: int, width: int) -> nn.Module:
    """Build autoregressive splines whose last layers start at zero: the identity map.

    Source: Durkan et al. 2019 (arXiv 1906.04032).

    Example:
        >>> identity_spline_flow(2, 0, 1, 8)().transform(torch.ones(2)).round(decimals=4)
        tensor([1., 1.], grad_fn=<RoundBackward1>)
    """
    import zuko

    flow: nn.Module = zuko.flows.NSF(
        dim, context, transforms=transforms, hidden_features=(width, width), bins=8
    )
    for step in flow.transform.transforms:  # type: ignore[union-attr]
        # of one variable alone there is no network, only its parameters
        last: Any = step.hyper[-1].parameters() if hasattr(step, "hyper") else step.phi
        for parameter in last:
            nn.init.zeros_(parameter)
    return flow


def identity_margins(dim: int) -> nn.Module:
    """Build one spline a coordinate, each starting as the identity."""
    import zuko

    margins: nn.Module = zuko.flows.ElementWiseTransform(
        dim, univariate=zuko.transforms.MonotonicRQSTransform, shapes=[(10,), (10,), (9,)]
    )
    for parameter in margins.parameters():
        nn.init.zeros_(parameter)
    return margins


class FlowMarginal(Marginal):
    """r(y): splines for the margins, whitening, then an autoregressive spline flow.

    `start` fits the first two, which makes r a Gaussian copula under any smooth margins; the flow
    starts as the identity and learns the dependence that is left. So it is never much worse than a
    Gaussian, and needs few samples where only the margins are odd.

    Args:
        dim: number of variables.
        transforms: autoregressive layers.
        width: width of their networks.

    Source: Durkan et al. 2019 (arXiv 1906.04032), on zuko.

    Example:
        >>> FlowMarginal(2).log_prob(torch.zeros(5, 2)).shape
        torch.Size([5])
    """

    centre: Tensor
    scale: Tensor
    middle: Tensor
    factor: Tensor

    def __init__(self, dim: int, *, transforms: int = 2, width: int = 64) -> None:
        super().__init__()
        self.margins = identity_margins(dim)
        self.flow = identity_spline_flow(dim, 0, transforms, width)
        self.register_buffer("centre", torch.zeros(dim))
        self.register_buffer("scale", torch.ones(dim))
        self.register_buffer("middle", torch.zeros(dim))
        self.register_buffer("factor", torch.eye(dim))

    def _by_margins(
        self, y: Float[Tensor, "... n d"]
    ) -> tuple[Float[Tensor, "... n d"], Float[Tensor, "... n"]]:
        standard, log_slope = self.margins().call_and_ladj((y - self.centre) / self.scale)
        return standard, log_slope - self.scale.log().sum()

    def log_prob(self, y: Float[Tensor, "... n d"]) -> Float[Tensor, "... n"]:
        """Value of log r(y_i), in nats."""
        standard, log_slope = self._by_margins(y)
        log_white: Tensor = self.flow().log_prob((standard - self.middle) @ self.factor)
        return log_white + log_slope + self.factor.diagonal().log().sum()

    def sample(self, n: int, generator: torch.Generator | None = None) -> Float[Tensor, "n d"]:
        """Draw n samples: base noise through the inverse of everything."""
        noise = torch.empty(n, len(self.centre)).to(self.centre).normal_(generator=generator)
        white: Tensor = self.flow().transform.inv(noise)
        white = torch.linalg.solve_triangular(self.factor, white, upper=False, left=False)
        standard: Tensor = self.margins().inv(white + self.middle)
        return self.centre + self.scale * standard

    def start(self, y: Float[Tensor, "n d"]) -> None:
        """Fit the margins by maximum likelihood, each on its own, then whiten what comes out."""
        self.centre.copy_(y.mean(0))
        self.scale.copy_(y.std(0).clamp_min(1e-6))
        optimizer = torch.optim.Adam(self.margins.parameters(), lr=0.05)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 200)
        for step in range(200):
            rows = y[torch.arange(step * 1024, (step + 1) * 1024, device=y.device) % len(y)]
            standard, log_slope = self._by_margins(rows)
            optimizer.zero_grad()
            torch.autograd.backward((0.5 * standard.square().sum(-1) - log_slope).mean())
            optimizer.step()
            schedule.step()
        with torch.no_grad():
            gaussian = MixtureMarginal(y.shape[-1], components=1)
            gaussian.start(self._by_margins(y)[0])
            self.middle.copy_(gaussian.mean[0])
            self.factor.copy_(gaussian.factor()[1][0])
