"""Augmentations: random variations of a signal, on batches, on the device of the data."""

from infomax.augment.image import blur, crop_flip, erase, jitter
from infomax.augment.sequence import Sequence
from infomax.augment.vectors import drop, noise, swap

__all__ = ["Sequence", "blur", "crop_flip", "drop", "erase", "jitter", "noise", "swap"]
