"""Texts as encoders take them: bytes to strings, strings to words, and strings kept as state."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

import numpy as np
import torch
from jaxtyping import UInt8
from torch import Tensor

from infomax._errors import InfomaxError


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

    Compatibility forms are made one first (NFKC: full width, ligatures, composed accents).

    Example:
        >>> words("Ёлка's 2 «FIANCÉES», ﬁne.")
        ['ёлка', 's', '2', 'fiancées', 'fine']
    """
    return unicodedata.normalize("NFKC", text).lower().translate(_BLANKS).split()


class _Blanks(dict[int, str]):
    """What `str.translate` makes of each character: letters, marks and digits stay, others part."""

    def __missing__(self, code: int) -> str:
        character = chr(code)
        kept = character if unicodedata.category(character)[0] in "LMN" else " "
        return self.setdefault(code, kept)


_BLANKS = _Blanks()


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
