"""What is there before anything is learned: fixed features of a signal, one vector a context.

Pictures, vectors and series are laid flat as they are. A waveform or a string of bytes laid flat
says nothing to a linear probe, so a sound is summed up by its spectrum and a text by its letters;
a baseline has to be a fair one. What is still wide is reduced by PCA, fitted on training contexts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from infomax.data import Contexts
from infomax.encoders.sequence import masked
from infomax.encoders.sound import Spectrogram
from infomax.encoders.texts import strings
from infomax.views import Encode, View, evaluate

WIDE, REDUCED = 4096, 256
"""Features above the first number are reduced to the second by PCA."""
FITTED = 8192
"""Training rows that PCA is fitted on at most, drawn once: more move its directions little."""
RATE, BANDS, HOP, FRAME = 16000, 40, 0.016, 0.032
"""Hz at which bands are laid out (whatever the rate of the sound), and seconds of it."""
HEAR = Spectrogram(RATE, BANDS, HOP, FRAME)
CHUNK = 500

Splits = Mapping[str, Float[np.ndarray, "_n d"]]


def before(view: View) -> View:
    """The last view before any encoder: what the first encoder is given, or all patches are of."""
    plain = []
    for node in view.path:
        if isinstance(node.step, Encode):
            break
        if not node.placed:
            plain.append(node)
    return plain[-1]


@torch.no_grad()
def spectrum(wave: Float[Tensor, "n samples"]) -> Float[Tensor, "n 80"]:
    """Mean and deviation over time of the log energy in 40 bands, evenly spaced on the mel scale.

    The padding of a short recording is left out.

    Example:
        >>> spectrum(torch.sin(torch.arange(8000.0))[None]).shape
        torch.Size([1, 80])
    """
    steps, real = HEAR(wave), HEAR.real(wave)
    count = real.clamp_min(1)[:, None]
    mean = masked(steps, real).sum(1) / count
    variance = masked((steps - mean[:, None]).square(), real).sum(1) / count
    return torch.cat([mean, variance.sqrt()], 1)


def letters(texts: list[str], columns: int = WIDE) -> Float[np.ndarray, "n columns"]:
    """Square roots of the shares of each piece of two to four letters, hashed to some columns.

    Pieces lie within words, so that those of a word are counted once for all texts.

    Example:
        >>> found = letters(["a frog", "a frog a frog", ""])
        >>> found.shape, np.allclose(found[0], found[1]), found[2].any()
        ((3, 4096), True, np.False_)
    """
    dense = np.zeros((len(texts), columns), np.float32)
    for row, text in zip(dense, texts, strict=True):
        pieces = [_pieces(word, columns) for word in text.lower().split()]
        if pieces:
            found = np.bincount(np.concatenate(pieces), minlength=columns)
            row[:] = np.sqrt(found / max(found.sum(), 1))
    return dense


@lru_cache(maxsize=100_000)
def _pieces(word: str, columns: int) -> Int[np.ndarray, " pieces"]:
    """The columns of the pieces of a word, each as often as it stands there."""
    from sklearn.feature_extraction.text import HashingVectorizer

    hashed = HashingVectorizer(
        analyzer="char_wb", ngram_range=(2, 4), n_features=columns, alternate_sign=False, norm=None
    ).transform([word])
    return np.repeat(hashed.indices, hashed.data.astype(int))


def fixed(view: View, contexts: Contexts, splits: tuple[str, ...]) -> dict[str, np.ndarray]:
    """Fixed features of what a view's encoder is given, by split; NaN where it is missing."""
    source = before(view)
    kind = contexts.signals[view.signal].kind
    out = {}
    for split in splits:
        parts = []
        torch.manual_seed(0)
        for batch in contexts.batches(split, CHUNK, seed=None):
            values = evaluate([source], batch.signals, batch.present)
            features = _summed_up(kind, values.tensors[source])
            there = values.present.get(source)
            if there is not None:
                features[~there.numpy()] = np.nan
            parts.append(features)
        out[split] = np.concatenate(parts)
    wide = next(iter(out.values())).shape[1]
    # letters are counts of which any may matter little: they are always reduced
    if "train" in out and (wide > WIDE or kind == "text"):
        return reduced(out, REDUCED)
    return out


def described(kind: str, width: int) -> list[str]:
    """What fixed features are, where they are not the ``width`` numbers of the signal itself."""
    if kind == "sound":
        return [f"raw: mean and deviation over time of the log energy in {BANDS} mel bands"]
    if kind == "text":
        return [f"raw: hashed pieces of two to four letters, {REDUCED} principal components"]
    return [f"raw: {REDUCED} principal components"] if width > WIDE else []


def _summed_up(kind: str, value: Tensor) -> np.ndarray:
    if kind == "sound" and value.ndim == 2:
        return spectrum(value.float()).numpy()
    if kind == "text" and value.ndim == 2:
        return letters(strings(value))
    return value.flatten(1).float().numpy().copy()


def reduced(features: Splits, dims: int, *, units: bool = False) -> dict[str, np.ndarray]:
    """The first principal components of training rows, of every split; rows with NaN stay NaN.

    Fitted on some `FITTED` of the training rows where there are more. With ``units`` columns may be
    in units of their own, and each is brought to deviation 1.

    Source: randomized SVD, Halko et al. 2011 (arXiv:0909.4061).
    """
    from sklearn.decomposition import PCA

    train = features["train"][np.isfinite(features["train"]).all(1)]
    if len(train) > FITTED:
        train = train[np.random.default_rng(0).permutation(len(train))[:FITTED]]
    scale = np.ones(train.shape[1], train.dtype)
    if units:
        std = train.std(0, dtype=np.float64)
        scale = np.where(std > 1e-6 * np.abs(train).max(0), std, np.inf).astype(train.dtype)
    pca = PCA(min(dims, *train.shape), svd_solver="randomized", random_state=0).fit(train / scale)
    return on_whole_rows(features, lambda rows: pca.transform(rows / scale))


def on_whole_rows(
    features: Splits, transform: Callable[[np.ndarray], np.ndarray]
) -> dict[str, np.ndarray]:
    """Transform the rows that are complete; NaN elsewhere."""
    out = {}
    for split, rows in features.items():
        whole = np.isfinite(rows).all(1)
        some = transform(rows[whole]) if whole.any() else None
        width = rows.shape[1] if some is None else some.shape[1]
        out[split] = np.full((len(rows), width), np.nan, np.float32)
        if some is not None:
            out[split][whole] = some
    return out
