"""Densities that have seen their x: log-values of the pairs, of all pairs, and samples."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from infomax.gaussian import products

LOG_2PI = math.log(2 * math.pi)
NARROWEST, WIDEST = -10.0, 10.0  # log-variances: a deviation of 0.0067 to 148


def soft_clamp(
    raw: Float[Tensor, "..."], low: float = NARROWEST, high: float = WIDEST
) -> Float[Tensor, "..."]:
    """Bound smoothly: m + h·u/√(1 + u²), u = (raw − m)/h, with m, h the interval's middle and half.

    Close to `raw` in the middle. The gradient falls off like u⁻³, not like e⁻ᵘ as that of softplus
    or tanh does, so a step too far can be taken back.

    Example:
        >>> soft_clamp(torch.tensor([-1e4, 0.0, 1.0, 1e4]), -10, 10).round(decimals=3)
        tensor([-10.0000,   0.0000,   0.9950,  10.0000])
    """
    middle, half = (low + high) / 2, (high - low) / 2
    u = (raw - middle) / half
    return middle + half * u * torch.rsqrt(1 + u.square())


def soft_unclamp(value: Float[Tensor, "..."], low: float, high: float) -> Float[Tensor, "..."]:
    """Invert `soft_clamp`; values at or beyond a bound are first brought just inside it.

    Example:
        >>> soft_unclamp(soft_clamp(torch.tensor([3.0]), -10, 10), -10, 10)
        tensor([3.])
    """
    middle, half = (low + high) / 2, (high - low) / 2
    v = ((value - middle) / half).clamp(-0.999, 0.999)
    return middle + half * v * torch.rsqrt(1 - v.square())


class Density(ABC):
    """p(· | x_1), …, p(· | x_m): m densities, one for each x, seen through their log-values."""

    @abstractmethod
    def log_prob(self, y: Tensor) -> Float[Tensor, "... n"]:
        """Paired: log p(y_i | x_i), in nats."""

    @abstractmethod
    def log_prob_pairs(self, y: Tensor) -> Float[Tensor, "... n m"]:
        """All pairs: log p(y_i | x_j), in nats."""

    @abstractmethod
    def sample(self, generator: torch.Generator | None = None) -> Tensor:
        """One draw from each density."""


@dataclass(frozen=True)
class Posterior(Density):
    """Independent Gaussians: log p(z|x) = −½ Σ_k [(z_k − μ_k)²/σ_k² + log σ_k² + log 2π].

    Args:
        mean: μ(x), [..., m, d].
        log_var: log σ²(x), [..., m, d]; from a head it lies within [NARROWEST, WIDEST].

    Source: Kingma & Welling 2013 (arXiv 1312.6114), section 2.4 and appendix B.

    Example:
        >>> p = Posterior(torch.zeros(3, 2), torch.zeros(3, 2))
        >>> p.log_prob(torch.zeros(3, 2))
        tensor([-1.8379, -1.8379, -1.8379])
        >>> p.log_prob_pairs(torch.zeros(5, 2)).shape
        torch.Size([5, 3])
    """

    mean: Float[Tensor, "... m d"]
    log_var: Float[Tensor, "... m d"]

    def log_prob(self, y: Float[Tensor, "... m d"]) -> Float[Tensor, "... m"]:
        """Paired: log p(y_i | x_i), in nats."""
        unit = (y - self.mean) * (-0.5 * self.log_var).exp()
        return -0.5 * (unit.square() + self.log_var + LOG_2PI).sum(-1)

    def log_prob_pairs(self, y: Float[Tensor, "... n d"]) -> Float[Tensor, "... n m"]:
        """All pairs: log p(y_i | x_j), by one matmul; float32 or the wider dtype of y."""
        rows, columns = self.separated(y)
        return products(rows, columns).to(torch.promote_types(y.dtype, torch.float32))

    def separated(
        self, y: Float[Tensor, "... n d"]
    ) -> tuple[Float[Tensor, "... n f"], Float[Tensor, "... m f"]]:
        """Factors of all pairs, log p(y_i | x_j) = rows_i · columns_j, for the tiled bounds.

        (y − μ)²/σ² is expanded, which cancels badly when σ is small, so it is done about the
        centre of the means and in float64.
        """
        mean, log_var = self.mean.double(), self.log_var.double()
        centre = mean.detach().mean(-2, keepdim=True)
        y, mean, precision = y.double() - centre, mean - centre, (-log_var).exp()
        alone = (precision * mean.square() + log_var + LOG_2PI).sum(-1, keepdim=True)
        rows = torch.cat([y.square(), y, torch.ones_like(y[..., :1])], -1)
        return rows, torch.cat([-0.5 * precision, precision * mean, -0.5 * alone], -1)

    def entropy(self) -> Float[Tensor, "... m"]:
        """Differential entropy of each posterior, ½ Σ_k (1 + log 2π + log σ_k²), in nats."""
        return 0.5 * (self.log_var + 1 + LOG_2PI).sum(-1)

    def sample(self, generator: torch.Generator | None = None) -> Float[Tensor, "... m d"]:
        """One draw from each, μ + σ ε: gradients reach both."""
        noise = torch.randn(
            self.mean.shape,
            generator=generator,
            dtype=self.mean.dtype,
            device=self.mean.device,
        )
        return self.mean + (0.5 * self.log_var).exp() * noise


@dataclass(frozen=True)
class MixtureDensity(Density):
    """A mixture of independent Gaussians for each x: log Σ_c π_c(x) N(y; μ_c(x), σ_c(x)).

    Args:
        logits: log π up to a constant, [..., m, c].
        mean: [..., m, c, d].
        log_var: [..., m, c, d].

    Source: Bishop 1994, Mixture density networks, eq. 22.
    """

    logits: Float[Tensor, "... m c"]
    mean: Float[Tensor, "... m c d"]
    log_var: Float[Tensor, "... m c d"]

    def log_prob(self, y: Float[Tensor, "... m d"]) -> Float[Tensor, "... m"]:
        """Paired: log q(y_i | x_i), in nats."""
        each = Posterior(self.mean, self.log_var).log_prob(y.unsqueeze(-2).expand_as(self.mean))
        return torch.logsumexp(self.logits.log_softmax(-1) + each, -1)

    def log_prob_pairs(self, y: Float[Tensor, "... n d"]) -> Float[Tensor, "... n m"]:
        """All pairs: log q(y_i | x_j), by matmuls over the m·c components."""
        flat = Posterior(self.mean.flatten(-3, -2), self.log_var.flatten(-3, -2))
        pairs = flat.log_prob_pairs(y)
        each = pairs.view(*pairs.shape[:-1], *self.logits.shape[-2:])
        return torch.logsumexp(self.logits.log_softmax(-1).unsqueeze(-3) + each, -1)

    def sample(self, generator: torch.Generator | None = None) -> Float[Tensor, "... m d"]:
        """One draw from each; no gradients through the choice of the component."""
        weights = self.logits.softmax(-1)
        chosen = torch.multinomial(weights.flatten(0, -2), 1, generator=generator)
        index = chosen.view(*weights.shape[:-1], 1, 1).expand_as(self.mean[..., :1, :])
        mean, log_var = (t.gather(-2, index).squeeze(-2) for t in (self.mean, self.log_var))
        return Posterior(mean, log_var).sample(generator)


@dataclass(frozen=True)
class Classes(Density):
    """A discrete y: log q(y|x) = log softmax(logits(x))[y]; y are class numbers.

    Example:
        >>> Classes(torch.zeros(3, 4)).log_prob(torch.tensor([0, 1, 2]))
        tensor([-1.3863, -1.3863, -1.3863])
    """

    logits: Float[Tensor, "... m c"]

    def log_prob(self, y: Int[Tensor, "... m"]) -> Float[Tensor, "... m"]:
        """Paired: log q(y_i | x_i), in nats."""
        return self.logits.log_softmax(-1).gather(-1, y.unsqueeze(-1)).squeeze(-1)

    def log_prob_pairs(self, y: Int[Tensor, "... n"]) -> Float[Tensor, "... n m"]:
        """All pairs: log q(y_i | x_j)."""
        table = self.logits.log_softmax(-1).mT
        return table.gather(-2, y.unsqueeze(-1).expand(*y.shape, table.shape[-1]))

    def sample(self, generator: torch.Generator | None = None) -> Int[Tensor, "... m"]:
        """One class from each."""
        weights = self.logits.softmax(-1)
        drawn = torch.multinomial(weights.flatten(0, -2), 1, generator=generator)
        return drawn.view(weights.shape[:-1])


@dataclass(frozen=True)
class FlowDensity(Density):
    """A conditional flow that has seen its x: `flow(context)` are the m densities."""

    flow: nn.Module
    context: Float[Tensor, "m c"]

    def log_prob(self, y: Float[Tensor, "m d"]) -> Float[Tensor, " m"]:
        """Paired: log q(y_i | x_i), in nats."""
        log_q: Tensor = self.flow(self.context).log_prob(y)
        return log_q

    def log_prob_pairs(self, y: Float[Tensor, "n d"]) -> Float[Tensor, "n m"]:
        """All pairs: log q(y_i | x_j); n·m passes through the flow."""
        log_q: Tensor = self.flow(self.context).log_prob(y.unsqueeze(-2))
        return log_q

    def sample(self, generator: torch.Generator | None = None) -> Float[Tensor, "m d"]:
        """One draw from each: base noise through the inverse of the flow."""
        distribution = self.flow(self.context)
        noise = Posterior(distribution.base.mean, 2 * distribution.base.stddev.log())
        start = noise.sample(generator).expand(len(self.context), -1)
        drawn: Tensor = distribution.transform.inv(start)
        return drawn
