"""Bag of words: the quick default for text."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.modules.lazy import LazyModuleMixin

from infomax._errors import InfomaxError
from infomax._ranges import Count
from infomax.encoders.texts import as_bytes, from_bytes, strings, words

KEPT = 65_536
"""Texts whose pieces are remembered: every epoch brings the same ones again."""


class Bag(LazyModuleMixin, nn.Module):
    r"""TF-IDF of the pieces of a text, and a linear map: ``z = W x``.

    ``x_w = (1 + log tf_w) idf_w / norm``, ``idf_w = log((1 + N) / (1 + df_w)) + 1`` over the N
    training texts. Pieces are whole words (runs of letters and digits of any script, in lower
    case) and, for what a vocabulary does not know, the runs of ``grams`` characters of ``<word>``.
    The vocabulary and its weights are learned in `start` and are state. An empty text is zeros.

    Args:
        dim: width of the output.
        grams: length of the character runs; 0 for words alone.
        least: training texts that a piece must stand in.
        most: size of the vocabulary; the pieces of most texts are kept.

    Raises:
        InfomaxError: a signal that is not text; training texts that share no piece.

    Source: Salton & Buckley 1988 (weights as in scikit-learn's TfidfVectorizer, sublinear);
    character runs: Bojanowski et al. 2017 (arXiv:1607.04606).

    Example:
        >>> texts = [b"a frog", b"a toad", b"a frog and a toad"]
        >>> batch = torch.stack([torch.tensor(list(t.ljust(17, b"\0"))) for t in texts]).byte()
        >>> bag = Bag(dim=8, grams=0)
        >>> bag.start([batch])
        >>> bag.vocabulary, bag(batch).shape
        (['a', 'frog', 'toad'], torch.Size([3, 8]))
    """

    words: UInt8[Tensor, " bytes"]
    idf: Float[Tensor, " pieces"]
    weight: nn.UninitializedParameter

    def __init__(
        self, *, dim: Count = 256, grams: Count = 3, least: Count = 2, most: Count = 50_000
    ) -> None:
        super().__init__()
        self.dim, self.grams, self.least, self.most = dim, grams, least, most
        self.register_buffer("words", torch.zeros(0, dtype=torch.uint8))
        self.register_buffer("idf", torch.zeros(0))
        self.weight = nn.UninitializedParameter()
        self.register_load_state_dict_post_hook(lambda module, keys: module._forget())  # type: ignore[no-untyped-call]
        self._forget()

    @property
    def vocabulary(self) -> list[str]:
        """The pieces that are known, those of most texts first."""
        return from_bytes(self.words)

    def start(self, batches: Iterable[Tensor]) -> None:
        """Learn vocabulary and weights from the training texts, all of them."""
        texts, found = 0, Counter[str]()
        for batch in batches:
            for text in strings(batch):
                texts += 1
                found.update(set(self._pieces(text)))
        often = [(piece, count) for piece, count in found.items() if count >= self.least]
        if not often:
            raise InfomaxError(
                wanted=f"words that stand in {self.least} or more training texts",
                got=f"{texts} texts that share none",
                fix="lower the encoder's `least`, or look at the text column",
            )
        often = sorted(often, key=lambda entry: (-entry[1], entry[0]))[: self.most]
        counts = torch.tensor([count for _, count in often])
        self.idf = (((1 + texts) / (1 + counts)).log() + 1).to(self.idf.device)
        self.words = as_bytes(piece for piece, _ in often).to(self.idf.device)
        weight = torch.empty(len(often), self.dim, device=self.idf.device)
        self.weight = nn.Parameter(weight.normal_(std=self.dim**-0.5))  # type: ignore[assignment]
        self._forget()

    def initialize_parameters(self, value: Tensor) -> None:
        """Refuse to run before `start`; torch calls this before the first batch."""
        if self.has_uninitialized_params():
            raise InfomaxError(
                wanted="a bag that has a vocabulary",
                got="one that has seen no texts",
                fix="call `start([texts])` first, or load a trained state",
            )

    def forward(self, value: UInt8[Tensor, "n length"]) -> Float[Tensor, "n dim"]:
        """Encode a batch of texts."""
        found = [self._weighted(text) for text in strings(value)]
        sizes = np.cumsum([0, *(len(pieces) for pieces, _ in found)])
        device = self.weight.device
        return F.embedding_bag(
            torch.from_numpy(np.concatenate([pieces for pieces, _ in found])).to(device),
            self.weight,
            torch.from_numpy(sizes[:-1]).to(device),
            mode="sum",
            per_sample_weights=torch.from_numpy(np.concatenate([w for _, w in found])).to(device),
        )

    def _pieces(self, text: str) -> Iterator[str]:
        for word in words(text):
            yield word
            if self.grams:
                marked = f"<{word}>"
                for start in range(len(marked) - self.grams + 1):
                    yield marked[start : start + self.grams]

    def _weighted(self, text: str) -> tuple[np.ndarray, np.ndarray]:
        """The pieces of a text by number, and the TF-IDF weight of each, of length one."""
        if text not in self._seen:
            if len(self._seen) >= KEPT:
                self._seen.clear()
            self._seen[text] = self._weigh(text)
        return self._seen[text]

    def _weigh(self, text: str) -> tuple[np.ndarray, np.ndarray]:
        if not self._number:
            self._number.update((piece, i) for i, piece in enumerate(self.vocabulary))
            self._rarity.extend(self.idf.tolist())
        times = Counter(self._number[p] for p in self._pieces(text) if p in self._number)
        weights = [(1 + math.log(tf)) * self._rarity[piece] for piece, tf in times.items()]
        norm = math.sqrt(sum(weight * weight for weight in weights)) or 1.0
        pieces = np.fromiter(times, np.int64, len(times))
        return pieces, np.array(weights, np.float32) / np.float32(norm)

    def _forget(self) -> None:
        """Forget what was made from a vocabulary that is no longer."""
        self._number: dict[str, int] = {}
        self._rarity: list[float] = []
        self._seen: dict[str, tuple[np.ndarray, np.ndarray]] = {}
