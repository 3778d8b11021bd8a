"""Before the first step: refuse what cannot work, start encoders that ask, size every layer."""

from __future__ import annotations

import torch

from infomax._errors import InfomaxError
from infomax.building import Study
from infomax.data import Contexts
from infomax.engine.plan import plan, seed_of
from infomax.engine.trackers import names
from infomax.heldout import present
from infomax.objective import Model
from infomax.recipe import TrainSpec
from infomax.starting import start
from infomax.views import evaluate

FEWEST = 4
"""Contexts without which a split says nothing."""


def check(contexts: Contexts, train: TrainSpec) -> None:
    """Refuse a batch larger than the data, and splits too small to value anything on."""
    for split in ("validation", "test"):
        if contexts.count(split) < FEWEST:
            raise InfomaxError(
                wanted=f"{FEWEST} or more contexts in the {split} split of {contexts.name}",
                got=f"{contexts.count(split)}",
                fix=f"give more data, or raise data.{split} (the share held out)",
            )
    names(train.track)
    if train.batch > contexts.count("train"):
        raise InfomaxError(
            wanted=f"a batch of at most {contexts.count('train')} contexts (the training split)",
            got=f"train.batch: {train.batch}",
            fix="set train.batch lower, or give more data",
        )


def set_up(model: Model, study: Study, contexts: Contexts, train: TrainSpec) -> None:
    """Start the encoders that ask for it, and size every layer on a first batch, from the seed.

    Raises:
        InfomaxError: signals that are not finite, sizes that do not fit.
    """
    model.train()
    plan(model, train, torch.device("cpu"))
    torch.manual_seed(seed_of(train.seed, -1))
    batch = contexts.take("train", range(min(train.batch, 64, contexts.count("train"))))
    for name, value in batch.signals.items():
        if value.is_floating_point() and not torch.isfinite(value).all():
            raise InfomaxError(
                wanted=f"finite numbers in the signal '{name}'",
                got="NaN or infinite values",
                fix="clean the data, or leave those contexts out",
            )
    try:
        with torch.no_grad():
            start(study.views.values(), contexts, train.seed)
            evaluate(study.views.values(), batch.signals)
            model.loss(model(batch.signals, present(batch)))
    except (RuntimeError, ZeroDivisionError, IndexError) as error:
        raise InfomaxError(
            wanted="views, encoders and critics that fit the signals",
            got=f"{type(error).__name__}: {str(error).splitlines()[0]}",
            fix="look at the sizes in the recipe: slices, widths, stages",
        ) from None
    model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
