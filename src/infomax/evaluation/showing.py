"""Signals as files that a browser shows: a picture as PNG, a sound as MP3 or WAV."""

from __future__ import annotations

import base64
import io

import numpy as np
import torch
from jaxtyping import Float

LIGHTNESS = 65.0
"""Of 100: at which colour without lightness is shown."""


def png(value: Float[np.ndarray, "c h w"], most: int) -> tuple[bytes, tuple[int, int]]:
    """A picture, no larger than ``most`` pixels a side, and its width and height.

    Of several channels the first three are shown, two as a colour of one lightness (what
    `infomax.slices.Channels` gives as ``ab``).

    Numbers beyond [0, 1] are no light: they are shown from the smallest to the largest.
    """
    from PIL import Image

    some = _coloured(value) if len(value) == 2 else value[:3] if len(value) > 3 else value
    low, high = float(some.min()), float(some.max())
    if low < 0 or high > 1:
        some = (some - low) / max(high - low, 1e-12)
    pixels = np.ascontiguousarray((255 * some).round().astype(np.uint8).transpose(1, 2, 0))
    picture = Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels)
    picture.thumbnail((most, most))
    stream = io.BytesIO()
    picture.save(stream, "PNG", optimize=True)
    return stream.getvalue(), picture.size


def _coloured(ab: Float[np.ndarray, "2 h w"]) -> Float[np.ndarray, "3 h w"]:
    from kornia.color import lab_to_rgb

    lab = np.concatenate([np.full_like(ab[:1], LIGHTNESS), (ab - 0.5) * 220])
    rgb: np.ndarray = lab_to_rgb(torch.from_numpy(lab)).clamp(0, 1).numpy()
    return rgb


def sound(wave: Float[np.ndarray, " samples"], rate: int) -> tuple[str, bytes]:
    """A sound without the silence of its padding: its type and the file."""
    import soundfile

    heard = np.flatnonzero(np.abs(wave) > 1e-4)
    wave = wave[: heard[-1] + 1] if len(heard) else wave[:1]
    stream = io.BytesIO()
    try:
        soundfile.write(stream, wave, rate, format="MP3", compression_level=0.9)
        return "audio/mpeg", stream.getvalue()
    except (RuntimeError, TypeError, ValueError):  # a rate that MP3 does not know
        stream = io.BytesIO()
        soundfile.write(stream, wave, rate, format="WAV", subtype="PCM_U8")
        return "audio/wav", stream.getvalue()


def uri(kind: str, content: bytes) -> str:
    """A file as an address that holds it."""
    return f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}"
