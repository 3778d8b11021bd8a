"""Heads: modules x -> a density; a stochastic encoder's posterior p(z|x), or a learned q(y|x)."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor, nn

from infomax._layers import Hidden, mlp
from infomax._ranges import Count
from infomax.posteriors.densities import (
    Classes,
    FlowDensity,
    MixtureDensity,
    Posterior,
    soft_clamp,
)
from infomax.posteriors.flow import identity_spline_flow


class GaussianHead(nn.Module):
    """x -> an independent Gaussian over `dim` variables, its log-variances bounded smoothly.

    Args:
        dim: number of variables.
        hidden: hidden layers between x and the parameters; () for a linear map.

    Source: Kingma & Welling 2013 (arXiv 1312.6114), appendix C.2.

    Example:
        >>> import torch
        >>> GaussianHead(2)(torch.randn(5, 7)).sample().shape
        torch.Size([5, 2])
    """

    def __init__(self, dim: Count, *, hidden: Hidden = ()) -> None:
        super().__init__()
        self.mean = mlp(hidden, dim)
        self.log_var = mlp(hidden, dim)

    def forward(self, x: Float[Tensor, "... m dx"]) -> Posterior:
        """The posterior of each x."""
        return Posterior(self.mean(x), soft_clamp(self.log_var(x)))


class MixtureHead(nn.Module):
    """x -> a mixture of independent Gaussians: a mixture density network.

    Args:
        dim: number of variables.
        components: Gaussians for each x.
        hidden: hidden layers between x and the parameters.

    Source: Bishop 1994, Mixture density networks.

    Example:
        >>> import torch
        >>> MixtureHead(2, components=3)(torch.randn(5, 7)).log_prob(torch.randn(5, 2)).shape
        torch.Size([5])
    """

    def __init__(self, dim: int, *, components: int = 8, hidden: Hidden = (128,)) -> None:
        super().__init__()
        self.dim, self.components = dim, components
        self.net = mlp(hidden, components * (2 * dim + 1))

    def forward(self, x: Float[Tensor, "... m dx"]) -> MixtureDensity:
        """The mixture of each x."""
        out = self.net(x).unflatten(-1, (self.components, 2 * self.dim + 1))
        logits, mean, raw = out.split([1, self.dim, self.dim], -1)
        return MixtureDensity(logits.squeeze(-1), mean, soft_clamp(raw))


class ClassHead(nn.Module):
    """x -> a discrete y: a classifier.

    Args:
        classes: number of values of y.
        hidden: hidden layers between x and the logits.

    Example:
        >>> import torch
        >>> ClassHead(3)(torch.randn(5, 7)).log_prob_pairs(torch.tensor([0, 2])).shape
        torch.Size([2, 5])
    """

    def __init__(self, classes: int, *, hidden: Hidden = (128,)) -> None:
        super().__init__()
        self.net = mlp(hidden, classes)

    def forward(self, x: Float[Tensor, "... m dx"]) -> Classes:
        """The class probabilities of each x."""
        return Classes(self.net(x))


class FlowHead(nn.Module):
    """x -> a neural spline flow over y, conditioned on features of x.

    Args:
        dim: number of variables; give them about unit variance (the splines live on [−5, 5]).
        context: number of features of x that the flow sees.
        transforms: autoregressive layers.
        hidden: hidden layers between x and the context.

    Source: Durkan et al. 2019 (arXiv 1906.04032).

    Example:
        >>> import torch
        >>> FlowHead(2)(torch.randn(5, 7)).log_prob(torch.randn(5, 2)).shape
        torch.Size([5])
    """

    def __init__(
        self, dim: int, *, context: int = 32, transforms: int = 3, hidden: Hidden = (64,)
    ) -> None:
        super().__init__()
        self.net = mlp(hidden, context)
        self.flow = identity_spline_flow(dim, context, transforms, 64)

    def forward(self, x: Float[Tensor, "m dx"]) -> FlowDensity:
        """The flow of each x."""
        return FlowDensity(self.flow, self.net(x))
