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
from upper_bound_bracket import DIM, Bracket, part_bracket

from infomax import bounds
from infomax.gaussian import shrunk_correlation
from infomax.posteriors import (
    FlowMarginal,
    GaussianHead,
    GaussianMarginal,
    Marginal,
    MixtureMarginal,
    Posterior,
)

LOG_2PI = math.log(2 * math.pi)
LEARNING_RATES = (0.02, 0.3)
MARGINAL_RATE = 5e-3  # the marginal learns at its own pace, whatever the encoder's
RESULTS = Path(__file__).parent / "results"


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
