"""One test context as every view has it before any encoder: pictures, sounds, words, numbers.

The report draws them on the cards of the views, so that a reader sees what a view is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from infomax.data import Contexts
from infomax.encoders.sound import Spectrogram
from infomax.encoders.texts import strings
from infomax.evaluation.showing import png, sound, uri
from infomax.heldout import SEED
from infomax.slices import Patches
from infomax.views import Values, View, evaluate

AMONG = 64
"""Test contexts of which one is chosen."""
SIDE, LETTERS, SECONDS = 128, 120, 10
BARS, LINES, POINTS = 40, 4, 120
"""Numbers of a vector, and of a series its channels and the steps of each."""
BANDS, FRAMES, FRAME = 40, 160, 0.032
TELLING = 256
"""Samples that a frame needs to tell the bands apart, however slow the rate."""
DARKEST = 9.0
"""Log power below the loudest place of a sound that is still drawn."""


def specimens(
    views: Mapping[str, View], contexts: Contexts, rates: Mapping[str, int]
) -> dict[str, Any]:
    """A test context that has as many views as any, as each of them has it, one random draw each.

    Args:
        views: by name; those that an encoder made are left out.
        contexts: the data.
        rates: Hz of each sound signal.

    Returns:
        ``row``, and ``views``: by the name of each view that no encoder made a ``picture`` or
        ``sound`` (data URIs; of a sound the picture is its spectrogram), a ``text``, the ``bars``
        of a vector or the ``lines`` of a series.
    """
    named = {name: view for name, view in views.items() if not view.encoders}
    batch = contexts.take("test", _fullest(list(named.values()), contexts))
    torch.manual_seed(SEED)
    values = evaluate(named.values(), batch.signals, batch.present)
    at = _liveliest(list(named.values()), values, contexts)
    shown = {}
    for name, view in named.items():
        there = values.present.get(view)
        if there is None or bool(there[at]):
            kind, value = contexts.signals[view.signal].kind, values.tensors[view][at]
            if kind == "picture":
                shown[name] = _picture(view, value, values)
            elif kind == "sound":
                shown[name] = _sound(value, rates.get(view.signal) or 16000)
            elif kind == "text":
                shown[name] = {"text": strings(value[None])[0][:LETTERS]}
            else:
                shown[name] = _numbers(value)
    return {"row": int(batch.index[at]), "views": shown}


def _fullest(views: Sequence[View], contexts: Contexts) -> list[int]:
    """Some test contexts of those that have the most signals of some views."""
    rows = contexts.rows("test")
    signals = {view.signal for view in views}
    having = sum(contexts.signals[name].present[rows].astype(int) for name in sorted(signals))
    best = np.flatnonzero(having == np.max(having))
    drawn: list[int] = np.sort(np.random.default_rng(0).permutation(best)[:AMONG]).tolist()
    return drawn


def _liveliest(views: Sequence[View], values: Values, contexts: Contexts) -> int:
    """Of those that reach the most views the picture or sound that varies most, or the first."""
    first = values.tensors[views[0]]
    reached = torch.zeros(len(first))
    for view in views:
        there = values.present.get(view)
        reached += 1.0 if there is None else there.cpu().float()
    if contexts.signals[views[0].signal].kind in ("picture", "sound"):
        # of colour pictures the most colourful one, or else that of most contrast
        over = 1 if first.ndim == 4 and first.shape[1] == 3 else (*range(1, first.ndim),)
        lively = first.float().std(over).reshape(len(first), -1).mean(1)
        reached += lively / (1 + lively.max())
    return int(reached.argmax())


def _picture(view: View, value: Tensor, values: Values) -> dict[str, Any]:
    """Patches side by side, as they lie in the picture."""
    columns = 1
    for node in view.path:
        if isinstance(node.step, Patches) and node.parent is not None:
            columns = node.step.columns(values.tensors[node.parent].shape[-1])
    whole = mosaic(value, columns) if view.placed else value
    content, size = png(whole.numpy(), SIDE)
    return {"picture": uri("image/png", content), "size": list(size)}


def mosaic(patches: Float[Tensor, "p c h w"], columns: int) -> Float[Tensor, "c H W"]:
    """Patches in rows, a white line between them.

    Example:
        >>> mosaic(torch.zeros(6, 1, 4, 4), 3).shape
        torch.Size([1, 9, 14])
    """
    count, channels, height, width = patches.shape
    rows = -(-count // columns)
    whole = torch.ones(channels, rows * (height + 1) - 1, columns * (width + 1) - 1)
    for i, patch in enumerate(patches):
        top, left = i // columns * (height + 1), i % columns * (width + 1)
        whole[:, top : top + height, left : left + width] = patch
    return whole


def _sound(wave: Tensor, rate: int) -> dict[str, Any]:
    wave = wave[: SECONDS * rate]
    return {
        "picture": uri("image/png", spectrogram(wave.numpy(), rate)),
        "sound": uri(*sound(wave.numpy(), rate)),
    }


def spectrogram(wave: Float[np.ndarray, " samples"], rate: int) -> bytes:
    """A sound's log-mel spectrogram as PNG: time to the right, low tones at the bottom."""
    from matplotlib import colormaps

    heard = np.flatnonzero(wave)
    wave = wave[: heard[-1] + 1] if len(heard) else wave[:1]
    frame = max(FRAME, TELLING / rate)
    hop = min(frame, max(frame / 4, len(wave) / rate / FRAMES))
    logs = Spectrogram(rate, BANDS, hop, frame)(torch.from_numpy(wave)[None])[0].numpy()
    shares = np.clip(1 + (logs - logs.max()) / DARKEST, 0, 1).T[::-1]
    colours = colormaps["magma"](shares)[..., :3].transpose(2, 0, 1)
    return png(colours, 2 * FRAMES)[0]


def _numbers(value: Tensor) -> dict[str, Any]:
    numbers = np.nan_to_num(value.float().numpy(), posinf=0, neginf=0)
    if numbers.ndim == 2:  # a series [steps, channels]
        some = np.unique(np.linspace(0, len(numbers) - 1, POINTS).astype(int))
        return {"lines": _rounded(numbers[some, :LINES].T), "count": list(numbers.shape)}
    return {"bars": _rounded(numbers.ravel()[:BARS]), "count": [numbers.size]}


def _rounded(numbers: np.ndarray) -> Any:  # noqa: ANN401 nested lists
    top = float(np.abs(numbers).max(initial=0)) or 1.0
    return (numbers / top).round(3).tolist()
