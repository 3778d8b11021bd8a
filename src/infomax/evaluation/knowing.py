"""The whole profile of a run: what its views know, which shortcuts its edges offer, and the words.

The views are the judged ones and one for every other encoder.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from infomax.data import SPLITS, Contexts
from infomax.evaluation.finding import finding
from infomax.evaluation.profile import hold, sample, views_to_profile
from infomax.evaluation.shortcuts import shortcuts
from infomax.knowledge import Profile
from infomax.objective import Objective
from infomax.recipe import Recipe
from infomax.records import Term
from infomax.views import View


def profile(
    recipe: Recipe,
    objective: Objective,
    views: Mapping[str, View],
    untrained: Mapping[str, View],
    contexts: Contexts,
    terms: Sequence[Term],
    watch: Callable[[str], None] = lambda words: None,
) -> Profile:
    """Profile the views of a trained run.

    Args:
        recipe: which view is judged, and the size of a batch.
        objective: its edges.
        views: of the trained study, by name.
        untrained: of the same study before training, by name.
        contexts: the data, split as for training.
        terms: the held-out values of the edges.
        watch: told what is being done.
    """
    judged = {recipe.evaluate.view: views[recipe.evaluate.view]}
    chosen = views_to_profile(judged, views, objective)
    chosen = {name: view for name, view in chosen.items() if name in untrained}
    held = hold(chosen, untrained, contexts, watch)
    found = shortcuts(objective, terms, contexts, recipe.train.batch, watch)
    signal = views[recipe.evaluate.view].signal
    return Profile(
        finding=finding(held, found),
        contexts={split: len(sample(signal, contexts, split)) for split in SPLITS},
        held=held,
        shortcuts=found,
    )
