"""Speech without labels: telephone prompts in five languages, split by what is said.

    python benchmarks/asterisk_prompts.py [FOLDER] [--only coding|moments]

FOLDER holds manifest.csv (default ../shared/data/asterisk-prompts). Test is
``text_group % 5 == 0``, validation ``text_group % 10 == 1``: nothing that is said in training is
heard in test, in any language. Everything was chosen on validation.

- coding: the recipe cpc-sound (at 8 kHz); linear probes of language (= speaker) and of the group of
  the prompt, beside the mean and deviation of MFCC (librosa) and the encoder before training.
- moments: what the first moment tells about a later one, as a function of the seconds between.

The same prompt across languages: asterisk_languages.py.
"""

from __future__ import annotations

import argparse
import json
import math
import platform
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from infomax import building, data, engine, presence, recipe
from infomax.building import Study
from infomax.data import SPLITS, Contexts
from infomax.evaluation import embed, probe, value_terms
from infomax.objective import Model
from infomax.recipe import Recipe

RATE = 8000
SEEDS = (0, 1)
HERE = Path(__file__).parent


def split_of(table: pd.DataFrame) -> dict[str, object]:
    groups = sorted(set(table.text_group))
    return {
        "column": "text_group",
        "test": [g for g in groups if g % 5 == 0],
        "validation": [g for g in groups if g % 10 == 1],
    }


def set_up(chosen: Recipe, contexts: Contexts) -> tuple[Study, Model]:
    study = building.build(chosen)
    model = Model(study.objective, dict(study.encoders))
    engine.set_up(model, study, contexts, chosen.train)
    return study, model


def trained(chosen: Recipe, contexts: Contexts) -> tuple[Study, Model, dict[str, object]]:
    found = presence.census(building.build(chosen).views.values(), contexts)
    study, model = set_up(chosen, contexts)
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as out:
        done = engine.fit(model, contexts, chosen.train, Path(out))
    facts = {"seconds": round(time.perf_counter() - began), "best_step": done.step}
    return study, done.model, {**facts, "too_short": found.short()}


def terms_of(
    model: Model, contexts: Contexts, batch: int, split: str = "test"
) -> list[dict[str, object]]:
    return [
        {
            "between": list(t.between),
            "positions": t.positions,
            "negatives": t.negatives,
            "bound": t.bound,
            "side": t.side,
            "nats": round(t.nats, 3),
            "stderr": round(t.stderr, 3),
            "ceiling": round(t.ceiling, 2),
            "control_nats": round(t.control_nats, 3),
            "train_nats": round(t.train_nats, 3),
            "verdict": t.verdict,
            "contexts": t.contexts,
        }
        for t in value_terms(model, contexts, batch, split=split)
    ]


# --- coding ---------------------------------------------------------------------------------------


def coding(folder: Path, judged: str) -> dict[str, object]:
    table = pd.read_csv(folder / "manifest.csv", keep_default_na=False)
    base = recipe.read(
        "cpc-sound",
        [
            f"encoders.ear.rate={RATE}",
            f"views.part.augment.rate={RATE}",
            "data.source=csv",
            f"data.path={folder / 'manifest.csv'}",
            f"data.signals.sound={{kind: sound, column: file_name, rate: {RATE}, seconds: 8}}",
        ],
    ).model_dump()
    base["data"]["split"] = split_of(table)
    contexts = data.load(recipe.check(base, "cpc-sound").data)
    kept = (*SPLITS[:1], "validation", judged)
    classes = {
        label: np.unique(table[label].to_numpy(), return_inverse=True)[1]
        for label in ("language", "group")
    }

    def probes(features: dict[str, np.ndarray]) -> dict[str, float]:
        named = {"train": kept[0], "validation": kept[1], "test": kept[2]}
        rows = {side: contexts.rows(split) for side, split in named.items()}
        z = {side: features[split] for side, split in named.items()}
        return {
            label: round(probe(z, {s: y[r] for s, r in rows.items()}, "accuracy", "all")[0], 4)
            for label, y in classes.items()
        }

    majority = {}
    for label, y in classes.items():
        most = np.bincount(y[contexts.rows("train")]).argmax()
        majority[label] = round(float(np.mean(y[contexts.rows(judged)] == most)), 4)
    scores: dict[str, object] = {"mfcc": probes({s: mfcc(contexts, s) for s in kept})}
    runs = []
    for seed in SEEDS:
        base["train"]["seed"] = seed
        chosen = recipe.check(base, "cpc-sound")
        before = set_up(chosen, contexts)[0].views["summary"]
        untrained = probes({s: embed(before, contexts, s) for s in kept})
        study, model, facts = trained(chosen, contexts)
        view = study.views["summary"]
        learned = probes({s: embed(view, contexts, s) for s in kept})
        terms = terms_of(model, contexts, chosen.train.batch, judged)
        runs.append(
            {"seed": seed, "untrained": untrained, "learned": learned, "terms": terms, **facts}
        )
        print(runs[-1], flush=True)
    for side in ("untrained", "learned"):
        scores[side] = {
            label: round(float(np.mean([run[side][label] for run in runs])), 4) for label in classes
        }
    count = contexts.count(judged)
    return {
        "contexts": {split: contexts.count(split) for split in SPLITS},
        "linear_probe_accuracy": {"majority": majority, **scores},
        "binomial_stderr_at_0.7_and_0.97": [
            round(math.sqrt(p * (1 - p) / count), 4) for p in (0.7, 0.97)
        ],
        "runs": runs,
    }


def mfcc(contexts: Contexts, split: str) -> np.ndarray:
    """Mean and deviation over time of 20 coefficients, of the real part of each recording."""
    import librosa

    rows = []
    for batch in contexts.batches(split, 256, seed=None):
        for heard in batch.signals["sound"].numpy():
            real = np.trim_zeros(heard, "b")
            found = librosa.feature.mfcc(y=real, sr=RATE, n_mfcc=20, n_fft=256, hop_length=80)
            rows.append(np.concatenate([found.mean(1), found.std(1)]))
    return np.array(rows)


# --- moments --------------------------------------------------------------------------------------

MOMENT = 0.4
LATER = (0.6, 1.0, 1.8, 3.0, 5.0)


def moments(folder: Path, judged: str) -> dict[str, object]:
    table = pd.read_csv(folder / "manifest.csv", keep_default_na=False)
    views: dict[str, object] = {
        "sound": {"signal": "sound"},
        "now": {"of": "sound", "window": {"second": 0.2, "length": MOMENT}},
        "z_now": {"of": "now", "encode": "ear"},
    }
    edges = []
    for second in LATER:
        views[f"at_{second}"] = {"of": "sound", "window": {"second": second, "length": MOMENT}}
        views[f"z_{second}"] = {"of": f"at_{second}", "encode": "ear"}
        critic = {"kind": "separable", "dim": 32, "hidden": []}
        edges.append({"between": ["z_now", f"z_{second}"], "critic": critic})
    chosen = recipe.check(
        {
            "data": {
                "source": "csv",
                "path": str(folder / "manifest.csv"),
                "split": split_of(table),
                "signals": {
                    "sound": {"kind": "sound", "column": "file_name", "rate": RATE, "seconds": 8}
                },
            },
            "encoders": {"ear": {"kind": "logmel", "rate": RATE, "width": 64, "dim": 32}},
            "views": views,
            "maximize": edges,
            "train": {"epochs": 20, "batch": 256, "lr": 2e-3},
            "evaluate": {"view": "z_now"},
        },
        "moments",
    )
    contexts = data.load(chosen.data)
    study, model, facts = trained(chosen, contexts)
    own = terms_of(model, contexts, chosen.train.batch, judged)
    # the longer a recording, the rarer: those that reach every moment, for the same K
    found = presence.census(study.views.values(), contexts)
    last = study.views[f"z_{LATER[-1]}"]
    reaching = {s: contexts.rows(s)[found.having(s, last)] for s in SPLITS}
    same = terms_of(model, replace(contexts, splits=reaching), chosen.train.batch, judged)
    rows = [
        {"seconds_later": round(second - 0.2, 1), **a, "on_those_that_reach_all": b}
        for second, a, b in zip(LATER, own, same, strict=True)
    ]
    for row in rows:
        print(row, flush=True)
    return {"entropy_of_language": round(entropy(table.language), 3), "terms": rows, **facts}


def entropy(values: pd.Series) -> float:
    share = values.value_counts(normalize=True)
    return float(-(share * np.log(share)).sum())


# --------------------------------------------------------------------------------------------------


def run(name: str, parts: dict[str, Callable[..., object]], told: str) -> None:
    """Run the parts that are asked for, and keep what they say of test prompts."""
    parser = argparse.ArgumentParser(description=told.splitlines()[0])
    default = HERE / "../../shared/data/asterisk-prompts"
    parser.add_argument("folder", nargs="?", type=Path, default=default)
    parser.add_argument("--only", choices=parts)
    parser.add_argument(
        "--split", choices=("validation", "test"), default="test", help="validation: to choose by"
    )
    asked = parser.parse_args()
    torch.set_num_threads(1)
    out = HERE / "results" / f"{name}.json"
    results = json.loads(out.read_text()) if out.exists() else {}
    for part, function in parts.items():
        if asked.only in (None, part):
            results[part] = function(asked.folder.resolve(), asked.split)
    if asked.split == "validation":
        print(json.dumps(results, indent=1))
        return
    results["command"] = f"python benchmarks/{name}.py FOLDER"
    results["split"] = "test: text_group % 5 == 0; validation: text_group % 10 == 1"
    results["versions"] = {"python": platform.python_version(), "torch": torch.__version__}
    out.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    run("asterisk_prompts", {"coding": coding, "moments": moments}, __doc__)
