"""The picture papers on Fashion-MNIST, at one encoder and one budget, beside baselines and lightly.

    python benchmarks/fashion_mnist.py DATA_FOLDER [--rows simclr,dim-local] [--epochs 5]
    python benchmarks/fashion_mnist.py DATA_FOLDER --timing-only      # on an idle machine

Rows that are run replace theirs in benchmarks/results/fashion_mnist.csv, so that it can be made in
pieces. Every row: the same training pictures, ConvNet of width 48 and 3 stages, epochs and batch;
probes as in `infomax evaluate`, strength and k chosen on validation pictures, test pictures seen
once. `seconds` is training alone with the threads of that run; how fast each is in comparison
says --timing-only (benchmarks/results/fashion_mnist_speed.csv). lightly runs in .venv-peers
(benchmarks/peers.sh); its rate and temperature were chosen on validation pictures (--tune).
"""

import argparse
import csv
import dataclasses
import math
import os
import statistics
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from infomax import augment, building, data, encoders, engine, heldout, recipe
from infomax.critics import Cosine
from infomax.evaluation import embed, probe, value_terms
from infomax.evaluation.embedding import flat
from infomax.objective import Model

HERE = Path(__file__).parent
RESULTS = HERE / "results" / "fashion_mnist.csv"
SPEED = HERE / "results" / "fashion_mnist_speed.csv"
TUNE = HERE / "results" / "fashion_mnist_lightly_tune.csv"
PEERS = Path(os.environ.get("INFOMAX_PEERS", HERE.parent / ".venv-peers" / "bin" / "python"))
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
LIGHTLY = {"lr": 1e-3, "temperature": 0.5}  # the best of --tune
TUNED = [(1e-3, 0.5), (3e-3, 0.5), (3e-3, 0.1)]
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
    numbers = np.unique(contexts.labels["label"], return_inverse=True)[1]
    return {split: numbers[contexts.rows(split)] for split in SPLITS}


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
    return recipe.read(shipped, [*settings, *train, f"train.seed={asked.seed}"]), views


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


def conv_of(seed):
    torch.manual_seed(seed)
    return encoders.ConvNet(channels=1, width=48, stages=3).to(memory_format=torch.channels_last)


def supervised(asked, contexts):
    conv = conv_of(asked.seed)
    head = nn.LazyLinear(10)
    x, y = pixels(contexts, "train"), torch.from_numpy(classes(contexts)["train"])
    head(conv(x[:2].float()))
    parameters, lr = [*conv.parameters(), *head.parameters()], 3e-3
    optimizer = torch.optim.AdamW(parameters, lr=lr, weight_decay=1e-4, fused=True)
    total, step, started = len(x) // asked.batch * asked.epochs, 0, time.perf_counter()
    for _ in range(asked.epochs):
        order = torch.randperm(len(x))
        for rows in order[: len(x) // asked.batch * asked.batch].split(asked.batch):
            for group in optimizer.param_groups:
                group["lr"] = lr * engine.schedule(step, total, 100)
            loss = F.cross_entropy(head(conv(x[rows].float() / 255)), y[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            step += 1
    seconds = time.perf_counter() - started
    return {"seconds": seconds, **probed(through(conv, contexts), contexts)}


def peer(asked, contexts, *extra):
    """Run lightly in its own interpreter; returns the seconds it counted, and the weights."""
    with tempfile.TemporaryDirectory() as folder:
        file, weights = Path(folder) / "pictures.npy", Path(folder) / "weights.npz"
        np.save(file, pixels(contexts, "train")[:, 0].numpy())
        command = [PEERS, HERE / "fashion_mnist_lightly.py", file, weights]
        options = [f"--batch={asked.batch}", f"--threads={asked.threads}", *extra]
        environment = {**os.environ, "PYTHONPATH": str(HERE.parent / "src")}
        words = [str(word) for word in [*command, *options]]
        out = subprocess.run(words, env=environment, check=True, stdout=subprocess.PIPE, text=True)
        with np.load(weights) as arrays:
            tensors = {name: torch.from_numpy(arrays[name]) for name in arrays.files}
    return float(out.stdout.split()[-1]), tensors


def lightly(asked, contexts, lr=LIGHTLY["lr"], temperature=LIGHTLY["temperature"]):
    extra = [f"--lr={lr}", f"--temperature={temperature}", f"--epochs={asked.epochs}"]
    seconds, tensors = peer(asked, contexts, *extra, f"--seed={asked.seed}")
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
    return probed(through(conv_of(asked.seed), contexts), contexts)


BASELINES = {
    "raw": raw,
    "pca-128": pca,
    "untrained": untrained,
    "supervised": supervised,
    "lightly-simclr": lightly,
}


def tune(asked, contexts):
    """Print lightly's rate and temperature by a linear probe on validation pictures."""
    half = contexts.splits["validation"]
    held = {**contexts.splits, "validation": half[::2], "test": half[1::2]}
    contexts = dataclasses.replace(contexts, splits=held)
    rows = []
    for lr, temperature in TUNED:
        found = lightly(asked, contexts, lr, temperature)["linear_all"]
        rows.append({"lr": lr, "temperature": temperature, "linear_probe_validation": found})
        rows[-1] |= {"pictures": asked.pictures, "epochs": asked.epochs, "command": asked.command}
        print(rows[-1], flush=True)
        write(TUNE, rows, list(rows[0]))


def write(path, rows, columns):
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, columns, extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def bare(contexts, steps, batch, lr):
    """What a person would write by hand for simclr; returns seconds."""
    conv, critic = conv_of(0), Cosine(dim=128, temperature=0.2)
    vary = augment.Sequence((augment.crop_flip(), augment.jitter()))
    x = pixels(contexts, "train")
    with torch.no_grad():
        z = conv(x[:2].float() / 255)
        critic(z, z)
    parameters = [*conv.parameters(), *critic.parameters()]
    optimizer = torch.optim.AdamW(parameters, lr=lr, weight_decay=1e-4, fused=True)
    target, order = torch.arange(batch), torch.randperm(len(x))
    started = time.perf_counter()
    for step in range(steps):
        rows = order[step * batch : (step + 1) * batch]
        pictures = x[rows].float() / 255
        loss = F.cross_entropy(critic(conv(vary(pictures)), conv(vary(pictures))), target)
        loss = loss - math.log(batch)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, engine.CLIP)
        optimizer.step()
    return time.perf_counter() - started


def ours(name, asked, contexts):
    """The engine's seconds for one epoch over these contexts, less its validation."""
    chosen, _ = read_recipe(name, argparse.Namespace(**{**vars(asked), "epochs": 1}))
    study = building.build(chosen)
    model = Model(study.objective, dict(study.encoders))
    engine.set_up(model, study, contexts, chosen.train)
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        engine.fit(model, contexts, chosen.train, Path(folder))
        whole = time.perf_counter() - started
        started = time.perf_counter()
        heldout.validate(model, contexts, asked.batch, heldout.Moment(0, 0, 0.0))
        return whole - (time.perf_counter() - started)


def timing(asked, contexts):
    """Pictures a second, turn about; the first round is not counted."""
    few = contexts.splits["validation"][: 2 * asked.batch]
    contexts = dataclasses.replace(contexts, splits={**contexts.splits, "validation": few})
    timed = {name: partial(ours, name, asked, contexts) for name in asked.timed}
    timed["bare loop (simclr)"] = lambda: bare(contexts, asked.steps, asked.batch, 3e-3)
    for workers in (0, 2):
        options = [f"--steps={asked.steps}", f"--workers={workers}"]
        timed[f"lightly (simclr, {workers} workers)"] = lambda options=options: peer(
            asked, contexts, *options
        )[0]
    seconds = {name: [] for name in timed}
    for index in range(asked.repeats + 1):
        for name, run in timed.items():
            spent = run()
            if index:
                seconds[name].append(spent)
            print(f"{name}: {asked.steps * asked.batch / spent:.0f} pictures/s", flush=True)
    done = asked.steps * asked.batch
    rows = [
        {
            "what": name,
            "pictures_per_second": round(done / statistics.median(spent), 1),
            "slowest": round(done / max(spent), 1),
            "fastest": round(done / min(spent), 1),
            "steps": asked.steps,
            "batch": asked.batch,
            "repeats": asked.repeats,
            "threads": asked.threads,
            "command": asked.command,
        }
        for name, spent in seconds.items()
    ]
    write(SPEED, rows, list(rows[0]))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder")
    parser.add_argument("--rows", default=",".join([*BASELINES, *RECIPES]))
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--pictures", type=int, default=20_000)
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--tune", action="store_true", help="lightly's settings, on validation")
    parser.add_argument("--timing-only", action="store_true")
    parser.add_argument("--timed", type=lambda text: text.split(","), default=["simclr", "amdim"])
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--repeats", type=int, default=5)
    asked = parser.parse_args()
    words = [word if word != asked.folder else "DATA_FOLDER" for word in sys.argv[1:]]
    asked.command = " ".join(["python benchmarks/fashion_mnist.py", *words])
    torch.set_num_threads(asked.threads)
    size = asked.steps * asked.batch if asked.timing_only else asked.pictures
    contexts = contexts_of(asked.folder, size)
    if asked.tune or asked.timing_only:
        return (tune if asked.tune else timing)(asked, contexts)
    for name in asked.rows.split(","):
        if name in BASELINES:
            found = BASELINES[name](asked, contexts)
        else:
            found = trained(name, asked, contexts)
        row = {"row": name, "pictures": asked.pictures, **found}
        if "seconds" in found:
            rate = asked.pictures * asked.epochs / found["seconds"]
            row |= {"epochs": asked.epochs, "batch": asked.batch}
            row |= {"seconds": round(found["seconds"], 1), "pictures_per_second": round(rate)}
        row |= {"threads": asked.threads, "seed": asked.seed, "torch": torch.__version__}
        row["command"] = asked.command
        print({k: row.get(k) for k in COLUMNS[:8]}, flush=True)
        before = list(csv.DictReader(RESULTS.open())) if RESULTS.exists() else []
        kept = {line["row"]: line for line in before} | {name: row}
        order = [*BASELINES, *RECIPES]
        write(RESULTS, sorted(kept.values(), key=lambda r: order.index(r["row"])), COLUMNS)
    return None


if __name__ == "__main__":
    main()
