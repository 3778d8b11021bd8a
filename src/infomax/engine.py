"""Training: set up, fit, validate, save, resume; read from top to bottom.

The engine knows no paper, no data set and no bound. Everything random in a step (augmentation,
dropout, posterior samples) is drawn from a generator seeded by (seed, step), and the order of the
data by (seed, epoch), so a resumed run repeats the uninterrupted one.
"""

from __future__ import annotations

import math
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

import torch
from accelerate import Accelerator

from infomax import checkpoint
from infomax._errors import InfomaxError
from infomax.building import Study
from infomax.checkpoint import State
from infomax.data import Batch, Contexts
from infomax.distributed import gather
from infomax.heldout import Moment, in_words, metric_of, present, validate
from infomax.objective import Model
from infomax.recipe import TrainSpec
from infomax.records import append_metric, keep_metrics
from infomax.starting import start
from infomax.views import evaluate

Watch = Callable[[int, int, str], None]
"""Told after every step: steps done, steps in all, and the held-out nats in words."""

CLIP = 10.0
LAST = Path("checkpoints") / "last.safetensors"
FEWEST = 4
"""Contexts without which a split says nothing."""


class Interrupted(KeyboardInterrupt):
    """Training was asked to stop, and has saved its state."""


@dataclass(frozen=True)
class Trained:
    """A trained model, at its best validation value."""

    model: Model
    step: int
    best: float


def fit(
    model: Model,
    contexts: Contexts,
    train: TrainSpec,
    out: Path,
    *,
    resume: bool = False,
    watch: Watch = lambda done, total, words: None,
) -> Trained:
    """Maximize the objective over encoders and critics; keep the best state by validation.

    Args:
        model: the objective's encoders and critics, after `set_up`.
        contexts: the data, already split.
        train: how long, in what steps, from which seed.
        out: the run folder; ``checkpoints/`` and ``metrics.jsonl`` are written there.
        resume: go on from the last saved state of the run folder.
        watch: told of every step.

    Raises:
        InfomaxError: gradients that are not finite, no state to resume from.
        Interrupted: after Ctrl-C or SIGTERM; the state is saved.
    """
    out.mkdir(parents=True, exist_ok=True)
    accelerator = Accelerator(mixed_precision=precision(train.precision))
    steps_an_epoch = contexts.count("train") // train.batch
    total = steps_an_epoch * train.epochs
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=train.lr, weight_decay=train.weight_decay, fused=True
    )
    step, best = 0, -math.inf
    last, best_path = out / LAST, out / "checkpoints" / "best.safetensors"
    if resume:
        state = resumable(out, contexts)
        checkpoint.unpack(state.tensors, model, optimizer)
        step, best = int(state.facts["step"]), float(state.facts["best"])
        keep_metrics(out / "metrics.jsonl", step)
    prepared, optimizer = accelerator.prepare(model, optimizer)

    def save(path: Path) -> None:
        facts = {"step": step, "best": best, "data": contexts.fingerprint}
        checkpoint.save(path, State(checkpoint.pack(model, optimizer), facts))

    if not resume:
        save(last)
    started = time.perf_counter()
    words = ""
    with stoppable() as stop:
        for epoch in range(step // max(1, steps_an_epoch), train.epochs):
            batches = contexts.batches(
                "train", train.batch, seed=train.seed, epoch=epoch, drop_last=True
            )
            model.train()
            for index, batch in enumerate(batches):
                if epoch * steps_an_epoch + index < step:
                    continue
                torch.manual_seed(seed_of(train.seed, step))
                for group in optimizer.param_groups:
                    group["lr"] = train.lr * schedule(step, total, train.warmup)
                batch = batch.to(accelerator.device)
                measured = prepared(batch.signals, present(batch), gather)
                loss = model.loss(measured)
                optimizer.zero_grad()
                accelerator.backward(loss)
                norm = torch.nn.utils.clip_grad_norm_(model.parameters(), CLIP)
                if not torch.isfinite(norm):
                    raise not_finite(batch, step)
                optimizer.step()
                step += 1
                watch(step, total, words)
                if stop() and step % steps_an_epoch:
                    save(last)
                    raise stopped_at(step)
            now = Moment(step, epoch + 1, time.perf_counter() - started)
            append_metric(out / "metrics.jsonl", metric_of(model, [measured], "train", now))
            metric = validate(model, contexts, train.batch, now)
            append_metric(out / "metrics.jsonl", metric)
            words = in_words(metric)
            if metric.objective > best:
                best = metric.objective
                save(best_path)
                checkpoint.copy(best_path, last)
            else:
                save(last)
            if stop():
                raise stopped_at(step)
    if best_path.exists():
        checkpoint.unpack(checkpoint.load(best_path).tensors, model)
    return Trained(model.eval(), step, best)


def resumable(out: Path, contexts: Contexts) -> State:
    """The last saved state of a run folder, if it was trained on these contexts.

    Raises:
        InfomaxError: there is none, it is damaged, or the data or their split have changed.
    """
    state = checkpoint.load(out / LAST)
    checkpoint.same_data(state, contexts.fingerprint, contexts.name)
    return state


def stopped_at(step: int) -> Interrupted:
    """What is raised when training was asked to stop and the state is saved."""
    return Interrupted(f"state saved at step {step}; go on with --resume")


def check(contexts: Contexts, train: TrainSpec) -> None:
    """Refuse a batch larger than the data, and splits too small to value anything on."""
    for split in ("validation", "test"):
        if contexts.count(split) < FEWEST:
            raise InfomaxError(
                wanted=f"{FEWEST} or more contexts in the {split} split of {contexts.name}",
                got=f"{contexts.count(split)}",
                fix=f"give more data, or raise data.{split} (the share held out)",
            )
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


def seed_of(seed: int, step: int) -> int:
    """The seed of everything random in one step.

    Example:
        >>> seed_of(0, 5) != seed_of(1, 5) != seed_of(1, 6)
        True
    """
    return (seed * 1_000_003 + step + 1) % (2**63)


def precision(asked: str) -> str:
    """What accelerate is told: bfloat16 where the device multiplies it faster than float32."""
    if asked == "auto":
        asked = "bfloat16" if torch.cuda.is_available() else "float32"
    return {"float32": "no", "bfloat16": "bf16"}[asked]


def not_finite(batch: Batch, step: int) -> InfomaxError:
    """The error of a step whose gradient is not finite, with the contexts that did it."""
    rows = ", ".join(str(row) for row in batch.index[:8].tolist())
    return InfomaxError(
        wanted="finite gradients",
        got=f"NaN or infinity at step {step}, on the contexts in rows {rows}, ...",
        fix="lower train.lr, or look at those rows; --resume goes on from the last good state",
    )


@contextmanager
def stoppable() -> Iterator[Callable[[], bool]]:
    """Turn Ctrl-C and SIGTERM into a question the training loop asks between steps."""
    asked: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        if asked:
            raise KeyboardInterrupt
        asked.append(number)

    try:
        before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    except ValueError:  # not in the main thread: nothing to catch
        before = {}
    try:
        yield lambda: bool(asked)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
