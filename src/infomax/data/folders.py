"""`imagefolder`, `audiofolder`: a folder of files for each class, below train/ and test/ if there.

Files are decoded here in threads: `datasets` would first copy the whole folder into its cache and
then decode row by row.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from infomax._errors import InfomaxError
from infomax.data.media import paths
from infomax.data.natural import own_signal, picture_signal
from infomax.data.pictures import picture_files
from infomax.data.sounds import sound_files
from infomax.data.spec import DataSpec, SoundSpec
from infomax.data.table import SPLIT_NAMES, Signals, Table, existing

SOUNDS = frozenset(
    {".aif", ".aiff", ".au", ".caf", ".flac", ".mp3", ".oga", ".ogg", ".opus", ".wav"}
)
"""Endings of sounds; files with others are left alone."""


def imagefolder(spec: DataSpec) -> Table:
    """Every picture below a folder; its label is the name of its class folder.

    Folders train, test, validation (or val, valid, dev) on top are the given splits. Pictures that
    all lie in one folder have no label. Files that are not pictures by their ending are left alone.

    Raises:
        InfomaxError: no folder, no pictures in it, or pictures beside class folders.
    """
    found = _Files.below(spec, "pictures", Image.registered_extensions())
    name, options = picture_signal(spec)
    cells = paths(found.files, found.folder)

    def read(rows: np.ndarray) -> Signals:
        column, unreadable = picture_files(cells, rows, options, spec.keep)
        return Signals({name: column}, unreadable)

    return Table(len(found.files), read, found.labels, given=found.given)


def audiofolder(spec: DataSpec) -> Table:
    """Every sound below a folder, laid out as for `imagefolder`.

    Raises:
        InfomaxError: no folder, no sounds in it, or sounds beside class folders.
    """
    found = _Files.below(spec, "sounds", SOUNDS)
    name, options = own_signal(spec, SoundSpec(kind="sound"))
    cells = paths(found.files, found.folder)

    def read(rows: np.ndarray) -> Signals:
        column, unreadable = sound_files(cells, rows, options, spec.keep)
        return Signals({name: column}, unreadable)

    return Table(len(found.files), read, found.labels, given=found.given)


@dataclass(frozen=True)
class _Files:
    """Files of one kind below a folder, their classes and given splits."""

    folder: Path
    files: list[str]
    labels: dict[str, np.ndarray]
    given: np.ndarray | None

    @classmethod
    def below(cls, spec: DataSpec, what: str, endings: Collection[str]) -> _Files:
        folder = existing(spec.path, spec.source, folder=True)
        tops = {t.name: SPLIT_NAMES.get(t.name.lower()) for t in folder.iterdir() if t.is_dir()}
        splits = {top: side for top, side in tops.items() if side is not None}
        files, classes, sides = [], [], []
        for file in sorted(folder.rglob("*")):
            parts = file.relative_to(folder).parts
            if splits and parts[0] not in splits:
                continue
            if file.suffix.lower() in endings and not file.name.startswith(".") and file.is_file():
                inner = parts[1:] if splits else parts
                files.append("/".join(parts))
                classes.append(inner[0] if len(inner) > 1 else "")
                sides.append(splits.get(parts[0], "train"))
        if not files:
            raise InfomaxError(
                wanted=f"{what} below {folder}",
                got="none" + (f" in {', '.join(sorted(splits))}" if splits else ""),
                fix=f"put {what} into a folder for each class",
            )
        found = sorted(set(classes))
        if "" in found and len(found) > 1:
            raise InfomaxError(
                wanted=f"all {what} of {folder} in folders of their class",
                got=f"{classes.count('')} beside them, first {files[classes.index('')]}",
                fix=f"move these, or put all {what} into one folder (no label)",
            )
        labels = {"label": np.array(classes)} if len(found) > 1 else {}
        return cls(folder, files, labels, np.array(sides) if splits else None)
