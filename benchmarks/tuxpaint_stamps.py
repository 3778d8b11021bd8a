"""A picture, a sentence and voices of one thing: all pairs of six views beside one pair alone.

    python benchmarks/tuxpaint_stamps.py [FOLDER] [--seeds 0 1 2]

FOLDER holds manifest.csv (default ../shared/data/tuxpaint-stamps). Views: picture, English and
French sentence, French, Spanish and Russian speech; an empty cell is a missing view. The recipe
cmc-modalities (one reader and one ear for all languages, a map for each view) is trained with an
edge for every pair (`all`), and with the edge of one pair alone (`pair`). Split by ``split_group``:
 test is ``% 5 == 0``, validation ``% 5 == 1``. Any stamp of the same ``text_group``
is a right answer. Beside each row linear CCA of the same pair on fixed features of the same
signals, its ridge and dimensions chosen on validation. Scored with all stamps, and without the
letters, digits and coins (``symbols``), by the same trained views. Nothing was tuned on test.
Writes results/tuxpaint_stamps.csv (retrieval) and results/tuxpaint_probes.csv (category);
``--table`` trains nothing and prints the table of docs/modalities.md from the first.
"""

from __future__ import annotations

import argparse
import csv
import itertools
import platform
import tempfile
from pathlib import Path

import pandas as pd
import torch

from infomax import recipe, runs
from infomax.records import Results

HERE = Path(__file__).parent
VIEWS = ("picture", "text_en", "text_fr", "speech_fr", "speech_es", "speech_ru")
PAIRS = [
    ("picture", "text_en"),
    ("picture", "speech_fr"),
    ("speech_fr", "text_fr"),
    ("speech_fr", "speech_ru"),
]
RATE, SIZE = 8000, 32
RESULTS = HERE / "results" / "tuxpaint_stamps.csv"


def manifests(folder: Path, work: Path) -> tuple[Path, Path]:
    """The whole manifest and the one without symbols, media named where they are."""
    table = pd.read_csv(folder / "manifest.csv", keep_default_na=False, dtype=str)
    for column in ("picture", "speech_fr", "speech_es", "speech_ru"):
        table[column] = [str((folder / f).resolve()) if f else "" for f in table[column]]
    part = {0: "test", 1: "validation"}
    table["part"] = [part.get(int(group) % 5, "train") for group in table.split_group]
    table.to_csv(work / "all.csv", index=False)
    table[table.symbols == "0"].to_csv(work / "things.csv", index=False)
    return work / "all.csv", work / "things.csv"


def signal(name: str) -> dict[str, object]:
    kind = {"picture": "picture", "text": "text", "speech": "sound"}[name.split("_")[0]]
    extra = {"picture": {"size": SIZE}, "sound": {"rate": RATE}}.get(kind, {})
    return {"kind": kind, "column": name, **extra}


def study(names: tuple[str, ...], table: Path, seed: int) -> recipe.Recipe:
    """The shipped recipe's encoders, critic and steps, for these views."""
    shipped = recipe.read("cmc-modalities").model_dump(exclude_none=True, mode="json")
    of = {"picture": "eye", "text": "reader", "speech": "ear"}
    views: dict[str, dict[str, object]] = {}
    for name in names:
        views[name] = {"signal": name}
        views[f"coded_{name}"] = {"of": name, "encode": of[name.split("_")[0]]}
        views[f"z_{name}"] = {"of": f"coded_{name}", "encode": f"of_{name}"}
    encoders = {e: shipped["encoders"][e] for e in sorted({of[n.split("_")[0]] for n in names})}
    encoders |= {f"of_{name}": shipped["encoders"]["of_picture"] for name in names}
    if "ear" in encoders:
        encoders["ear"] = {**encoders["ear"], "rate": RATE}
    judged = [pair for pair in PAIRS if set(pair) <= set(names)]
    tree = {
        "name": "cmc-modalities",
        "paper": shipped["paper"],
        "data": {
            "source": "csv",
            "path": str(table),
            "label": ["category", "text_group"],
            "split": "part",
            "signals": {name: signal(name) for name in names},
        },
        "encoders": encoders,
        "views": views,
        "maximize": [{**shipped["maximize"][0], "between": [f"z_{name}" for name in names]}],
        "train": {**shipped["train"], "seed": seed},
        "evaluate": {
            "view": [f"z_{name}" for name in names],
            "label": "category",
            "retrieval": [[f"z_{a}", f"z_{b}"] for a, b in judged],
            "right": "text_group",
            "profile": False,
        },
    }
    return recipe.check(tree, "cmc-modalities for many signals")


def rows_of(results: Results, what: str, stamps: str, seed: int):
    cca = {(r.source, r.target): r for r in results.retrieval if r.baseline == "cca"}
    for r in results.retrieval:
        if r.baseline is not None:
            continue
        linear = cca.get((r.source, r.target))
        yield {
            "edges": what,
            "stamps": stamps,
            "from": r.source.removeprefix("z_"),
            "to": r.target.removeprefix("z_"),
            **{f"recall@{k}": round(r.recall[k], 4) for k in (1, 5, 10)},
            "interval@10": "{:.3f} {:.3f}".format(*r.interval[10]),
            **{f"cca@{k}": round(linear.recall[k], 4) if linear else "" for k in (1, 5, 10)},
            **{f"chance@{k}": round(r.chance[k], 4) for k in (1, 5, 10)},
            "median_rank": r.median_rank,
            "candidates": r.candidates,
            "seed": seed,
        }


def probes_of(results: Results, what: str, stamps: str, seed: int):
    for p in results.probes:
        if p.labels_used == "all" and p.metric != "knn_accuracy":
            numbers = {s: getattr(p, s) for s in ("learned", "raw", "untrained", "pca", "cca")}
            yield {
                "edges": what,
                "stamps": stamps,
                "view": p.view.removeprefix("z_"),
                "metric": p.metric,
                **{
                    key: round(value, 4) if value == value else "" for key, value in numbers.items()
                },
                "majority": round(p.majority, 4),
                "contexts": p.contexts,
                "seed": seed,
            }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", nargs="?", type=Path)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--table", action="store_true", help="print the kept results, and stop")
    asked = parser.parse_args()
    if asked.table:
        print_table()
        return
    folder = asked.folder or Path("../shared/data/tuxpaint-stamps")
    found: list[dict[str, object]] = []
    probed: list[dict[str, object]] = []
    said = (
        f"# python benchmarks/tuxpaint_stamps.py --seeds "
        f"{' '.join(map(str, asked.seeds))} | rate {RATE}, size {SIZE} | "
        f"python {platform.python_version()}, torch {torch.__version__}"
    )
    with tempfile.TemporaryDirectory() as work:
        whole, things = manifests(folder, Path(work))
        for seed, names in itertools.product(asked.seeds, [VIEWS, *PAIRS]):
            what = "all" if names == VIEWS else "pair"
            out = Path(work) / f"{'-'.join(names)}-{seed}"
            results = runs.train(study(names, whole, seed), out)
            assert results is not None
            without = runs.evaluate(out, f"csv:{things}")
            for stamps, of in (("all", results), ("without symbols", without)):
                found += rows_of(of, what, stamps, seed)
                probed += probes_of(of, what, stamps, seed)
            for row in found[-4:]:
                print(*row.values(), flush=True)
            write(RESULTS, found, said)
            write(HERE / "results" / "tuxpaint_probes.csv", probed, said)


def print_table() -> None:
    """Means over seeds of recall@10, of several seeds the lowest and highest beside it."""
    kept = pd.read_csv(RESULTS, comment="#")
    print("| stamps | from | to | all pairs | one pair | linear CCA | chance |")
    print("|---|---|---|---|---|---|---|")
    for (stamps, a, b), rows in kept.groupby(["stamps", "from", "to"], sort=False):
        by = rows.groupby("edges")["recall@10"].agg(["mean", "min", "max"]).round(2)
        form = "{:.2f} ({:.2f} to {:.2f})" if kept.seed.nunique() > 1 else "{:.2f}"
        told = [form.format(*by.loc[edges]) for edges in ("all", "pair")]
        others = [f"{rows[column].mean():.2f}" for column in ("cca@10", "chance@10")]
        print("|", " | ".join([stamps, a, b, *told, *others]), "|")


def write(path: Path, rows: list[dict[str, object]], said: str) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        file.write(said + "\n")
        table = csv.DictWriter(file, list(rows[0]))
        table.writeheader()
        table.writerows(rows)


if __name__ == "__main__":
    main()
