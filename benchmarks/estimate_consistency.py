"""How consistent `estimate` is with itself on real pictures, where no truth is known.

    python benchmarks/estimate_consistency.py [--data ../shared/data/fashion-mnist]

The three tests of Song & Ermon 2020 (Understanding the limitations of variational mutual
information estimators, arXiv:1910.06222), section 5.2, on Fashion-MNIST. As pixels determine
pixels, information between a picture and its own rows is infinite; so both sides are measured with
noise: a picture is averaged to 7 x 7 numbers, standardized, and independent Gaussian noise of
deviation NOISE is added to each side. X is all of it, Y_t the first t of the 7 rows.

* `rows`: I(X; Y_t) for t = 1 .. 7 must not fall as t grows.
* `processing`: I(X; [Y_t, Y_(t-2)]) / I(X; Y_t): Y_(t-2) is part of Y_t and adds nothing. Aim 1.
* `additivity`: I([X1, X2]; [Y1, Y2]) / I(X; Y) of two pictures that are independent. Aim 2 +- 5 %.

Writes benchmarks/results/estimate_consistency.csv; `ratio` is what a test looks at.
"""

import argparse
import csv
import platform
import sys
import time
from pathlib import Path

import numpy as np
import torch

from infomax import data
from infomax.estimation import estimate

RESULTS = Path(__file__).parent / "results" / "estimate_consistency.csv"
NOISE, SIDE = 1.0, 7
COLUMNS = [
    "test",
    "t",
    "nats",
    "low",
    "high",
    "lower_limit",
    "ratio",
    "method",
    "verdict",
    "seconds",
]


def measured(folder, n, seed):
    """Two noisy measurements of 2 n pictures, each [2 n, 7, 7]."""
    contexts = data.load(f"fashion-mnist:{folder}")
    rows = np.random.default_rng(seed).permutation(contexts.rows("train"))[: 2 * n]
    pictures = contexts.signals["picture"].read(torch.from_numpy(rows)).float()
    small = torch.nn.functional.avg_pool2d(pictures, 28 // SIDE)[:, 0]
    small = (small - small.mean(0)) / small.std(0).clamp_min(1e-3)
    noise = torch.Generator().manual_seed(seed)
    x, y = (small + NOISE * torch.randn(small.shape, generator=noise) for _ in range(2))
    return x.numpy(), y.numpy()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data/fashion-mnist"))
    parser.add_argument("--n", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    x, y = measured(asked.data, asked.n, asked.seed)
    one, two = slice(0, asked.n), slice(asked.n, 2 * asked.n)
    found = {}

    def look(test, t, left, right, against=None):
        started = time.perf_counter()
        got = estimate(left, right, seed=asked.seed)
        found[test, t] = got.nats
        ratio = got.nats / found[against] if against else float("nan")
        numbers = (got.nats, *got.interval, got.lower_limit, ratio)
        rows.append((test, t, *(f"{v:.4f}" for v in numbers), got.method, got.verdict,
                     f"{time.perf_counter() - started:.1f}"))  # fmt: skip
        print(*rows[-1], flush=True)

    rows = []
    flat = x.reshape(len(x), -1)
    for t in range(1, SIDE + 1):
        before = ("rows", t - 1) if t > 1 else None
        look("rows", t, flat[one], y[one, :t].reshape(asked.n, -1), before)
    for t in (3, 5, 7):
        both = np.concatenate([y[one, :t], y[one, : t - 2]], 1).reshape(asked.n, -1)
        look("processing", t, flat[one], both, ("rows", t))
    for t in (1, 3, 7):
        sides = y[:, :t].reshape(len(y), -1)
        left = np.concatenate([flat[one], flat[two]], 1)
        look("additivity", t, left, np.concatenate([sides[one], sides[two]], 1), ("rows", t))
    with RESULTS.open("w", newline="") as file:
        words = ["DATA_FOLDER" if word == str(asked.data) else word for word in sys.argv[1:]]
        said = " ".join(["python benchmarks/estimate_consistency.py", *words])
        file.write(f"# {said} | python {platform.python_version()}, torch {torch.__version__}\n")
        table = csv.writer(file, lineterminator="\n")
        table.writerows([COLUMNS, *rows])


if __name__ == "__main__":
    main()
