"""Two measurements of one thing, by the one recipe `vectors`, beside raw numbers and linear CCA.

    python benchmarks/vectors_packs.py [DATA_FOLDER] [--only NAME ...] [--seed N]

mfeat: six descriptions of a digit, 500 test contexts by `dup_group`; zer with fac, fou with pix,
and all six at once by an edge for every pair. htad: sound and motion of one moment, three times,
each fold (a round of all activities, most likely a person) once the test; validation rows are
drawn from the other two folds. indian-pines: the two halves of a pixel's spectrum; `split` as the
pack gives it, whole blocks of pixels for validation; unlabelled pixels of the training blocks
train too.

The recipe was chosen on validation contexts; test contexts are looked at here alone. Linear CCA is
regularized, its ridge and dimensions chosen on validation retrieval. Writes
benchmarks/results/vectors_packs.csv: probes (logistic regression, all labels) and retrieval.
"""

import argparse
import csv
import itertools
import json
import platform
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch

from infomax import recipe, runs

SIX = ("fou", "fac", "kar", "pix", "zer", "mor")
VECTOR = {"kind": "vector"}
OUT = Path(__file__).parent / "results" / "vectors_packs.csv"
FIELDS = ("data", "what", "from", "to", "measure", "learned", "stderr_or_interval", "linear_cca",
          "pca", "raw", "untrained", "majority_or_chance", "contexts", "seed")  # fmt: skip


def two(data, first, second, seed):
    """The recipe as shipped, on two signals."""
    signals = {"first": {**VECTOR, "column": first}, "second": {**VECTOR, "column": second}}
    settings = [f"data={json.dumps({**data, 'signals': signals})}", f"train.seed={seed}"]
    return recipe.read("vectors", settings)


def many(data, names, seed):
    """The same recipe for many signals: an encoder each, an edge for every pair."""
    shipped = recipe.read("vectors")
    edge = shipped.maximize[0].model_dump(exclude_none=True, mode="json")
    tree = {
        "name": "vectors",
        "paper": shipped.paper,
        "data": {**data, "signals": {name: {**VECTOR, "column": name} for name in names}},
        "encoders": {f"net_{name}": shipped.encoders["one"] for name in names},
        "views": {name: {"signal": name} for name in names}
        | {f"z_{name}": {"of": name, "encode": f"net_{name}"} for name in names},
        "maximize": [
            {**edge, "between": [f"z_{a}", f"z_{b}"]} for a, b in itertools.combinations(names, 2)
        ],
        "train": {**shipped.train.model_dump(), "seed": seed},
        "evaluate": {"view": [f"z_{name}" for name in names]},
    }
    return recipe.check(tree, "vectors for many signals")


def indian_pines(folder, work):
    """The halves of each spectrum as an archive; a label that is 0 is none."""
    pack = np.load(folder / "indian_pines.npz")
    cube = pack["cube"].reshape(-1, 200).astype(np.float32)
    label, split = pack["label"].ravel().astype(float), pack["split"].ravel()
    kept = (split == 0) | ((split == 1) & (label > 0))
    np.savez(
        work / "pines.npz",
        near=cube[kept, :100],
        far=cube[kept, 100:],
        label=np.where(label > 0, label, np.nan)[kept],
        split=np.where(split == 0, "train", "test")[kept],
        block=pack["block"].ravel()[kept],
    )
    return {
        "source": "npz",
        "path": str(work / "pines.npz"),
        "label": "label",
        "group": "block",
        "split": "split",
    }


def studies(folder, work, seed):
    """Name, what, and the recipe of every run."""
    mfeat = {
        "source": "npz",
        "path": str(folder / "mfeat" / "mfeat.npz"),
        "label": "label",
        "group": "dup_group",
        "test": 0.25,
        "seed": seed,
    }
    for first, second in (("zer", "fac"), ("fou", "pix")):
        yield "mfeat", f"{first}/{second}", two(mfeat, first, second, seed)
    yield "mfeat", "all pairs of six", many(mfeat, SIX, seed)
    for fold in (1, 2, 3):
        htad = {
            "source": "csv",
            "path": str(folder / "htad" / "htad.csv"),
            "label": "label",
            "split": {"column": "fold", "test": [fold]},
        }
        yield "htad", f"fold {fold}", two(htad, "audio_*", "accel_*", seed)
    pines = indian_pines(folder / "indian-pines", work)
    yield "indian-pines", "band halves", two(pines, "near", "far", seed)


def rows_of(data, what, results, seed):
    for probe in results.probes:
        if probe.labels_used == "all" and probe.metric != "knn_accuracy":
            yield {
                "data": data,
                "what": what,
                "from": probe.view,
                "measure": probe.metric,
                "learned": probe.learned,
                "stderr_or_interval": f"{probe.stderr:.4f}",
                "linear_cca": probe.cca,
                "pca": probe.pca,
                "raw": probe.raw,
                "untrained": probe.untrained,
                "majority_or_chance": probe.majority,
                "contexts": probe.contexts,
                "seed": seed,
            }
    linear = {(r.source, r.target): r for r in results.retrieval if r.baseline == "cca"}
    for found in results.retrieval:
        if found.baseline is None:
            low, high = found.interval[1]
            yield {
                "data": data,
                "what": what,
                "from": found.source,
                "to": found.target,
                "measure": f"recall@1 among {found.candidates}",
                "learned": found.recall[1],
                "stderr_or_interval": f"{low:.4f} to {high:.4f}",
                "linear_cca": linear[found.source, found.target].recall[1],
                "majority_or_chance": found.chance[1],
                "contexts": found.contexts,
                "seed": seed,
            }


def folds(rows):
    """Mean and spread (standard deviation) over the three folds of htad."""
    held = [row for row in rows if row["data"] == "htad"]
    keys = dict.fromkeys(
        (row["from"], row.get("to", ""), row["measure"].split(" ")[0]) for row in held
    )
    for source, target, measure in keys:
        chosen = [
            row
            for row in held
            if (row["from"], row.get("to", ""), row["measure"].split(" ")[0])
            == (source, target, measure)
        ]
        if len(chosen) < 3:
            continue
        means = {
            name: float(np.mean([row[name] for row in chosen]))
            for name in ("learned", "linear_cca", "pca", "raw", "untrained", "majority_or_chance")
            if all(isinstance(row.get(name), float) for row in chosen)
        }
        spread = np.std([row["learned"] for row in chosen], ddof=1)
        yield {
            "data": "htad",
            "what": "mean of three folds",
            "from": source,
            "to": target,
            "measure": measure,
            "stderr_or_interval": f"sd {spread:.4f}",
            "contexts": sum(row["contexts"] for row in chosen),
            "seed": chosen[0]["seed"],
            **means,
        }


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", default="../shared/data", type=Path)
    parser.add_argument("--only", nargs="*", help="names of data sets")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as work:
        chosen = studies(arguments.folder, Path(work), arguments.seed)
        for index, (data, what, study) in enumerate(chosen):
            if arguments.only and data not in arguments.only:
                continue
            results = runs.train(study, Path(work) / f"run{index}")
            print(f"{data} {what}: {results.seconds:.0f} s, {results.verdict}", flush=True)
            found = list(rows_of(data, what, results, arguments.seed))
            for row in found:
                name = f"{row['from']} {row.get('to', '')}".strip()
                print(
                    f"  {name:24s} {row['measure']:22s} learned {row['learned']:.3f} "
                    f"({row['stderr_or_interval']})  cca {row['linear_cca']:.3f}"
                    + (f"  raw {row['raw']:.3f}" if "raw" in row else ""),
                    flush=True,
                )
            rows += found
    rows += folds(rows)
    if arguments.only:
        return
    with OUT.open("w", newline="") as file:
        file.write(
            f"# python {' '.join(sys.argv[:1])} DATA_FOLDER --seed {arguments.seed}; torch "
            f"{torch.__version__}, numpy {np.__version__}, {platform.machine()}\n"
        )
        writer = csv.DictWriter(file, FIELDS)
        writer.writeheader()
        for row in rows:
            writer.writerow(
                {k: f"{v:.4f}" if isinstance(v, float) and v == v else ("" if v != v else v)
                 for k, v in row.items()}
            )  # fmt: skip


if __name__ == "__main__":
    main()
