"""Pictures from files or arrays to uint8 [C, H, W], all of one size."""

from __future__ import annotations

import io
from collections import Counter
from functools import partial
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Int, UInt8
from PIL import Image, ImageOps
from torch.nn.functional import interpolate

from infomax._errors import InfomaxError
from infomax.data.columns import Column, MemoryColumn
from infomax.data.keeping import Keep
from infomax.data.media import Cells, decoded
from infomax.data.spec import PictureSpec

SIDE = 64
"""The longer side of a picture when no size is asked for is at most this."""
LOOK = 256
"""Pictures whose header is looked at to find the usual size and whether all are grey."""
_GREY = {"1", "L", "LA", "I", "I;16", "I;16B", "I;16L"}


def picture_files(
    cells: Cells, rows: Int[np.ndarray, " n"], spec: PictureSpec, keep: Keep
) -> tuple[Column, dict[int, str]]:
    """A column of picture files of any format, size and mode; see `PictureSpec`.

    A picture of another shape is cut in the middle to the shape wanted and scaled; what is
    transparent becomes white; 16 bits become 8; a camera's rotation mark is followed.
    """
    height, width, channels = _look(cells, rows[cells.filled[rows]], spec)
    decode = partial(read_picture, size=(height, width), channels=channels)
    return decoded("picture", cells, rows, decode, (channels, height, width), torch.uint8, keep)


def picture_array(pixels: np.ndarray, spec: PictureSpec, what: str) -> MemoryColumn:
    """A column of pictures from uint8 [N, H, W], [N, H, W, C] or [N, C, H, W], C = 1 or 3.

    Raises:
        InfomaxError: another type or shape.
    """
    if pixels.ndim == 3:
        pixels = pixels[:, None]
    elif pixels.ndim == 4 and pixels.shape[-1] in (1, 3):
        pixels = pixels.transpose(0, 3, 1, 2)
    if pixels.dtype != np.uint8 or pixels.ndim != 4 or pixels.shape[1] not in (1, 3):
        raise InfomaxError(
            wanted=f"uint8 pictures [N, H, W], [N, H, W, 1 or 3] or [N, 1 or 3, H, W] in {what}",
            got=f"{pixels.dtype} {list(pixels.shape)}",
            fix="scale to 0..255 and store as uint8, or use kind: vector",
        )
    data = torch.from_numpy(np.ascontiguousarray(pixels))
    if spec.channels == 1 and data.shape[1] == 3:  # the usual weights of luminance, BT.601
        weights = torch.tensor([0.299, 0.587, 0.114])
        data = torch.einsum("nchw,c->nhw", data.float(), weights).round().byte()[:, None]
    elif spec.channels == 3 and data.shape[1] == 1:
        data = data.expand(-1, 3, -1, -1).contiguous()
    if spec.size is not None and _sides(spec.size) != tuple(data.shape[2:]):
        size = _sides(spec.size)
        parts = (
            interpolate(part.float(), size, mode="bilinear", antialias=True)
            for part in torch.tensor_split(data, max(1, len(data) // 1024))
        )
        data = torch.cat([part.round().clamp(0, 255).byte() for part in parts])
    return MemoryColumn("picture", data)


def read_picture(
    file: Path | io.BytesIO, size: tuple[int, int], channels: int
) -> UInt8[np.ndarray, "c h w"]:
    """One picture file at a size (height, width) with 1 or 3 channels.

    Raises:
        OSError: and whatever else PIL raises on a broken file.
    """
    with Image.open(file) as opened:
        picture: Image.Image = ImageOps.exif_transpose(opened)
    if picture.mode.startswith("I"):
        picture = Image.fromarray((np.asarray(picture) >> 8).clip(0, 255).astype(np.uint8))
    if picture.has_transparency_data:
        layer = picture.convert("RGBA")
        picture = Image.new("RGBA", layer.size, "white")
        picture.alpha_composite(layer)
    picture = picture.convert("L" if channels == 1 else "RGB")
    if picture.size != size[::-1]:
        picture = ImageOps.fit(picture, size[::-1], Image.Resampling.BICUBIC)
    pixels = np.asarray(picture)
    return pixels[None] if channels == 1 else pixels.transpose(2, 0, 1)


def _sides(size: int | tuple[int, int]) -> tuple[int, int]:
    return (size, size) if isinstance(size, int) else size


def _usual(sizes: Counter[tuple[int, int]]) -> tuple[int, int]:
    """The size of half of the pictures or more; else a square as large as their shorter sides."""
    if not sizes:
        return SIDE, SIDE
    size, count = sizes.most_common(1)[0]
    if 2 * count >= sizes.total():
        return size
    side = int(np.median([min(size) for size in sizes.elements()]))
    return side, side


def _look(cells: Cells, rows: np.ndarray, spec: PictureSpec) -> tuple[int, int, int]:
    """Height, width and channels: as asked for, else as usual among some of the pictures."""
    sizes: Counter[tuple[int, int]] = Counter()
    grey = True
    if spec.size is None or spec.channels is None:
        for row in rows[np.unique(np.linspace(0, len(rows) - 1, LOOK).astype(int))].tolist():
            try:
                with Image.open(cells.open(row)) as picture:
                    sizes[picture.size[::-1]] += 1
                    grey &= picture.mode in _GREY
            except Exception:  # named when it is decoded
                continue
    if spec.size is None:
        height, width = _usual(sizes)
        shrink = min(1.0, SIDE / max(height, width))
        size = (max(1, round(height * shrink)), max(1, round(width * shrink)))
    else:
        size = _sides(spec.size)
    return (*size, spec.channels or (1 if grey and sizes else 3))
