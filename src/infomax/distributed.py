"""What crosses processes, and who writes: the gather of embeddings, the sum of gradients.

Every process encodes its share of a batch. The ends of the edges are gathered, so that each holds
all embeddings and computes the whole loss; each takes the gradient at its own share back through
its encoders; the parts are added up. That is the gradient of one process, for any bound. What
crosses the network in a step is `bytes_sent`. In one process nothing here does anything.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import pairwise
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

from infomax._errors import InfomaxError

BUCKET = 2**22
"""Numbers added up at a time (16 MB)."""


def rank() -> int:
    """Number of this process, from 0; known before the processes have met."""
    return dist.get_rank() if _met() else int(os.environ.get("RANK", "0"))


def world() -> int:
    """How many processes train together."""
    return dist.get_world_size() if _met() else int(os.environ.get("WORLD_SIZE", "1"))


@contextmanager
def reachable() -> Iterator[None]:
    """Say plainly that another process of the run is gone, whichever collective finds it.

    Those of FSDP, in the middle of a forward or backward, fail as those here do.

    Raises:
        InfomaxError: instead of the network's error.
    """
    try:
        yield
    except RuntimeError as error:
        if not (_met() and (isinstance(error, dist.DistError) or "/gloo/" in str(error))):
            raise
        raise InfomaxError(
            wanted=f"all {world()} processes of the run",
            got=f"one that ended or cannot be reached ({str(error).splitlines()[0][:120]})",
            fix="start them again with --resume: the last saved state is whole",
        ) from error


def shares(batch: int, chunk: int, processes: int) -> list[slice]:
    """The part of each batch that each process encodes: whole chunks where they divide evenly.

    Example:
        >>> shares(512, 128, 2), shares(5, 128, 2)
        ([slice(0, 256, None), slice(256, 512, None)], [slice(0, 2, None), slice(2, 5, None)])
    """
    chunks = -(-batch // chunk)
    if chunks % processes == 0:
        size = chunks // processes * chunk
        cuts = [min(batch, size * index) for index in range(processes + 1)]
    else:
        cuts = [batch * index // processes for index in range(processes + 1)]
    return [slice(*cut) for cut in pairwise(cuts)]


def bytes_sent(contexts: int, width: int, parameters: int, processes: int) -> float:
    """Bytes that each process sends in a step, with ring algorithms.

        4 · (W − 1)/W · (K·D + 2·P)

    K contexts of D numbers are gathered (D: the widths of all ends, a map's places times
    channels), the gradients of P parameters are added up, W processes, float32.

    Example:
        >>> bytes_sent(512, 256, 1_000_000, 2)
        4262144.0
    """
    return 4 * (processes - 1) / processes * (contexts * width + 2 * parameters)


def gather(tensors: Sequence[Tensor], counts: Sequence[int]) -> list[Tensor]:
    """Join tensors of all processes, contexts first, in the order of the processes.

    One collective for each type of number. No gradient crosses: take it at what comes out.

    Args:
        tensors: this process's share, ``[counts[rank], ...]`` each.
        counts: contexts that each process has.
    """
    if world() == 1:
        return list(tensors)
    found: dict[int, Tensor] = {}
    most = max(counts)
    for dtype in dict.fromkeys(tensor.dtype for tensor in tensors):
        places = [index for index, tensor in enumerate(tensors) if tensor.dtype == dtype]
        shapes = [tensors[index].shape[1:] for index in places]
        columns = [tensors[index].detach().reshape(counts[rank()], -1) for index in places]
        flat, widths = torch.cat(columns, 1), [column.shape[1] for column in columns]
        mine = flat.new_zeros(most, flat.shape[1])
        mine[: len(flat)] = flat
        mine = mine.view(torch.uint8) if dtype == torch.bool else mine
        parts = [torch.empty_like(mine) for _ in counts]
        dist.all_gather(parts, mine)
        kept = [part.view(dtype)[:count] for part, count in zip(parts, counts, strict=True)]
        whole = torch.cat(kept)
        for index, shape, part in zip(places, shapes, torch.split(whole, widths, 1), strict=True):
            found[index] = part.reshape(len(whole), *shape)
    return [found[index] for index in range(len(tensors))]


def in_parts(tensor: Tensor) -> bool:
    """Whether this process has only its part: a DTensor, whose import takes a while."""
    return hasattr(tensor, "full_tensor")


def add_up(parameters: Sequence[nn.Parameter], asked: bool) -> bool:
    """Add up the gradients of all processes, in place; return whether any of them asked to stop.

    A parameter without a gradient anywhere stays without one. Those in parts (`engine.sharding`)
    have theirs added up already.
    """
    if world() == 1:
        return asked
    parameters = [p for p in parameters if not in_parts(p)]
    flags = [float(asked), *(float(p.grad is not None) for p in parameters)]
    counted = torch.tensor(flags, device=_device())
    dist.all_reduce(counted)
    anywhere = [p for p, count in zip(parameters, counted[1:].tolist(), strict=True) if count]
    for p in anywhere:
        if p.grad is None:
            p.grad = torch.zeros_like(p)
    for bucket in _buckets(anywhere):
        flat = torch.cat([p.grad.flatten() for p in bucket])  # type: ignore[union-attr]
        dist.all_reduce(flat)
        for p, part in zip(bucket, torch.split(flat, [p.numel() for p in bucket]), strict=True):
            p.grad.copy_(part.view_as(p))  # type: ignore[union-attr]
    return bool(counted[0] > 0)


def any_of(asked: bool) -> bool:
    """Whether any process asks for it."""
    return bool(total(torch.tensor(float(asked))) > 0)


def total(value: Tensor) -> Tensor:
    """The sum of a number over all processes."""
    if world() == 1:
        return value
    value = value.to(_device())
    dist.all_reduce(value)
    return value


def from_first(tensors: Mapping[str, Tensor], facts: Any) -> tuple[dict[str, Tensor], Any]:  # noqa: ANN401 - plain data
    """What the first process has of named tensors and plain facts, in every process."""
    if world() == 1:
        return dict(tensors), facts
    shapes = {name: (tuple(value.shape), value.dtype) for name, value in tensors.items()}
    told = [(shapes, facts) if rank() == 0 else None]
    dist.broadcast_object_list(told)
    shapes, facts = told[0]  # type: ignore[misc]
    device = _device()
    out = {}
    for name, (shape, dtype) in shapes.items():
        value = tensors[name] if rank() == 0 else torch.empty(shape, dtype=dtype)
        value = value.detach().to(device).contiguous()
        dist.broadcast(value, 0)
        out[name] = value.cpu()
    return out, facts


def _buckets(parameters: Sequence[nn.Parameter]) -> list[list[nn.Parameter]]:
    buckets: list[list[nn.Parameter]] = []
    room: dict[torch.dtype, int] = {}
    of: dict[torch.dtype, list[nn.Parameter]] = {}
    for p in parameters:
        if p.dtype not in of or room[p.dtype] < p.numel():
            of[p.dtype], room[p.dtype] = [], BUCKET
            buckets.append(of[p.dtype])
        of[p.dtype].append(p)
        room[p.dtype] -= p.numel()
    return buckets


def _met() -> bool:
    return dist.is_available() and dist.is_initialized()


def _device() -> torch.device:
    if dist.get_backend() == "nccl":
        return torch.device("cuda", torch.cuda.current_device())
    return torch.device("cpu")
