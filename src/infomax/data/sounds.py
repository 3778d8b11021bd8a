"""Sound from files or arrays to one length of samples at one rate."""

from __future__ import annotations

import io
from functools import partial
from math import ceil, gcd
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Int, Int16

from infomax._errors import InfomaxError
from infomax.data.columns import Column, MemoryColumn
from infomax.data.keeping import Keep
from infomax.data.media import Cells, decoded
from infomax.data.spec import SoundSpec

SECONDS = 4.0
"""How much of a sound file is read when `seconds` is not given."""


def sound_files(
    cells: Cells, rows: Int[np.ndarray, " n"], spec: SoundSpec, keep: Keep
) -> tuple[Column, dict[int, str]]:
    """A column of sound files (all that libsndfile reads): mono, `rate` Hz, `seconds` long."""
    seconds = SECONDS if spec.seconds is None else spec.seconds
    samples = round(seconds * spec.rate)
    decode = partial(read_sound, rate=spec.rate, samples=samples)
    return decoded("sound", cells, rows, decode, (samples,), torch.int16, keep)


def read_sound(file: Path | io.BytesIO, rate: int, samples: int) -> Int16[np.ndarray, " samples"]:
    """The first `samples` of a sound file at `rate` Hz: channels averaged, padded with zeros.

    Raises:
        ValueError: no samples, or samples that are not finite.
        soundfile.LibsndfileError: not a sound file.
    """
    import soundfile

    with soundfile.SoundFile(file) as sound:
        own = sound.samplerate
        heard = sound.read(ceil(samples / rate * own), dtype="float32", always_2d=True).mean(1)
    if len(heard) == 0:
        raise ValueError("no samples")
    if own != rate:
        from scipy.signal import resample_poly

        common = gcd(own, rate)
        heard = resample_poly(heard, rate // common, own // common)
    if not np.isfinite(heard).all():
        raise ValueError("samples that are not finite")
    out = np.zeros(samples, dtype=np.int16)
    heard = heard[:samples]
    out[: len(heard)] = quantized(heard)
    return out


def quantized(heard: np.ndarray) -> np.ndarray:
    """Samples within [-1, 1] as int16; louder ones are clipped."""
    samples: np.ndarray = np.round(np.clip(heard, -1, 32767 / 32768) * 32768).astype(np.int16)
    return samples


def sound_array(heard: np.ndarray, spec: SoundSpec, what: str) -> MemoryColumn:
    """A column of sounds from [N, samples], int16 or float within [-1, 1].

    Raises:
        InfomaxError: another shape or type, or louder than 1.
    """
    fits = heard.ndim == 2 and (heard.dtype == np.int16 or heard.dtype.kind == "f")
    if not fits or (heard.dtype.kind == "f" and heard.size and np.abs(heard).max() > 1):
        peak = f", loudest {np.abs(heard).max():g}" if fits else ""
        raise InfomaxError(
            wanted=f"sound [N, samples] in {what}: int16, or float within -1 and 1",
            got=f"{heard.dtype} {list(heard.shape)}{peak}",
            fix="average the channels and divide by the largest possible sample",
        )
    if heard.dtype.kind == "f":
        heard = quantized(heard)
    if spec.seconds is not None:
        samples = round(spec.seconds * spec.rate)
        heard = np.pad(heard[:, :samples], ((0, 0), (0, max(0, samples - heard.shape[1]))))
    return MemoryColumn("sound", torch.from_numpy(np.ascontiguousarray(heard)))
