"""The picture papers on Fashion-MNIST, at one encoder and one budget, beside baselines and lightly.

    python benchmarks/fashion_mnist.py DATA_FOLDER [--rows simclr,dim-local] [--epochs 5]
    python benchmarks/fashion_mnist.py DATA_FOLDER --rows simclr --tune train.lr=1e-3
    python benchmarks/fashion_mnist.py --table

Rows that are run replace theirs, of the same seed, in benchmarks/results/fashion_mnist.csv, so
that it can be made in pieces. Every row: the same training pictures, ConvNet of width 48 and 3
stages, epochs and batch; probes as in `infomax evaluate`, strength and k chosen on validation
pictures, test pictures seen once. `seconds` is training alone with the threads of that run; how
fast each is in comparison says train_throughput.py. lightly runs in .venv-peers
(benchmarks/peers.sh).

--tune changes settings and judges by validation pictures alone (half of them choose the probe):
what recipes and lightly are given was chosen so; the trials are kept in fashion_mnist_tune.csv.
"""

import argparse
import csv
import dataclasses
import sys
import tempfile
import time
from pathlib import Path

import lightly_simclr
import numpy as np
import pandas as pd
import torch
from torch import nn
from torch.nn import functional as F

from infomax import building, data, encoders, engine, recipe
from infomax.engine.fitting import schedule
from infomax.evaluation import embed, probe, value_terms
from infomax.evaluation.embedding import flat
from infomax.objective import Model

HERE = Path(__file__).parent
RESULTS = HERE / "results" / "fashion_mnist.csv"
TUNE = HERE / "results" / "fashion_mnist_tune.csv"
CONV = "{kind: convnet, width: 48, stages: 3}"
RECIPES = {  # row: recipe, what is set, the views that are probed (side by side)
    "simclr": ("simclr", [], ["features"]),
    "dim-local": ("dim-local", [], ["global"]),
    "dim-global": ("dim-global", [], ["features"]),
    "amdim": ("amdim", [], ["features"]),
    "halves": (
        "mnist-halves",
        [
            f"encoders.eye={CONV}",
            f"encoders.eye2={CONV}",
            "views.below={of: bottom, encode: eye2}",
        ],
        ["digit", "below"],
    ),
    "infomin": ("infomin", [], ["features"]),
    "mib": ("mib", [], ["h"]),
    "cpc-picture": ("cpc-picture", [], ["seen"]),
}
LIGHTLY = {"lr": "1e-3", "temperature": "0.5"}
SPLITS = ("train", "validation", "test")
COLUMNS = [
    *("row", "linear_all", "linear_all_stderr", "linear_10", "linear_10_stderr", "knn_all"),
    *("dimension", "nats", "epochs", "pictures", "batch", "seconds", "pictures_per_second"),
    *("threads", "seed", "torch", "command"),
]


def contexts_of(folder, pictures, seed=0):
    """So many training pictures; validation and test as they are."""
    whole = data.load(f"fashion-mnist:{folder}")
    train = np.random.default_rng(seed).permutation(whole.splits["train"])[:pictures]
    splits = {**whole.splits, "train": np.sort(train)}
    return dataclasses.replace(whole, splits=splits)


def pixels(contexts, split):
    rows = torch.from_numpy(contexts.rows(split))
    return contexts.signals["picture"].read(rows)


def classes(contexts):
    return {split: contexts.classes("label")[contexts.rows(split)] for split in SPLITS}


def probed(features, contexts):
    """The columns of a row that a classifier gives."""
    labels, row = classes(contexts), {"dimension": features["train"].shape[1]}
    for name, metric, used in (
        ("linear_all", "accuracy", "all"),
        ("linear_10", "accuracy", 10),
        ("knn_all", "knn_accuracy", "all"),
    ):
        accuracy, stderr = probe(features, labels, metric, used)
        row |= {name: round(accuracy, 4), f"{name}_stderr": round(stderr, 4)}
    return row


def read_recipe(name, asked):
    shipped, settings, views = RECIPES[name]
    train = [f"train.epochs={asked.epochs}", f"train.batch={asked.batch}"]
    settings = [*settings, *train, f"train.seed={asked.seed}", *asked.tune]
    return recipe.read(shipped, settings), views


def trained(name, asked, contexts):
    chosen, views = read_recipe(name, asked)
    study = building.build(chosen)
    model = Model(study.objective, dict(study.encoders))
    engine.set_up(model, study, contexts, chosen.train)
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        engine.fit(model, contexts, chosen.train, Path(folder))
        seconds = time.perf_counter() - started
    terms = value_terms(model, contexts, asked.batch)
    sign = {"lower": ">=", "upper": "<=", "estimate": "~"}
    said = [
        f"{'-'.join(t.between)}{f' given {t.given}' if t.given else ''} {t.bound} "
        f"{sign[t.side]} {t.nats:.3f} +- {t.stderr:.3f} (shuffled {t.control_nats:.3f})"
        for t in terms
    ]
    seen = {
        s: np.concatenate([flat(embed(study.views[v], contexts, s)) for v in views], 1)
        for s in SPLITS
    }
    return {"nats": "; ".join(said), "seconds": seconds, **probed(seen, contexts)}


def through(conv, contexts):
    """Features of every split by an encoder."""
    conv.eval()
    with torch.no_grad():
        return {
            s: torch.cat([conv(part.float() / 255) for part in pixels(contexts, s).split(500)])
            .flatten(1)
            .numpy()
            for s in SPLITS
        }


def conv_of(seed, start=()):
    """The encoder, its pictures standardized as in these."""
    torch.manual_seed(seed)
    conv = encoders.ConvNet(channels=1, width=48, stages=3).to(memory_format=torch.channels_last)
    conv.start(part.float() / 255 for part in start)
    return conv


def supervised(asked, contexts):
    x, y = pixels(contexts, "train"), torch.from_numpy(classes(contexts)["train"])
    conv, head = conv_of(asked.seed, x.split(500)), nn.LazyLinear(10)
    head(conv(x[:2].float()))
    parameters, lr = [*conv.parameters(), *head.parameters()], 3e-3
    optimizer = torch.optim.AdamW(parameters, lr=lr, weight_decay=1e-4, fused=True)
    total, step, started = len(x) // asked.batch * asked.epochs, 0, time.perf_counter()
    for _ in range(asked.epochs):
        order = torch.randperm(len(x))
        for rows in order[: len(x) // asked.batch * asked.batch].split(asked.batch):
            for group in optimizer.param_groups:
                group["lr"] = lr * schedule(step, total, 100)
            loss = F.cross_entropy(head(conv(x[rows].float() / 255)), y[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            step += 1
    seconds = time.perf_counter() - started
    return {"seconds": seconds, **probed(through(conv, contexts), contexts)}


def lightly(asked, contexts):
    settings = {**LIGHTLY, **dict(pair.split("=") for pair in asked.tune)}
    options = {**settings, "epochs": asked.epochs, "seed": asked.seed}
    seconds, tensors = lightly_simclr.run(
        pixels(contexts, "train")[:, 0].numpy(), asked.batch, asked.threads, **options
    )
    conv = conv_of(asked.seed)
    conv.load_state_dict(tensors)
    seen = through(nn.Sequential(Centred(), conv), contexts)
    return {"seconds": seconds, **probed(seen, contexts)}


class Centred(nn.Module):
    """What lightly's transform did to the pictures: [0, 1] to [-1, 1]."""

    def forward(self, pictures):
        return 2 * pictures - 1


def raw(asked, contexts):
    flat_pixels = {s: pixels(contexts, s).flatten(1).float().numpy() / 255 for s in SPLITS}
    return probed(flat_pixels, contexts)


def pca(asked, contexts):
    from sklearn.decomposition import PCA

    x = {s: pixels(contexts, s).flatten(1).float().numpy() / 255 for s in SPLITS}
    fitted = PCA(128, random_state=asked.seed).fit(x["train"])
    return probed({s: fitted.transform(x[s]) for s in SPLITS}, contexts)


def untrained(asked, contexts):
    conv = conv_of(asked.seed, pixels(contexts, "train").split(500))
    return probed(through(conv, contexts), contexts)


BASELINES = {
    "raw": raw,
    "pca-128": pca,
    "untrained": untrained,
    "supervised": supervised,
    "lightly-simclr": lightly,
}


def on_validation(contexts):
    """Validation pictures alone: half of them choose the probe, the others judge."""
    half = contexts.splits["validation"]
    held = {**contexts.splits, "validation": half[::2], "test": half[1::2]}
    return dataclasses.replace(contexts, splits=held)


def write(path, rows, columns):
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, columns, extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def kept(path, row, keys):
    """The rows of a file, this one in the place of those with the same keys, or added."""
    before = list(csv.DictReader(path.open())) if path.exists() else []
    own = [str(row[key]) for key in keys]
    return [*(line for line in before if [line[key] for key in keys] != own), row]


def print_table():
    """Means over seeds, of several seeds the lowest and highest beside them."""
    kept = pd.read_csv(RESULTS)
    print("| row | seeds | all labels | ten a class | nearest neighbours |")
    print("|---|---|---|---|---|")
    for name, rows in kept.groupby("row", sort=False):
        told = []
        for column in ("linear_all", "linear_10", "knn_all"):
            seen = rows[column]
            spread = f" ({seen.min():.3f} to {seen.max():.3f})" if len(rows) > 1 else ""
            told.append(f"{seen.mean():.3f}{spread}")
        print("|", " | ".join([name, str(len(rows)), *told]), "|")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?")
    parser.add_argument("--table", action="store_true", help="print the kept results, and stop")
    parser.add_argument("--rows", default=",".join([*BASELINES, *RECIPES]))
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--pictures", type=int, default=20_000)
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--tune", nargs="+", default=[], metavar="KEY=VALUE")
    asked = parser.parse_args()
    if asked.table:
        print_table()
        return
    words = [word if word != asked.folder else "DATA_FOLDER" for word in sys.argv[1:]]
    asked.command = " ".join(["python benchmarks/fashion_mnist.py", *words])
    torch.set_num_threads(asked.threads)
    contexts = contexts_of(asked.folder, asked.pictures)
    if asked.tune:
        contexts = on_validation(contexts)
    order = [*BASELINES, *RECIPES]
    for name in asked.rows.split(","):
        run = BASELINES.get(name, lambda *given, name=name: trained(name, *given))
        row = {"row": name, "settings": " ".join(asked.tune), "pictures": str(asked.pictures)}
        row |= run(asked, contexts)
        if "seconds" in row:
            rate = asked.pictures * asked.epochs / row["seconds"]
            row |= {"epochs": str(asked.epochs), "batch": asked.batch}
            row |= {"seconds": round(row["seconds"], 1), "pictures_per_second": round(rate)}
        row |= {"threads": asked.threads, "seed": asked.seed, "torch": torch.__version__}
        row["command"] = asked.command
        print({k: row.get(k) for k in COLUMNS[:8]}, flush=True)
        if asked.tune:
            keys = ("row", "settings", "pictures", "epochs")
            write(TUNE, kept(TUNE, row, keys), ["row", "settings", *COLUMNS[1:]])
        else:
            rows = kept(RESULTS, row, ("row", "seed"))
            rows.sort(key=lambda r: (order.index(r["row"]), int(r["seed"])))
            write(RESULTS, rows, COLUMNS)


if __name__ == "__main__":
    main()
