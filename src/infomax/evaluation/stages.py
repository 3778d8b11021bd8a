"""What a view is at each stage of the way to it: raw, after every stage of its encoder, at its end.

Each stage is pooled to a few hundred numbers a context, so that a probe of it is quick: places of a
map and times of a sequence are averaged in a coarse grid, beside their maximum; raw sound is told
by its log-mel spectrogram, raw text by its pieces of two to four letters.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from infomax.data import Contexts
from infomax.encoders.texts import strings
from infomax.evaluation.factors import FACTORS, Factors
from infomax.evaluation.fixed import HEAR, before, letters
from infomax.heldout import SEED, present
from infomax.views import View, evaluate

CHUNK = 250
MOST = 1024
"""Numbers a context and stage, before principal components."""
STAGES = 6
"""Stages of one encoder that are looked at."""

Stages = dict[str, Float[Tensor, "n d"]]
RAW, OUTPUT = "raw", "output"


def whole_input(view: View) -> View:
    """What a view's first encoder is given; of patches, the whole that they are cut from."""
    node = before(view)
    while node.placed and node.parent is not None:
        node = node.parent
    return node


def see(view: View, contexts: Contexts, split: str, rows: Int[np.ndarray, " n"]) -> Stages:
    """One view of some contexts of a split, at every stage, in evaluation mode.

    Args:
        view: the view; `raw` is what its first encoder is given, `output` the view itself.
        contexts: the data.
        split: which part of it.
        rows: positions within the split.

    Returns:
        By stage, in order: ``raw``, the stages of its encoders, ``output``.
    """
    device = next((p.device for _, m in view.encoders for p in m.parameters()), "cpu")
    for _, module in view.encoders:
        module.eval()
    kind = contexts.signals[view.signal].kind
    found: dict[str, list[Tensor]] = {}
    torch.manual_seed(SEED)
    with _tapped(view) as caught:
        for start in range(0, len(rows), CHUNK):
            batch = contexts.take(split, rows[start : start + CHUNK]).to(device)
            caught.clear()
            with torch.no_grad():
                values = evaluate([view], batch.signals, present(batch), draw=False).tensors
            parts = {RAW: _raw(values[whole_input(view)], kind, batch.signals[view.signal])}
            if view.encoders:
                stages = {
                    name: v.reshape(len(batch), -1, *v.shape[1:]) if len(v) > len(batch) else v
                    for name, v in caught.items()
                    if len(v) % len(batch) == 0 and v is not values[view]  # patches: as contexts
                }
                parts |= {name: pooled(v) for name, v in _some(stages).items()}
                parts[OUTPUT] = pooled(values[view])
            for name, part in parts.items():
                found.setdefault(name, []).append(part.float().cpu())
    return {name: torch.cat(parts) for name, parts in found.items()}


@contextmanager
def _tapped(view: View) -> Iterator[dict[str, Tensor]]:
    """Catch what the parts of each encoder on the way put out, by name, in the order they run."""
    caught: dict[str, Tensor] = {}
    hooks = []
    several = len({id(module) for _, module in view.encoders}) > 1
    for node, module in view.encoders:
        prefix = f"{node.step.module.__class__.__name__.lower()}." if several else ""  # type: ignore[union-attr]
        for name, part in _parts(module):

            def catch(_m: nn.Module, _i: object, out: object, at: str = prefix + name) -> None:
                caught.pop(at, None)
                if isinstance(out, Tensor) and out.is_floating_point() and out.ndim >= 2:
                    caught[at] = out

            hooks.append(part.register_forward_hook(catch))
    try:
        yield caught
    finally:
        for hook in hooks:
            hook.remove()


def _parts(module: nn.Module) -> list[tuple[str, nn.Module]]:
    """The stages of an encoder: those it names so, else its parts (a list of parts is opened)."""
    found: list[tuple[str, nn.Module]] = []
    for name, child in module.named_children():
        if isinstance(child, nn.ModuleList | nn.ModuleDict):
            found += [(f"{name}.{inner}", part) for inner, part in child.named_children()]
        else:
            found.append((name, child))
    named = [(name, part) for name, part in found if name.startswith("stage")]
    return named or found


def _some(stages: dict[str, Tensor]) -> dict[str, Tensor]:
    if len(stages) <= STAGES:
        return stages
    kept = np.linspace(0, len(stages) - 1, STAGES).round().astype(int).tolist()
    return {name: value for i, (name, value) in enumerate(stages.items()) if i in kept}


def pooled(value: Tensor) -> Float[Tensor, "n d"]:
    """A stage as at most about `MOST` numbers a context: means over a grid, and the maximum.

    ``[n, d]`` stays; a map ``[n, C, H, W]`` and a sequence ``[n, T, d]`` are pooled over places,
    maps of patches ``[n, P, C, H, W]`` over all the places of a patch.

    Example:
        >>> pooled(torch.zeros(2, 64, 20, 20)).shape, pooled(torch.zeros(2, 500, 64)).shape
        (torch.Size([2, 640]), torch.Size([2, 1024]))
    """
    if value.ndim == 2:
        return value
    if value.ndim == 3:
        value = value.mT[:, :, None]  # times as a row of places
    if value.ndim > 4:  # patches: each its own channels, averaged over its places
        value = value.flatten(3).mean(3)[..., None, None].flatten(1, 2)
    channels, height, width = value.shape[1:]
    room = max(1, MOST // channels)
    if height * width <= room:
        return value.flatten(1)
    room = max(1, room - 1)
    if height == 1:
        grid = (1, min(width, room))
    else:
        side = max(1, math.isqrt(room))
        grid = (min(height, side), min(width, side))
    return torch.cat([F.adaptive_avg_pool2d(value, grid).flatten(1), value.amax((2, 3))], 1)


def _raw(value: Tensor, kind: str, signal: Tensor) -> Tensor:
    if kind == "sound" and value.ndim == 2:
        return pooled(HEAR(value.cpu()))
    if kind == "text":
        text = value if value.dtype == torch.uint8 else signal
        return torch.from_numpy(letters(strings(text), MOST))
    return pooled(value.float()) if value.ndim > 1 else value.float()[:, None]


def low_level(
    views: Sequence[View], contexts: Contexts, split: str, rows: Int[np.ndarray, " n"]
) -> list[Factors]:
    """The low-level factors of what some views are, for these positions of a split.

    An augmentation on the way is drawn anew for each context, the same at every call.
    """
    parts: list[dict[str, list[Tensor]]] = [{} for _ in views]
    torch.manual_seed(SEED)
    for start in range(0, len(rows), CHUNK):
        batch = contexts.take(split, rows[start : start + CHUNK])
        values = evaluate(views, batch.signals, present(batch)).tensors
        for view, into in zip(views, parts, strict=True):
            of_kind = FACTORS[contexts.signals[view.signal].kind]
            for name, value in of_kind(values[view]).items():
                into.setdefault(name, []).append(value.double())
    return [{name: torch.cat(part) for name, part in one.items()} for one in parts]
