"""`imagefolder`: a folder of pictures for each class, below train/ and test/ if these exist.

Pictures are decoded here with PIL in threads: `datasets` would first copy the whole folder into
its cache and then decode row by row.
"""

from __future__ import annotations

import numpy as np
from PIL import Image

from infomax._errors import InfomaxError
from infomax.data.media import paths
from infomax.data.natural import picture_signal
from infomax.data.pictures import picture_files
from infomax.data.spec import DataSpec
from infomax.data.table import SPLIT_NAMES, Signals, Table, existing


def imagefolder(spec: DataSpec) -> Table:
    """Every picture below a folder; its label is the name of its class folder.

    Folders train, test, validation (or val, valid, dev) on top are the given splits. Pictures that
    all lie in one folder have no label. Files that are not pictures by their ending are left alone.

    Raises:
        InfomaxError: no folder, no pictures in it, or pictures beside class folders.
    """
    folder = existing(spec.path, "imagefolder", folder=True)
    name, options = picture_signal(spec)
    tops = {top.name: SPLIT_NAMES.get(top.name.lower()) for top in folder.iterdir() if top.is_dir()}
    splits = {top: side for top, side in tops.items() if side is not None}
    files, classes, sides = [], [], []
    endings = Image.registered_extensions()
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
            wanted=f"pictures below {folder}",
            got="none" + (f" in {', '.join(sorted(splits))}" if splits else ""),
            fix="put pictures into a folder for each class",
        )
    found = sorted(set(classes))
    if "" in found and len(found) > 1:
        raise InfomaxError(
            wanted=f"every picture of {folder} in a folder of its class",
            got=f"{classes.count('')} beside them, first {files[classes.index('')]}",
            fix="move these, or put all pictures into one folder (no label)",
        )
    cells = paths(files, folder)

    def read(rows: np.ndarray) -> Signals:
        column, unreadable = picture_files(cells, rows, options)
        return Signals({name: column}, unreadable)

    labels = {"label": np.array(classes)} if len(found) > 1 else {}
    return Table(len(files), read, labels, given=np.array(sides) if splits else None)
