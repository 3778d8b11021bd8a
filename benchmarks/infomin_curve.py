"""How much should two views share? Nats shared against what a linear probe reads from them.

    python benchmarks/infomin_curve.py [DATA_SPEC] [--pictures 8000] [--epochs 6] [--seeds 2]

Two square crops of one picture, of a share s of its area, each at a place of its own and mirrored
half of the time: at s = 1 the views are one picture (or its mirror), and share all; as s falls
they share less. For each s the recipe simclr is trained anew, with those crops alone, and judged
by a linear probe on validation pictures (this chooses views, so test pictures are left alone).
Tian et al. 2020 (arXiv:2005.10243) expect an inverted U: the best views share neither all nor
nothing. Writes benchmarks/results/infomin_curve.csv, a row for each s, and says whether it shows.
"""

import argparse
import csv
import dataclasses
import statistics
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch

from infomax import building, data, engine, recipe
from infomax.evaluation import embed, probe, value_terms
from infomax.objective import Model

SHARES = (1.0, 0.75, 0.5, 0.35, 0.25, 0.15, 0.08, 0.04)
OUT = Path(__file__).parent / "results" / "infomin_curve.csv"


def contexts_of(spec, pictures):
    """Some of the pictures: half of the validation ones choose the probe, half judge."""
    whole = data.load(spec)
    train = np.random.default_rng(0).permutation(whole.splits["train"])[:pictures]
    held = whole.splits["validation"]
    splits = {"train": np.sort(train), "validation": held[::2], "test": held[1::2]}
    return dataclasses.replace(whole, splits=splits)


def point(share, seed, contexts, asked):
    """Nats of the edge and accuracy of the probe, with crops of this share."""
    crop = f"{{kind: crop_flip, scale: [{share}, {share}], ratio: [1.0, 1.0]}}"
    settings = [f"views.{view}.augment={crop}" for view in "ab"]
    settings += [f"train.epochs={asked.epochs}", f"train.seed={seed}"]
    settings += ["encoders.conv={kind: convnet, width: 32, stages: 3}"]
    chosen = recipe.read("simclr", settings)
    study = building.build(chosen)
    model = Model(study.objective, dict(study.encoders))
    engine.set_up(model, study, contexts, chosen.train)
    with tempfile.TemporaryDirectory() as folder:
        engine.fit(model, contexts, chosen.train, Path(folder))
    (term,) = value_terms(model, contexts, chosen.train.batch)
    z = {s: embed(study.views["features"], contexts, s) for s in contexts.splits}
    label = contexts.labels["label"]
    numbers = np.unique(label, return_inverse=True)[1]
    accuracy, _ = probe(z, {s: numbers[contexts.rows(s)] for s in z}, "accuracy", "all")
    return term.nats, term.ceiling, accuracy


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("spec", nargs="?", default="mnist5k")
    parser.add_argument("--pictures", type=int, default=8000)
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--threads", type=int, default=2)
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    contexts = contexts_of(asked.spec, asked.pictures)
    words = [f"{asked.spec.split(':')[0]}:DATA_FOLDER" if ":" in w else w for w in sys.argv[1:]]
    rows = []
    for share in SHARES:
        found = [point(share, seed, contexts, asked) for seed in range(asked.seeds)]
        nats, ceilings, accuracies = zip(*found, strict=True)
        rows.append(
            {
                "share_of_area": share,
                "nats_at_least": round(statistics.mean(nats), 3),
                "ceiling": round(statistics.mean(ceilings), 3),
                "linear_probe": round(statistics.mean(accuracies), 4),
                "lowest": round(min(accuracies), 4),
                "highest": round(max(accuracies), 4),
                "seeds": asked.seeds,
                "pictures": contexts.count("train"),
                "judged_on": contexts.count("test"),
                "torch": torch.__version__,
                "command": " ".join(["python benchmarks/infomin_curve.py", *words]),
            }
        )
        print(rows[-1], flush=True)
        with OUT.open("w", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
    best = max(rows, key=lambda row: row["linear_probe"])
    ends = [rows[0], rows[-1]]
    shows = all(best["lowest"] > end["highest"] for end in ends)
    print(
        f"best at {best['nats_at_least']} nats (share {best['share_of_area']}): "
        f"{best['linear_probe']}; at the ends {[end['linear_probe'] for end in ends]}: "
        + ("an inverted U" if shows else "no inverted U beyond the spread of the seeds")
    )


if __name__ == "__main__":
    main()
