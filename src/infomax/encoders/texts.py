"""Texts as encoders take them: bytes to strings, to words, to pieces; strings kept as state."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache

import numpy as np
import torch
from jaxtyping import UInt8
from torch import Tensor

from infomax._errors import InfomaxError

KEPT = 262_144
"""Words and texts whose pieces are remembered: every epoch brings the same ones again."""


def strings(value: Tensor) -> list[str]:
    """The texts of a batch of UTF-8 bytes, padded with zeros; a torn character is left out.

    Raises:
        InfomaxError: something else than texts.

    Example:
        >>> strings(torch.tensor([[195, 137, 116, 195, 169], [104, 105, 0, 0, 0]]).byte())
        ['Été', 'hi']
    """
    if value.dtype != torch.uint8 or value.ndim != 2:
        raise InfomaxError(
            wanted="text: bytes uint8 [n, L], from a signal of kind text",
            got=f"{str(value.dtype).removeprefix('torch.')} {list(value.shape)}",
            fix="give this encoder a view of a text, or take convnet or mlp",
        )
    return [row.rstrip(b"\0").decode("utf-8", "ignore") for row in rows(value)]


def rows(value: UInt8[Tensor, "n length"]) -> list[bytes]:
    """The bytes of every row, padding and all."""
    array = np.ascontiguousarray(value.cpu().numpy())
    return [row.tobytes() for row in array]


def words(text: str) -> list[str]:
    """The words of a text in lower case: runs of letters, marks and digits of any script.

    Compatibility forms are made one first (NFKC: full width, ligatures, composed accents). A run
    of a script that sets no spaces between words (`UNSPACED`) is a run of its own.

    Example:
        >>> words("Ёлка's 2 «FIANCÉES», ﬁne. iPhone手机")
        ['ёлка', 's', '2', 'fiancées', 'fine', 'iphone', '手机']
    """
    plain = unicodedata.normalize("NFKC", text).lower().translate(_BLANKS)
    return (plain if plain.isascii() else UNSPACED.sub(r" \g<0> ", plain)).split()


@lru_cache(maxsize=KEPT)
def pieces(word: str, grams: int) -> tuple[str, ...]:
    """What a word is known by: itself, and the runs of ``grams`` characters of ``<word>``.

    Of a script without spaces, where a run is a whole clause: every character, every run of two
    and so on up to ``grams``, as search engines take them.

    Source: Bojanowski et al. 2017 (arXiv:1607.04606), where the word itself has its marks too;
    characters and pairs of them for Chinese: Nie et al. 2000, On the use of words and n-grams for
    Chinese information retrieval.

    Example:
        >>> pieces("frog", 3), pieces("青蛙叫", 0)
        (('<frog>', '<fr', 'fro', 'rog', 'og>'), ('青', '蛙', '叫', '青蛙', '蛙叫'))
    """
    if UNSPACED.match(word):
        return tuple(run for size in range(1, max(grams, 2) + 1) for run in _runs(word, size))
    return (f"<{word}>", *_runs(f"<{word}>", grams)) if grams else (word,)


def _runs(word: str, size: int) -> list[str]:
    return [word[start : start + size] for start in range(len(word) - size + 1)]


class _Blanks(dict[int, str]):
    """What `str.translate` makes of each character: letters, marks and digits stay, others part."""

    def __missing__(self, code: int) -> str:
        character = chr(code)
        kept = character if unicodedata.category(character)[0] in "LMN" else " "
        return self.setdefault(code, kept)


_BLANKS = _Blanks()

UNSPACED = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005-\u3007\u3041-\u30ff\u31f0-\u31ff"
    "\u3400-\u4dbf\u4e00-\u9fff\U00020000-\U0003ffff]+"
)
"""Thai, Lao, Burmese, Khmer, kana, Han: scripts that set no spaces between words."""


def as_bytes(texts: Iterable[str]) -> UInt8[Tensor, " bytes"]:
    """Strings without line breaks as one tensor, which a state dictionary can hold.

    Example:
        >>> from_bytes(as_bytes(["frog", "Лягушка"]))
        ['frog', 'Лягушка']
    """
    return torch.frombuffer(bytearray("\n".join(texts).encode() or b"\n"), dtype=torch.uint8)


def from_bytes(packed: UInt8[Tensor, " bytes"]) -> list[str]:
    """The strings of `as_bytes`."""
    return packed.cpu().numpy().tobytes().decode().split("\n")
