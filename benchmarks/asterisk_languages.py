"""The same prompt in another language and voice, found among the others without a label.

    python benchmarks/asterisk_languages.py [FOLDER]

Splits as in asterisk_prompts.py. First seconds alone (all of one length, so that duration says
nothing), and whole recordings, with the encoders and steps of the recipe cmc-modalities, beside
linear CCA of the same pair on fixed features, retrieval by the nearest duration of the whole
recordings, and chance. Writes benchmarks/results/asterisk_languages.json.
"""

from __future__ import annotations

from itertools import permutations
from pathlib import Path

import numpy as np
import pandas as pd
from asterisk_prompts import RATE, run, split_of, terms_of, trained

from infomax import data, recipe
from infomax.building import Study
from infomax.data import Contexts
from infomax.evaluation import embed
from infomax.evaluation.baselines import choose_cca, projected
from infomax.evaluation.fixed import fixed
from infomax.evaluation.retrieval import by_cosine, retrieve
from infomax.recipe import Recipe

LANGUAGES = ("en", "es", "fr", "it", "ru")
START, LONGEST = 1.0, 4


def languages(folder: Path, judged: str) -> dict[str, object]:
    """First seconds, and whole recordings (up to 4 seconds)."""
    found = {}
    for name, window in (("first_second", {"second": 0, "length": START}), ("whole", None)):
        found[name] = across(folder, judged, window)
        print(name, found[name]["mean_over_20_pairs"], found[name]["best_step"], flush=True)
    return found


def across(folder: Path, judged: str, window: dict[str, float] | None) -> dict[str, object]:
    table = pd.read_csv(folder / "wide.csv", keep_default_na=False)
    names = [f"{language}_audio" for language in LANGUAGES]
    chosen = study_of(folder / "wide.csv", split_of(table), names, window)
    contexts = data.load(chosen.data)
    study, model, facts = trained(chosen, contexts)
    rows = contexts.rows(judged)
    said = table.text_group.to_numpy()[rows]
    long = {n: durations(folder, table[n].to_numpy()[rows]) for n in names}
    pairs = searched(study, contexts, judged, said, long, [*permutations(names, 2)])
    terms = terms_of(model, contexts, chosen.train.batch, judged)
    return {"mean_over_20_pairs": means(pairs), "pairs": pairs, "terms": terms, **facts}


def study_of(
    table: Path, split: object, names: list[str], window: dict[str, float] | None = None
) -> Recipe:
    """The encoders, critic and steps of cmc-modalities for columns ``*_audio`` and ``*_text``."""
    shipped = recipe.read("cmc-modalities").model_dump(mode="json")
    made = {name: shipped["encoders"][name] for name in ("reader", "ear")}
    encoders = {name: made[name] for name in made if name == "ear" or has_text(names)}
    encoders["ear"] = {**made["ear"], "rate": RATE}
    views: dict[str, object] = {}
    signals: dict[str, object] = {}
    for name in names:
        text = name.endswith("_text")
        kind = {"kind": "text"} if text else {"kind": "sound", "rate": RATE, "seconds": LONGEST}
        signals[name] = {"column": name, **kind}
        views[name] = {"signal": name}
        if window is not None:
            views[f"start_{name}"] = {"of": name, "window": window}
        part = name if window is None else f"start_{name}"
        views[f"coded_{name}"] = {"of": part, "encode": "reader" if text else "ear"}
        views[f"z_{name}"] = {"of": f"coded_{name}", "encode": f"of_{name}"}
        encoders[f"of_{name}"] = shipped["encoders"]["of_picture"]
    tree = {
        "data": {"source": "csv", "path": str(table), "split": split, "signals": signals},
        "encoders": encoders,
        "views": views,
        "maximize": [{**shipped["maximize"][0], "between": [f"z_{name}" for name in names]}],
        "train": shipped["train"],
        "evaluate": {"view": f"z_{names[0]}"},
    }
    return recipe.check(tree, "cmc-modalities for many signals")


def has_text(names: list[str]) -> bool:
    return any(name.endswith("_text") for name in names)


def searched(
    study: Study,
    contexts: Contexts,
    judged: str,
    said: np.ndarray,
    lengths: dict[str, np.ndarray],
    asked: list[tuple[str, str]],
) -> list[dict[str, object]]:
    """Recall of b by a among those that have both: learned, linear CCA, nearest length, chance."""
    names = {name: study.views[f"z_{name}"] for pair in asked for name in pair}
    learned = {name: embed(view, contexts, judged) for name, view in names.items()}
    splits = ("train", "validation", judged)
    plain = {name: fixed(view, contexts, splits) for name, view in names.items()}
    rows = []
    for a, b in asked:
        x, y = learned[a], learned[b]
        p, q = projected(choose_cca(plain[a], plain[b]), plain[a], plain[b])
        both = np.isfinite(x).all(1) & np.isfinite(y).all(1)
        logs = [np.log(lengths[name][both]) for name in (a, b)]
        # seconds beside letters: each from its own mean
        near = -np.abs((logs[0] - logs[0].mean())[:, None] - (logs[1] - logs[1].mean())[None])
        ways = {
            "learned": by_cosine(x[both], y[both]),
            "linear_cca": by_cosine(p[judged][both], q[judged][both]),
            "nearest_duration": lambda queries, candidates, near=near: near[queries][:, candidates],
        }
        got = {way: retrieve(score, said[both]) for way, score in ways.items()}
        found = {"from": a, "to": b, "candidates": got["learned"].candidates}
        recalls = {way: rounded(one.recall) for way, one in got.items()}
        rows.append({**found, **recalls, "chance": rounded(got["learned"].chance)})
    return rows


def rounded(recall: dict[int, float]) -> dict[str, float]:
    return {f"recall@{k}": round(v, 4) for k, v in recall.items()}


def means(pairs: list[dict[str, object]]) -> dict[str, dict[str, float]]:
    return {
        how: {
            at: round(float(np.mean([pair[how][at] for pair in pairs])), 4)
            for at in ("recall@1", "recall@10")
        }
        for how in ("learned", "linear_cca", "nearest_duration", "chance")
    }


def durations(folder: Path, files: np.ndarray) -> np.ndarray:
    import soundfile

    return np.array([soundfile.info(folder / f).duration if f else 0.0 for f in files])


if __name__ == "__main__":
    run("asterisk_languages", {"languages": languages}, __doc__)
