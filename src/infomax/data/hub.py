"""`hub`: a data set of the Hugging Face hub, or a local folder, through `datasets`.

Here `datasets` serves: it knows the formats, fetches once, and maps its cache into memory, so
pictures and sounds are read from it as they are needed and nothing is written elsewhere. With
`stream` only the first rows are fetched, into a file that ends with the process, and the report
says how many contexts.
"""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np

from infomax._errors import InfomaxError
from infomax.data.keeping import folder, writing_to
from infomax.data.manifests import frame_table
from infomax.data.media import Cells
from infomax.data.spec import DataSpec, PictureSpec, SignalSpec, SoundSpec
from infomax.data.table import SPLIT_NAMES, Table, existing

if TYPE_CHECKING:
    import datasets


def hub(spec: DataSpec) -> Table:
    """A data set `hub:OWNER/NAME` or `hub:FOLDER`; its own splits are the given ones.

    Without `signals`, its first picture column is `picture` (or its first sound column `sound`);
    without `label`, its one column of classes, if it has just one, is the label.

    Raises:
        InfomaxError: it is not there or cannot be reached.
    """
    import datasets

    if spec.path is None:
        raise InfomaxError(
            wanted="the name of a data set of the hub",
            got="no path",
            fix="set data.path, or --data hub:OWNER/NAME",
        )
    if spec.path.startswith(("/", ".", "~")):  # a folder; do not ask the hub for it
        existing(spec.path, "hub", folder=True)
    try:
        found: Any = datasets.load_dataset(str(Path(spec.path).expanduser()), streaming=spec.stream)
        if spec.stream:
            found = {name: _first(part, spec.limit) for name, part in found.items()}
    # the client raises its own, httpx's, fsspec's and the operating system's errors
    except Exception as error:
        raise InfomaxError(
            wanted=f"the data set {spec.path!r} of the Hugging Face hub, or a folder of that name",
            got=f"{type(error).__name__}: {str(error).partition(chr(10))[0][:200]}",
            fix="check the name and the network, or fetch it elsewhere and give its folder",
        ) from error
    sides = [
        SPLIT_NAMES.get(name.lower(), "none")
        for name, part in found.items()
        for _ in range(len(part))
    ]
    rows = datasets.concatenate_datasets(list(found.values()))
    media = {
        name: feature
        for name, feature in rows.features.items()
        if isinstance(feature, datasets.Image | datasets.Audio)
    }
    for name, feature in media.items():
        rows = rows.cast_column(name, type(feature)(decode=False))
    spec = _natural(spec, rows.features, media)
    cells = {name: _cells(rows, name, lasting=not spec.stream) for name in media}
    frame = rows.remove_columns(list(media)).to_pandas()
    for name, feature in rows.features.items():
        if isinstance(feature, datasets.ClassLabel) and name in frame and (frame[name] >= 0).all():
            frame[name] = [feature.names[code] for code in frame[name]]
    if spec.split is None and "train" in sides and set(sides) != {"train"}:
        table = frame_table(frame, cells, spec, Path(), f"hub:{spec.path}")
        return Table(table.size, table.read, table.labels, table.group, np.array(sides))
    return frame_table(frame, cells, spec, Path(), f"hub:{spec.path}")


def _first(rows: datasets.IterableDataset, limit: int | None) -> datasets.Dataset:
    """The first rows of a stream, media not decoded, through a file: all that is fetched."""
    import datasets
    from datasets.arrow_writer import ArrowWriter

    features = rows.features
    for name, feature in (features or {}).items():
        if isinstance(feature, datasets.Image | datasets.Audio):
            rows = rows.cast_column(name, type(feature)(decode=False))
    with writing_to(folder()) as home, TemporaryDirectory(dir=home, prefix="stream-") as place:
        file = str(Path(place) / "rows.arrow")
        with ArrowWriter(path=file, features=rows.features, writer_batch_size=64) as writer:
            for row in rows.take(limit):
                writer.write(row)
            writer.finalize()
        return datasets.Dataset.from_file(file)  # mapped: it stays as long as it is held


def _natural(spec: DataSpec, features: datasets.Features, media: dict[str, Any]) -> DataSpec:
    """The data section with the signal and label that the data set itself names."""
    import datasets

    signals: dict[str, SignalSpec] = dict(spec.signals)
    if not signals:
        for name, feature in media.items():
            if isinstance(feature, datasets.Image):
                signals = {"picture": PictureSpec(kind="picture", column=name)}
                break
            signals = signals or {"sound": SoundSpec(kind="sound", column=name)}
    classes = [name for name, kind in features.items() if isinstance(kind, datasets.ClassLabel)]
    label = spec.label or (classes[0] if len(classes) == 1 else None)
    return spec.model_copy(update={"signals": signals, "label": label})


def _cells(rows: datasets.Dataset, name: str, *, lasting: bool) -> Cells:
    """A column of files; where the rows come from a lasting place, `datasets` can tell them."""
    column = rows.select_columns([name])
    valid = column.with_format("arrow")[:][name].is_valid().to_numpy()

    def cell(row: int) -> Path | bytes:
        held = column[row][name]
        return held["bytes"] if held["bytes"] is not None else Path(held["path"])

    mark = rows._fingerprint if lasting else None
    return Cells(
        valid,
        cell,
        lambda row: f"row {row}, column {name}",
        None if mark is None else lambda row: f"{mark} {name} {row}",
    )
