"""Before the first step: refuse what cannot work, start encoders that ask, size every layer."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from infomax import checkpoint
from infomax._errors import InfomaxError
from infomax.building import Study
from infomax.checkpoint import State
from infomax.data import SPLITS, Contexts
from infomax.engine.plan import plan, seed_of
from infomax.engine.trackers import names
from infomax.heldout import present
from infomax.objective import Model
from infomax.presence import FEWEST, check_steps, sample
from infomax.recipe import TrainSpec
from infomax.starting import start
from infomax.views import evaluate


def check(contexts: Contexts, train: TrainSpec) -> None:
    """Refuse splits too small to learn from or to value anything on."""
    for split in SPLITS:
        if contexts.count(split) < FEWEST:
            raise InfomaxError(
                wanted=f"{FEWEST} or more contexts in the {split} split of {contexts.name}",
                got=f"{contexts.count(split)}",
                fix="give more data"
                + ("" if split == "train" else f", or raise data.{split} (the share held out)"),
            )
    names(train.track)


def set_up(
    model: Model, study: Study, contexts: Contexts, train: TrainSpec, state: State | None = None
) -> None:
    """Start the encoders that ask for it, and size every layer on a first batch, from the seed.

    With a state, what was learned and every size come from there instead.

    Raises:
        InfomaxError: signals that are not finite, sizes that do not fit.
    """
    model.train()
    plan(model, train, torch.device("cpu"))
    torch.manual_seed(seed_of(train.seed, -1))
    batch = sample(model.objective, contexts, min(train.batch, 64))
    for name, value in batch.signals.items():
        if value.is_floating_point() and not torch.isfinite(value).all():
            raise InfomaxError(
                wanted=f"finite numbers in the signal '{name}'",
                got="NaN or infinite values",
                fix="clean the data, or leave those contexts out",
            )
    if state is not None:
        checkpoint.unpack(state.tensors, model)
    with torch.no_grad(), as_recipe_errors():
        if state is None:
            start(study.views.values(), contexts, train.seed, model.objective)
        values = evaluate(study.views.values(), batch.signals, present(batch))
        check_steps(model.objective, values, contexts)
        model.loss(model(batch.signals, present(batch)))
    model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]


@contextmanager
def as_recipe_errors() -> Iterator[None]:
    """Turn what torch says of sizes that do not fit into words about the recipe."""
    try:
        yield
    except (RuntimeError, ZeroDivisionError, IndexError) as error:
        raise InfomaxError(
            wanted="views, encoders and critics that fit the signals",
            got=f"{type(error).__name__}: {str(error).splitlines()[0]}",
            fix="look at the sizes in the recipe: slices, widths, stages",
        ) from None
