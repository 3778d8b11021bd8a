"""Does memory stay flat over a long run? simclr in a loop, resident memory once a minute.

    python benchmarks/soak.py --minutes 120 [--data fashion-mnist:../shared/data/fashion-mnist]

Trains in one process without end (the engine's own `fit`, with validation and checkpoints) until
the minutes are over, and writes benchmarks/results/soak.csv: minute, steps done, resident MB,
open files. Flat: the slope of the last half, printed, below 1 MB a minute.
"""

import argparse
import contextlib
import csv
import os
import sys
import tempfile
import time
from pathlib import Path

import torch

from infomax import building, data, engine, recipe
from infomax.objective import Model

HERE = Path(__file__).parent


def resident_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def open_files() -> int:
    return len(os.listdir("/proc/self/fd"))


def slope(rows):
    """MB a minute over the last half, by least squares."""
    half = torch.tensor([(r["minute"], r["resident_mb"]) for r in rows[len(rows) // 2 :]])
    minute, mb = half.double().T
    minute = minute - minute.mean()
    return float((minute * (mb - mb.mean())).sum() / minute.square().sum().clamp_min(1e-9))


class Over(Exception):
    """The minutes are over."""


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=120)
    parser.add_argument("--data", default="mnist5k", help="SOURCE or SOURCE:PATH")
    parser.add_argument("--every", type=float, default=60, help="seconds between two rows")
    parser.add_argument("--out", type=Path, default=HERE / "results" / "soak.csv")
    asked = parser.parse_args()
    chosen = recipe.read("simclr", ["train.epochs=1000000"])
    chosen = chosen.model_copy(update={"data": data.override(chosen.data, asked.data)})
    contexts = data.load(chosen.data)
    study = building.build(chosen)
    model = Model(study.objective, dict(study.encoders))
    engine.set_up(model, study, contexts, chosen.train)
    rows, started = [], time.perf_counter()

    def watch(done, total, words):
        passed = time.perf_counter() - started
        if passed >= len(rows) * asked.every:
            rows.append(
                {
                    "minute": round(passed / 60, 2),
                    "steps": done,
                    "resident_mb": round(resident_mb(), 1),
                    "open_files": open_files(),
                }
            )
            print(rows[-1], flush=True)
        if passed > 60 * asked.minutes:
            raise Over

    with tempfile.TemporaryDirectory() as folder, contextlib.suppress(Over):
        engine.fit(model, contexts, chosen.train, Path(folder), watch=watch)
    asked.out.parent.mkdir(exist_ok=True)
    with asked.out.open("w", newline="") as file:
        source = asked.data.split(":")[0]
        file.write(
            f"# soak.py --minutes {asked.minutes:g} --data {source}; torch {torch.__version__}, "
            f"{torch.get_num_threads()} thread(s); slope of the last half {slope(rows):.3f} MB a "
            "minute\n"
        )
        table = csv.DictWriter(file, rows[0])
        table.writeheader()
        table.writerows(rows)
    print(f"slope of the last half: {slope(rows):.3f} MB a minute", file=sys.stderr)


if __name__ == "__main__":
    main()
