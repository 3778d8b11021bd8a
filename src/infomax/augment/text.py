"""Augmentations of texts ``[n, L]``: UTF-8 bytes padded with zeros.

Words are what white space parts (in a script without spaces a whole sentence is one word, and
stays). Whole words go or stay, so that what is left is valid UTF-8; at least one stays.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Int, UInt8
from torch import Tensor

from infomax._ranges import Share, Shares

Texts = UInt8[Tensor, "n length"]


@dataclass(frozen=True)
class drop_words:
    r"""Leave out each word with probability ``share``.

    Source: Wei & Zou 2019 (arXiv:1901.11196), random deletion.

    Example:
        >>> text = torch.tensor([list(b"one two")]).byte()
        >>> _ = torch.manual_seed(1)
        >>> bytes(drop_words(share=0.5)(text)[0].tolist())
        b'one\x00\x00\x00\x00'
    """

    share: Share = 0.2

    def __call__(self, texts: Texts) -> Texts:
        word, count = _words(texts)
        luck = torch.rand(len(texts), int(count.max()) + 1, device=texts.device)
        luck[torch.arange(luck.shape[1], device=luck.device) >= count[:, None]] = 0.0
        stay = (luck >= self.share) | (luck == luck.amax(1, keepdim=True))  # the luckiest stays
        return _left(texts, stay.gather(1, word))


@dataclass(frozen=True)
class crop_words:
    """Keep a random run of words.

    Args:
        scale: smallest and largest share of the words that is kept.

    Source: Meng et al. 2021 (arXiv:2102.08473), random span cropping.

    Example:
        >>> text = torch.tensor([list(b"one two")]).byte()
        >>> bytes(crop_words(scale=(1.0, 1.0))(text)[0].tolist())
        b'one two'
    """

    scale: Shares = (0.5, 1.0)

    def __call__(self, texts: Texts) -> Texts:
        word, count = _words(texts)
        share = torch.empty(len(texts), device=texts.device).uniform_(*self.scale)
        length = (share * count).ceil().clamp(min=1)
        first = (torch.rand(len(texts), device=texts.device) * (count - length + 1)).floor()
        first, end = first[:, None], (first + length)[:, None]
        return _left(texts, (word >= first) & (word < end))


def _words(texts: Texts) -> tuple[Int[Tensor, "n length"], Int[Tensor, " n"]]:
    """The number of the word that each byte belongs to, and how many words a text has.

    White space belongs to the word before it, and at the start to the first.
    """
    blank = (texts == 0) | (texts == 32) | ((texts >= 9) & (texts <= 13))
    before = torch.cat([torch.ones_like(blank[:, :1]), blank[:, :-1]], 1)
    started = (~blank & before).long().cumsum(1)
    return (started - 1).clamp(min=0), started[:, -1]


def _left(texts: Texts, stay: Bool[Tensor, "n length"]) -> Texts:
    """The bytes that stay, moved together, and zeros after them; no white space at the end."""
    stay = stay & (texts != 0)
    order = (~stay).to(torch.uint8).argsort(dim=1, stable=True)
    moved = texts.gather(1, order)
    places = torch.arange(texts.shape[1], device=texts.device)
    solid = (moved > 32) & (places < stay.sum(1, keepdim=True))
    end = torch.where(solid, places + 1, 0).amax(1, keepdim=True)
    return torch.where(places < end, moved, 0)
