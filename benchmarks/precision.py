"""Does bfloat16 pay on this processor? Seconds of the processor for a step of two encoders.

    python benchmarks/precision.py

Forward and backward of the ConvNet of simclr on 128 digits and of an MLP on 512 vectors, in
float32 and under bfloat16 autocast, turn about; medians of 15. `train.precision: auto` follows
from it: bfloat16 where there are matrix units (AMX), float32 elsewhere. Writes
benchmarks/results/precision.json.
"""

import json
import platform
import statistics
import time
from pathlib import Path

import torch

from infomax import encoders

RESULTS = Path(__file__).parent / "results" / "precision.json"
ROUNDS = 15


def seconds(encoder, x, low):
    """Seconds of the processor for one forward and backward pass."""
    started = time.process_time()
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=low):
        z = encoder(x)
    z.float().square().mean().backward()
    return time.process_time() - started


def main():
    torch.manual_seed(0)
    conv = encoders.ConvNet(channels=1, width=48, stages=3)
    cases = {
        "convnet": (conv.to(memory_format=torch.channels_last), torch.rand(128, 1, 28, 28)),
        "mlp": (
            torch.nn.Sequential(
                torch.nn.Linear(1024, 1024), torch.nn.ReLU(), torch.nn.Linear(1024, 1024)
            ),
            torch.rand(512, 1024),
        ),
    }
    found = {}
    for name, (encoder, x) in cases.items():
        times = {False: [], True: []}
        for _ in range(ROUNDS + 2):
            for low, taken in times.items():
                taken.append(seconds(encoder, x, low))
        medians = {low: statistics.median(taken[2:]) for low, taken in times.items()}
        found[name] = {
            "float32_seconds": round(medians[False], 4),
            "bfloat16_seconds": round(medians[True], 4),
            "bfloat16_over_float32": round(medians[True] / medians[False], 3),
        }
        print(name, found[name])
    facts = {
        "command": "python benchmarks/precision.py",
        "amx": torch.cpu._is_amx_tile_supported(),
        "avx512_bf16": torch.cpu._is_avx512_bf16_supported(),
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
        "machine": platform.machine(),
        **found,
    }
    RESULTS.write_text(json.dumps(facts, indent=2) + "\n")


if __name__ == "__main__":
    main()
