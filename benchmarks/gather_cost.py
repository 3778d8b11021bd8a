"""When does gathering negatives stop paying? A cost model of a step, from 1 to 4,096 workers.

    python benchmarks/gather_cost.py

A step of W synchronous workers with b contexts each, K = W b candidates, V views of width d:

    encode    3 V b F / S                    F flops of a view forward, S flops a second
    gather    a log2 W + 4 V K d (W-1)/W / B a seconds of latency, B bytes a second
    bound     6 K R d / S                    R rows: K (every worker the whole loss, as here),
                                             b (its own rows only), or b with K = b (no gather)
    gradients 2 a log2 W + 8 P (W-1)/W / B   P parameters, a ring
    waiting   the slowest of W encoders      simulated: log-normal times, 5 % deviation

`whole` is what infomax does: exact for every bound. `rows` is exact only for bounds that are means
over rows. `local` does not gather: K = b, and so its ceiling stays log b. Gathering pays as long as
contexts a second still grow with W; the row where they are highest is marked `best`.
Inputs are stated in SETTINGS (two of them; edit and run); nothing here was timed. Writes
benchmarks/results/gather_cost.csv.
"""

import csv
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from infomax import encoders

RESULTS = Path(__file__).parent / "results" / "gather_cost.csv"
WORKERS = [2**power for power in range(13)]
DEVIATION, DRAWS = 0.05, 200


@dataclass(frozen=True)
class Setting:
    """A machine, a network and an encoder."""

    name: str
    contexts: int  # b
    flops: float  # F, of one view, forward
    parameters: int  # P
    speed: float  # S, flops a second that training reaches
    bandwidth: float  # B, bytes a second
    latency: float  # a, seconds
    views: int = 2
    width: int = 128


def convnet():
    """Flops and parameters of the encoder of the shipped simclr."""
    net = encoders.ConvNet(channels=1, width=48, stages=3)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        net(torch.zeros(1, 1, 28, 28))
    return float(counter.get_total_flops()), sum(p.numel() for p in net.parameters())


def settings():
    flops, parameters = convnet()
    return [
        Setting("ConvNet, one core each, 1 Gb/s", 256, flops, parameters, 5e10, 1.25e8, 1e-4),
        Setting("ResNet-50 at 224, GPU, 100 Gb/s", 64, 8.2e9, 25_600_000, 5e13, 1.25e10, 2e-5),
    ]


def step(s: Setting, workers: int, scheme: str, slowest: float) -> dict[str, float]:
    """Seconds of the parts of a step."""
    k = s.contexts if scheme == "local" else s.contexts * workers
    rows = k if scheme == "whole" else s.contexts
    hops, ring = math.log2(workers), (workers - 1) / workers
    gathered = 0.0 if scheme == "local" else s.latency * hops
    gathered += 0.0 if scheme == "local" else 4 * s.views * k * s.width * ring / s.bandwidth
    return {
        "encode": 3 * s.views * s.contexts * s.flops / s.speed * slowest,
        "gather": gathered,
        "bound": 6 * k * rows * s.width / s.speed,
        "gradients": 2 * s.latency * hops + 8 * s.parameters * ring / s.bandwidth,
    }


def main():
    draw = np.random.default_rng(0)
    rows = []
    for s in settings():
        for scheme in ("whole", "rows", "local"):
            found = []
            for workers in WORKERS:
                times = draw.lognormal(0, DEVIATION, (DRAWS, workers))
                parts = step(s, workers, scheme, float(times.max(1).mean()))
                whole = sum(parts.values())
                k = s.contexts * (1 if scheme == "local" else workers)
                found.append(
                    {
                        "setting": s.name,
                        "scheme": scheme,
                        "workers": workers,
                        "ceiling_nats": round(math.log(k), 2),
                        "seconds": f"{whole:.4g}",
                        **{f"{part}_share": round(t / whole, 3) for part, t in parts.items()},
                        "contexts_a_second": round(workers * s.contexts / whole),
                        "best": "",
                    }
                )
            max(found, key=lambda row: row["contexts_a_second"])["best"] = "best"
            rows += found
    with RESULTS.open("w", newline="") as file:
        table = csv.DictWriter(file, rows[0])
        table.writeheader()
        table.writerows(rows)
    for row in rows:
        if row["best"] or row["workers"] in (1, 64, 1024):
            print(*row.values(), sep="  ")


if __name__ == "__main__":
    main()
