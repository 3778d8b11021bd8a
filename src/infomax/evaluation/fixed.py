"""What is there before anything is learned: fixed features of a signal, one vector a context.

Pictures, vectors and series are laid flat as they are. A waveform or a string of bytes laid flat
says nothing to a linear probe, so a sound is summed up by its spectrum and a text by its letters;
a baseline has to be a fair one. What is still wide is reduced by PCA, fitted on training contexts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from infomax.data import Contexts
from infomax.views import Encode, View, evaluate

WIDE, REDUCED = 4096, 256
"""Features above the first number are reduced to the second by PCA."""
FRAME, BANDS = 512, 40
CHUNK = 500

Splits = Mapping[str, Float[np.ndarray, "n d"]]


def before(view: View) -> View:
    """The last view before any encoder: what the first encoder of a view is given."""
    first = next((node for node in view.path if isinstance(node.step, Encode)), None)
    if first is None:
        return view
    assert first.parent is not None
    return first.parent


def spectrum(wave: Float[Tensor, "n samples"]) -> Float[Tensor, "n 80"]:
    """Mean and deviation over time of the log energy in 40 bands, evenly spaced on the mel scale.

    Silent frames (the padding of a short recording) are left out.

    Example:
        >>> spectrum(torch.sin(torch.arange(8000.0))[None]).shape
        torch.Size([1, 80])
    """
    wave = torch.nn.functional.pad(wave, (0, max(0, FRAME - wave.shape[1])))
    window = torch.hann_window(FRAME)
    power = torch.stft(wave, FRAME, FRAME // 2, window=window, center=False, return_complex=True)
    bins = power.shape[1]
    mel = torch.linspace(0, np.log1p(bins / 20), BANDS + 1).expm1() * 20  # in bins: even, then log
    edges = mel.round().long().clamp(max=bins)
    energy = power.abs().square()
    bands = torch.stack(
        [energy[:, int(a) : max(int(a) + 1, int(b))].mean(1) for a, b in edges.unfold(0, 2, 1)], 1
    )
    logs = (bands + 1e-8).log()
    heard = (energy.sum(1) > 1e-6).float()[:, None]
    count = heard.sum(2).clamp_min(1)
    mean = (logs * heard).sum(2) / count
    deviation = ((logs - mean[..., None]).square() * heard).sum(2) / count
    return torch.cat([mean, deviation.sqrt()], 1)


def letters(texts: list[str]) -> Float[np.ndarray, "n 4096"]:
    """Weights of the words' pieces of two to four letters, hashed to 4,096 columns, unit length."""
    from sklearn.feature_extraction.text import HashingVectorizer

    hashed = HashingVectorizer(
        analyzer="char_wb", ngram_range=(2, 4), n_features=WIDE, alternate_sign=False
    ).transform(texts)
    dense: np.ndarray = np.sqrt(hashed.toarray()).astype(np.float32)
    return dense


def read_text(rows: Tensor | np.ndarray) -> list[str]:
    """Texts of their UTF-8 bytes ``[n, L]``, padded with zeros.

    Example:
        >>> read_text(torch.tensor([[104, 105, 0, 0]], dtype=torch.uint8))
        ['hi']
    """
    return [bytes(row).rstrip(b"\0").decode("utf-8", "replace") for row in np.asarray(rows)]


def fixed(view: View, contexts: Contexts, splits: tuple[str, ...]) -> dict[str, np.ndarray]:
    """Fixed features of what a view's encoder is given, by split; NaN where it is missing."""
    source = before(view)
    kind = contexts.signals[view.signal].kind
    out = {}
    for split in splits:
        parts = []
        torch.manual_seed(0)
        for batch in contexts.batches(split, CHUNK, seed=None):
            value = evaluate([source], batch.signals).tensors[source]
            features = _summed_up(kind, value)
            features[~batch.present[view.signal].numpy()] = np.nan
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
        return letters(read_text(value))
    return value.flatten(1).float().numpy().copy()


def reduced(features: Splits, dims: int) -> dict[str, np.ndarray]:
    """The first principal components of training rows, of every split; rows with NaN stay NaN.

    Source: randomized SVD, Halko et al. 2011 (arXiv:0909.4061).
    """
    from sklearn.decomposition import PCA

    train = features["train"][np.isfinite(features["train"]).all(1)]
    pca = PCA(min(dims, *train.shape), svd_solver="randomized", random_state=0).fit(train)
    return on_whole_rows(features, pca.transform)


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
