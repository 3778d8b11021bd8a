"""How a batch is cut: into shares of processes, and those into chunks."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.parameter import is_lazy

from infomax import distributed
from infomax._errors import InfomaxError
from infomax.data import Contexts
from infomax.recipe import TrainSpec

EPOCHS, STEPS = 20, 400
"""At least so many of both where `train.epochs` says nothing: 20 epochs of few contexts are few."""
HELD = 1024
"""Contexts of a process whose graph is held at once; more are encoded twice (gradient caching)."""
ON_CPU, ON_GPU, LARGEST = 128, 1024, 512
"""Contexts in a chunk unless `train.chunk` says: as fast as whole batches, and random draws do not
depend on the number of processes that chunks divide evenly among. On a processor up to `LARGEST`
where encoders are large."""
PARAMETERS = 16_384
"""Parameters for a context in a chunk: each chunk adds to the gradients of all of them."""


@dataclass(frozen=True)
class Plan:
    """The cut of every training batch.

    Attributes:
        shares: what part of a batch each process encodes.
        chunk: contexts encoded at a time, and the unit of random draws.
        cached: encode without a graph first, and again, chunk by chunk, for the gradient.
        rank: which share is this process's.
    """

    shares: tuple[slice, ...]
    chunk: int
    cached: bool
    rank: int = 0

    @property
    def share(self) -> slice:
        """The part of a batch that this process encodes."""
        return self.shares[self.rank]

    @property
    def counts(self) -> list[int]:
        """Contexts of each process."""
        return [share.stop - share.start for share in self.shares]

    def chunks(self) -> Iterator[slice]:
        """The chunks of this process's share, counted from its start."""
        size = self.counts[self.rank]
        return (slice(at, min(at + self.chunk, size)) for at in range(0, size, self.chunk))


def plan(model: nn.Module, train: TrainSpec, device: torch.device) -> Plan:
    """Decide how batches are cut, or refuse what would not be the same model.

    Raises:
        InfomaxError: more processes than contexts in a batch; batch normalization in a batch that
            is cut.
    """
    processes, rank = distributed.world(), distributed.rank()
    if processes > train.batch:
        raise InfomaxError(
            wanted=f"at most {train.batch} processes, one for each context of a batch",
            got=f"{processes}",
            fix="start fewer, or set train.batch higher",
        )
    auto = ON_CPU if device.type == "cpu" else ON_GPU
    parameters = sum(
        parameter.numel()
        for name, parameter in model.named_parameters()
        if name.startswith("encoders.") and parameter.requires_grad and not is_lazy(parameter)
    )
    while auto < LARGEST and auto * PARAMETERS < parameters:
        auto *= 2
    normalized = _batch_norms(model)
    whole = processes == 1 and train.batch <= HELD and bool(normalized)
    chunk = train.chunk or (train.batch if whole else auto)
    shares = tuple(distributed.shares(train.batch, chunk, processes))
    share = max(part.stop - part.start for part in shares)
    if normalized and (processes > 1 or chunk < share):
        raise InfomaxError(
            wanted="encoders whose output for one context does not depend on the others "
            "(a batch is encoded in parts)",
            got=f"batch normalization in {normalized[0]}, with {processes} process(es) and chunks "
            f"of {chunk} in a batch of {train.batch}",
            fix="use group normalization (torch.nn.GroupNorm) in its place"
            + (f", or set train.chunk: {train.batch}" if processes == 1 else ", or one process"),
        )
    return Plan(shares, chunk, share > (train.chunk or HELD), rank)


def suited(train: TrainSpec, contexts: Contexts) -> TrainSpec:
    """The schedule for these data: no step is of more contexts than there are; how many epochs.

    Example:
        >>> from infomax.data import load
        >>> chosen = suited(TrainSpec(batch=4096), load("digits"))
        >>> chosen.batch, chosen.epochs, suited(TrainSpec(epochs=5), load("digits")).epochs
        (1258, 400, 5)
    """
    batch = min(train.batch, contexts.count("train"))
    epochs = train.epochs
    if epochs is None:
        epochs = max(EPOCHS, -(-STEPS // max(1, contexts.count("train") // batch)))
    return train.model_copy(update={"batch": batch, "epochs": epochs})


def _batch_norms(model: nn.Module) -> list[str]:
    """Modules that take their statistics from the batch."""
    return [
        name
        for name, module in model.named_modules()
        if isinstance(module, _BatchNorm) and module.training
    ]


def seed_of(seed: int, step: int, place: int = -1) -> int:
    """The seed of everything random in one step, at one place of the batch (-1: in the critics).

    Example:
        >>> len({seed_of(0, 5), seed_of(1, 5), seed_of(1, 6), seed_of(1, 6, 128)})
        4
    """
    mixed = hashlib.blake2b(f"{seed} {step} {place}".encode(), digest_size=4)
    return int.from_bytes(mixed.digest(), "little")
