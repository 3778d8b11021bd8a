"""`webdataset`: shards of tar files in which the parts of a context share a name.

``0001.jpg``, ``0001.wav``, ``0001.txt``, ``0001.json`` are one context; an extension is a column.
The headers of the shards are read once and the bytes of a member where it is wanted: nothing is
unpacked, so no name in an archive is ever a path. (`datasets` reads shards too, but refuses those
in which a context lacks a part, and copies them all into its cache.)
"""

from __future__ import annotations

import json
import re
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, final

import numpy as np

from infomax._errors import InfomaxError
from infomax.data.manifests import frame_table
from infomax.data.media import Cells, stamp
from infomax.data.spec import DataSpec, PictureSpec, SignalSpec, SoundSpec, TextSpec
from infomax.data.table import SPLIT_NAMES, Signals, Table, existing

PICTURES = ("jpg", "jpeg", "png", "webp", "bmp", "gif", "tif", "tiff", "ppm", "pgm")
SOUNDS = ("wav", "flac", "ogg", "opus", "mp3", "aiff")
WORDS = ("txt", "text", "transcript", "cls", "json")
"""Extensions whose members are read into cells; every other one is a file of its own."""


@final
@dataclass(frozen=True)
class Member:
    """Where in which shard the bytes of a part of a context lie."""

    shard: Path
    name: str
    start: int
    size: int

    def read(self) -> bytes:
        """Its bytes.

        Raises:
            ValueError: the shard ends before them.
        """
        with self.shard.open("rb") as file:
            file.seek(self.start)
            held = file.read(self.size)
        if len(held) < self.size:
            raise ValueError("the shard ends within it")
        return held

    def __str__(self) -> str:
        return f"{self.shard.name}:{self.name}"


@final
@dataclass(eq=False)
class Sample:
    """One context: its parts by extension, and what is wrong with it."""

    shard: Path
    parts: dict[str, Member] = field(default_factory=dict)
    wrong: str | None = None


def webdataset(spec: DataSpec) -> Table:
    """Contexts of tar shards: a file, a folder of ``*.tar``, or a pattern such as ``a-*.tar``.

    Columns are the extensions (``jpg``, ``seg.png``), the fields of a ``json``, and `picture` and
    `sound` for whatever extension those have. Without `signals`: picture, sound and text, as far
    as they are there; without `label`, ``cls``. Shards named ``train-*`` and ``test-*`` (or val)
    are the given splits. A member that cannot be read is counted and named.

    Raises:
        InfomaxError: no shards, or one that is not a plain tar.
    """
    import pandas as pd

    samples = [sample for shard in _shards(spec.path) for sample in _samples(shard)]
    cells: list[dict[str, Any]] = []
    bad: dict[int, str] = {}
    for row, sample in enumerate(samples):
        try:
            cells.append(_cells(sample.parts))
        except ValueError as error:
            cells.append({})
            bad[row] = str(error)
        if sample.wrong is not None:
            bad[row] = sample.wrong
    good = next((own for row, own in enumerate(cells) if row not in bad), {})
    # what stands in a row that is left out is never read, but keeps its columns of one type
    cells = [good if row in bad else own for row, own in enumerate(cells)]
    frame = pd.DataFrame(cells, index=range(len(samples)), dtype=object).infer_objects()
    endings = dict.fromkeys(ext for sample in samples for ext in sample.parts)
    media = {ext: _media(samples, (ext,)) for ext in endings if ext not in WORDS}
    for name, group in (("picture", PICTURES), ("sound", SOUNDS)):
        if name not in media and name not in frame and any(ext in endings for ext in group):
            media[name] = _media(samples, group)
    table = frame_table(frame, media, _natural(spec, endings), Path(), f"webdataset:{spec.path}")

    def read(rows: np.ndarray) -> Signals:
        signals, wanted = table.read(rows), set(rows.tolist())
        here = {row: why for row, why in bad.items() if row in wanted}
        return Signals(signals.columns, {**signals.unreadable, **here})

    given = table.given
    sides = [_side(sample.shard) for sample in samples]
    if spec.split is None and "train" in sides and len(set(sides)) > 1:
        given = np.array([side or "none" for side in sides])
    return replace(table, read=read, given=given)


def _shards(path: str | None) -> list[Path]:
    if path is not None and "*" in path:
        whole = Path(path).expanduser()
        found = sorted(whole.parent.glob(whole.name))
    elif path is not None and Path(path).expanduser().is_dir():
        found = sorted(Path(path).expanduser().glob("*.tar"))
    else:
        return [existing(path, "webdataset")]
    if not found:
        raise InfomaxError(
            wanted=f"shards (*.tar) at {path}",
            got="none",
            fix="name a folder of tar files, one of them, or a pattern such as FOLDER/train-*.tar",
        )
    return found


def _samples(shard: Path) -> list[Sample]:
    """The contexts of one shard, in its order; only plain files count, links and devices do not."""
    found: dict[str, Sample] = {}
    last: Sample | None = None
    try:
        with tarfile.open(shard, "r:") as archive:
            for info in archive:
                folder, _, base = info.name.rpartition("/")
                stem, dot, ending = base.partition(".")
                if not info.isreg() or not stem or not dot or stem.startswith("__"):
                    continue
                last = found.setdefault(f"{folder}/{stem}", Sample(shard))
                member = Member(shard, info.name, info.offset_data, info.size)
                if ending.lower() in last.parts:
                    last.wrong = f"{member}: stands twice"
                last.parts[ending.lower()] = member
            # tarfile is silent about a header that breaks off, but then there is no closing block
            if shard.stat().st_size - archive.offset < tarfile.BLOCKSIZE:
                raise tarfile.ReadError("no end of the archive")
    except (tarfile.TarError, OSError) as error:
        if last is None:
            raise InfomaxError(
                wanted=f"a tar file {shard}, not compressed",
                got=str(error).partition("\n")[0],
                fix="unpack the compression, or remove the file",
            ) from error
        last.wrong = f"{shard.name}: broken off after {list(last.parts.values())[-1].name}"
    return list(found.values())


def _cells(parts: Mapping[str, Member]) -> dict[str, Any]:
    """The texts, classes and fields of one context.

    Raises:
        ValueError: naming the member that is not UTF-8, or not an object of JSON.
    """
    cells: dict[str, Any] = {}
    for ending in WORDS:
        if ending not in parts:
            continue
        try:
            text = parts[ending].read().decode("utf-8")
            if ending != "json":
                plain = text.strip()
                is_class = ending == "cls" and re.fullmatch(r"-?\d+", plain)
                cells[ending] = int(plain) if is_class else plain
                continue
            fields = json.loads(text)
            if not isinstance(fields, dict):
                raise ValueError("not an object of JSON")
            cells |= {str(key): value for key, value in fields.items()}
        except ValueError as error:
            raise ValueError(f"{parts[ending]}: {error}") from error
    return cells


def _media(samples: Sequence[Sample], endings: Sequence[str]) -> Cells:
    """A column of files: of each context the first of some extensions that it has."""
    members = [next((s.parts[e] for e in endings if e in s.parts), None) for s in samples]

    def read(row: int) -> bytes:
        member = members[row]
        assert member is not None
        return member.read()

    filled = np.array([member is not None for member in members], dtype=bool)
    stamps = {shard: stamp(shard) for shard in {sample.shard for sample in samples}}

    def mark(row: int) -> str:
        member = members[row]
        return "" if member is None else f"{stamps[member.shard]} {member.start}"

    return Cells(filled, read, lambda row: str(members[row]), mark)


def _natural(spec: DataSpec, endings: Mapping[str, None]) -> DataSpec:
    """The data section with the signals and the label that the extensions tell."""
    signals: dict[str, SignalSpec] = dict(spec.signals)
    if not signals:
        if any(ending in endings for ending in PICTURES):
            signals["picture"] = PictureSpec(kind="picture")
        if any(ending in endings for ending in SOUNDS):
            signals["sound"] = SoundSpec(kind="sound")
        if "txt" in endings:
            signals["text"] = TextSpec(kind="text", column="txt")
    label = spec.label or ("cls" if "cls" in endings else None)
    return spec.model_copy(update={"signals": signals, "label": label})


def _side(shard: Path) -> str | None:
    """The split that the name of a shard begins with."""
    return SPLIT_NAMES.get(re.split(r"[^a-z]", shard.stem.lower())[0])
