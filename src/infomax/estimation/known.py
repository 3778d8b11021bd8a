"""With a known conditional p(y|x) both sides can be had: a bracket around I(X; Y)."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from infomax.estimation.ratio import Ratio, bounded, hold
from infomax.estimation.result import Estimate, Tried
from infomax.estimation.splits import split
from infomax.posteriors import Density, FlowMarginal, GaussianMarginal, Marginal, fit
from infomax.records import Verdict


class KnownRatio(Ratio):
    """f = log p(y|x) - log r(y): the conditional is known, the marginal r is a model."""

    def __init__(self, posterior: Callable[[Tensor], Density], marginal: Marginal) -> None:
        self.posterior, self.marginal = posterior, marginal

    def matrix(self, x: Float[Tensor, "n dx"], y: Float[Tensor, "m dy"]) -> Float[Tensor, "n m"]:
        """Log-ratios of all pairs."""
        with torch.no_grad():
            density = self.posterior(x.float())
            log_p: Tensor = density.log_prob_pairs(y.float())
            return (log_p - self.marginal.log_prob(y.float())[:, None]).mT.double()


def bracket(
    x: Float[Tensor, "n dx"],
    y: Float[Tensor, "n dy"],
    posterior: Callable[[Tensor], Density],
    level: float,
    quantile: float,
    two_sided: float,
    seed: int,
    notes: list[str],
) -> Estimate:
    """Bracket I(X; Y): tractable NWJ or InfoNCE below, the Rate above.

        E[log p(y|x) - log r(y)] >= I(X; Y),        slack KL(p(y) || r)

    r is the better on validation of a Gaussian and a flow, fitted on other rows than it is
    evaluated on. Both limits are one-sided at `level`; the upper one is certified as far as the
    posterior given is the true one.

    Source: Agakov 2006; Alemi et al. 2017 (arXiv 1612.00410); Poole et al. 2019 (1905.06922).
    """
    cut = split(torch.arange(len(x)).numpy(), seed)
    hidden = torch.from_numpy(cut.validation)
    found: dict[str, tuple[list[float], list[KnownRatio], float]] = {}
    for name in ("gauss", "flow"):
        begun = time.perf_counter()
        values: list[float] = []
        ratios: list[KnownRatio] = []
        for k, (train, _) in enumerate(cut.folds[:2] if name == "flow" else cut.folds):
            ratio = KnownRatio(posterior, _marginal(name, y[train].float(), seed + k))
            ratios.append(ratio)
            values.append(float(_rate_terms(ratio, x[hidden], y[hidden]).mean()))
        found[name] = (values, ratios, time.perf_counter() - begun)
    best = min(found, key=lambda name: sum(found[name][0]) / len(found[name][0]))
    values, ratios, _ = found[best]
    held, rates = [], []
    for ratio, (_, test) in zip(ratios, cut.folds, strict=False):
        centre = hold(ratio, x[hidden], y[hidden]).centre
        held.append(hold(ratio, x[test], y[test], centre))
        rates.append(_rate_terms(ratio, x[test], y[test]))
    terms, bound = torch.cat(rates), bounded(held)
    rate, stderr = float(terms.mean()), float(terms.std()) / math.sqrt(len(terms))
    dv = sum(fold.dv for fold in held) / len(held)
    nats = (rate + dv) / 2 if bound.resolved else rate
    error = math.hypot(stderr, (rate - dv) / 4)
    upper = rate + quantile * stderr
    reach = two_sided * error
    notes.append(f"Known conditional: the Rate with a {best} marginal bounds from above.")
    crossed = bound.nats - quantile * bound.stderr > upper
    if crossed:
        notes.append("The bounds cross: the posterior given is not that of the data.")
    steady: Verdict = "ok" if bound.resolved else "high-variance"
    return Estimate(
        nats=max(nats, 0.0),
        interval=(max(nats - reach, 0.0), max(nats + reach, 0.0)),
        level=level,
        lower_bound=bound.nats,
        lower_limit=bound.nats - quantile * bound.stderr,
        upper_limit=None if crossed else upper,
        method=f"known-{best}",
        ceiling=bound.ceiling,
        verdict="crossed" if crossed else steady,
        samples=cut.counts,
        candidates=[
            Tried(
                method=f"rate-{name}",
                side="upper",
                validation_nats=sum(v) / len(v),
                test_nats=rate if name == best else None,
                seconds=s,
            )
            for name, (v, _, s) in found.items()
        ],
        notes=notes,
    )


def _rate_terms(ratio: Ratio, x: Tensor, y: Tensor) -> Tensor:
    size = 500
    return torch.cat(
        [
            ratio.matrix(x[low : low + size], y[low : low + size]).diagonal()
            for low in range(0, len(x), size)
        ]
    )


def _marginal(name: str, y: Tensor, seed: int) -> Marginal:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        if name == "gauss":
            plain = GaussianMarginal(y.shape[1])
            plain.start(y)
            return plain
        flow = FlowMarginal(y.shape[1])
        fit(flow, y, steps=300, seed=seed)
        return flow
