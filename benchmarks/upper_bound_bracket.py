"""Channels with a known posterior and exact nats: how tight a bracket the bounds give.

The second part of upper_bound.py, which runs it and keeps its rows.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from infomax import bounds, truth
from infomax.posteriors import FlowMarginal, GaussianMarginal, MixtureMarginal, Posterior, fit

DIM = 20


@dataclass(frozen=True)
class Bracket:
    """One channel at one target: every bound on the same held-out half, and the verdict."""

    channel: str
    truth: float
    truth_stderr: float
    seed: int
    tractable_nce: float
    leave_one_out: float
    rate_gaussian: float
    rate_mixture: float
    rate_flow: float
    rate_stderr: float
    chosen: str
    dv: float
    dv_stderr: float
    effective_pairs: float
    barber_agakov: float
    barber_agakov_stderr: float
    low_is: str
    low: float
    low_stderr: float
    high: float
    width: float
    holds: bool
    seconds: float


class Source:
    """A model of the channel's noiseless output that noise keeps closed: mixtures of Gaussians.

    `columns` splits the coordinates: one joint mixture, or a mixture for each coordinate.
    """

    def __init__(self, s: Tensor, components: int, apart: bool) -> None:
        self.columns = s.split(1, -1) if apart else (s,)
        self.widths = [part.shape[-1] for part in self.columns]
        self.parts = [MixtureMarginal(w, components=components).double() for w in self.widths]
        for part, values in zip(self.parts, self.columns, strict=True):
            part.start(values)

    def log_prob(self, y: Tensor, variance: float = 0.0) -> Tensor:
        """Log r(y) of the source with Gaussian noise of this variance on top."""
        pieces = y.double().split(self.widths, -1)
        return sum(
            (
                widened(part, variance).log_prob(piece)
                for part, piece in zip(self.parts, pieces, strict=True)
            ),
            torch.zeros(y.shape[:-1], dtype=torch.float64),
        )


def widened(mixture: MixtureMarginal, variance: float) -> MixtureMarginal:
    """The same mixture after independent Gaussian noise."""
    factor = mixture.factor()[1]
    covariance = torch.linalg.inv(factor @ factor.mT)
    noisy = torch.linalg.inv(covariance + variance * torch.eye(covariance.shape[-1]))
    out = MixtureMarginal(covariance.shape[-1], components=len(covariance)).double()
    out.load_state_dict(mixture.state_dict())
    out.set_precision(noisy)
    return out


def smoothed_dv(p: Posterior, r: Callable[[Tensor], Tensor], generator: torch.Generator) -> tuple:
    """Log E_q[p(y|x)/r(y)] over all pairs of contexts, its error, and the effective pairs.

    E_q = E_{i≠j} ∫ p(y|x_i) p(y|x_j) / r(y) dy. The product of two posteriors is a Gaussian of
    known mass, so y is not sampled from p(y|x_i) but where both are: pairs are drawn by their
    mass, y from the product. Equal variances are assumed (they are, in these channels).
    """
    n = len(p.mean)
    mass = Posterior(p.mean, p.log_var + math.log(2)).log_prob_pairs(p.mean)
    mass.fill_diagonal_(-math.inf)
    top = mass.max()
    weight = (mass - top).exp()
    of_row = weight.sum(1)
    total = of_row.sum()
    pairs = torch.multinomial(of_row, 20_000, True, generator=generator)
    other = torch.multinomial(weight[pairs], 1, generator=generator).squeeze(1)
    middle = (p.mean[pairs] + p.mean[other]) / 2
    y = Posterior(middle, p.log_var[pairs] - math.log(2)).sample(generator)
    inverse = (-r(y)).logsumexp(0) - math.log(len(y))
    value = top + total.log() - math.log(n * (n - 1)) + inverse
    stderr = 2 * of_row.std() / of_row.mean() / math.sqrt(n)
    return value.item(), stderr.item(), (total.square() / weight.square().sum()).item() / 2


def stderr_of(values: Tensor) -> float:
    return (values.std() / math.sqrt(len(values))).item()


def bracket(problem: truth.Problem, seed: int, n: int, steps: int) -> Bracket:
    begun = time.perf_counter()
    generator = torch.Generator().manual_seed(seed)
    torch.manual_seed(seed)
    x = problem.sample(n, seed)[0]
    assert problem.posterior is not None
    assert problem.source is not None
    mean, log_var = (torch.from_numpy(v) for v in problem.posterior(x.astype(np.float64)))
    variance = math.exp(log_var[0, 0])
    draws = [Posterior(mean, log_var).sample(generator) for _ in range(8)]
    y = torch.stack(draws, 1)  # the posterior is known: several draws a context are free
    half = n // 2
    held = slice(half, n)
    inner, tune = slice(0, half * 9 // 10), slice(half * 9 // 10, half)
    p = Posterior(mean[held], log_var[held])
    own = -p.entropy()  # E[log p(y|x)], exactly

    marginals: dict[str, Callable[[Tensor], Tensor]] = {}
    scores: dict[str, float] = {}
    for name, r in (
        ("gaussian", GaussianMarginal(DIM)),
        ("mixture", MixtureMarginal(DIM, components=4)),
        ("flow", FlowMarginal(DIM, transforms=1)),
    ):
        if name == "flow":
            fit(r, y[inner].float(), steps=steps, lr=2e-3, batch=128, seed=seed)
        else:
            r.start(y[inner].float().flatten(0, 1))
        marginals[name] = lambda v, r=r: r(v.float()).double()
    sources = {
        "Gaussian": Source(mean[inner], 1, apart=False),
        "mixture": Source(mean[inner], 4, apart=False),
        "margins": Source(mean[inner], 32, apart=True),
    }
    with torch.no_grad():
        rates = {k: own - r(y[held]).mean(1) for k, r in marginals.items()}
        scores = {k: r(y[tune]).mean().item() for k, r in marginals.items()}
        chosen = max(scores, key=scores.__getitem__)
        high = rates[chosen].mean().item()
        log_z, log_z_error, effective = smoothed_dv(p, marginals[chosen], generator)
        source = max(sources.values(), key=lambda s: s.log_prob(mean[tune]).mean().item())
        # q(s|y) = r(s) p(y|s) / r(y), the posterior of the source model through the known channel
        log_q = source.log_prob(mean[held]) + own - source.log_prob(y[held], variance).mean(1)
        barber = (log_q + problem.source).mean().item()
        log_p = p.log_prob_pairs(y[held][:, 0])
        nce, loo = bounds.tractable_nce(log_p).item(), bounds.leave_one_out(log_p).item()
    rate_error = stderr_of(rates[chosen])
    dv, dv_error = high - max(0.0, log_z), math.hypot(rate_error, log_z_error)
    # In the population log E_q >= 0: a negative sample value is noise. With few effective pairs
    # all of it is noise, and this bound says nothing: it is then left to one that knows h(S).
    resolved = effective >= 1000
    low, low_error = (dv, dv_error) if resolved else (barber, stderr_of(log_q))
    exact, error = problem.nats, problem.stderr
    holds = low - 2 * math.hypot(low_error, error) <= exact
    holds = holds and exact <= high + 2 * math.hypot(rate_error, error)
    return Bracket(
        channel=problem.name,
        truth=exact,
        truth_stderr=error,
        seed=seed,
        tractable_nce=nce,
        leave_one_out=loo,
        rate_gaussian=rates["gaussian"].mean().item(),
        rate_mixture=rates["mixture"].mean().item(),
        rate_flow=rates["flow"].mean().item(),
        rate_stderr=rate_error,
        chosen=chosen,
        dv=dv,
        dv_stderr=dv_error,
        effective_pairs=effective,
        barber_agakov=barber,
        barber_agakov_stderr=stderr_of(log_q),
        low_is="tractable DV" if resolved else "Barber-Agakov",
        low=low,
        low_stderr=low_error,
        high=high,
        width=high - low,
        holds=holds,
        seconds=round(time.perf_counter() - begun, 2),
    )


def part_bracket(seeds: list[int], quick: bool) -> list[Bracket]:
    n, steps = (2000, 40) if quick else (10_000, 300)
    print(f"\nknown posterior, {DIM}-d, N = {n:,}: fitted on one half, evaluated on the other")
    print(
        f"{'channel':28s}{'NCE':>6s}{'l-o-o':>7s}{'Rate: Gauss':>12s}{'mixture':>8s}{'flow':>7s}"
        f"{'DV':>7s}{'pairs':>8s}{'B-A':>7s}   bracket (± standard errors)"
    )
    rows = []
    for seed in seeds:
        for nats in (10.0, 20.0):
            for problem in (
                truth.gaussian_channel(DIM, nats=nats),
                truth.mixture_channel(DIM, nats=nats),
                truth.tanh_channel(DIM, nats=nats, gain=1.0),
            ):
                b = bracket(problem, seed, n, steps)
                rows.append(b)
                print(
                    f"{b.channel:28s}{b.tractable_nce:6.2f}{b.leave_one_out:7.2f}"
                    f"{b.rate_gaussian:12.2f}{b.rate_mixture:8.2f}{b.rate_flow:7.2f}{b.dv:7.2f}"
                    f"{b.effective_pairs:8.0f}{b.barber_agakov:7.2f}"
                    f"   [{b.low:.2f} ± {b.low_stderr:.2f}, {b.high:.2f} ± {b.rate_stderr:.2f}],"
                    f" low: {b.low_is},"
                    f" {'holds' if b.holds else 'MISSES'} ({b.seconds:.0f} s)",
                    flush=True,
                )
    return rows
