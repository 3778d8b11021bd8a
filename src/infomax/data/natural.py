"""What the picture sources share: their one signal `picture` and their label `label`."""

from __future__ import annotations

import numpy as np

from infomax._errors import InfomaxError
from infomax.data.columns import Column
from infomax.data.pictures import picture_array
from infomax.data.spec import DataSpec, PictureSpec


def picture_signal(spec: DataSpec) -> tuple[str, PictureSpec]:
    """The name and options of the one signal of a picture source: `picture`, unless renamed.

    Raises:
        InfomaxError: another signal, a label other than `label`, a group or a split is named.
    """
    strange = [
        f"data.{key}: {value}"
        for key, value, own in (
            ("label", ", ".join(spec.labels) or None, "label"),
            ("group", spec.group, None),
            ("split", spec.split, None),
        )
        if value is not None and value != own
    ]
    chosen = [
        (name, signal)
        for name, signal in spec.signals.items()
        if isinstance(signal, PictureSpec) and signal.column in (None, "picture")
    ]
    strange += [f"data.signals.{name}" for name in spec.signals if name not in dict(chosen)]
    if strange or len(chosen) > 1:
        raise InfomaxError(
            wanted=f"what the source {spec.source} has: the signal picture and the label label",
            got=", ".join(strange) or f"{len(chosen)} signals",
            fix="remove these keys, or use a csv manifest, which can name any column",
        )
    return chosen[0] if chosen else ("picture", PictureSpec(kind="picture"))


def grey_pictures(pixels: np.ndarray, spec: DataSpec) -> dict[str, Column]:
    """The columns of a source of grey pictures uint8 [N, H, W]."""
    name, options = picture_signal(spec)
    return {name: picture_array(pixels, options, spec.source)}
