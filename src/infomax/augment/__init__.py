"""Augmentations: random variations of a signal, on batches, on the device of the data."""

from infomax.augment.image import blur, crop_flip, erase, grayscale, jitter
from infomax.augment.sequence import Sequence
from infomax.augment.sound import crop_time, gain, hiss, rescale, shift_time
from infomax.augment.text import crop_words, drop_words
from infomax.augment.vectors import drop, noise, swap

__all__ = [
    "Sequence",
    "blur",
    "crop_flip",
    "crop_time",
    "crop_words",
    "drop",
    "drop_words",
    "erase",
    "gain",
    "grayscale",
    "hiss",
    "jitter",
    "noise",
    "rescale",
    "shift_time",
    "swap",
]
