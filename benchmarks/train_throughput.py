"""Pictures a second: the engine, a bare hand-written loop and lightly; and how cost grows.

    python benchmarks/train_throughput.py [--data ../shared/data/fashion-mnist] [--repeats 5]

Tables in one CSV (benchmarks/results/train_throughput.csv), medians over rounds that take turns,
so that a slow minute of the machine falls on all of a table's rows alike; the first is not counted:

* `simclr`: the recipe as shipped on Fashion-MNIST by the engine, by a loop that a person would
  write by hand, and by lightly with its own transforms, head and loss (in .venv-peers, made by
  peers.sh); same encoder and batch. Steps of the engine and of the loop take turns, and a round is
  its median step (the first two are not counted); lightly's is the mean. Aims: >= 0.95 of the
  loop, >= 2 x lightly.
* `epoch`: the same over a whole epoch of the engine, with what it does once an epoch beside its
  steps: values on validation and training contexts, two states written and synced.
* `compile`: the encoder of simclr forth and back, as it is and by torch.compile; what the first
  call takes (on the wall, nothing cached), and after how many pictures it would have paid.
* `contexts`: training pictures from 1,000 to 60,000: milliseconds a picture should be flat.
* `views`: 2 to 6 augmented views of a picture, every pair an edge: milliseconds an encoded view
  should be flat (encoders dominate; the edges grow with the square).

On a machine that others use too, `OMP_NUM_THREADS=1 ... --processor` counts seconds of the
processor instead of those on the wall, of the first and the third table.
"""

import argparse
import contextlib
import csv
import dataclasses
import math
import os
import statistics
import sys
import tempfile
import time
from functools import partial
from itertools import combinations
from pathlib import Path

import lightly_simclr
import torch
from torch.nn import functional as F

from infomax import augment, building, data, encoders, engine, recipe
from infomax.critics import Cosine
from infomax.objective import Model

os.environ["TORCHINDUCTOR_FORCE_DISABLE_CACHES"] = "1"
HERE = Path(__file__).parent
now = time.perf_counter
BATCH = 256
WARM, STEPS = 3, 12
START_UP = 2
AUGMENT = ["crop_flip", "jitter"]
COLUMNS = (
    *("table", "what", "n", "pictures_a_second", "slowest", "fastest", "ms_each", "rounds"),
    *("torch", "threads", "command"),
)


class Enough(Exception):
    """As many steps as are timed."""


def model_of(chosen, contexts):
    study = building.build(chosen)
    model = Model(study.objective, dict(study.encoders))
    engine.set_up(model, study, contexts, chosen.train)
    return model


def engine_and_loop(contexts, pictures):
    """Pictures a second of the engine and of the loop by hand, whose steps take turns."""
    chosen = recipe.read("simclr", ["train.epochs=1", f"train.batch={BATCH}"])
    model, loop = model_of(chosen, contexts), bare(pictures)
    found, since = {"engine": [], "bare loop": []}, now()

    def watch(*told):
        nonlocal since
        found["engine"].append(now() - since)
        since = now()
        next(loop)
        found["bare loop"].append(now() - since)
        since = now()

    with tempfile.TemporaryDirectory() as folder:
        engine.fit(model, contexts, chosen.train, Path(folder), watch=watch)
    return {name: BATCH / statistics.median(steps[START_UP:]) for name, steps in found.items()}


def an_epoch(whole, pictures_a_second, steps):
    """Pictures a second over an epoch of all, by the speed of its steps and what it does once."""
    chosen = recipe.read("simclr", ["train.epochs=2", f"train.batch={BATCH}"])
    few = {**whole.splits, "train": whole.splits["train"][: steps * BATCH]}
    contexts = dataclasses.replace(whole, splits=few)
    model, clock = model_of(chosen, contexts), engine.Clock(on=True)
    with tempfile.TemporaryDirectory() as folder:
        engine.fit(model, contexts, chosen.train, Path(folder), clock=clock)
    once, count = clock.seconds["between epochs"] / chosen.train.epochs, whole.count("train")
    print(f"once an epoch: {once:.2f} s beside {count / pictures_a_second:.1f} s", flush=True)
    return [("epoch", "engine", BATCH, [count / (once + count / pictures_a_second)])]


def bare(pictures):
    """What a person would write by hand, step by step: no graph, no checkpoints, no validation."""
    train = recipe.read("simclr").train
    conv = encoders.ConvNet(channels=1, width=48, stages=3)
    critic = Cosine(dim=128, temperature=0.2)
    vary = augment.Sequence((augment.crop_flip(), augment.jitter()))
    with torch.no_grad():
        z = conv(pictures[:2].float() / 255)
        critic(z, z)
    conv.to(memory_format=torch.channels_last)
    parameters = [*conv.parameters(), *critic.parameters()]
    optimizer = torch.optim.AdamW(
        parameters, lr=train.lr, weight_decay=train.weight_decay, fused=True
    )
    target = torch.arange(BATCH)
    for rows in torch.randperm(len(pictures)).split(BATCH):
        x = pictures[rows].float() / 255
        loss = F.cross_entropy(critic(conv(vary(x)), conv(vary(x))), target) - math.log(BATCH)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, engine.CLIP)
        optimizer.step()
        yield


def lightly(pictures, workers, steps):
    """Pictures a second of lightly; its start-up is not counted."""
    threads = torch.get_num_threads()
    options = {"steps": steps, "workers": workers, "clock": now.__name__}
    seconds, _ = lightly_simclr.run(pictures[:, 0].numpy(), BATCH, threads, **options)
    return steps * BATCH / seconds


def three_ways(whole, rounds, steps):
    """Pictures a second of the engine, the loop and lightly."""
    few = {"train": whole.splits["train"][: steps * BATCH]}
    few |= {"validation": whole.splits["validation"][: 2 * BATCH]}
    contexts = dataclasses.replace(whole, splits={**whole.splits, **few})
    pictures = contexts.signals["picture"].read(torch.from_numpy(contexts.rows("train")))
    ways = {"own": partial(engine_and_loop, contexts, pictures)}
    if lightly_simclr.PEERS.exists():
        for workers in (0, 2) if now is time.perf_counter else (0,):
            ways[f"lightly, {workers} workers"] = partial(lightly, pictures, workers, steps)
    found = in_turn(ways, rounds)
    own = found.pop("own")
    found = {name: [each[name] for each in own] for name in own[0]} | found
    for name in list(found)[1:]:
        ratios = [a / b for a, b in zip(found["engine"], found[name], strict=True)]
        print(f"engine / {name}: {statistics.median(ratios):.3f}", flush=True)
    return [("simclr", name, BATCH, values) for name, values in found.items()]


def in_turn(ways, rounds):
    """What each way comes to, round after round; the first is not counted."""
    found = {name: [] for name in ways}
    for index in range(rounds + 1):
        for name, way in ways.items():
            value = way()
            if index:
                found[name].append(value)
    return found


def a_second(chosen, contexts):
    """Contexts a second of the engine: the median step after a few that are not counted."""
    model = model_of(chosen, contexts)
    times = []

    def watch(done, total, words):
        times.append(now())
        if done == WARM + STEPS:
            raise Enough

    with tempfile.TemporaryDirectory() as folder, contextlib.suppress(Enough):
        engine.fit(model, contexts, chosen.train, Path(folder), watch=watch)
    between = [b - a for a, b in zip(times[WARM:], times[WARM + 1 :], strict=False)]
    return BATCH / statistics.median(between)


def recipe_of(source, views):
    """A picture under so many augmentations, every pair an edge."""
    names = [f"v{index}" for index in range(views)]
    tree = {
        "data": source,
        "encoders": {"conv": {"kind": "convnet", "width": 32, "stages": 3}},
        "views": {
            "picture": {"signal": "picture"},
            **{name: {"of": "picture", "augment": AUGMENT} for name in names},
            **{f"z{name}": {"of": name, "encode": "conv"} for name in names},
        },
        "maximize": [
            {"between": [f"z{a}", f"z{b}"], "critic": {"kind": "cosine", "dim": 128}}
            for a, b in combinations(names, 2)
        ],
        "train": {"epochs": 1000, "batch": BATCH},
        "evaluate": {"view": "zv0"},
    }
    return recipe.check(tree, "here")


def compiling(pictures, rounds):
    """Pictures a second of the encoder alone, plain and compiled."""
    torch.manual_seed(0)
    conv = encoders.ConvNet(channels=1, width=48, stages=3).to(memory_format=torch.channels_last)
    x = pictures[:128].float() / 255

    def a_second(module):
        started = now()
        module(x).sum().backward()
        return len(x) / (now() - started)

    compiled = torch.compile(conv)
    begun = time.perf_counter()
    compiled(x).sum().backward()
    first = time.perf_counter() - begun
    ways = {"plain": partial(a_second, conv), "torch.compile": partial(a_second, compiled)}
    found = in_turn(ways, 4 * rounds)
    speed = {name: statistics.median(values) for name, values in found.items()}
    saved = 1 / speed["plain"] - 1 / speed["torch.compile"]
    pays = f"pays after {first / saved:,.0f} pictures" if saved > 0 else "never pays"
    print(f"torch.compile: {first:.0f} s to begin with, {pays}", flush=True)
    found["torch.compile, first call"] = [len(x) / first]
    return [("compile", name, len(x), values) for name, values in found.items()]


def growing_data(folder, whole, rounds):
    """Pictures a second by the number of training pictures."""
    source = {"source": "fashion-mnist", "path": str(folder)}
    count = whole.count("train")
    share = count / sum(whole.count(split) for split in data.SPLITS)
    loaded = {n: data.load(data.DataSpec(**source, limit=int(n / share))) for n in (1000, 8000)}
    loaded[count] = whole
    chosen = recipe_of(source, 2)
    ways = {n: partial(a_second, chosen, contexts) for n, contexts in loaded.items()}
    found = in_turn(ways, rounds)
    return [("contexts", f"{n} training pictures", n, values) for n, values in found.items()]


def growing_views(rounds):
    """Encoded views a second by the number of views."""
    contexts = data.load("mnist5k")
    ways = {n: partial(a_second, recipe_of({"source": "mnist5k"}, n), contexts) for n in (2, 4, 6)}
    found = in_turn(ways, rounds)
    return [("views", f"{n} views", n, [n * v for v in values]) for n, values in found.items()]


def main():
    global now  # noqa: PLW0603
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data/fashion-mnist"))
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--steps", type=int, default=24)
    parser.add_argument("--out", type=Path, default=HERE / "results" / "train_throughput.csv")
    parser.add_argument("--processor", action="store_true", help="simclr and compile only")
    asked = parser.parse_args()
    now = time.process_time if asked.processor else now
    words = ["DATA_FOLDER" if word == str(asked.data) else word for word in sys.argv[1:]]
    facts = (torch.__version__, torch.get_num_threads())
    command = " ".join(["python benchmarks/train_throughput.py", *words])
    whole = data.load(f"fashion-mnist:{asked.data}")
    rows = three_ways(whole, asked.repeats, asked.steps)
    rows += compiling(whole.take("train", range(BATCH)).signals["picture"], asked.repeats)
    if not asked.processor:
        rows += an_epoch(whole, statistics.median(rows[0][3]), 2)
        rows += growing_data(asked.data, whole, max(1, asked.repeats // 2))
        rows += growing_views(max(1, asked.repeats // 2))
    asked.out.parent.mkdir(exist_ok=True)
    with asked.out.open("w", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(COLUMNS)
        for name, what, n, values in rows:
            each = statistics.median(values)
            speed = [float(f"{value:.5g}") for value in (each, min(values), max(values))]
            row = (name, what, n, *speed, f"{1e3 / each:.4g}", len(values), *facts, command)
            table.writerow(row)
            print(*row[:-1])


if __name__ == "__main__":
    main()
