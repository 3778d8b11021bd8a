"""Densities that a bound may need: posteriors p(z|x), learned conditionals q(y|x), marginals r(y).

One interface. A *density* is what a conditional becomes once it has seen its x: `log_prob(y)` of
the paired rows, `log_prob_pairs(y)` of all pairs, log_p[..., i, j] = log p(y_i | x_j), and
`sample()`. A *head* is a module x -> density. A *marginal* is a module with `log_prob(y)`,
`sample(n)` and `start(y)`; `fit` trains heads and marginals alike. Everything is in log-space and
every variance is bounded away from zero: narrow posteriors are what made upper bounds explode
(docs/upper_bound.md).
"""

from infomax.posteriors.densities import (
    Classes,
    Density,
    FlowDensity,
    MixtureDensity,
    Posterior,
    soft_clamp,
)
from infomax.posteriors.fitting import fit
from infomax.posteriors.flow import FlowMarginal
from infomax.posteriors.heads import ClassHead, FlowHead, GaussianHead, MixtureHead
from infomax.posteriors.marginals import (
    GaussianMarginal,
    Marginal,
    MixtureMarginal,
    StandardNormal,
)

__all__ = [
    "ClassHead",
    "Classes",
    "Density",
    "FlowDensity",
    "FlowHead",
    "FlowMarginal",
    "GaussianHead",
    "GaussianMarginal",
    "Marginal",
    "MixtureDensity",
    "MixtureHead",
    "MixtureMarginal",
    "Posterior",
    "StandardNormal",
    "fit",
    "soft_clamp",
]
