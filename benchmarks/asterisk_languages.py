"""The same prompt in another language and voice, found among the others without a label.

    python benchmarks/asterisk_languages.py [FOLDER]

Splits as in asterisk_prompts.py. First seconds alone (all of one length, so that duration says
nothing), and whole recordings, beside retrieval by the nearest duration of the whole recordings,
and chance. Writes benchmarks/results/asterisk_languages.json.
"""

from __future__ import annotations

from itertools import combinations, permutations
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from asterisk_prompts import RATE, run, split_of, terms_of, trained

from infomax import data, recipe
from infomax.evaluation import embed
from infomax.evaluation.retrieval import retrieve

LANGUAGES = ("en", "es", "fr", "it", "ru")
START = 1.0


def languages(folder: Path, judged: str) -> dict[str, object]:
    """First seconds, and whole recordings (up to 4 seconds)."""
    found = {}
    for name, window in (("first_second", {"second": 0, "length": START}), ("whole", None)):
        found[name] = across(folder, judged, window)
        print(name, found[name]["mean_over_20_pairs"], found[name]["best_step"], flush=True)
    return found


def across(folder: Path, judged: str, window: dict[str, float] | None) -> dict[str, object]:
    table = pd.read_csv(folder / "wide.csv", keep_default_na=False)
    views: dict[str, object] = {}
    signals = {}
    for name in LANGUAGES:
        signals[name] = {"kind": "sound", "column": f"{name}_audio", "rate": RATE, "seconds": 4}
        views[name] = {"signal": name}
        if window is not None:
            views[f"{name}_start"] = {"of": name, "window": window}
        part = name if window is None else f"{name}_start"
        views[f"{name}_heard"] = {"of": part, "augment": ["gain", "hiss", "shift_time"]}
        views[f"{name}_seen"] = {"of": f"{name}_heard", "encode": "ear"}
        views[f"{name}_z"] = {"of": part, "encode": "ear"}
    critic = {"kind": "cosine", "dim": 64, "hidden": []}
    edges = [
        {"between": [f"{a}_seen", f"{b}_seen"], "critic": critic}
        for a, b in combinations(LANGUAGES, 2)
    ]
    chosen = recipe.check(
        {
            "data": {
                "source": "csv",
                "path": str(folder / "wide.csv"),
                "split": split_of(table),
                "signals": signals,
            },
            "encoders": {"ear": {"kind": "logmel", "rate": RATE, "width": 64}},
            "views": views,
            "maximize": edges,
            "train": {"epochs": 120, "batch": 128, "lr": 2e-3, "weight_decay": 0.05},
            "evaluate": {"view": "en_z"},
        },
        "languages",
    )
    contexts = data.load(chosen.data)
    study, model, facts = trained(chosen, contexts)
    critics = {frozenset((t.edge.a.signal, t.edge.b.signal)): t.edge for t in study.objective.terms}
    rows = contexts.rows(judged)
    said = table.text_group.to_numpy()[rows]
    seconds = {n: durations(folder, table[f"{n}_audio"].to_numpy()[rows]) for n in LANGUAGES}
    z = {n: embed(study.views[f"{n}_z"], contexts, judged) for n in LANGUAGES}
    pairs = []
    for a, b in permutations(LANGUAGES, 2):
        both = np.isfinite(z[a]).all(1) & np.isfinite(z[b]).all(1)
        edge = critics[frozenset((a, b))]
        x, y = (torch.from_numpy(z[n][both]) for n in (a, b))
        with torch.no_grad():
            scores = edge.critic(x, y) if edge.a.signal == a else edge.critic(y, x).T
        near = -np.abs(np.log(seconds[a][both])[:, None] - np.log(seconds[b][both])[None])
        learned, nearest = (
            retrieve(lambda q, c, s=s: s[q][:, c], said[both]) for s in (scores.numpy(), near)
        )
        pairs.append(
            {
                "from": a,
                "to": b,
                "candidates": learned.candidates,
                "learned": {f"recall@{k}": round(v, 4) for k, v in learned.recall.items()},
                "nearest_duration": {f"recall@{k}": round(v, 4) for k, v in nearest.recall.items()},
                "chance": {f"recall@{k}": round(v, 4) for k, v in learned.chance.items()},
            }
        )
    mean = {
        how: {
            at: round(float(np.mean([pair[how][at] for pair in pairs])), 4)
            for at in ("recall@1", "recall@10")
        }
        for how in ("learned", "nearest_duration", "chance")
    }
    terms = terms_of(model, contexts, chosen.train.batch, judged)
    return {"mean_over_20_pairs": mean, "pairs": pairs, "terms": terms, **facts}


def durations(folder: Path, files: np.ndarray) -> np.ndarray:
    import soundfile

    return np.array([soundfile.info(folder / file).duration for file in files])


if __name__ == "__main__":
    run("asterisk_languages", {"languages": languages}, __doc__)
