"""Encoders too large for every process to hold: parameters, gradients and moments in parts.

`train.shard` hands each encoder to FSDP (Zhao et al. 2023, arXiv:2304.11277; `fully_shard` of
torch): a process keeps its part of every parameter, and a block is whole only while it is computed.
The step stays what it is: gradients are taken at the ends of edges and carried back chunk by chunk.
Critics stay whole. On disk a state is whole, so that any number of processes goes on with it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby

import torch
from torch import Tensor, nn

from infomax._errors import InfomaxError
from infomax.distributed import in_parts, rank, total, world
from infomax.engine.plan import Plan
from infomax.objective import Model
from infomax.views import Encode

BLOCK = 2**20
"""Numbers from which on an element of a list or sequence of modules is gathered by itself."""


def shard(model: Model, plan: Plan, device: torch.device) -> bool:
    """Let every process keep its part of the encoders; nothing to do in one process.

    An encoder of which a view is taken in the middle (``at``) stays whole: FSDP gathers a block
    again for its gradient when that comes in at its output.

    Returns:
        Whether any encoder is kept in parts.

    Raises:
        InfomaxError: processes with different numbers of chunks, which would wait for each other.
    """
    if world() == 1:
        return False
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import FSDPModule, fully_shard

    if len({-(-count // plan.chunk) for count in plan.counts}) > 1:
        raise InfomaxError(
            wanted="as many chunks of a batch in every process, for train.shard",
            got=f"{plan.counts} contexts in chunks of {plan.chunk}",
            fix="set train.batch to a multiple of processes times train.chunk",
        )
    steps = [node.step for view in model.objective.views for node in view.path]
    tapped = [step.module for step in steps if isinstance(step, Encode) and step.at is not None]
    encoders = [m for m in model.encoders.values() if all(m is not other for other in tapped)]
    mesh = init_device_mesh(device.type, (world(),))
    for encoder in dict.fromkeys(encoders):
        encoder.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
        scalars = {p for p in encoder.parameters() if p.ndim == 0}
        for block in [*_blocks(encoder), encoder]:
            fully_shard(block, mesh=mesh, ignored_params=scalars)
            assert isinstance(block, FSDPModule)
            block.set_gradient_divide_factor(1.0)  # parts of one gradient: added, not averaged
            block.set_force_sum_reduction_for_comms(True)  # gloo can do nothing else
    return any(in_parts(p) for p in model.parameters())


def _blocks(encoder: nn.Module) -> list[nn.Module]:
    """What is gathered by itself: large elements of lists and sequences, the inner ones first."""
    found = []
    for module in encoder.modules():
        if isinstance(module, nn.ModuleList | nn.Sequential):
            found += [m for m in module if sum(p.numel() for p in m.parameters()) >= BLOCK]
    found = [m for m in found if not isinstance(m, nn.ModuleList | nn.ModuleDict)]  # never called
    order = {module: place for place, module in enumerate(encoder.modules())}
    return sorted(dict.fromkeys(found), key=order.__getitem__, reverse=True)


def alike(parameters: Sequence[nn.Parameter]) -> list[list[nn.Parameter]]:
    """Runs of parameters that are all whole or all in parts, in their order: no step mixes them."""
    return [list(run) for _, run in groupby(parameters, in_parts)]


def clip(parameters: Sequence[nn.Parameter], most: float) -> Tensor:
    """Scale gradients to a norm of at most ``most``; return the norm they had, whole."""
    if not any(in_parts(p) for p in parameters):
        return torch.nn.utils.clip_grad_norm_(parameters, most)
    grads = [p.grad for p in parameters if p.grad is not None]
    parts = [grad.to_local() for grad in grads if in_parts(grad)]  # type: ignore[attr-defined]
    others = [grad for grad in grads if not in_parts(grad)]
    # torch's norm of DTensors of which processes have unequal parts is not that of the whole
    norm = (total(_squares(parts)) + _squares(others)).sqrt()
    factor = min(1.0, most / (float(norm) + 1e-6))
    for grad in [*parts, *others]:
        grad.mul_(factor)
    return norm


def _squares(tensors: Sequence[Tensor]) -> Tensor:
    """The sum of the squares of all numbers."""
    return torch.stack([t.double().square().sum() for t in tensors] or [torch.zeros(())]).sum()


def whole(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Tensors put together from their parts, one by one, in the first process.

    Every process must ask at once; the others get those that are whole anyway.
    """
    found = {}
    for name, value in tensors.items():
        if in_parts(value):
            full = value.full_tensor()  # type: ignore[attr-defined]
            if rank() == 0:
                found[name] = full.cpu()
        else:
            found[name] = value
    return found
