"""The map of the embeddings for the page: places, labels, texts, sounds, a sheet of thumbnails."""

from __future__ import annotations

import base64
import io
import re
from typing import Any

import numpy as np

from infomax.report.folder import Atlas

MOST_POINTS = 2000
TILE = 48  # pixels; the largest thumbnail kept
PNG_BYTES = 1_500_000  # small pictures stay exact
SHEET_BYTES = 4_000_000
HUES = (225, 28, 165, 330, 52, 200, 2, 280, 110, 15)


def payload(atlas: Atlas) -> dict[str, Any]:
    """Give what the page's script draws: places as whole numbers in 0…1000, labels, the sheet."""
    keep = np.unique(np.linspace(0, len(atlas.points) - 1, MOST_POINTS).astype(int))
    points = atlas.points[keep]
    low, high = points.min(axis=0), points.max(axis=0)
    scale = max(float((high - low).max()), 1e-12)
    places = np.rint(500 + (points - (low + high) / 2) / scale * 1000).astype(int)
    out: dict[str, Any] = {
        "x": places[:, 0].tolist(),
        "y": (1000 - places[:, 1]).tolist(),
        "index": np.asarray(atlas.index)[keep].tolist(),
        "left_out": len(atlas.points) - len(keep),
    }
    if atlas.labels is not None:
        labels = [str(label) for label in atlas.labels[keep]]
        names = sorted(set(labels), key=_naturally)
        number = {name: i for i, name in enumerate(names)}
        out |= {"label": [number[label] for label in labels], "names": names}
        out["colours"] = colours(len(names))
    if atlas.pictures is not None:
        out |= sheet(atlas.pictures[keep])
    if atlas.texts is not None:
        out["texts"] = [str(text) for text in atlas.texts[keep]]
    if atlas.sounds is not None:
        sounds = [bytes(sound).decode("ascii", "replace") for sound in atlas.sounds[keep]]
        out["sounds"] = [sound if sound.startswith("data:audio/") else "" for sound in sounds]
    return out


def colours(labels: int) -> list[tuple[float, int, int]]:
    """Hue in degrees, saturation and lightness in percent of each label, by daylight.

    Neighbouring labels get hues far apart, and two lightnesses where there are more than ten.

    Example:
        >>> colours(2), colours(12)[11]
        ([(225, 68, 45), (28, 68, 45)], (72.5, 68, 36))
    """
    few = labels <= len(HUES)
    return [
        (
            HUES[label] if few else label * 137.5 % 360,
            25 if label % 10 == 9 else 68,
            36 if label % 2 and not few else 45,
        )
        for label in range(labels)
    ]


def sheet(pictures: np.ndarray) -> dict[str, Any]:
    """Lay all thumbnails on one sheet, row by row, and give it as a data URI within its budget."""
    tiles = _shrunk(_channels(pictures), TILE)
    n, height, width, channels = tiles.shape
    columns = int(np.ceil(np.sqrt(n)))
    rows = -(-n // columns)
    padded = np.zeros((rows * columns, height, width, channels), np.uint8)
    padded[:n] = tiles
    whole = padded.reshape(rows, columns, height, width, channels).swapaxes(1, 2)
    whole = whole.reshape(rows * height, columns * width, channels)
    uri = _uri(whole, "PNG", {"optimize": True})
    if len(uri) <= PNG_BYTES:
        return {"sheet": uri, "tile": [width, height], "columns": columns}
    for quality in (88, 70, 45, 20):
        uri = _uri(whole, "JPEG", {"quality": quality, "optimize": True})
        if len(uri) <= SHEET_BYTES:
            break
    return {"sheet": uri, "tile": [width, height], "columns": columns}


def _channels(pictures: np.ndarray) -> np.ndarray:
    """Keep one channel or three: grey, or red, green, blue."""
    return pictures[..., :3] if pictures.shape[-1] >= 3 else pictures[..., :1]


def _shrunk(pictures: np.ndarray, most: int) -> np.ndarray:
    """Shrink pictures ``[n, H, W, C]`` until both sides are at most ``most`` pixels."""
    from PIL import Image

    _, height, width, channels = pictures.shape
    ratio = most / max(height, width)
    if ratio >= 1:
        return pictures
    size = (max(1, round(width * ratio)), max(1, round(height * ratio)))
    out = [np.asarray(Image.fromarray(_flat(p)).resize(size)) for p in pictures]
    return np.stack(out).reshape(len(out), size[1], size[0], channels)


def _uri(picture: np.ndarray, kind: str, options: dict[str, Any]) -> str:
    from PIL import Image

    stream = io.BytesIO()
    Image.fromarray(_flat(picture)).save(stream, kind, **options)
    text = base64.b64encode(stream.getvalue()).decode("ascii")
    return f"data:image/{kind.lower()};base64,{text}"


def _flat(picture: np.ndarray) -> np.ndarray:
    return picture[..., 0] if picture.shape[-1] == 1 else np.ascontiguousarray(picture)


def _naturally(text: str) -> list[tuple[int, float, str]]:
    """Sort labels so that 2 comes before 10."""
    parts = re.split(r"(\d+)", text)
    return [(0, float(p), "") if p.isdecimal() else (1, 0.0, p) for p in parts]
