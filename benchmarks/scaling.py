"""One process with both cores beside two with one each, at the same total batch.

    python benchmarks/scaling.py [--steps 20] [--repeats 5]

Every round starts all of them by torchrun, in turn; a row is the median over rounds of the median
step. Bytes: counted on the loopback device over the timed steps, beside the formula of
`infomax.distributed.bytes_sent` (the device counts what every process sends, with headers).
Writes benchmarks/results/scaling.csv. Aim: two processes >= 90 % of one process with both cores.
"""

import argparse
import contextlib
import csv
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).parent
RESULTS = HERE / "results" / "scaling.csv"
WARM = 4
WAYS = {"1 process, 1 thread": (1, 1), "1 process, 2 threads": (1, 2), "2 processes": (2, 1)}
COLUMNS = ("what", "processes", "threads", "batch", "seconds_a_step", "pictures_a_second",
           "share_of_best", "mb_a_step", "mb_formula", "rounds", "torch")  # fmt: skip


class Enough(Exception):
    """As many steps as are timed."""


def loopback():
    """Bytes that this machine has sent to itself."""
    for line in Path("/proc/net/dev").read_text().splitlines():
        if line.strip().startswith("lo:"):
            return int(line.split()[1])
    return 0


def work(steps, batch, out):
    """One process of a training run: time its steps; the first one writes what it saw."""
    import torch

    from infomax import building, data, distributed, engine, recipe
    from infomax.objective import Model

    chosen = recipe.read("simclr", [f"train.batch={batch}", "train.epochs=1000"])
    contexts = data.load(chosen.data)
    study = building.build(chosen)
    model = Model(study.objective, dict(study.encoders))
    engine.set_up(model, study, contexts, chosen.train)
    times, sent = [], []

    def watch(done, total, words):
        times.append(time.perf_counter())
        sent.append(loopback())
        if done == WARM + steps:
            raise Enough

    with tempfile.TemporaryDirectory() as folder, contextlib.suppress(Enough):
        engine.fit(model, contexts, chosen.train, Path(folder), watch=watch)
    if distributed.rank():
        return
    between = [b - a for a, b in zip(times[WARM:], times[WARM + 1 :], strict=False)]
    crossed = [b - a for a, b in zip(sent[WARM:], sent[WARM + 1 :], strict=False)]
    ends = model.measure(model.encode(contexts.take("train", [0, 1, 2]).signals))
    width = sum(int(m.pairs.x.shape[-1] + m.pairs.y.shape[-1]) for m in ends)
    numbers = sum(p.numel() for p in model.parameters())
    world = distributed.world()
    found = {
        "seconds": statistics.median(between),
        "mb": statistics.median(crossed) / 2**20 if world > 1 else 0.0,
        "formula": world * distributed.bytes_sent(batch, width, numbers, world) / 2**20,
        "torch": torch.__version__,
    }
    Path(out).write_text(json.dumps(found))


def run(processes, threads, steps, batch):
    """Start a run and read what its first process saw."""
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "found.json"
        command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node"]
        command += [str(processes), "--master-port", str(port), __file__]
        command += ["--work", str(out), "--steps", str(steps), "--batch", str(batch)]
        told = {**os.environ, "OMP_NUM_THREADS": str(threads)}
        subprocess.run(command, env=told, check=True, capture_output=True)
        return json.loads(out.read_text())


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--batch", type=int, default=512)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--work", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.work:
        work(asked.steps, asked.batch, asked.work)
        return
    found = {what: [] for what in WAYS}
    for _ in range(asked.repeats):
        for what, (processes, threads) in WAYS.items():
            found[what].append(run(processes, threads, asked.steps, asked.batch))
            print(what, found[what][-1], flush=True)
    seconds = {w: statistics.median(f["seconds"] for f in fs) for w, fs in found.items()}
    asked.out.parent.mkdir(exist_ok=True)
    with asked.out.open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(COLUMNS)
        for what, (processes, threads) in WAYS.items():
            rounds = found[what]
            row = (
                *(what, processes, threads, asked.batch, round(seconds[what], 4)),
                round(asked.batch / seconds[what], 1),
                round(seconds["1 process, 2 threads"] / seconds[what], 3),
                round(statistics.median(f["mb"] for f in rounds), 3),
                round(rounds[0]["formula"], 3),
                *(len(rounds), rounds[0]["torch"]),
            )
            table.writerow(row)
            print(*row)


if __name__ == "__main__":
    main()
