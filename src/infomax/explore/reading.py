"""What a person gives, as the data would have read it: bytes to one row of a signal.

The type is that of the content, never of a name; only formats that a browser has are opened, and
nothing is decoded whose header promises more than a file of its size should hold.
"""

from __future__ import annotations

import io
import warnings
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from infomax._errors import InfomaxError
from infomax.data import Column, encode_texts
from infomax.data.pictures import read_picture
from infomax.data.sounds import read_sound

PICTURES = ("PNG", "JPEG", "WEBP", "BMP")
SOUNDS = ("WAV", "WAVEX", "FLAC", "OGG", "MP3")
PIXELS = 50_000_000
HERTZ = (1_000, 192_000)
CHANNELS = 8
GIVEN = {"picture": PICTURES, "sound": ("WAV", "FLAC", "OGG", "MP3"), "text": ("a sentence",)}
"""Kinds of signals that can be given, and as what."""


@final
@dataclass(frozen=True)
class Given:
    """One row of a signal, as `Column.read` gives it, and what was lost on the way."""

    row: Tensor
    notes: tuple[str, ...]


def read(content: bytes, column: Column, rate: int) -> Given:
    """A row like those of a column, from a file or a sentence.

    Args:
        content: the file, or the sentence in UTF-8.
        column: whose kind, size, channels or length it gets.
        rate: Hz, of a sound.

    Raises:
        InfomaxError: content of another kind, damaged, or larger than makes sense.
    """
    if column.kind == "picture":
        return _picture(content, column)
    if column.kind == "sound":
        return _sound(content, column, rate)
    if column.kind == "text":
        return _text(content, column)
    raise InfomaxError(
        wanted="a view of a picture, a sound or a text to ask by",
        got=f"a view of a {column.kind}",
        fix="search from a context that is shown",
    )


def _picture(content: bytes, column: Column) -> Given:
    from PIL import Image

    channels, height, width = column.shape
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(content), formats=PICTURES) as opened:
                size = opened.size
        if size[0] * size[1] > PIXELS:
            raise ValueError(f"{size[0]} x {size[1]} pixels")
        pixels = read_picture(io.BytesIO(content), (height, width), channels)
    except Exception as error:  # whatever a decoder raises, the file is at fault
        raise _unlike("a picture", PICTURES, content, error, f"{PIXELS:,} pixels") from None
    if size == (width, height):
        return Given(torch.from_numpy(pixels.copy()), ())
    note = f"{size[0]} x {size[1]} pixels were scaled to {width} x {height}, as the data's are"
    cut = abs(size[0] * height - size[1] * width) > max(size)
    return Given(torch.from_numpy(pixels.copy()), (note + (" and cut to this shape" * cut),))


def _sound(content: bytes, column: Column, rate: int) -> Given:
    import soundfile

    (samples,) = column.shape
    try:
        with soundfile.SoundFile(io.BytesIO(content)) as sound:
            own, seconds = sound.samplerate, sound.frames / sound.samplerate
            if sound.format not in SOUNDS:
                raise ValueError(f"the format {sound.format}")
            if not HERTZ[0] <= own <= HERTZ[1] or sound.channels > CHANNELS:
                raise ValueError(f"{own} Hz and {sound.channels} channels")
        heard = read_sound(io.BytesIO(content), rate, samples)
    except Exception as error:
        limits = f"{CHANNELS} channels, {HERTZ[0]:,} to {HERTZ[1]:,} Hz"
        raise _unlike("a sound", GIVEN["sound"], content, error, limits) from None
    limit = samples / rate
    cut = f"only the first {limit:g} s of {seconds:.1f} s were heard, as of the data's sounds"
    return Given(torch.from_numpy(heard).float() / 32768, (cut,) if seconds > limit + 0.01 else ())


def _text(content: bytes, column: Column) -> Given:
    (length,) = column.shape
    try:
        words = content.decode("utf-8").strip()
    except UnicodeDecodeError as error:
        raise _unlike("a sentence in UTF-8", (), content, error, "") from None
    if not words.strip("\0"):
        raise InfomaxError(wanted="a sentence", got="nothing", fix="type some words")
    row = torch.from_numpy(encode_texts([words], length)[0])
    size = len(words.encode())
    cut = f"the sentence was cut: this run reads {length} bytes of a text, and it has {size}"
    return Given(row, (cut,) if size > length else ())


def _unlike(
    what: str, formats: tuple[str, ...], content: bytes, error: Exception, limits: str
) -> InfomaxError:
    listed = f" ({', '.join(formats)}; at most {limits})" if formats else ""
    words = " ".join(str(error).split())[:120] or type(error).__name__
    if "BytesIO" in words:  # a decoder's words on an object of ours
        words = "a file that is none of these, or damaged"
    return InfomaxError(
        wanted=what + listed,
        got=f"{len(content):,} bytes: {words}",
        fix="choose another file, or ask by another view",
    )
