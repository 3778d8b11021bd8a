"""Training state on disk: safetensors only, written whole or not at all, checked when read.

One file holds model, optimizer and counters. It appears under its name only when it is complete,
and carries a checksum of its contents, so that a truncated or damaged file is noticed. Nothing is
ever unpickled. A folder is written to by one process at a time.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import platform
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from infomax._errors import InfomaxError


@dataclass(frozen=True)
class State:
    """Where training stands: tensors by name, and plain facts (step, best value, recipe)."""

    tensors: Mapping[str, Tensor]
    facts: Mapping[str, Any]


def save(path: Path, state: State, *, keep: Path | None = None) -> None:
    """Write a state atomically: the file is the old one or the new one, never half of one.

    Args:
        path: its name.
        state: what to write.
        keep: a second name, under which the state that was there before is kept.

    Raises:
        InfomaxError: no space, no permission; what was there is still there.
    """
    tensors = {name: value.detach().cpu().contiguous() for name, value in state.tensors.items()}
    facts = json.dumps(dict(state.facts))
    metadata = {"facts": facts, "checksum": _checksum(tensors, facts)}
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        save_file(tensors, part, metadata)
        with part.open("rb") as file:
            os.fsync(file.fileno())
        part.chmod(0o644)
        if keep is not None and path.exists():
            _name_too(path, keep)
        os.replace(part, path)
        _sync_folder(path.parent)
    except (OSError, SafetensorError) as error:
        raise InfomaxError(
            wanted=f"to write {path}",
            got=str(error),
            fix="free some space or choose another --out; the state before this one is whole",
        ) from None
    finally:
        part.unlink(missing_ok=True)


def _name_too(path: Path, other: Path) -> None:
    """Give a file a second name, so that there is never a moment without the first."""
    part = other.with_name(f".{other.name}.{os.getpid()}.part")
    part.unlink(missing_ok=True)
    try:
        os.link(path, part)
    except OSError:  # a file system without hard links
        shutil.copyfile(path, part)
    os.replace(part, other)


def _sync_folder(folder: Path) -> None:
    """Names must reach the disk as well as contents."""
    number = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Keep a run folder to this process while it writes there.

    The lock is the operating system's (flock), so it ends with the process, however that ends; a
    file left behind by a killed run holds nothing.

    Raises:
        InfomaxError: another process has it; the message names it.
    """
    path = folder / ".lock"
    while True:
        try:
            file = path.open("a+")
        except OSError as error:
            raise InfomaxError(
                wanted=f"to write into {folder}",
                got=str(error),
                fix="choose another --out, or mend the folder's permissions",
            ) from None
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            file.seek(0)
            who = file.read().strip() or "another process"
            file.close()
            raise InfomaxError(
                wanted=f"the run folder {folder} to itself",
                got=f"one in use by {who}",
                fix="wait for it, stop it, or choose another --out",
            ) from None
        try:
            if os.path.samestat(os.fstat(file.fileno()), path.stat()):
                break
        except FileNotFoundError:
            pass
        file.close()  # its last holder removed it in between
    try:
        file.truncate(0)
        file.write(f"process {os.getpid()} on {platform.node()}")
        file.flush()
        yield
    finally:
        path.unlink(missing_ok=True)
        file.close()


def load(path: Path) -> State:
    """Read a state and check it.

    Raises:
        InfomaxError: no such file; damaged, truncated, or changed since it was written.
    """
    try:
        with safe_open(path, "pt") as file:
            metadata = file.metadata() or {}
        tensors = load_file(path)
    except (OSError, SafetensorError) as error:
        raise InfomaxError(
            wanted=f"a saved state at {path}",
            got="no such file" if not path.exists() else f"a damaged file ({error})",
            fix="train first, or take an older state of the run",
        ) from None
    facts = metadata.get("facts", "{}")
    if metadata.get("checksum") != _checksum(tensors, facts):
        raise InfomaxError(
            wanted=f"the state that was written to {path}",
            got="a file whose checksum does not match: it was damaged or changed",
            fix="take an older state of the run, or train again",
        )
    return State(tensors, json.loads(facts))


def same_data(state: State, fingerprint: str, name: str) -> None:
    """Refuse a state that was trained on other data, or on another split of them.

    What was held out then might be what is trained on now, or the other way round.
    """
    trained_on = state.facts.get("data")
    if trained_on != fingerprint:
        raise InfomaxError(
            wanted=f"the data and the split of the run (fingerprint {trained_on})",
            got=f"{name} with fingerprint {fingerprint}: rows, labels or splits have changed",
            fix="bring the data and the run's recipe.yaml back, or train anew in another folder",
        )


def _checksum(tensors: Mapping[str, Tensor], facts: str) -> str:
    digest = hashlib.sha256(facts.encode())
    for name in sorted(tensors):
        value = tensors[name]
        digest.update(f"{name}{value.dtype}{tuple(value.shape)}".encode())
        digest.update(value.contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def pack(model: nn.Module, optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """Name every tensor of a model and of its optimizer's moments."""
    tensors = {f"model.{name}": value for name, value in model.state_dict().items()}
    for index, moments in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{index}.{key}": value for key, value in moments.items()}
    return tensors


def unpack(
    tensors: Mapping[str, Tensor],
    model: nn.Module,
    optimizer: torch.optim.Optimizer | None = None,
) -> None:
    """Put the tensors of `pack` back."""
    unpack_part(tensors, "", model)
    if optimizer is None:
        return
    state: dict[int, dict[str, Tensor]] = {}
    for name, value in tensors.items():
        if name.startswith("optimizer."):
            _, number, key = name.split(".", 2)
            state.setdefault(int(number), {})[key] = value
    parameters: list[Tensor] = [p for group in optimizer.param_groups for p in group["params"]]
    for index, moments in state.items():
        for key, value in moments.items():
            if value.shape == parameters[index].shape:
                # a fused step reads memory as it lies: laid out like the parameter
                moments[key] = _laid_out(value, parameters[index])
    optimizer.load_state_dict({**optimizer.state_dict(), "state": state})


def unpack_part(tensors: Mapping[str, Tensor], prefix: str, module: nn.Module) -> None:
    """Put back the parameters of one module, whose names in the model begin with ``prefix``."""
    start = f"model.{prefix}"
    own = {k.removeprefix(start): v for k, v in tensors.items() if k.startswith(start)}
    _size_buffers(module, own)
    for name, parameter in module.named_parameters():
        if hasattr(parameter, "full_tensor") and name in own:
            own[name] = _laid_out(own[name], parameter)
    try:
        module.load_state_dict(own)
    except RuntimeError as error:
        raise InfomaxError(
            wanted="the parameters of this recipe's encoders and critics",
            got=str(error).splitlines()[-1].strip(),
            fix="use the recipe that the run was trained with",
        ) from None


def _laid_out(value: Tensor, parameter: Tensor) -> Tensor:
    """A tensor as a parameter lies in memory: in its order, or this process's part of it."""
    if hasattr(parameter, "full_tensor"):  # a DTensor; to import it takes a while
        from torch.distributed.tensor import DTensor, distribute_tensor

        assert isinstance(parameter, DTensor)
        mesh, given = parameter.device_mesh, value.to(parameter.device)
        return distribute_tensor(given, mesh, parameter.placements, src_data_rank=None)
    return torch.empty_like(parameter).copy_(value)


def _size_buffers(module: nn.Module, saved: Mapping[str, Tensor]) -> None:
    """Give buffers the sizes of their saved values: what an encoder learned in `start` has its own.

    Parameters need no such care: a lazy one takes its size from the state, any other is checked.
    """
    for name, buffer in list(module.named_buffers()):
        if name in saved and saved[name].shape != buffer.shape:
            owner, _, last = name.rpartition(".")
            setattr(module.get_submodule(owner), last, buffer.new_empty(saved[name].shape))
