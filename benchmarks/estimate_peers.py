"""`estimate` beside its peers, same samples, one run: nats, seconds and peak memory.

    python benchmarks/estimate_peers.py                      # those that are installed
    python benchmarks/estimate_peers.py --only infomax sklearn

Peers: torch-mist as it comes (SMILE, at most 5,000 steps, stopped early) and infomeasure's KSG (in
.venv-peers, made by peers.sh, where it exists), scikit-learn's neighbours (scalar y only: columns
in pairs, summed, which is right only where the pairs are independent). Each measurement is a
process of its own, so that memory and imports are its own; one that is not installed is skipped and
named. torch-mist splits and shuffles by itself: it is given 80 % of the rows to train on and the
other 20 % to test.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
RESULTS = HERE / "results" / "estimate_peers.csv"
THEIRS = HERE.parent / ".venv-peers" / "bin" / "python"
GUESTS = ("infomeasure", "torch-mist")
N = 10_000


def problems() -> dict[str, object]:
    from infomax import truth

    turns = truth.spiral(5, plane=(0, 1)), truth.spiral(5, plane=(1, 2))
    return {
        "gauss-20-2": truth.correlated(20, 20, nats=2.0),
        "gauss-20-5": truth.correlated(20, 20, nats=5.0),
        "gauss-20-10": truth.correlated(20, 20, nats=10.0),
        "student-5": truth.student(5, 5, df=2),
        "spiral-5": truth.transformed(truth.sparse(5, 5), *turns),
        "independent-20": truth.independent(20, 20),
    }


def with_infomax(x: np.ndarray, y: np.ndarray) -> float:
    from infomax import estimate

    return estimate(x, y).nats


def with_sklearn(x: np.ndarray, y: np.ndarray) -> float:
    from sklearn.feature_selection import mutual_info_regression

    pairs = range(min(x.shape[1], y.shape[1]))
    return float(sum(mutual_info_regression(x[:, [i]], y[:, i])[0] for i in pairs))


def with_infomeasure(x: np.ndarray, y: np.ndarray) -> float:
    import infomeasure

    return float(infomeasure.mutual_information(x, y, approach="ksg"))


def with_torch_mist(x: np.ndarray, y: np.ndarray) -> float:
    from torch_mist import estimate_mi

    cut = int(0.8 * len(x))
    scale_x, scale_y = (lambda v, d=d: (v - d[:cut].mean(0)) / d[:cut].std(0) for d in (x, y))
    value, _ = estimate_mi(
        data={"x": scale_x(x[:cut]).astype("float32"), "y": scale_y(y[:cut]).astype("float32")},
        test_data={
            "x": scale_x(x[cut:]).astype("float32"),
            "y": scale_y(y[cut:]).astype("float32"),
        },
        verbose=False,
    )
    return float(next(iter(value.values())) if isinstance(value, dict) else value)


PEERS: dict[str, Callable[[np.ndarray, np.ndarray], float]] = {
    "infomax": with_infomax,
    "sklearn": with_sklearn,
    "infomeasure": with_infomeasure,
    "torch-mist": with_torch_mist,
}


def once(peer: str, problem: str, seed: int) -> None:
    """One measurement, in this process; its answer is the last line printed."""
    import resource

    x, y = problems()[problem].sample(N, seed)  # type: ignore[attr-defined]
    begun, busy = time.perf_counter(), time.process_time()
    try:
        nats = PEERS[peer](x, y)
    except ModuleNotFoundError as missing:
        print(json.dumps({"missing": str(missing)}))
        return
    wall, cpu = time.perf_counter() - begun, time.process_time() - busy
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"nats": nats, "wall": wall, "cpu": cpu, "peak": peak}))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--only", nargs="+", choices=list(PEERS), default=list(PEERS))
    parser.add_argument("--problems", nargs="+", default=list(problems()))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--once", nargs=2, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.once:
        once(*given.once, given.seed)
        return
    given.out.parent.mkdir(exist_ok=True)
    with given.out.open("w", newline="") as file:
        said = f"python {platform.python_version()}, numpy {np.__version__}"
        file.write(f"# {' '.join(['python', *sys.argv])} | {said}\n")
        table = csv.writer(file)
        seconds = ["wall_seconds", "cpu_seconds"]
        table.writerow(["problem", "peer", "truth", "nats", "error", *seconds, "peak_mb"])
        absent = set()
        for name in given.problems:
            for peer in given.only:
                if peer in absent:
                    continue
                python = THEIRS if peer in GUESTS and THEIRS.exists() else sys.executable
                command = [python, __file__, "--seed", str(given.seed), "--once", peer, name]
                told = {**os.environ, "PYTHONPATH": str(HERE.parent / "src")}
                done = subprocess.run(
                    command, capture_output=True, text=True, check=False, env=told
                )
                if done.returncode:
                    print(f"{name:16s} {peer:12s} failed: {done.stderr.strip()[-200:]}")
                    continue
                said_by = json.loads(done.stdout.strip().splitlines()[-1])
                if "missing" in said_by:
                    print(f"{peer}: not installed, skipped ({said_by['missing']})")
                    absent.add(peer)
                    continue
                true = problems()[name].nats  # type: ignore[attr-defined]
                nats, wall, peak = said_by["nats"], said_by["wall"], said_by["peak"]
                numbers = [f"{v:.4f}" for v in (true, nats, nats - true)]
                times = [f"{v:.1f}" for v in (wall, said_by["cpu"])]
                table.writerow([name, peer, *numbers, *times, f"{peak:.0f}"])
                file.flush()
                print(f"{name:16s} {peer:12s} {true:7.3f} {nats:7.3f} {wall:7.1f} s {peak:6.0f} MB")


if __name__ == "__main__":
    main()
