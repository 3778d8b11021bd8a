"""A Gaussian mixture of the joint, whose marginals are mixtures too: a log-ratio in closed form."""

from __future__ import annotations

import warnings

import torch
from jaxtyping import Float
from torch import Tensor

from infomax.estimation.ratio import Ratio
from infomax.estimation.scaling import Scale, scaling

WIDEST = 10  # columns of x and y together, above which components of their own shapes are hopeless
BROADEST = 60  # and above which those of one shape are


class MixtureRatio(Ratio):
    """f = log Σ_c π_c N(x, y) - log Σ_c π_c N(x) - log Σ_c π_c N(y), fitted by EM.

    Args:
        x: rows of x.
        y: the paired rows.
        components: C.
        seed: where EM starts.
        kind: the scale that is mixed on.
        alike: one covariance for all components: clusters, of which more can be told apart.

    Source: McLachlan & Peel 2000, Finite mixture models, section 3.

    Example:
        >>> x = torch.randn(900, 1, generator=torch.Generator().manual_seed(0))
        >>> MixtureRatio(x, x.square(), components=4, seed=0).matrix(x[:3], x[:5]).shape
        torch.Size([3, 5])
    """

    block = 250  # its pairs are the dearest

    def __init__(
        self,
        x: Float[Tensor, "n dx"],
        y: Float[Tensor, "n dy"],
        *,
        components: int,
        seed: int,
        kind: Scale = "rank",
        alike: bool = False,
    ) -> None:
        from sklearn.mixture import GaussianMixture
        from threadpoolctl import threadpool_limits

        self.scaling = scaling(kind, x, y)
        z = torch.cat([self.scaling.x(x), self.scaling.y(y)], 1).double()
        mixture = GaussianMixture(
            components,
            covariance_type="tied" if alike else "full",
            reg_covar=1e-4,
            random_state=seed,
            max_iter=30,
            tol=1e-4,
        )
        with warnings.catch_warnings(), threadpool_limits(1):  # small products: twice as fast
            warnings.simplefilter("ignore")  # not converged in 30 steps: validation judges it
            mixture.fit(z.numpy())
        self.log_weight = torch.from_numpy(mixture.weights_).log()
        mean, covariance = torch.from_numpy(mixture.means_), torch.from_numpy(mixture.covariances_)
        covariance, dx = covariance.expand(components, -1, -1), x.shape[1]
        self.mean_x, self.mean_y = mean[:, :dx], mean[:, dx:]
        white = torch.linalg.cholesky(covariance[:, :dx, :dx])
        across = torch.linalg.solve(covariance[:, :dx, :dx], covariance[:, :dx, dx:])
        within = covariance[:, dx:, dx:] - covariance[:, dx:, :dx] @ across
        self.white_x = torch.linalg.inv(white)
        self.white_y = torch.linalg.inv(torch.linalg.cholesky(covariance[:, dx:, dx:]))
        self.white_given = torch.linalg.inv(torch.linalg.cholesky(within))
        self.slope = across

    def matrix(self, x: Float[Tensor, "n dx"], y: Float[Tensor, "m dy"]) -> Float[Tensor, "n m"]:
        """Log-ratios of all pairs: log Σ_c p(c|x_i) N(y_j | x_i, c) - log p(y_j)."""
        a, b = self.scaling.x(x).double(), self.scaling.y(y).double()
        of_x = self.log_weight + _log_normal(a - self.mean_x[:, None], self.white_x).mT
        of_y = self.log_weight + _log_normal(b - self.mean_y[:, None], self.white_y).mT
        chosen = of_x.log_softmax(1)
        total = torch.full((len(a), len(b)), 1e-300, dtype=torch.float64)
        for c in range(len(self.log_weight)):
            white = self.white_given[c]
            expected = ((a - self.mean_x[c]) @ self.slope[c] + self.mean_y[c]) @ white.mT
            seen = b @ white.mT
            square = torch.cdist(expected.float(), seen.float()).square()
            log_p = chosen[:, c, None] + white.diagonal().log().sum() - 0.5 * square
            total += log_p.exp_()
        return total.log_() - 0.5 * b.shape[1] * _LOG_2PI - torch.logsumexp(of_y, 1)


_LOG_2PI = 1.8378770664093453


def _log_normal(rows: Float[Tensor, "c n d"], white: Float[Tensor, "c d d"]) -> Tensor:
    unit = rows @ white.mT
    own = white.diagonal(dim1=-2, dim2=-1).log().sum(-1)[:, None]
    return own - 0.5 * (unit.square() + _LOG_2PI).sum(-1)
