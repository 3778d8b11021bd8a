"""Training, read from top to bottom: begin or resume, then epochs of steps, valued and saved."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from accelerate import PartialState

from infomax import checkpoint, distributed
from infomax._errors import NotFinite
from infomax.checkpoint import State
from infomax.data import Batch, Contexts
from infomax.engine import sharding
from infomax.engine.clock import Clock
from infomax.engine.plan import Plan, plan, suited
from infomax.engine.precision import mixed
from infomax.engine.saving import BEST, Say, Standing, resumable, save, save_best
from infomax.engine.step import Draw, gradient
from infomax.engine.stopping import IN_A_ROW, not_finite, stoppable, stopped_at, suspects
from infomax.engine.trackers import Trackers
from infomax.heldout import MOST, Moment, in_words, metric_of, validate
from infomax.objective import Model
from infomax.objective.ends import apart, first
from infomax.recipe import TrainSpec
from infomax.records import Metric, append_metric, keep_metrics, write_json_atomic, writing
from infomax.views import Values

Watch = Callable[[int, int, str], None]
"""Told after every step: steps done, steps in all, and the held-out nats in words."""

CLIP = 10.0
SAVED_EVERY = 600.0
"""Seconds after which a state is saved in the middle of an epoch."""


@dataclass(frozen=True)
class Trained:
    """A trained model, at its best validation value.

    Kept in parts (`train.shard`), it is where training ended; the best is on disk (`saving.BEST`).
    """

    model: Model
    step: int
    best: float


@distributed.reachable()
def fit(
    model: Model,
    contexts: Contexts,
    train: TrainSpec,
    out: Path,
    *,
    resume: bool = False,
    watch: Watch = lambda done, total, words: None,
    say: Say = lambda words: None,
    clock: Clock | None = None,
) -> Trained:
    """Maximize the objective over encoders and critics; keep the best state by validation.

    In several processes every one of them calls this; the first writes.

    Args:
        model: the objective's encoders and critics, after `set_up`.
        contexts: the data, already split.
        train: how long, in what steps, from which seed.
        out: the run folder; ``checkpoints/`` and ``metrics.jsonl`` are written there.
        resume: go on from the last saved state of the run folder.
        watch: told of every step.
        say: told of what a person should know (a damaged state, a step left out).
        clock: told where the time goes.

    Raises:
        InfomaxError: gradients that stay NaN or infinite, no state to resume from, a process lost.
        Interrupted: after Ctrl-C or SIGTERM; the state is saved.
    """
    clock = clock or Clock()
    device, writes = PartialState().device, distributed.rank() == 0
    asked, train = train.batch, suited(train, contexts)
    if train.batch < asked:
        say(f"train.batch: {train.batch}, which is every training context, and not {asked}")
    model.to(device).train()
    clock.watch(model.encoders)
    cut = plan(model, train, device)
    in_parts = train.shard and sharding.shard(model, cut, device)
    parameters = list(model.parameters())
    groups = [{"params": run} for run in sharding.alike(parameters)]
    optimizer = torch.optim.AdamW(groups, lr=train.lr, weight_decay=train.weight_decay, fused=True)
    now = Standing()
    _begin(model, optimizer, now, contexts, out, resume=resume, say=say)
    steps_an_epoch = contexts.count("train") // train.batch
    epochs = train.epochs or 0
    total = steps_an_epoch * epochs
    lacking = [
        n for n, c in contexts.signals.items() if not c.present[contexts.rows("train")].all()
    ]
    trackers = Trackers(train.track if writes else (), out, train.model_dump(exclude={"track"}))

    def keep(*, best: bool = False) -> None:
        packed = sharding.whole(checkpoint.pack(model, optimizer))
        if writes and best:
            save_best(out, packed, now.facts(contexts))
        if writes:
            save(out, State(packed, now.facts(contexts)))

    def due() -> bool:
        late = time.perf_counter() - saved > SAVED_EVERY
        return distributed.any_of(late) if in_parts else late

    def note(metric: Metric) -> None:
        if writes:
            with writing(out):
                append_metric(out / "metrics.jsonl", metric)
            trackers.log(metric)

    if now.step == 0:
        keep()
    started = saved = time.perf_counter()
    words, ends = "", None
    with stoppable() as stop:
        for epoch in range(now.step // max(1, steps_an_epoch), epochs):
            model.train()
            begun = now.step - epoch * steps_an_epoch
            batches = contexts.batches(
                "train", train.batch, seed=train.seed, epoch=epoch, drop_last=True,
                part=cut.share, skip=begun,
            )  # fmt: skip
            for _ in range(begun, steps_an_epoch):
                with clock("data"):
                    batch = next(batches).to(device)
                optimizer.zero_grad()
                try:
                    ends = _forward_backward(model, batch, lacking, cut, train, now.step, clock)
                except NotFinite:
                    ends = None
                with clock("optimizer"):
                    stopping = distributed.add_up(parameters, stop())
                    norm = sharding.clip(parameters, CLIP)
                    if ends is not None and bool(torch.isfinite(norm)):
                        for group in optimizer.param_groups:
                            group["lr"] = train.lr * schedule(now.step, total, train.warmup)
                        optimizer.step()
                        now.in_a_row = 0
                    else:
                        _skip(now, model, batch, cut, train, out, keep, say)
                now.step += 1
                clock.steps += 1
                watch(now.step, total, words)
                if now.step % steps_an_epoch and stopping:
                    keep()
                    raise stopped_at(now.step)
                if now.step % steps_an_epoch and due():
                    keep()
                    saved = time.perf_counter()
            with clock("between epochs"):
                moment = Moment(now.step, epoch + 1, time.perf_counter() - started)
                if ends is not None:
                    seen = first(ends, model.objective.views, MOST)
                    with torch.no_grad():
                        note(metric_of(model, [model.measure(seen)], "train", moment))
                metric = validate(model, contexts, train.batch, moment)
                note(metric)
                words = in_words(metric)
                better = metric.objective > now.best
                now.best = max(now.best, metric.objective)
                keep(best=better)
                saved = time.perf_counter()
            if distributed.any_of(stop()):
                raise stopped_at(now.step)
    trackers.close()
    if writes and not in_parts and (out / BEST).exists():
        checkpoint.unpack(checkpoint.load(out / BEST).tensors, model)
    return Trained(model.eval(), now.step, now.best)


def _begin(
    model: Model,
    optimizer: torch.optim.Optimizer,
    now: Standing,
    contexts: Contexts,
    out: Path,
    *,
    resume: bool,
    say: Say,
) -> None:
    """Put model, optimizer and counters where the run stands, the same in every process."""
    tensors, facts = sharding.whole(checkpoint.pack(model, optimizer)), None
    state = None
    if distributed.rank() == 0:
        with writing(out):
            out.mkdir(parents=True, exist_ok=True)
            state = resumable(out, contexts, say) if resume else None
            if resume:
                keep_metrics(out / "metrics.jsonl", int(state.facts["step"]) if state else 0)
        tensors, facts = (dict(state.tensors), state.facts) if state else (tensors, None)
    tensors, facts = distributed.from_first(tensors, facts)
    if state is not None or distributed.world() > 1:
        checkpoint.unpack(tensors, model, optimizer)
    if facts is not None:
        now.take(facts)


def _forward_backward(
    model: Model,
    batch: Batch,
    lacking: Sequence[str],
    cut: Plan,
    train: TrainSpec,
    step: int,
    clock: Clock,
) -> Values:
    _, ends = gradient(
        model,
        batch.signals,
        {name: batch.present[name] for name in lacking},
        cut,
        Draw(train.seed, step),
        mixed=mixed(train.precision, batch.index.device),
        clock=clock,
    )
    return ends


def _skip(
    now: Standing,
    model: Model,
    batch: Batch,
    cut: Plan,
    train: TrainSpec,
    out: Path,
    keep: Callable[[], None],
    say: Say,
) -> None:
    """Count a step whose gradient is not finite; give up after too many, naming the contexts."""
    now.skipped, now.in_a_row = now.skipped + 1, now.in_a_row + 1
    say(f"step {now.step}: gradient not finite, left out ({now.skipped} so far)")
    if now.in_a_row < IN_A_ROW:
        return
    with torch.no_grad():
        Draw(train.seed, now.step).begin(cut.share.start)
        ends = apart(model.encode(batch.signals, batch.present), model.objective.views)
    mine = [suspects(ends), batch.index]
    whole, index = distributed.gather(mine, cut.counts)
    rows = index[whole if bool(whole.any()) else slice(None)].tolist()
    if distributed.rank() == 0:
        with writing(out):
            write_json_atomic(out / "not_finite.json", {"step": now.step, "rows": rows})
    keep()
    raise not_finite(now.step, rows)


def schedule(step: int, total: int, warmup: int) -> float:
    """Share of the learning rate at a step: a linear rise, then half a cosine down to zero.

    Source: Loshchilov & Hutter 2017 (arXiv:1608.03983).

    Example:
        >>> [round(schedule(step, 110, 10), 2) for step in (0, 9, 60, 109)]
        [0.1, 1.0, 0.5, 0.0]
    """
    warmup = min(warmup, total // 10)
    if step < warmup:
        return (step + 1) / warmup
    return 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(1, total - warmup)))
