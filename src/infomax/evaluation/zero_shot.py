"""Classes told by their names alone: prompts are read by the text view, contexts by another."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float

from infomax._errors import InfomaxError
from infomax.building import Study
from infomax.data import Contexts, encode_texts
from infomax.evaluation.embedding import device_of, embed, flat
from infomax.evaluation.probes import balanced
from infomax.evaluation.retrieval import TIED
from infomax.evaluation.searching import Pair, pairs, score
from infomax.recipe import Recipe, ZeroShotSpec
from infomax.records import ZeroShot
from infomax.views import View, evaluate, vectors

SEEN = 1000


def chances(scores: Float[np.ndarray, "n c"]) -> Float[np.ndarray, "n c"]:
    """Chance that each class is named: all of it at the best score, shared by those tied.

    Example:
        >>> chances(np.array([[1.0, 0.0, 1.0], [0.0, 2.0, 1.0]]))
        array([[0.5, 0. , 0.5],
               [0. , 1. , 0. ]])
    """
    best = scores.max(1, keepdims=True)
    tied = scores >= best - TIED * np.abs(scores).max(1, keepdims=True)
    shared: np.ndarray = tied / tied.sum(1, keepdims=True)
    return shared


def judged_pair(recipe: Recipe, spec: ZeroShotSpec, study: Study, contexts: Contexts) -> Pair:
    """The view and the text view as a pair that something scores.

    Raises:
        InfomaxError: the text view is not of a text; nothing can score the two.
    """
    kind = contexts.signals[study.views[spec.text].signal].kind
    if kind != "text":
        raise InfomaxError(
            wanted=f"evaluate.zero_shot.text: a view of a text, '{spec.text}'",
            got=f"one of a {kind}",
            fix="name the view that reads the words",
        )
    asked = recipe.evaluate.model_copy(update={"retrieval": [(spec.view, spec.text)]})
    return pairs(recipe.model_copy(update={"evaluate": asked}), study, contexts)[0]


@torch.no_grad()
def read_prompts(view: View, contexts: Contexts, prompts: list[str]) -> Float[np.ndarray, "c d"]:
    """What a text view makes of texts that are in no context."""
    width = contexts.signals[view.signal].shape[0]
    signal = torch.from_numpy(encode_texts(prompts, width)).to(device_of(view))
    values = evaluate([view], {view.signal: signal}, draw=False)
    z: np.ndarray = flat(vectors(view, values.tensors[view]).float().cpu().numpy())
    return z


def classify(recipe: Recipe, study: Study, contexts: Contexts) -> ZeroShot:
    """Name the class of every test context by the prompt that scores best; ties are shared.

    Classes are those of the label in any split; no label is used but to count the right answers.
    """
    spec = recipe.evaluate.zero_shot
    assert spec is not None
    pair = judged_pair(recipe, spec, study, contexts)
    back = pair.names[0] == spec.text  # the text is the anchor of the edge
    text, view = (pair.a, pair.b) if back else (pair.b, pair.a)
    rows, there = contexts.rows("test"), contexts.labelled(spec.label)
    used = np.concatenate([contexts.rows(split) for split in ("train", "validation", "test")])
    values = contexts.labels[spec.label].astype(str)
    names, y = np.unique(values[used[there[used]]]), values[rows]
    prompts = {name: spec.prompts.get(name, name) for name in names.tolist()}
    z = flat(embed(view, contexts, "test"))
    kept = np.isfinite(z).all(1) & there[rows]
    z, truth = z[kept], np.searchsorted(names, y[kept])
    words = read_prompts(text, contexts, list(prompts.values()))
    scores = _scores(pair, z, words, contexts, back=back)
    right = chances(scores)[np.arange(len(z)), truth]
    majority = np.bincount(truth, minlength=len(names)).max() / len(truth)
    return ZeroShot(
        view=spec.view,
        text=spec.text,
        label=spec.label,
        accuracy=float(right.mean()),
        stderr=float(right.std() / np.sqrt(len(right))),
        balanced=balanced(right, truth),
        majority=float(majority),
        chance=1 / len(names),
        contexts=len(truth),
        prompts=prompts,
    )


def _scores(
    pair: Pair, z: np.ndarray, words: np.ndarray, contexts: Contexts, *, back: bool
) -> Float[np.ndarray, "n c"]:
    """Scores of contexts for prompts, whichever of the two the edge has as its anchor."""
    queries, candidates = np.arange(len(z)), np.arange(len(words))
    if not back:
        return score(pair, z, words, words)(queries, candidates)
    seen = flat(embed(pair.b, contexts, "train"))
    seen = seen[np.isfinite(seen).all(1)][:SEEN]
    return score(pair, words, z, seen, back=True)(queries, candidates)
