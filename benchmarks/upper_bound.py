"""Upper bounds of mutual information: which survive training, and how tight a bracket they give.

    python benchmarks/upper_bound.py [--quick] [--part train|bracket|both] [--seeds 20]

train    Stochastic encoders x -> z (20-d) are trained as a rate-distortion pair: the squared error
         of a decoder, plus the upper bound under test. x is Gaussian, so the least loss is at
         exactly 20 nats. They start with narrow posteriors (σ = 0.035 a coordinate, some 56 nats),
         at a sound and at a far too large learning rate. Printed: how many seeds end finite, what
         the bound says at the end, and a bracket of the truth that depends on none of this:
         Barber-Agakov (h(X) is known), and the Rate with a Gaussian marginal fitted anew.
bracket  Channels with a known posterior and exact nats, N = 10,000, 20-d: the lower bounds and the
         Rate with each marginal, fitted on one half of the contexts, evaluated on the other.

A whole run writes two CSVs under benchmarks/results/, and upper_bound.json, which says how
they were made. One thread, ten minutes.
"""

from __future__ import annotations

import argparse
import csv
import json
import math
import platform
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from infomax import bounds, truth
from infomax.gaussian import shrunk_correlation
from infomax.posteriors import (
    FlowMarginal,
    GaussianHead,
    GaussianMarginal,
    Marginal,
    MixtureMarginal,
    Posterior,
    fit,
)

DIM = 20
LOG_2PI = math.log(2 * math.pi)
LEARNING_RATES = (0.02, 0.3)
MARGINAL_RATE = 5e-3  # the marginal learns at its own pace, whatever the encoder's
RESULTS = Path(__file__).parent / "results"

# ---------------------------------------------------------------------------------------- train


def naive_leave_one_out(p: Posterior, z: Tensor, r: Marginal | None) -> Tensor:
    """As papers write it and code often has it: densities, not their logarithms, in float32."""
    unit = (z[:, None] - p.mean) * (-0.5 * p.log_var).exp()
    density = (-0.5 * (unit.square() + p.log_var + LOG_2PI).sum(-1)).exp()
    others = density.masked_fill(torch.eye(len(z), dtype=torch.bool), 0.0).sum(1) / (len(z) - 1)
    return (density.diagonal() / others).log().mean()


def leave_one_out(p: Posterior, z: Tensor, r: Marginal | None) -> Tensor:
    return bounds.leave_one_out(p.log_prob_pairs(z))


def tiled_leave_one_out(p: Posterior, z: Tensor, r: Marginal | None) -> Tensor:
    return bounds.tiled.leave_one_out(*p.separated(z)).float()


def club(p: Posterior, z: Tensor, r: Marginal | None) -> Tensor:
    return bounds.club(p.log_prob_pairs(z))


def rate(p: Posterior, z: Tensor, r: Marginal | None) -> Tensor:
    assert r is not None
    return bounds.rate(p.log_prob(z), r(z))


class Unbounded(nn.Module):
    """A Gaussian head as is usual: nothing keeps the log-variance from running away."""

    def __init__(self, dim: int, *, hidden: tuple[int, ...]) -> None:
        super().__init__()
        self.inner = GaussianHead(dim, hidden=hidden)
        self.mean, self.log_var = self.inner.mean, self.inner.log_var

    def forward(self, x: Tensor) -> Posterior:
        return Posterior(self.mean(x), self.log_var(x))


@dataclass(frozen=True)
class Method:
    name: str
    bound: Callable[[Posterior, Tensor, Marginal | None], Tensor]
    marginal: Callable[[], Marginal] | None = None
    batch: int = 256
    steps: int = 300
    head: Callable[..., nn.Module] = GaussianHead


METHODS = [
    Method("leave-one-out, probabilities", naive_leave_one_out),
    Method("the same, variance unbounded", naive_leave_one_out, head=Unbounded),
    Method("leave-one-out, logs, K=256", leave_one_out),
    Method("leave-one-out, tiled, K=1024", tiled_leave_one_out, batch=1024, steps=60),
    Method("CLUB, K=256", club),
    Method("Rate, Gaussian, unbounded", rate, lambda: GaussianMarginal(DIM), head=Unbounded),
    Method("Rate, Gaussian", rate, lambda: GaussianMarginal(DIM)),
    Method("Rate, mixture", rate, lambda: MixtureMarginal(DIM, components=4)),
    Method("Rate, flow", rate, lambda: FlowMarginal(DIM, transforms=1)),
]


@dataclass(frozen=True)
class Trained:
    """One run; `says` is the bound's own held-out value, `low` and `high` the bracket."""

    method: str
    bounded: bool
    lr: float
    seed: int
    finite: bool
    first_bad_step: int | None
    says: float
    low: float
    high: float
    seconds: float


def linear_barber_agakov(x: Tensor, z: Tensor, x_new: Tensor, z_new: Tensor) -> float:
    """I ≥ h(X) + E log q(x|z): q linear-Gaussian, fitted on one sample, valued on another."""
    design, design_new = (torch.cat([t, torch.ones(len(t), 1)], 1).double() for t in (z, z_new))
    weights = torch.linalg.lstsq(design, x.double()).solution
    residual, residual_new = x - design @ weights, x_new - design_new @ weights
    deviation = residual.std(0)
    covariance = deviation * shrunk_correlation(residual) * deviation[:, None]
    square = (residual_new @ torch.linalg.inv(covariance) * residual_new).sum(1).mean()
    return (0.5 * (DIM - square - torch.logdet(covariance))).item()


def train(method: Method, lr: float, seed: int, steps: int) -> Trained:
    begun = time.perf_counter()
    torch.manual_seed(seed)
    encoder, decoder = method.head(DIM, hidden=()), nn.Linear(DIM, DIM)
    with torch.no_grad():
        p = encoder(torch.randn(2000, DIM))
        start = -6.7 if method.head is Unbounded else -9.0  # both give log σ² = −6.7
        encoder.log_var[-1].bias.fill_(start)
        r = method.marginal() if method.marginal else None
    if r is not None:
        r.start(encoder(torch.randn(2000, DIM)).sample().detach())
    modules = nn.ModuleList([encoder, decoder, *([r] if r is not None else [])])
    groups = [{"params": [*encoder.parameters(), *decoder.parameters()], "lr": lr}]
    if r is not None:
        groups.append({"params": list(r.parameters()), "lr": MARGINAL_RATE})
    optimizer = torch.optim.Adam(groups)
    spread = math.exp(-2 * 20 / DIM)  # rate-distortion: least at 20 nats
    bad = None
    for step in range(steps):
        x = torch.randn(method.batch, DIM)
        p = encoder(x)
        z = p.sample()
        distortion = 0.5 * (x - decoder(z)).square().sum(1).mean() / spread
        try:
            loss = distortion + method.bound(p, z, r)
        except ValueError:  # infomax refuses NaN
            bad = step
            break
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(modules.parameters(), 5.0)
        optimizer.step()
        if not (loss.isfinite() and all(w.isfinite().all() for w in modules.parameters())):
            bad = step
            break
    says = low = high = math.nan
    if bad is None:
        with torch.no_grad():
            x = torch.randn(8000, DIM)
            p = encoder(x)
            z = p.sample()
            k = method.batch
            held = Posterior(p.mean[:k], p.log_var[:k])
            says = method.bound(held, z[:k], r).item()
            fitted = GaussianMarginal(DIM)
            fitted.start(z[:4000])
            late = Posterior(p.mean[4000:].double(), p.log_var[4000:].double())
            high = (-late.entropy() - fitted.log_prob(z[4000:])).mean().item()
            low = linear_barber_agakov(x[:4000], z[:4000], x[4000:], z[4000:])
    seconds = time.perf_counter() - begun
    bounded = method.head is GaussianHead
    return Trained(
        method.name, bounded, lr, seed, bad is None, bad, says, low, high, round(seconds, 2)
    )


def part_train(seeds: int, quick: bool) -> list[Trained]:
    print(f"{seeds} seeds; finite = every loss and weight of the run; nats: medians of the finite")
    print(f"{'bound minimized':32s}{'lr':>7s}{'finite':>9s}{'says':>10s}{'bracket':>18s}{'s':>7s}")
    runs = []
    for method in METHODS:
        for lr in LEARNING_RATES:
            steps = min(method.steps, 40) if quick else method.steps
            mine = [train(method, lr, seed, steps) for seed in range(seeds)]
            runs += mine
            good = [t for t in mine if t.finite]
            middle = [
                statistics.median(getattr(t, name) for t in good) if good else math.nan
                for name in ("says", "low", "high")
            ]
            print(
                f"{method.name:32s}{lr:7g}{len(good):6d}/{seeds:<2d}{middle[0]:10.1f}"
                f"   [{middle[1]:6.2f}, {middle[2]:6.2f}]{sum(t.seconds for t in mine):7.1f}",
                flush=True,
            )
    return runs


# -------------------------------------------------------------------------------------- bracket


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


def write(name: str, rows: list[Trained] | list[Bracket]) -> None:
    if rows:
        with (RESULTS / name).open("w", newline="") as file:
            writer = csv.DictWriter(file, list(asdict(rows[0])))
            writer.writeheader()
            writer.writerows(asdict(row) for row in rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="3 seeds, few steps: does it run?")
    parser.add_argument("--part", choices=("train", "bracket", "both"), default="both")
    parser.add_argument("--seeds", type=int, default=20, help="of the training part")
    parser.add_argument("--bracket-seeds", type=int, default=1)
    args = parser.parse_args()
    torch.set_num_threads(1)
    begun = time.perf_counter()
    trained: list[Trained] = []
    brackets: list[Bracket] = []
    if args.part != "bracket":
        trained = part_train(3 if args.quick else args.seeds, args.quick)
    if args.part != "train":
        brackets = part_bracket(list(range(args.bracket_seeds)), args.quick)
    print(f"\n{time.perf_counter() - begun:.0f} s")
    if args.quick or args.part != "both":  # the recorded results are of whole runs
        return
    RESULTS.mkdir(exist_ok=True)
    write("upper_bound_train.csv", trained)
    write("upper_bound_bracket.csv", brackets)
    record = {
        "command": " ".join(["python", *sys.argv]),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": np.__version__,
        "threads": 1,
        "seconds": round(time.perf_counter() - begun, 1),
    }
    (RESULTS / "upper_bound.json").write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()
