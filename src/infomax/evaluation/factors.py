"""Low-level factors of a signal, computed from the signal itself: brightness, pitch, length ...

Pure functions of batches: one number a context and factor. What a representation knows of these it
could have had from a few sums over pixels or samples; what it knows beyond them is what it learned.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from infomax.data import Kind

Factors = dict[str, Float[Tensor, " n"]]

FRAME = 1024
"""Samples of a frame in which a pitch is looked for."""
PITCHES = (50.0, 1000.0)
"""Hz between which a pitch is looked for."""
EPSILON = 1e-12


def of_pictures(pictures: Float[Tensor, "n c h w"]) -> Factors:
    """Brightness, contrast, edges, orientation, place of the mass, frequencies, colour.

    - ``brightness``, ``contrast``: mean and deviation of the luminance.
    - ``edges``: mean length of the luminance gradient, per pixel.
    - ``orientation``: of the strongest gradients, by the structure tensor: radians in (-π/2, π/2],
      0 where brightness changes from left to right.
    - ``across``, ``down``: centre of what differs from the picture's median, 0 to 1.
    - ``coarse``, ``fine``: shares of the power below an eighth and above a half of the Nyquist
      frequency.
    - ``hue``, ``saturation`` (three channels): the angle of the mean colour in radians, red 0; the
      mean range of the channels.

    Args:
        pictures: values in [0, 1], grey or RGB.

    Example:
        >>> left = torch.zeros(1, 1, 8, 8)
        >>> left[..., :2] = 1.0
        >>> found = of_pictures(left)
        >>> round(float(found["brightness"]), 3), round(float(found["across"]), 3)
        (0.25, 0.125)
    """
    colour = pictures.shape[1] == 3
    weights = pictures.new_tensor([0.299, 0.587, 0.114]) if colour else None
    grey = pictures.mean(1) if weights is None else torch.einsum("nchw,c->nhw", pictures, weights)
    found = {"brightness": grey.mean((1, 2)), "contrast": grey.flatten(1).std(1)}
    if min(grey.shape[1:]) > 2:
        found |= _gradients(grey) | _bands(grey)
    found |= _centre(pictures)
    if colour:
        red, green, blue = pictures.mean((2, 3)).unbind(1)
        found["hue"] = torch.atan2(math.sqrt(3) * (green - blue), 2 * red - green - blue)
        found["saturation"] = (pictures.amax(1) - pictures.amin(1)).mean((1, 2))
    return found


def _gradients(grey: Float[Tensor, "n h w"]) -> Factors:
    x = (grey[:, 1:-1, 2:] - grey[:, 1:-1, :-2]) / 2
    y = (grey[:, 2:, 1:-1] - grey[:, :-2, 1:-1]) / 2
    xx, yy, xy = (product.mean((1, 2)) for product in (x * x, y * y, x * y))
    return {
        "edges": torch.hypot(x, y).mean((1, 2)),
        "orientation": 0.5 * torch.atan2(2 * xy, xx - yy),
    }


def _bands(grey: Float[Tensor, "n h w"]) -> Factors:
    power = torch.fft.rfft2(grey - grey.mean((1, 2), keepdim=True)).abs().square()
    down = torch.fft.fftfreq(grey.shape[1], device=grey.device)[:, None]
    across = torch.fft.rfftfreq(grey.shape[2], device=grey.device)[None]
    radius = 2 * torch.hypot(down, across)  # 1 is the Nyquist frequency
    # the half plane holds every frequency twice, but for its first column (and last, if even)
    twice = torch.full_like(across, 2.0)
    twice[:, 0] = 1.0
    if grey.shape[2] % 2 == 0:
        twice[:, -1] = 1.0
    power = power * twice
    total = power.sum((1, 2)).clamp_min(EPSILON)
    return {
        "coarse": (power * (radius < 1 / 8)).sum((1, 2)) / total,
        "fine": (power * (radius > 1 / 2)).sum((1, 2)) / total,
    }


def _centre(pictures: Float[Tensor, "n c h w"]) -> Factors:
    ground = pictures.flatten(2).median(2).values[:, :, None, None]
    mass = (pictures - ground).abs().sum(1)
    mass = mass + EPSILON  # an even picture has its centre in the middle
    height, width = mass.shape[1:]
    down = (torch.arange(height, device=mass.device) + 0.5) / height
    across = (torch.arange(width, device=mass.device) + 0.5) / width
    total = mass.sum((1, 2))
    return {
        "across": (mass * across).sum((1, 2)) / total,
        "down": (mass * down[:, None]).sum((1, 2)) / total,
    }


def of_sounds(sounds: Float[Tensor, "n t"], rate: float = 16_000.0) -> Factors:
    """Duration, loudness, pitch, spectral centroid and bandwidth.

    - ``duration``: seconds to the last sample that is not zero (sounds are padded with zeros).
    - ``loudness``: dB of the root mean square over that duration, at least -120.
    - ``pitch``: Hz, from the peak of the autocorrelation of frames, louder ones counting more; the
      first peak nearly as high as the highest, so that an octave below is not taken for it.
    - ``centroid``, ``bandwidth``: mean and deviation of the frequency in Hz, weighted by power.

    Args:
        sounds: samples, zero padded at the end.
        rate: samples a second.

    Example:
        >>> tone = torch.sin(2 * torch.pi * 250 * torch.arange(4000) / 8000)[None]
        >>> found = of_sounds(tone, rate=8000)
        >>> round(float(found["pitch"])), round(float(found["duration"]), 2)
        (250, 0.5)
    """
    sounds = sounds.float()
    samples = sounds.shape[1]
    steps = torch.arange(1, samples + 1, device=sounds.device)
    last = ((sounds != 0) * steps).amax(1)
    power = sounds.square().sum(1) / last.clamp_min(1)
    spectrum = torch.fft.rfft(sounds).abs().square()
    frequency = torch.fft.rfftfreq(samples, 1 / rate, device=sounds.device)
    total = spectrum.sum(1).clamp_min(EPSILON)
    centroid = (spectrum * frequency).sum(1) / total
    variance = (spectrum * (frequency - centroid[:, None]).square()).sum(1) / total
    return {
        "duration": last / rate,
        "loudness": 10 * power.clamp_min(EPSILON).log10(),
        "pitch": _pitch(sounds, rate),
        "centroid": centroid,
        "bandwidth": variance.sqrt(),
    }


def _pitch(sounds: Float[Tensor, "n t"], rate: float) -> Float[Tensor, " n"]:
    size = min(FRAME, sounds.shape[1])
    low, high = max(2, round(rate / PITCHES[1])), min(size // 2, round(rate / PITCHES[0]))
    if high <= low + 1:
        return sounds.new_zeros(len(sounds))
    sums = torch.zeros(len(sounds), size, device=sounds.device)
    for start in range(0, sounds.shape[1] - size + 1, size):
        frame = sounds[:, start : start + size]
        frame = frame - frame.mean(1, keepdim=True)
        sums += torch.fft.irfft(torch.fft.rfft(frame, 2 * size).abs().square())[:, :size]
    pairs = size - torch.arange(size, device=sounds.device)  # products that a lag sums over
    alike = sums / pairs / (sums[:, :1] / size).clamp_min(EPSILON)
    window = alike[:, low - 1 : high + 1]
    inner = window[:, 1:-1]
    peak = (inner >= window[:, :-2]) & (inner >= window[:, 2:])
    best = torch.where(peak, inner, -1.0).amax(1, keepdim=True)
    first = (peak & (inner > 0.85 * best) & (best > 0)).float()
    lag = first.argmax(1)
    before, here, after = (alike.gather(1, (lag + low + i)[:, None])[:, 0] for i in (-1, 0, 1))
    bend = before - 2 * here + after
    shift = torch.where(bend < 0, 0.5 * (before - after) / bend.clamp_max(-EPSILON), 0.0)
    pitch = rate / (lag + low + shift.clamp(-0.5, 0.5))
    return torch.where(first.amax(1) > 0, pitch, 0.0)


def of_texts(texts: UInt8[Tensor, "n l"]) -> Factors:
    """Length in characters and in words, and the shares of letters, capitals and digits.

    Letters are those of ASCII and every character beyond it; capitals are those of ASCII, as a
    share of the letters.

    Args:
        texts: UTF-8 bytes, padded with zeros.

    Example:
        >>> found = of_texts(torch.tensor([[*b"Ab 12", 0]], dtype=torch.uint8))
        >>> {name: round(float(value), 2) for name, value in found.items()}
        {'length': 5.0, 'words': 2.0, 'letters': 0.4, 'capitals': 0.5, 'digits': 0.4}
    """
    code = texts.int()
    characters = ((code != 0) & ((code & 0xC0) != 0x80)).float()  # not the later bytes of one
    capital = (code >= ord("A")) & (code <= ord("Z"))
    small = (code >= ord("a")) & (code <= ord("z"))
    letter = capital | small | (code >= 0xC0)
    digit = (code >= ord("0")) & (code <= ord("9"))
    inside = (code != 0) & (code > ord(" "))
    starts = inside & ~torch.nn.functional.pad(inside, (1, 0))[:, :-1]
    length, letters = characters.sum(1), letter.float().sum(1)
    return {
        "length": length,
        "words": starts.float().sum(1),
        "letters": letters / length.clamp_min(1),
        "capitals": capital.float().sum(1) / letters.clamp_min(1),
        "digits": digit.float().sum(1) / length.clamp_min(1),
    }


def of_vectors(vectors: Float[Tensor, "n d"]) -> Factors:
    """Mean, deviation and largest size of the numbers of a vector.

    Example:
        >>> found = of_vectors(torch.tensor([[1.0, -3.0]]))
        >>> float(found["mean"]), float(found["largest"])
        (-1.0, 3.0)
    """
    vectors = vectors.float()
    found = {"mean": vectors.mean(1)}
    if vectors.shape[1] > 1:
        found |= {"spread": vectors.std(1), "largest": vectors.abs().amax(1)}
    return found


def of_series(series: Float[Tensor, "n t c"]) -> Factors:
    """Those of a vector over all times and channels, the mean step, and the slope over time.

    Example:
        >>> ramp = torch.arange(4.0).reshape(1, 4, 1)
        >>> {k: round(float(v), 2) for k, v in of_series(ramp).items() if k in ("step", "slope")}
        {'step': 1.0, 'slope': 1.0}
    """
    series = series.float()
    found = of_vectors(series.flatten(1))
    if series.shape[1] > 1:
        time = torch.arange(series.shape[1], device=series.device, dtype=series.dtype)
        time = time - time.mean()
        slope = torch.einsum("ntc,t->nc", series, time) / time.square().sum()
        found["step"] = series.diff(dim=1).abs().mean((1, 2))
        found["slope"] = slope.mean(1)
    return found


FACTORS: Mapping[Kind, Callable[[Tensor], Factors]] = {
    "picture": of_pictures,
    "sound": of_sounds,
    "text": of_texts,
    "vector": of_vectors,
    "series": of_series,
}
"""The factors of each kind of signal. (Of sounds at 16 kHz: at another rate all are scaled alike,
which changes no information.)"""
