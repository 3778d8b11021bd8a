"""How near to the truth `estimate` comes: the forty tasks, Gaussians, independence, sizes.

    python benchmarks/estimate_bmi40.py pack --data DIR     # the forty tasks, as bmi drew them
    python benchmarks/estimate_bmi40.py own --seeds 1 2     # the tasks, fresh samples
    python benchmarks/estimate_bmi40.py gauss               # 20-d, 2 to 10 nats
    python benchmarks/estimate_bmi40.py independent         # 0 nats, N from 100 up
    python benchmarks/estimate_bmi40.py sizes               # 20-d, 4 nats, N from 100 to a million
    python benchmarks/estimate_bmi40.py sums                # several dependences side by side
    python benchmarks/estimate_bmi40.py clusters            # what is shared is a group
    python benchmarks/estimate_bmi40.py others              # of other kinds, few rows and many

DIR holds one TASK.npz (x, y) a task and truth.json (task -> nats). One CSV row a run is written to
benchmarks/results/, under a first line with the command and the versions. "covered" is whether the
interval holds the truth, "limit_ok" whether the one-sided 95 % limit is below it.
"""

from __future__ import annotations

import argparse
import csv
import json
import platform
import resource
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from other_tasks import other_tasks

from infomax import truth
from infomax.estimation import estimate

COLUMNS = (
    "task,seed,n,truth,nats,error,low,high,covered,lower_bound,lower_limit,limit_ok,method,verdict,"
    "wall_seconds,cpu_seconds,peak_mb"
)
RESULTS = Path(__file__).parent / "results"
Run = tuple[str, int, float, np.ndarray, np.ndarray]


def pack(data: Path, tasks: list[str] | None) -> Iterator[Run]:
    for task, nats in json.loads((data / "truth.json").read_text()).items():
        if not tasks or task in tasks:
            with np.load(data / f"{task}.npz") as arrays:
                yield task, 0, nats, arrays["x"], arrays["y"]


def own(seeds: list[int], n: int, tasks: list[str] | None) -> Iterator[Run]:
    for seed in seeds:
        for task, problem in truth.bmi40().items():
            if not tasks or task in tasks:
                yield task, seed, problem.nats, *problem.sample(n, seed)


def gauss(seeds: list[int], n: int) -> Iterator[Run]:
    for seed in seeds:
        for nats in (2.0, 4.0, 6.0, 8.0, 10.0):
            plain = truth.correlated(20, 20, nats=nats)
            cubed = truth.transformed(plain, truth.cube, truth.cube)
            for problem in (plain, cubed):
                yield problem.name, seed, nats, *problem.sample(n, seed)


def independent(seeds: list[int]) -> Iterator[Run]:
    for n in (100, 300, 1000, 3000, 10_000):
        for dim in (1, 2, 5, 20, 50):
            for seed in seeds if n <= 1000 else seeds[:1]:
                name = f"independent-{dim}-{n}"
                yield name, seed, 0.0, *truth.independent(dim, dim).sample(n, seed)


def sizes(seeds: list[int]) -> Iterator[Run]:
    problem = truth.correlated(20, 20, nats=4.0)
    for n in (100, 1000, 10_000, 100_000, 1_000_000):
        for seed in seeds:
            yield problem.name, seed, problem.nats, *problem.sample(n, seed)


def sums(seeds: list[int], n: int) -> Iterator[Run]:
    """Problems laid side by side, and columns shuffled, so that only data tell which belong."""
    tasks = truth.bmi40()
    spiral = {dim: tasks[f"spiral-multinormal-sparse-{dim}-{dim}-2-2.0"] for dim in (3, 5)}
    channel, mixture = truth.tanh_channel(5, nats=1.5), truth.mixture_channel(5, nats=1.5)
    parts = {
        "tanh-5": [channel],
        "tanh-20": [truth.tanh_channel(20, nats=3.0)],
        "spiral-3 + spiral-5": [spiral[3], spiral[5]],
        "spiral-3 + tanh-5": [spiral[3], channel],
        "spiral-5 + mixture-5": [spiral[5], mixture],
        "student-5 + student-3": [truth.student(5, 5, df=2), truth.student(3, 3, df=3)],
    }
    for seed in seeds:
        for name, some in parts.items():
            problem = truth.joined(*some)
            rng = np.random.default_rng(seed)
            sides = problem.sample(n, seed)
            x, y = (side[:, rng.permutation(side.shape[1])] for side in sides)
            yield name, seed, problem.nats, x, y


def clusters(seeds: list[int], n: int) -> Iterator[Run]:
    """Groups of rows, alike and unlike, few and many, in few columns and in many."""
    problems = [
        truth.clusters(2, 2, count=6, noise=0.3),
        truth.clusters(5, 5, count=10, noise=0.5),
        truth.clusters(5, 5, count=24, noise=0.5),
        truth.clusters(5, 5, count=10, noise=0.3, unlike=4.0),
        truth.clusters(10, 10, count=24, noise=0.7),
        truth.clusters(20, 20, count=24, noise=0.9),
        truth.transformed(truth.clusters(5, 5, count=10), truth.cube, truth.cube),
    ]
    for seed in seeds:
        for problem in problems:
            yield problem.name, seed, problem.nats, *problem.sample(n, seed)


def others(seeds: list[int]) -> Iterator[Run]:
    tasks = other_tasks()
    for n in (500, 2000, 10_000):
        for seed in seeds:
            for problem in tasks:
                yield problem.name, seed, problem.nats, *problem.sample(n, seed)


def measure(runs: Iterator[Run], out: Path) -> None:
    versions = (
        f"python {platform.python_version()}, torch {torch.__version__}, numpy {np.__version__}"
    )
    errors, limits, covered = [], [], []
    with out.open("w", newline="") as file:
        file.write(f"# {' '.join(['python', *sys.argv])} | {versions}\n")
        table = csv.writer(file)
        file.write(COLUMNS + "\n")
        for task, seed, nats, x, y in runs:
            wall, cpu = time.perf_counter(), time.process_time()
            found = estimate(x, y, seed=seed)
            low, high = found.interval
            errors.append(found.nats - nats)
            limits.append(found.lower_limit is None or found.lower_limit <= nats)
            covered.append(low <= nats <= high)
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            numbers = (nats, found.nats, errors[-1], low, high)
            end = time.perf_counter() - wall, time.process_time() - cpu
            row: list[object] = [task, seed, len(x), *(f"{v:.4f}" for v in numbers)]
            row += [int(covered[-1]), f"{found.lower_bound:.4f}", f"{found.lower_limit:.4f}"]
            row += [int(limits[-1]), found.method, found.verdict, *(f"{t:.1f}" for t in end)]
            table.writerow([*row, f"{peak:.0f}"])
            file.flush()
            print(f"{task:48s} {nats:7.3f} {found.nats:7.3f} {found.method}", flush=True)
    size = np.abs(errors)
    print(
        f"{len(size)} runs: mean |error| {size.mean():.4f}, worst {size.max():.4f}, interval holds "
        f"the truth in {np.mean(covered):.1%}, limit below it in {np.mean(limits):.1%}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    kinds = ["pack", "own", "gauss", "independent", "sizes", "sums", "clusters", "others"]
    parser.add_argument("what", choices=kinds)
    parser.add_argument("--data", type=Path, help="folder of the forty tasks, for pack")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1])
    parser.add_argument("--n", type=int, default=10_000)
    parser.add_argument("--tasks", nargs="+")
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    RESULTS.mkdir(exist_ok=True)
    if given.what == "pack" and given.data is None:
        parser.error("pack needs --data DIR")
    runs = {
        "pack": lambda: pack(given.data, given.tasks),
        "own": lambda: own(given.seeds, given.n, given.tasks),
        "gauss": lambda: gauss(given.seeds, given.n),
        "independent": lambda: independent(given.seeds),
        "sizes": lambda: sizes(given.seeds),
        "sums": lambda: sums(given.seeds, given.n),
        "clusters": lambda: clusters(given.seeds, given.n),
        "others": lambda: others(given.seeds),
    }[given.what]()
    measure(runs, given.out or RESULTS / f"estimate_{given.what}.csv")


if __name__ == "__main__":
    main()
