"""Learned marginals r(y): a Gaussian and mixtures of them, in log-space without an inverse."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from jaxtyping import Float
from torch import Tensor, nn

from infomax._errors import InfomaxError
from infomax.gaussian import shrunk_correlation
from infomax.posteriors.densities import LOG_2PI, soft_clamp, soft_unclamp

DIAGONAL = 6.0  # the log-diagonal of a precision factor stays within ±6: deviations 0.0025 to 403


class Marginal(nn.Module, ABC):
    """A learned r(y): fit it on data that the bound is not evaluated on."""

    @abstractmethod
    def log_prob(self, y: Float[Tensor, "... n d"]) -> Float[Tensor, "... n"]:
        """Value of log r(y_i), in nats."""

    @abstractmethod
    def sample(self, n: int, generator: torch.Generator | None = None) -> Float[Tensor, "n d"]:
        """Draw n samples."""

    @abstractmethod
    def start(self, y: Float[Tensor, "n d"]) -> None:
        """Set the parameters from samples, as far as they have a closed form; training follows."""

    def forward(self, y: Float[Tensor, "... n d"]) -> Float[Tensor, "... n"]:
        """The same as `log_prob`, so that wrappers of modules work."""
        return self.log_prob(y)


class MixtureMarginal(Marginal):
    """r(y) = Σ_c π_c N(y; μ_c, (P_c P_cᵀ)⁻¹), full covariances; `start` runs EM.

    Parametrized by the triangular factor P of each precision, its diagonal bounded, so that
    log r needs no inverse and stays finite at any learning rate.

    Args:
        dim: number of variables.
        components: number of Gaussians.

    Raises:
        InfomaxError: from `start`, given fewer samples than 2 · components.

    Source: McLachlan & Peel 2000, Finite mixture models, section 3.

    Example:
        >>> MixtureMarginal(2, components=3).log_prob(torch.zeros(5, 2)).shape
        torch.Size([5])
    """

    def __init__(self, dim: int, *, components: int = 8) -> None:
        super().__init__()
        self.logits = nn.Parameter(torch.zeros(components))
        self.mean = nn.Parameter(torch.randn(components, dim) * (components > 1))
        self.log_diagonal = nn.Parameter(torch.zeros(components, dim))
        self.below = nn.Parameter(torch.zeros(components, dim, dim))

    def factor(self) -> tuple[Float[Tensor, "c d"], Float[Tensor, "c d d"]]:
        """Triangular factors P of the precisions P Pᵀ, with the logarithms of their diagonals."""
        log_diagonal = soft_clamp(self.log_diagonal, -DIAGONAL, DIAGONAL)
        return log_diagonal, self.below.tril(-1) + torch.diag_embed(log_diagonal.exp())

    def log_prob(self, y: Float[Tensor, "... n d"]) -> Float[Tensor, "... n"]:
        """Value of log r(y_i), in nats."""
        log_diagonal, factor = self.factor()
        unit = torch.einsum("...cd,cde->...ce", y.unsqueeze(-2) - self.mean, factor)
        each = log_diagonal.sum(-1) - 0.5 * (unit.square() + LOG_2PI).sum(-1)
        return torch.logsumexp(self.logits.log_softmax(-1) + each, -1)

    def sample(self, n: int, generator: torch.Generator | None = None) -> Float[Tensor, "n d"]:
        """Draw n samples."""
        chosen = torch.multinomial(self.logits.softmax(-1), n, True, generator=generator)
        noise = torch.empty(n, self.mean.shape[-1], 1).to(self.mean).normal_(generator=generator)
        factor = self.factor()[1][chosen]
        unit: Tensor = torch.linalg.solve_triangular(factor.mT, noise, upper=True)
        return self.mean[chosen] + unit.squeeze(-1)

    @torch.no_grad()
    def start(self, y: Float[Tensor, "n d"]) -> None:
        """Fit all of it by expectation-maximization (scikit-learn), seeded; one component: shrunk.

        A single Gaussian takes the Ledoit–Wolf correlation, so it is sound with few samples.
        """
        components = len(self.logits)
        if len(y) < 2 * components:
            raise InfomaxError(
                wanted=f"{2 * components} samples or more for {components} components",
                got=f"{len(y)} samples",
                fix="give more samples, or fewer components",
            )
        rows = y.double()
        if components == 1:
            deviation = rows.std(0, correction=0).clamp_min(1e-6)
            covariance = deviation * shrunk_correlation(rows) * deviation.unsqueeze(-1)
            precision = torch.linalg.inv(covariance).unsqueeze(0)
            mean, weights = rows.mean(0, keepdim=True), torch.ones(1)
        else:
            from sklearn.mixture import GaussianMixture

            ridge = 1e-6 * rows.var(0).mean().item() + 1e-9
            fitted = GaussianMixture(components, reg_covar=ridge, random_state=0)
            fitted.fit(rows.cpu().numpy())
            precision, mean = torch.tensor(fitted.precisions_), torch.tensor(fitted.means_)
            weights = torch.tensor(fitted.weights_).clamp_min(1e-6)
        self.logits.copy_(weights.log())
        self.mean.copy_(mean)
        self.set_precision(precision)

    @torch.no_grad()
    def set_precision(self, precision: Float[Tensor, "c d d"]) -> None:
        """Set the inverse covariances of the components."""
        factor = torch.linalg.cholesky(precision)
        log_diagonal = factor.diagonal(dim1=-2, dim2=-1).log()
        self.below.copy_(factor)
        self.log_diagonal.copy_(soft_unclamp(log_diagonal, -DIAGONAL, DIAGONAL))


class GaussianMarginal(Marginal):
    """r(y) = N(y; μ, Σ), full covariance; `start` fits it with Ledoit–Wolf shrinkage.

    Example:
        >>> round(GaussianMarginal(2).log_prob(torch.zeros(1, 2)).item(), 3)
        -1.838
    """

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.only = MixtureMarginal(dim, components=1)

    def log_prob(self, y: Float[Tensor, "... n d"]) -> Float[Tensor, "... n"]:
        """Value of log r(y_i), in nats."""
        return self.only.log_prob(y)

    def sample(self, n: int, generator: torch.Generator | None = None) -> Float[Tensor, "n d"]:
        """Draw n samples."""
        return self.only.sample(n, generator)

    def start(self, y: Float[Tensor, "n d"]) -> None:
        """Fit mean and covariance."""
        self.only.start(y)


class StandardNormal(Marginal):
    """r(y) = N(y; 0, I) of any number of variables: the fixed prior; nothing is learned.

    Source: Alemi et al. 2017 (arXiv 1612.00410), section 3.

    Example:
        >>> round(StandardNormal().log_prob(torch.zeros(1, 2)).item(), 3)
        -1.838
    """

    def log_prob(self, y: Float[Tensor, "... n d"]) -> Float[Tensor, "... n"]:
        """Value of log r(y_i), in nats."""
        return -0.5 * (y.square() + LOG_2PI).sum(-1)

    def sample(self, n: int, generator: torch.Generator | None = None) -> Float[Tensor, "n d"]:
        """Refuse: how many variables there are is not known."""
        raise InfomaxError(
            wanted="a marginal that knows its number of variables",
            got="a standard normal of any number",
            fix="draw with torch.randn(n, d), or use GaussianMarginal(d)",
        )

    def start(self, y: Float[Tensor, "n d"]) -> None:
        """Nothing to fit."""
