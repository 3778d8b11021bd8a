"""Verses in two versions: how often a verse is found by its translation, in books never seen.

    python benchmarks/bible_verses.py DATA_FOLDER
    python benchmarks/bible_verses.py DATA_FOLDER --transformer

Trains the recipe `text-pairs` as it is shipped on whole books and looks for verses of other books
(as DATA_FOLDER's README suggests), among 1,000. Beside it linear CCA, and the cosine of TF-IDF of
character 3-grams, which needs no training and lives on names. Seconds are those of the epochs,
each valued and saved, and of the whole run: reading, vocabulary, epochs, evaluation. The recipe's
numbers were chosen on the validation books. Writes results/bible_verses.json.

With --transformer: the first pair only, by the recipe's bag of words and by a transformer in its
place, with the seconds of each. Writes results/bible_verses_transformer.json.
"""

from __future__ import annotations

import argparse
import json
import platform
import tempfile
from pathlib import Path

import numpy as np
import torch

from infomax import recipe, runs
from infomax.records import Results, read_results

TEST = ["Esther", "Job", "Ecclesiastes", "Acts", "Hebrews"]
VALIDATION = ["Ruth", "Proverbs", "James"]
PAIRS = [("web", "reina_valera"), ("kjv", "web")]
SHOWN = ("pair", "by", "baseline", "from", "recall@1", "training_seconds", "seconds")
READERS = {
    "bag": [],
    "transformer": [
        "encoders.reader={kind: transformer, dim: 256}",
        "train.lr=1e-3",
        "train.batch=512",
    ],
}


def trained(
    table: Path, one: str, other: str, settings: list[str]
) -> tuple[list[dict[str, object]], Results]:
    data = {
        "source": "parquet",
        "path": str(table),
        "split": {"column": "book", "test": TEST, "validation": VALIDATION},
        "signals": {
            "one": {"kind": "text", "column": one},
            "other": {"kind": "text", "column": other},
        },
    }
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "run"
        runs.train(recipe.read("text-pairs", [f"data={json.dumps(data)}", *settings]), out)
        found = read_results(out / "results.json")
        last = (out / "metrics.jsonl").read_text().splitlines()[-1]
    seconds = {"training_seconds": json.loads(last)["seconds"], "seconds": found.seconds}
    rows = [
        {"pair": f"{one}/{other}", **row, **({} if row["baseline"] else seconds)}
        for row in found.to_json()["retrieval"]
    ]
    return rows, found


def by_letters(table: Path, one: str, other: str) -> dict[str, object]:
    """Recall of the cosine of character 3-grams, over draws of 1,000; equal texts are right."""
    import pandas as pd
    from sklearn.feature_extraction.text import TfidfVectorizer

    verses = pd.read_parquet(table)
    held = verses.book.isin(TEST)
    fitted = TfidfVectorizer(analyzer="char_wb", ngram_range=(3, 3), sublinear_tf=True).fit(
        [*verses[one][~held], *verses[other][~held]]
    )
    draws = []
    for seed in range(5):
        rows = np.random.default_rng(seed).choice(np.flatnonzero(held), 1000, replace=False)
        a, b = verses[one].to_numpy()[rows], verses[other].to_numpy()[rows]
        best = np.asarray((fitted.transform(a) @ fitted.transform(b).T).todense()).argmax(1)
        draws.append(float(np.mean(b[best] == b)))
    name = "character 3-grams"
    return {"pair": f"{one}/{other}", "by": name, "recall@1": float(np.mean(draws))}


def readers(table: Path) -> list[dict[str, object]]:
    """The same pair by each kind of encoder: recall, nats, seconds."""
    rows: list[dict[str, object]] = []
    for name, settings in READERS.items():
        recalls, found = trained(table, *PAIRS[0], settings)
        (term,) = found.terms
        for row in recalls:
            if row["baseline"] is None or name == "bag":
                some = {k: row[k] for k in ("pair", "from", "to", "candidates", "recall@1")}
                rows.append({"by": row["baseline"] or name, **some})
        rows.append(
            {"by": name, "settings": settings, "seconds": found.seconds, "nats": term.nats}
            | {"stderr": term.stderr, "train_nats": term.train_nats, "ceiling": term.ceiling}
        )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--transformer", action="store_true", help="bag and transformer instead")
    asked = parser.parse_args()
    table = asked.data / "verses.parquet"
    if asked.transformer:
        keep("bible_verses_transformer", " --transformer", readers(table))
        return
    rows: list[dict[str, object]] = []
    for one, other in PAIRS:
        rows += [*trained(table, one, other, [])[0], by_letters(table, one, other)]
        keep("bible_verses", "", rows)


def keep(name: str, words: str, rows: list[dict[str, object]]) -> None:
    """Print what was found so far, and write it."""
    for row in rows:
        print({k: v for k, v in row.items() if k in SHOWN}, flush=True)
    out = {
        "command": f"python benchmarks/bible_verses.py DATA_FOLDER{words}",
        "versions": {"python": platform.python_version(), "torch": torch.__version__},
        "threads": torch.get_num_threads(),
        "recipe": "text-pairs, as shipped but for settings, seed 0",
        "rows": rows,
    }
    path = Path(__file__).parent / "results" / f"{name}.json"
    path.write_text(json.dumps(out, indent=1) + "\n")


if __name__ == "__main__":
    main()
