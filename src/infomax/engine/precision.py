"""In what numbers encoders compute; critics and bounds are always in float32 or wider."""

from __future__ import annotations

from functools import partial

import torch

from infomax.engine.step import Mixed


def chosen(asked: str, device: torch.device) -> torch.dtype:
    """The number type of encoders: what is asked for, or what the device multiplies fastest.

    ``auto`` is a rule, not a stopwatch, so that a run can be repeated: bfloat16 on a GPU and where
    the processor has matrix units for it (AMX), else float32.
    """
    if asked != "auto":
        return {"float32": torch.float32, "bfloat16": torch.bfloat16}[asked]
    fast = device.type == "cuda" or torch.cpu._is_amx_tile_supported()
    return torch.bfloat16 if fast else torch.float32


def mixed(asked: str, device: torch.device) -> Mixed:
    """A context in which encoders compute in the chosen type."""
    dtype = chosen(asked, device)
    return partial(
        torch.autocast, device.type, dtype=torch.bfloat16, enabled=dtype == torch.bfloat16
    )
