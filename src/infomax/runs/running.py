"""Train, evaluate and embed: from a recipe to a run folder, and from a run folder to numbers."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import torch

from infomax import building, checkpoint, data, engine, evaluation, recipe, report, views
from infomax._errors import InfomaxError
from infomax.building import Study
from infomax.checkpoint import State
from infomax.data import Contexts
from infomax.objective import Model
from infomax.recipe import Recipe
from infomax.records import Results, write_json_atomic
from infomax.runs.folder import environment, note_if_unfinished, of, same_recipe
from infomax.views import View

Say = Callable[[str], None]


def _quiet(words: str) -> None: ...


def train(
    chosen: Recipe,
    out: Path,
    *,
    resume: bool = False,
    watch: engine.Watch = lambda done, total, words: None,
    say: Say = _quiet,
) -> Results:
    """Train a recipe, evaluate it on held-out contexts, and write the run folder.

    Args:
        chosen: the recipe, from `recipe.read`.
        out: the run folder; it must not hold a run, unless ``resume``.
        resume: go on from the folder's last saved state.
        watch: told of every training step.
        say: told what is being done otherwise.

    Raises:
        InfomaxError: bad input of any kind; nothing is written then.
        engine.Interrupted: after Ctrl-C; the state is saved.
    """
    started = time.perf_counter()
    saved = out / "recipe.yaml"
    if resume:
        same_recipe(chosen, saved)
    elif saved.exists():
        raise InfomaxError(
            wanted="a run folder that is not in use",
            got=f"{out}, which holds a run",
            fix="choose another --out, add --resume to go on with it, or remove the folder",
        )
    say("loading data")
    contexts = data.load(chosen.data)
    study = building.build(chosen)
    _signals(study.views, contexts)
    engine.check(contexts, chosen.train)
    model = Model(study.objective, dict(study.encoders))
    engine.set_up(model, study, contexts, chosen.train)
    evaluation.check(chosen, study, contexts)
    if resume:
        engine.resumable(out, contexts)
    try:
        out.mkdir(parents=True, exist_ok=True)
        if not resume:
            recipe.write(chosen, saved)
    except OSError as error:
        raise InfomaxError(
            wanted=f"to write into {out}",
            got=str(error),
            fix="choose another --out, or mend the folder's permissions",
        ) from None
    with note_if_unfinished(out, chosen):
        trained = engine.fit(model, contexts, chosen.train, out, resume=resume, watch=watch)
        tensors = {f"model.{k}": v for k, v in trained.model.state_dict().items()}
        facts = {"step": trained.step, "best": trained.best, "data": contexts.fingerprint}
        checkpoint.save(out / "model.safetensors", State(tensors, facts))
        return _evaluate(chosen, trained.model, study, contexts, out, started, say)


def evaluate(run: Path, source: str | None = None, *, say: Say = _quiet) -> Results:
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
    model, study = load(run, contexts, chosen, own=source is None)
    return _evaluate(chosen, model, study, contexts, None if source else run, started, say)


def embed(run: Path, source: str, view: str) -> tuple[np.ndarray, Contexts]:
    """One view of every context of some data, in the order of the source.

    Only the signal of that view is read: the data need no label and no other signal.

    Returns:
        The array, ``[n, d]`` (``[n, positions, d]`` for a feature map), and the contexts, whose
        split ``all`` names the rows.
    """
    chosen = of(run)
    state = checkpoint.load(run / "model.safetensors")
    study = building.build(chosen)
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
    with torch.no_grad():  # sizes every layer
        views.evaluate([node], contexts.take("all", [0]).signals)
    for name, module in study.encoders.items():
        if any(module is used for _, used in node.encoders):
            checkpoint.unpack_part(state.tensors, f"encoders.{name}.", module)
    return evaluation.embed(node, contexts, "all"), contexts


def load(run: Path, contexts: Contexts, chosen: Recipe, *, own: bool) -> tuple[Model, Study]:
    """The trained model of a run, ready for these contexts, and its views by name.

    ``own``: the contexts are the run's own; they must then be split as they were in training.
    """
    state = checkpoint.load(run / "model.safetensors")
    if own:
        checkpoint.same_data(state, contexts.fingerprint, contexts.name)
    study = building.build(chosen)
    _signals(study.views, contexts)
    model = Model(study.objective, dict(study.encoders))
    engine.set_up(model, study, contexts, chosen.train)
    checkpoint.unpack(state.tensors, model)
    return model.eval(), study


def _evaluate(
    chosen: Recipe,
    model: Model,
    study: Study,
    contexts: Contexts,
    out: Path | None,
    started: float,
    say: Say,
) -> Results:
    untrained = building.build(chosen)
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
        np.savez_compressed(out / "map.npz", **found.map)  # type: ignore[arg-type]
        if found.neighbours:
            write_json_atomic(out / "neighbours.json", found.neighbours)
        write_json_atomic(out / "results.json", results.to_json())
        say("writing the report")
        report.write(out)
    return results


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
