"""The map of a representation: places on a plane, and what each context looks and sounds like."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from infomax.data import Contexts
from infomax.encoders.texts import strings
from infomax.evaluation.embedding import map_2d
from infomax.evaluation.showing import sound, uri

MAPPED = 1500
"""Test contexts on a map."""
LETTERS = 160
SECONDS, BYTES = 2, 2_000_000
"""Of each sound that is kept, and of all together; contexts beyond are silent."""
CHUNK = 64


def mapped(
    name: str,
    z: np.ndarray,
    contexts: Contexts,
    rates: Mapping[str, int],
    label: str | None,
    watch: Callable[[str], None] = lambda words: None,
) -> dict[str, np.ndarray]:
    """Place test contexts on a plane; the arrays of map.npz.

    Args:
        name: of the view.
        z: that view of every test context, ``[n, d]``, NaN where it is missing.
        contexts: the data.
        rates: Hz of each sound signal.
        label: what the map is coloured by.
        watch: told what is being done.

    Returns:
        ``points``, ``index`` (rows of the source), ``view``, ``method``; and where the data have
        them ``labels``, ``pictures``, ``texts``, ``sounds`` (data URIs), empty where missing.
    """
    watch("drawing the map")
    rows = np.flatnonzero(np.isfinite(z).all(1))
    if len(rows) > MAPPED:
        rows = np.sort(np.random.default_rng(0).choice(rows, MAPPED, replace=False))
    points, method = map_2d(z[rows])
    index = contexts.rows("test")[rows]
    arrays = {
        "points": points,
        "index": index,
        "view": np.array(name),
        "method": np.array(method),
    }
    if label is not None:
        arrays["labels"] = contexts.labels[label][index].astype(str)
    for kind, made in (("picture", _pictures), ("text", _texts), ("sound", _sounds)):
        signal = next((n for n, c in contexts.signals.items() if c.kind == kind), None)
        if signal is not None:
            arrays[f"{kind}s"] = made(contexts, signal, rows, rates.get(signal) or 16000)
    return arrays


def _pictures(contexts: Contexts, signal: str, rows: np.ndarray, rate: int) -> np.ndarray:
    """Pictures uint8 ``[n, H, W, C]``."""
    pictures = contexts.take("test", rows).signals[signal]
    return np.ascontiguousarray(pictures.permute(0, 2, 3, 1).numpy())


def _texts(contexts: Contexts, signal: str, rows: np.ndarray, rate: int) -> np.ndarray:
    found = contexts.take("test", rows).signals[signal]
    return np.array([text[:LETTERS] for text in strings(found)])


def _sounds(contexts: Contexts, signal: str, rows: np.ndarray, rate: int) -> np.ndarray:
    """The beginnings of sounds, drawn at random until the room is used up."""
    out, left = [""] * len(rows), BYTES
    order = np.random.default_rng(0).permutation(len(rows))
    for some in np.array_split(order, -(-len(order) // CHUNK)):
        batch = contexts.take("test", rows[some])
        for place, wave, there in zip(
            some, batch.signals[signal], batch.present[signal], strict=True
        ):
            if left > 0 and bool(there):
                out[place] = uri(*sound(wave[: SECONDS * rate].numpy(), rate))
                left -= len(out[place])
    return np.array(out, dtype="S")
