"""`fashion-mnist`: the four idx.gz files of Fashion-MNIST (Xiao et al. 2017, arXiv:1708.07747)."""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path

import numpy as np

from infomax._errors import InfomaxError
from infomax.data.natural import grey_pictures
from infomax.data.spec import DataSpec
from infomax.data.table import Table, existing, whole

GARMENTS = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)


def read_idx(file: Path, axes: int) -> np.ndarray:
    """An array of bytes from an idx file, plain or gzipped.

    Raises:
        InfomaxError: the file is missing, is not idx, is cut short, or has other axes.
    """
    try:
        content = file.read_bytes()
        if content[:2] == b"\x1f\x8b":
            content = gzip.decompress(content)
    except (OSError, EOFError, zlib.error) as error:
        raise InfomaxError(
            wanted=f"an idx file {file}",
            got=f"{type(error).__name__}: {error}",
            fix="fetch the file again",
        ) from error
    head = 4 + 4 * axes
    start = b"\0\0\x08" + bytes([axes])  # bytes, so many axes; then the size of each
    sizes = [int(size) for size in np.frombuffer(content[4:head].ljust(head - 4, b"\0"), ">i4")]
    if content[:4] != start or len(content) != head + np.prod(sizes):
        raise InfomaxError(
            wanted=f"an idx file of bytes with {axes} axes: {file}",
            got=f"{len(content)} bytes that begin with {content[:4].hex() or 'nothing'}",
            fix="fetch the file again",
        )
    return np.frombuffer(content, np.uint8, offset=head).reshape(sizes)


def fashion_mnist(spec: DataSpec) -> Table:
    """70,000 garments, 28 x 28, ten classes; the given test kept, validation drawn from train."""
    folder = existing(spec.path, "fashion-mnist", folder=True)
    pixels, labels = [], []
    for part in ("train", "t10k"):
        pixels.append(read_idx(_find(folder, f"{part}-images-idx3-ubyte"), axes=3))
        labels.append(read_idx(_find(folder, f"{part}-labels-idx1-ubyte"), axes=1))
        if len(pixels[-1]) != len(labels[-1]) or pixels[0].shape[1:] != pixels[-1].shape[1:]:
            raise InfomaxError(
                wanted=f"one label for each {part} picture, all of one size, in {spec.path}",
                got=f"pictures {pixels[-1].shape}, labels {labels[-1].shape}",
                fix="fetch the four files again, from one place",
            )
    label = np.concatenate(labels)
    if label.size and label.max() >= len(GARMENTS):
        raise InfomaxError(
            wanted="labels 0 to 9",
            got=f"label {label.max()} in {spec.path}",
            fix="fetch the label files again",
        )
    given = np.repeat(["train", "test"], [len(labels[0]), len(labels[1])])
    columns = grey_pictures(np.concatenate(pixels), spec)
    return Table(len(label), whole(columns), {"label": np.array(GARMENTS)[label]}, given=given)


def _find(folder: Path, name: str) -> Path:
    for file in (folder / f"{name}.gz", folder / name):
        if file.is_file():
            return file
    raise InfomaxError(
        wanted=f"{name}.gz in {folder}",
        got=f"{len(list(folder.iterdir()))} other files there",
        fix="give the folder that holds the four files of Fashion-MNIST",
    )
