"""The whole profile of a run: what its views know, which shortcuts its edges offer, and the words.

The views are the judged ones and one for every other encoder.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from infomax.building import Study
from infomax.data import SPLITS, Contexts
from infomax.evaluation.finding import finding
from infomax.evaluation.profile import hold, sample, views_to_profile
from infomax.evaluation.shortcuts import shortcuts
from infomax.recipe import Recipe
from infomax.records import Profile, Term


def profile(
    recipe: Recipe,
    study: Study,
    untrained: Study,
    contexts: Contexts,
    terms: Sequence[Term],
    watch: Callable[[str], None] = lambda words: None,
) -> Profile:
    """Profile the views of a trained run.

    Args:
        recipe: which view is judged, and the size of a batch.
        study: its views and edges.
        untrained: the same with encoders as they were before training.
        contexts: the data, split as for training.
        terms: the held-out values of the edges.
        watch: told what is being done.
    """
    judged = {name: study.views[name] for name in recipe.evaluate.views}
    chosen = views_to_profile(judged, study)
    held = hold(chosen, untrained.views, contexts, watch)
    found = shortcuts(study.objective, terms, contexts, recipe.train.batch, watch)
    signal = next(iter(judged.values())).signal
    return Profile(
        finding=finding(held, found),
        contexts={split: len(sample(contexts, split, signal)) for split in SPLITS},
        held=held,
        shortcuts=found,
    )
