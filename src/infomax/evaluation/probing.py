"""Every judged view for every label: what was learned beside raw, untrained, PCA and CCA."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import final

import numpy as np

from infomax._errors import InfomaxError
from infomax.building import Study
from infomax.data import SPLITS, Contexts
from infomax.evaluation.baselines import CCA, choose_cca, projected
from infomax.evaluation.embedding import embed, flat
from infomax.evaluation.fixed import before, described, fixed, reduced
from infomax.evaluation.probes import majority, probe, unbalanced
from infomax.evaluation.searching import Pair, given, shape, some, still
from infomax.recipe import Recipe
from infomax.records import Probe
from infomax.views import View

FEW = 10
Splits = dict[str, np.ndarray]


@final
class Unlearned:
    """Fixed features of views, and the linear correlation of pairs: computed once, when asked."""

    def __init__(self, contexts: Contexts, pairs: list[Pair]) -> None:
        self.contexts = contexts
        self.pairs = pairs
        self._some = some(contexts)
        self._fixed: dict[object, Splits] = {}
        self._cca: dict[object, CCA | None] = {}

    def features(self, view: View) -> Splits:
        """Fixed features of what the view's encoder is given, by split."""
        key = given(view)
        if key not in self._fixed:
            self._fixed[key] = fixed(view, self.contexts, SPLITS)
        return self._fixed[key]

    def width(self, view: View) -> int:
        """How many numbers the view's encoder is given."""
        return int(np.prod(shape(before(view), self._some)[1:]))

    def positions(self, view: View) -> bool:
        """Whether the view has more than one vector a context."""
        return len(shape(view, self._some)) > 2

    def correlated(self, pair: Pair) -> tuple[Splits, Splits] | None:
        """Both ends of a pair in the space of their linear CCA; None if too few have both."""
        x, y = self.features(pair.a), self.features(pair.b)
        key = given(pair.a), given(pair.b)
        if key not in self._cca:
            try:
                self._cca[key] = choose_cca(x, y)
            except InfomaxError:
                self._cca[key] = None
        cca = self._cca[key]
        if cca is None:
            return None
        a, b = projected(cca, x, y)
        return a, b

    def partnered(self, view: View) -> Splits | None:
        """The view's fixed features as seen by linear CCA with its first partner in a pair."""
        input_ = given(still(view, self._some))
        for pair in self.pairs:
            for end, side in ((pair.a, 0), (pair.b, 1)):
                if given(end) == input_:
                    found = self.correlated(pair)
                    return None if found is None else found[side]
        return None


def labels_of(recipe: Recipe, contexts: Contexts) -> tuple[str, ...]:
    """The labels to judge by: the recipe's, or the data's first, or none.

    Raises:
        InfomaxError: the recipe names a label that the data do not have.
    """
    asked = recipe.evaluate.label
    if asked is None:
        return tuple(contexts.labels)[:1]
    listed = (asked,) if isinstance(asked, str) else tuple(dict.fromkeys(asked))
    for name in listed:
        has_label(contexts, name, "evaluate.label")
    return listed


def has_label(contexts: Contexts, name: str, where: str) -> None:
    """Refuse a label that the data do not have."""
    if name not in contexts.labels:
        raise InfomaxError(
            wanted=f"{where}: a label of the data (" + ", ".join(contexts.labels) + ")",
            got=repr(name),
            fix="correct the name, or list it in data.label: [..., ...]",
        )


def classes(contexts: Contexts, label: str) -> dict[str, np.ndarray]:
    """Each context's class as a number, by split; -1 where it has none."""
    numbers = contexts.classes(label)
    return {split: numbers[contexts.rows(split)] for split in SPLITS}


def sides_of(
    name: str, study: Study, untrained: Study, contexts: Contexts, unlearned: Unlearned
) -> dict[str, Splits]:
    """A view as learned and as its baselines, one vector a context (the mean over positions)."""
    view, twin = study.views[name], untrained.views[name]
    learned = {split: flat(embed(view, contexts, split)) for split in SPLITS}
    sides = {
        "raw": unlearned.features(view),
        "untrained": {split: flat(embed(twin, contexts, split)) for split in SPLITS},
        "learned": learned,
    }
    width, dim = sides["raw"]["train"].shape[1], learned["train"].shape[1]
    if dim < width:
        units = contexts.signals[view.signal].kind in ("vector", "series")
        sides["pca"] = reduced(sides["raw"], dim, units=units)
    linear = unlearned.partnered(view)
    if linear is not None:
        sides["cca"] = linear
    return sides


def probes(
    name: str,
    label: str,
    sides: Mapping[str, Splits],
    unlearned: Unlearned,
    view: View,
    watch: Callable[[str], None],
) -> Iterator[Probe]:
    """Probe one view for one label: linear and nearest neighbours, all labels and few.

    Contexts that lack the view or the label are left out, and test contexts of a class that no
    training context has are counted as wrong; a note says so.
    """
    contexts = unlearned.contexts
    kinds = classes(contexts, label)
    there = {s: np.isfinite(sides["learned"][s]).all(1) & (kinds[s] >= 0) for s in SPLITS}
    kept = {split: kinds[split][there[split]] for split in SPLITS}
    notes = list(_notes(kinds, kept, contexts, label))
    raw = described(contexts.signals[view.signal].kind, unlearned.width(view))
    notes += [f"{name}, {note}" for note in raw]
    if unlearned.positions(view):
        notes.append(f"{name} has positions: their mean is probed")
    if min(len(kept["train"]), len(kept["test"])) < 2 or len(np.unique(kept["train"])) < 2:
        raise InfomaxError(
            wanted=f"two classes of {label!r} among training contexts that have '{name}'",
            got=f"{len(np.unique(kept['train']))} classes, {len(kept['train'])} training and "
            f"{len(kept['test'])} test contexts",
            fix="judge by another label, or another view",
        )
    features = {n: {s: np.nan_to_num(z[s][there[s]]) for s in SPLITS} for n, z in sides.items()}
    metrics = ["accuracy", "knn_accuracy"]
    if unbalanced(kept["train"]):
        metrics.insert(1, "balanced_accuracy")
    for metric in metrics:
        for used in ("all", FEW):
            watch(f"probing {name} for {label}: {metric}, labels: {used}")
            scores = {n: probe(z, kept, metric, used) for n, z in features.items()}
            yield Probe(
                view=name,
                label=label,
                metric=metric,
                labels_used=used,
                stderr=scores["learned"][1],
                majority=majority(metric, kept["train"], kept["test"]),
                contexts=len(kept["test"]),
                notes=notes,
                **{n: accuracy for n, (accuracy, _) in scores.items()},
            )


def _notes(
    kinds: Mapping[str, np.ndarray],
    kept: Mapping[str, np.ndarray],
    contexts: Contexts,
    label: str,
) -> Iterator[str]:
    nameless = sum(int((kinds[split] < 0).sum()) for split in SPLITS)
    if nameless:
        yield f"{nameless} contexts have no {label} and are left out"
    names = np.unique(contexts.labels[label].astype(str))
    for here, other, so in (
        ("test", "train", "all their test contexts count as wrong"),
        ("train", "test", "nothing is said about these"),
    ):
        absent = np.setdiff1d(kept[here], kept[other])
        if len(absent):
            shown = ", ".join(names[absent][:5]) + (", ..." if len(absent) > 5 else "")
            yield f"no {other} context has {label} {shown}: {so}"
