"""Time and memory of one InfoNCE step (loss and gradients) as the batch grows, beside the peers.

    python benchmarks/loss_large_batch.py                        # K = 1k … 65k, an hour or so
    python benchmarks/loss_large_batch.py --k 1024 --repeats 1   # a look

Every cell runs in a process of its own: seconds are the median over the repeats, memory is the
highest resident set minus what was there after imports, data and a step of 64. Peers run with
`.venv-peers`, made by benchmarks/peers.sh; a row says so if they are absent, out of memory or out
of time. `loss` shows that all compute one thing: ClipLoss is our two-sided loss plus log K (ours is
minus the nats), and lightly's NT-Xent the like with 2K - 1 candidates instead of K.
"""

from __future__ import annotations

import argparse
import csv
import json
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).parent
PEERS = HERE.parent / ".venv-peers" / "bin" / "python"
RESULTS = HERE / "results" / "loss_large_batch.csv"
SCALE = 1 / 0.07  # CLIP's first temperature
DIM = 128
OURS = ("dense", "tiled", "dense two-sided", "tiled two-sided")
THEIRS = ("open_clip ClipLoss", "lightly NTXentLoss")
COLUMNS = ("name", "k", "dim", "seconds", "peak_mb", "loss", "torch", "threads", "note")


def step(name: str):
    """A function of (x, y, scale) that returns the loss of this library."""
    if name in OURS:
        from infomax import bounds

        two = name.endswith("two-sided")
        if name.startswith("tiled"):
            bound = bounds.SymmetricInfoNCE if two else bounds.InfoNCE
            return bound.tiled
        return lambda x, y, scale: -bounds.infonce(scale * x @ y.T, two_sided=two)
    if name == "open_clip ClipLoss":
        from open_clip.loss import ClipLoss

        return ClipLoss()
    from lightly.loss import NTXentLoss

    loss = NTXentLoss(temperature=1 / SCALE)
    return lambda x, y, scale: loss(x, y)


def one_cell(name: str, k: int, repeats: int, budget_gb: float) -> dict[str, object]:
    """Run in a fresh process: `repeats` steps of this loss at this batch."""
    import torch

    def batch(n: int):
        generator = torch.Generator().manual_seed(0)
        x = torch.nn.functional.normalize(torch.randn(n, DIM, generator=generator))
        y = torch.nn.functional.normalize(x + 0.1 * torch.randn(n, DIM, generator=generator))
        return x.requires_grad_(), y.requires_grad_(), torch.tensor(SCALE, requires_grad=True)

    loss = step(name)
    loss(*batch(64)).backward()
    x, y, scale = batch(k)
    x.grad, y.grad, scale.grad = torch.zeros_like(x), torch.zeros_like(y), torch.zeros(())
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + int(budget_gb * 2**30)
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))  # fail here, do not swap the machine
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        value = loss(x, y, scale)
        value.backward()
        seconds.append(time.perf_counter() - start)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    return {
        "seconds": round(statistics.median(seconds), 4),
        "peak_mb": round(peak / 1024, 1),
        "loss": round(value.item(), 5),
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
    }


def in_a_process(
    name: str, k: int, repeats: int, budget_gb: float, peers: Path, timeout: float
) -> dict[str, object]:
    """The cell's row, or why there is none."""
    row: dict[str, object] = {"name": name, "k": k, "dim": DIM, "note": ""}
    if name in THEIRS and not peers.exists():
        return row | {"note": "absent: run benchmarks/peers.sh"}
    python = str(peers) if name in THEIRS else sys.executable
    cell = json.dumps([name, k, repeats, budget_gb])
    try:
        done = subprocess.run(
            [python, __file__, "--cell", cell],
            check=False,
            capture_output=True,
            text=True,
            timeout=timeout,
        )
    except subprocess.TimeoutExpired:
        return row | {"note": f"stopped after {timeout:.0f} s"}
    if done.returncode:
        last = (done.stderr.strip().splitlines() or [f"exit {done.returncode}"])[-1]
        full = "allocate" in done.stderr or "MemoryError" in done.stderr
        return row | {"note": f"more than {budget_gb:.0f} GB" if full else last[:200]}
    return row | json.loads(done.stdout.splitlines()[-1])


def available_gb() -> float:
    lines = Path("/proc/meminfo").read_text().splitlines()
    return int(next(s for s in lines if s.startswith("MemAvailable")).split()[1]) / 2**20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--k", type=int, nargs="+", default=[2**p for p in range(10, 17)])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--budget-gb", type=float, default=0.8 * available_gb())
    parser.add_argument("--timeout", type=float, default=1800.0, help="seconds a cell may take")
    parser.add_argument("--peers", type=Path, default=PEERS)
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--cell", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.cell:
        print(json.dumps(one_cell(*json.loads(asked.cell))))
        return
    asked.out.parent.mkdir(parents=True, exist_ok=True)
    with asked.out.open("w", newline="") as file:
        table = csv.DictWriter(file, COLUMNS)
        table.writeheader()
        for k in asked.k:
            for name in OURS + THEIRS:
                row = in_a_process(
                    name, k, asked.repeats, asked.budget_gb, asked.peers, asked.timeout
                )
                table.writerow(row)
                file.flush()
                cells = [str(row.get(c, "")) for c in ("seconds", "peak_mb", "loss", "note")]
                print(f"{name:20} K={k:6} " + "  ".join(f"{c:>10}" for c in cells), flush=True)


if __name__ == "__main__":
    main()
