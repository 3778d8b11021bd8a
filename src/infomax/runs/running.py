"""Train, evaluate and embed: from a recipe to a run folder, and from a run folder to numbers."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import torch

from infomax import (
    building,
    checkpoint,
    data,
    distributed,
    engine,
    evaluation,
    presence,
    recipe,
    report,
    views,
)
from infomax._errors import InfomaxError
from infomax.building import Study
from infomax.checkpoint import State
from infomax.data import Contexts
from infomax.objective import Model
from infomax.recipe import Recipe
from infomax.records import Results, write_json_atomic, writing
from infomax.runs.folder import environment, note_if_unfinished, of, same_recipe
from infomax.views import View

Say = Callable[[str], None]


def _quiet(words: str) -> None: ...


def train(
    chosen: Recipe,
    out: Path,
    *,
    resume: bool = False,
    allow_code: bool = False,
    watch: engine.Watch = lambda done, total, words: None,
    say: Say = _quiet,
    note: Say = _quiet,
    clock: engine.Clock | None = None,
) -> Results | None:
    """Train a recipe, evaluate it on held-out contexts, and write the run folder.

    Args:
        chosen: the recipe, from `recipe.read`.
        out: the run folder; it must not hold a run, unless ``resume``.
        resume: go on from the folder's last saved state.
        allow_code: import encoders of the user's own that the recipe names.
        watch: told of every training step.
        say: told what is being done otherwise.
        note: told what a person should know: which views some contexts are too short for, a
            damaged state, a step left out.
        clock: told where the time of training goes.

    Returns:
        What was found; None in all processes but the first, which alone evaluates and writes.

    Raises:
        InfomaxError: bad input of any kind, the folder in use; nothing is written then.
        engine.Interrupted: after Ctrl-C; the state is saved.
    """
    started = time.perf_counter()
    writes = distributed.rank() == 0
    with ExitStack() as stack:
        if writes and out.is_dir():
            stack.enter_context(checkpoint.held(out))
        if writes:
            _free(chosen, out, resume)
        say("loading data")
        contexts = data.load(chosen.data)
        study = building.build(chosen, allow_code=allow_code)
        _signals(study.views, contexts)
        engine.check(contexts, chosen.train)
        for words in _too_short(study, contexts, chosen.evaluate.views):
            note(words)
        model = Model(study.objective, dict(study.encoders))
        state = engine.resumable(out, contexts, note) if writes and resume else None
        engine.set_up(model, study, contexts, chosen.train, state)
        evaluation.check(chosen, study, contexts)
        if writes:
            if not out.is_dir():
                with writing(out):
                    out.mkdir(parents=True, exist_ok=True)
                stack.enter_context(checkpoint.held(out))
                _free(chosen, out, resume)
            with writing(out):
                recipe.write(chosen, out / "recipe.yaml")
            stack.enter_context(note_if_unfinished(out, chosen))
        trained = engine.fit(
            model, contexts, chosen.train, out, resume=resume, watch=watch, say=note, clock=clock
        )
        if not writes:
            return None
        facts = {"step": trained.step, "best": trained.best, "data": contexts.fingerprint}
        checkpoint.save(out / "model.safetensors", State(engine.best(out), facts))
        model = trained.model
        if chosen.train.shard:  # perhaps in parts, of which this process has one
            model, study = load(out, contexts, chosen, own=True, allow_code=allow_code)
        untrained = building.build(chosen, allow_code=allow_code)
        return _evaluate(chosen, model, study, untrained, contexts, out, started, say)


def _free(chosen: Recipe, out: Path, resume: bool) -> None:
    """Refuse a folder that holds another run, or, to resume, none."""
    saved = out / "recipe.yaml"
    if resume:
        same_recipe(chosen, saved)
    elif saved.exists():
        raise InfomaxError(
            wanted="a run folder that is not in use",
            got=f"{out}, which holds a run",
            fix="choose another --out, add --resume to go on with it, or remove the folder",
        )


def evaluate(
    run: Path, source: str | None = None, *, allow_code: bool = False, say: Say = _quiet
) -> Results:
    """Evaluate a run again, on its own data or on other data.

    Results on its own data replace ``results.json``; on other data they are only returned, and
    it is for the caller to know that training did not see them.

    Raises:
        InfomaxError: no run, a damaged one, or its own data or split changed since training.
    """
    started = time.perf_counter()
    chosen = of(run)
    if source is not None:
        chosen = chosen.model_copy(update={"data": data.override(chosen.data, source)})
    say("loading data")
    contexts = data.load(chosen.data)
    model, study = load(run, contexts, chosen, own=source is None, allow_code=allow_code)
    untrained = building.build(chosen, allow_code=allow_code)
    if source is not None:
        return _evaluate(chosen, model, study, untrained, contexts, None, started, say)
    with checkpoint.held(run):
        return _evaluate(chosen, model, study, untrained, contexts, run, started, say)


def embed(
    run: Path, source: str, view: str, *, allow_code: bool = False
) -> tuple[np.ndarray, Contexts]:
    """One view of every context of some data, in the order of the source.

    Only the signal of that view is read: the data need no label and no other signal. Row i is that
    of context i: NaN where it lacks the signal, cannot be read, or is too short for a window.

    Returns:
        The array, ``[n, d]`` (``[n, positions, d]`` for a feature map), and the contexts, whose
        split ``all`` names the rows.
    """
    chosen = of(run)
    state = checkpoint.load(run / "model.safetensors")
    study = building.build(chosen, allow_code=allow_code)
    if view not in study.views:
        raise InfomaxError(
            wanted="--view: a view of the run (" + ", ".join(study.views) + ")",
            got=repr(view),
            fix="name one of these",
        )
    node = study.views[view]
    spec = data.override(chosen.data, source)
    signals = {name: s for name, s in spec.signals.items() if name == node.signal}
    alone = {"signals": signals, "label": None, "group": None, "split": None}
    contexts = data.load(spec.model_copy(update=alone), whole=True)
    _signals({view: node}, contexts)
    for name, module in study.encoders.items():
        if any(module is used for _, used in node.encoders):
            checkpoint.unpack_part(state.tensors, f"encoders.{name}.", module)
    with torch.no_grad(), engine.as_recipe_errors():
        views.evaluate([node], contexts.take("all", [0]).signals)
    return evaluation.embed(node, contexts, "all"), contexts


def load(
    run: Path, contexts: Contexts, chosen: Recipe, *, own: bool, allow_code: bool = False
) -> tuple[Model, Study]:
    """The trained model of a run, ready for these contexts, and its views by name.

    ``own``: the contexts are the run's own; they must then be split as they were in training.
    """
    state = checkpoint.load(run / "model.safetensors")
    if own:
        checkpoint.same_data(state, contexts.fingerprint, contexts.name)
    study = building.build(chosen, allow_code=allow_code)
    _signals(study.views, contexts)
    model = Model(study.objective, dict(study.encoders))
    engine.set_up(model, study, contexts, chosen.train, state)
    return model.eval(), study


def _evaluate(
    chosen: Recipe,
    model: Model,
    study: Study,
    untrained: Study,
    contexts: Contexts,
    out: Path | None,
    started: float,
    say: Say,
) -> Results:
    engine.set_up(
        Model(untrained.objective, dict(untrained.encoders)), untrained, contexts, chosen.train
    )
    found = evaluation.evaluate(chosen, model, study, untrained, contexts, watch=say)
    verdicts = [term.verdict for term in found.terms if term.verdict != "ok"]
    results = Results(
        status="finished",
        verdict=verdicts[0] if verdicts else "ok",
        recipe=chosen.name,
        paper=chosen.paper,
        terms=found.terms,
        probes=found.probes,
        retrieval=found.retrieval,
        zero_shot=found.zero_shot,
        map=found.shared,
        representation=found.representation,
        profile=found.profile,
        data=_facts(contexts),
        environment=environment(chosen.train.seed),
        seconds=round(time.perf_counter() - started, 2),
    )
    if out is not None:
        with writing(out):
            np.savez_compressed(out / "map.npz", **found.map)  # type: ignore[arg-type]
            if found.neighbours:
                write_json_atomic(out / "neighbours.json", found.neighbours)
            write_json_atomic(out / "views.json", found.specimens)
            write_json_atomic(out / "results.json", results.to_json())
            say("writing the report")
            report.write(out)
    return results


def _too_short(study: Study, contexts: Contexts, judged: Iterable[str]) -> list[str]:
    found = presence.census(study.views.values(), contexts)
    presence.check(study.objective, found, *(study.views[name] for name in judged))
    return found.short()


def _signals(named: Mapping[str, View], contexts: Contexts) -> None:
    for name, view in named.items():
        if view.signal not in contexts.signals:
            raise InfomaxError(
                wanted=f"the signal '{view.signal}' of the view '{name}'",
                got=f"{contexts.name} with the signals " + ", ".join(contexts.signals),
                fix="name one of these in the recipe's views, or set data.signals",
            )


def _facts(contexts: Contexts) -> dict[str, object]:
    return {
        "name": contexts.name,
        "fingerprint": contexts.fingerprint,
        "contexts": {split: contexts.count(split) for split in data.SPLITS},
        "skipped": list(contexts.skipped),
    }
