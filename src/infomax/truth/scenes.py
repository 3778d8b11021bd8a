"""Scenes: a context rendered as a picture, a sound and a caption, sharing chosen factors.

A context has six discrete factors, uniform and independent. Views of one context agree on the
*shared* factors; each view draws its own *private* values of the others. Every view renders all
six and determines them uniquely, so for any two views I = H(shared factors) = Σ log(levels):
known exactly, for signals as wild as real ones.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from infomax._errors import InfomaxError
from infomax.truth.problem import Pairs, Problem

FACTORS: Mapping[str, tuple[str, ...]] = {
    "shape": ("triangle", "square", "cross", "ellipse"),
    "size": ("small", "middling", "large"),
    "angle": ("upright", "tilted", "slanting"),
    "row": ("top", "middle", "bottom"),
    "column": ("left", "centre", "right"),
    "colour": ("red", "green", "blue", "yellow"),
}
VIEWS = ("picture", "sound", "caption")
SIDE = 24  # pixels
RATE, SAMPLES = 8000, 2048  # Hz, and samples of a sound
COLOURS = np.array([[0.9, 0.1, 0.1], [0.1, 0.8, 0.2], [0.15, 0.25, 0.95], [0.9, 0.85, 0.1]])
HARMONICS = np.array([[1, 0, 0, 0], [1, 0, 0.6, 0], [1, 0.8, 0, 0], [1, 0.2, 0.2, 0.8]])


def _columns(values: Int[ndarray, "n 6"]) -> dict[str, ndarray]:
    return {name: values[:, i] for i, name in enumerate(FACTORS)}


def picture(values: Int[ndarray, "n 6"]) -> Float[ndarray, "n 3 h w"]:
    """Draw each row of factor levels: a coloured shape on grey, anti-aliased, within [0, 1].

    Example:
        >>> picture(np.zeros((2, 6), int)).shape
        (2, 3, 24, 24)
    """
    f = _columns(values)
    at = (np.arange(SIDE) + 0.5) / SIDE
    x = at[None, None, :] - (0.3 + 0.2 * f["column"])[:, None, None]
    y = at[None, :, None] - (0.3 + 0.2 * f["row"])[:, None, None]
    angle = np.pi / 6 * f["angle"][:, None, None]
    radius = (0.14 + 0.06 * f["size"])[:, None, None]
    u = (np.cos(angle) * x + np.sin(angle) * y) / radius
    v = (np.cos(angle) * y - np.sin(angle) * x) / radius
    # each is negative inside the shape, in units of its radius
    outlines = np.stack(
        [
            np.maximum(v - 0.5, 0.866 * np.abs(u) - 0.5 * v - 0.5),
            np.maximum(np.abs(u), np.abs(v)) - 0.75,
            np.minimum(
                np.maximum(np.abs(u) - 1.0, np.abs(v) - 0.3),
                np.maximum(np.abs(v) - 1.0, np.abs(u) - 0.3),
            ),
            np.hypot(u, v / 0.5) - 1.0,
        ]
    )
    outline = outlines[f["shape"], np.arange(len(values))] * radius * SIDE
    cover = np.clip(0.5 - outline, 0, 1)[:, None]
    colour = COLOURS[f["colour"]][:, :, None, None]
    out: ndarray = (0.5 + cover * (colour - 0.5)).astype(np.float32)
    return out


def sound(values: Int[ndarray, "n 6"]) -> Float[ndarray, "n t"]:
    """Sound each row of factor levels: a quarter of a second at 8 kHz, within ±1.

    Shape is the timbre, size the loudness, angle the glide, row the pitch, column the onset,
    colour the beat of the loudness.

    Example:
        >>> sound(np.zeros((2, 6), int)).shape
        (2, 2048)
    """
    f = {name: column[:, None] for name, column in _columns(values).items()}
    t = np.arange(SAMPLES)[None] / RATE
    since = np.maximum(t - 0.05 * f["column"], 0)
    pitch = 220.0 * 1.5 ** f["row"]
    phase = 2 * np.pi * pitch * (since + (f["angle"] - 1) * 0.8 * since**2)
    weights = HARMONICS[f["shape"][:, 0]]
    tone = sum(weights[:, k, None] * np.sin((k + 1) * phase) for k in range(weights.shape[1]))
    beat = 0.6 + 0.4 * np.cos(2 * np.pi * 10.0 * (1 + f["colour"]) * since)
    loudness = 0.15 * 1.6 ** f["size"]
    heard = (since > 0) * np.exp(-4 * since)
    wave: ndarray = loudness * heard * beat * tone / weights.sum(1, keepdims=True)
    return wave.astype(np.float32)


def caption(values: Int[ndarray, "n 6"]) -> list[str]:
    """Say each row of factor levels in words.

    Example:
        >>> caption(np.zeros((1, 6), int))
        ['a small red triangle, upright, at the top left']
    """
    words = [[levels[v] for levels, v in zip(FACTORS.values(), r, strict=True)] for r in values]
    return [
        f"a {size} {colour} {shape}, {angle}, at the {row} {column}"
        for shape, size, angle, row, column, colour in words
    ]


@dataclass(frozen=True)
class Scenes:
    """Contexts whose views share the named factors and nothing else.

    Args:
        shared: names of the shared factors, from `FACTORS`; the others are private to each view.

    Raises:
        InfomaxError: an unknown factor, or one named twice.

    Example:
        >>> scenes = Scenes(shared=("shape", "colour"))
        >>> batch = scenes.sample(5, seed=0)
        >>> sorted(batch), round(scenes.nats, 3)
        (['caption', 'picture', 'shared', 'sound'], 2.773)
    """

    shared: tuple[str, ...] = tuple(FACTORS)

    def __post_init__(self) -> None:
        unknown = sorted(set(self.shared) - set(FACTORS))
        if unknown or len(set(self.shared)) < len(self.shared):
            raise InfomaxError(
                wanted=f"each at most once: {', '.join(FACTORS)}",
                got=f"shared = {self.shared}",
                fix="name factors of the scene",
            )

    @property
    def nats(self) -> float:
        """I between any two views: the entropy of the shared factors."""
        return sum(math.log(len(FACTORS[name])) for name in self.shared)

    def factors(self, n: int, seed: int = 0) -> dict[str, Int[ndarray, "n 6"]]:
        """Draw the factor levels that each view will render, columns as in `FACTORS`."""
        rng = np.random.default_rng(seed)
        levels = [len(v) for v in FACTORS.values()]
        common = rng.integers(0, levels, (n, len(levels)))
        keep = np.array([name in self.shared for name in FACTORS])
        return {
            view: np.where(keep, common, rng.integers(0, levels, (n, len(levels))))
            for view in VIEWS
        }

    def sample(self, n: int, seed: int = 0) -> dict[str, ndarray | list[str]]:
        """Render n contexts: picture [n, 3, 24, 24], sound [n, 2048], caption, n strings.

        `shared` numbers the combination of shared factors, 0 … e^nats − 1: the ideal label.
        """
        drawn = self.factors(n, seed)
        columns = [list(FACTORS).index(name) for name in self.shared]
        label = np.zeros(n, int)
        for name, i in zip(self.shared, columns, strict=True):
            label = label * len(FACTORS[name]) + drawn["picture"][:, i]
        return {
            "picture": picture(drawn["picture"]),
            "sound": sound(drawn["sound"]),
            "caption": caption(drawn["caption"]),
            "shared": label,
        }

    def problem(self) -> Problem:
        """The picture against the sound, flattened, as a problem with exact nats."""

        def draw(rng: np.random.Generator, n: int) -> Pairs:
            drawn = self.factors(n, int(rng.integers(2**31)))
            return picture(drawn["picture"]).reshape(n, -1), sound(drawn["sound"])

        return Problem(f"scenes-{'+'.join(self.shared)}", self.nats, 3 * SIDE**2, SAMPLES, draw)
