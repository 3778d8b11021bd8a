"""Bag of words: the quick default for text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from itertools import chain

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.modules.lazy import LazyModuleMixin

from infomax._errors import InfomaxError
from infomax._ranges import Count, Size
from infomax.encoders.texts import KEPT, as_bytes, from_bytes, pieces, strings, words


class Bag(LazyModuleMixin, nn.Module):
    r"""TF-IDF of the pieces of a text, and a linear map: ``z = W x``.

    ``x_w = (1 + log tf_w) idf_w / norm``, ``idf_w = log((1 + N) / (1 + df_w)) + 1`` over the N
    training texts. Pieces are whole words (runs of letters and digits of any script, in lower
    case) and, for what a vocabulary does not know, the runs of ``grams`` characters of ``<word>``;
    of scripts without spaces, characters and short runs of them (`texts.pieces`). The vocabulary
    and its weights are learned in `start` and are state. An empty text is zeros.

    In training each piece of a text is left out with probability ``drop``, anew every time:
    ``x_w -> x_w b_w / (1 - drop)`` with ``b_w ~ Bernoulli(1 - drop)``, of the same mean. A map
    with a row for every piece knows its training texts by heart soon otherwise.

    Args:
        dim: width of the output.
        grams: length of the character runs; 0 for words alone.
        least: training texts that a piece must stand in.
        most: size of the vocabulary; the pieces of most texts are kept.
        drop: share of the pieces left out in training.

    Raises:
        InfomaxError: a signal that is not text; training texts that share no piece; a share
            outside [0, 1).

    Source: Salton & Buckley 1988 (weights as in scikit-learn's TfidfVectorizer, sublinear);
    character runs: Bojanowski et al. 2017 (arXiv:1607.04606); words left out: Iyyer et al. 2015,
    Deep unordered composition rivals syntactic methods for text classification.

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
        self,
        *,
        dim: Count = 256,
        grams: Size = 3,
        least: Count = 2,
        most: Count = 50_000,
        drop: float = 0.0,
    ) -> None:
        super().__init__()
        if not 0 <= drop < 1:
            raise InfomaxError(
                wanted="a share of pieces to leave out, at least 0 and less than 1",
                got=f"drop: {drop}",
                fix="take 0 for none; 0.5 is usual",
            )
        self.dim, self.grams, self.least, self.most, self.drop = dim, grams, least, most, drop
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
                found.update({piece for word in words(text) for piece in pieces(word, self.grams)})
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
        sizes = torch.tensor([len(numbers) for numbers, _ in found])
        numbers = torch.from_numpy(np.concatenate([numbers for numbers, _ in found]))
        weights = torch.from_numpy(np.concatenate([weights for _, weights in found]))
        if self.training and self.drop:
            stay = torch.rand(len(weights)) >= self.drop
            numbers, weights = numbers[stay], weights[stay] / (1 - self.drop)
            sizes = _staying(stay, sizes)
        device = self.weight.device
        return F.embedding_bag(
            numbers.to(device),
            self.weight,
            (sizes.cumsum(0) - sizes).to(device),
            mode="sum",
            per_sample_weights=weights.to(device),
        )

    def _weighted(self, text: str) -> tuple[np.ndarray, np.ndarray]:
        """The pieces of a text by number, and the TF-IDF weight of each, of length one."""
        found = self._seen.get(text)
        if found is None:
            found = self._weigh(text)
            if len(self._seen) < KEPT:  # a full memory is kept: the same texts come every epoch
                self._seen[text] = found
        return found

    def _weigh(self, text: str) -> tuple[np.ndarray, np.ndarray]:
        if not self._number:
            self._number.update((piece, i) for i, piece in enumerate(self.vocabulary))
            self._rarity = self.idf.cpu().numpy()
        times = Counter(chain.from_iterable(map(self._known, words(text))))
        numbers = np.fromiter(times, np.int64, len(times))
        often = np.fromiter(times.values(), np.float32, len(times))
        weights = (1 + np.log(often)) * self._rarity[numbers]
        return numbers, weights / max(float(np.linalg.norm(weights)), 1e-12)

    def _known(self, word: str) -> list[int]:
        """The numbers of the pieces of a word that the vocabulary has."""
        found = self._parts.get(word)
        if found is None:
            number = self._number
            found = [number[piece] for piece in pieces(word, self.grams) if piece in number]
            if len(self._parts) < KEPT:
                self._parts[word] = found
        return found

    def _forget(self) -> None:
        """Forget what was made from a vocabulary that is no longer."""
        self._number: dict[str, int] = {}
        self._rarity = np.zeros(0, np.float32)
        self._parts: dict[str, list[int]] = {}
        self._seen: dict[str, tuple[np.ndarray, np.ndarray]] = {}


def _staying(stay: Bool[Tensor, " pieces"], sizes: Int[Tensor, " n"]) -> Int[Tensor, " n"]:
    """How many pieces of each text stay."""
    before = torch.cat([stay.new_zeros(1, dtype=torch.long), stay.cumsum(0)])
    ends = sizes.cumsum(0)
    return before[ends] - before[ends - sizes]
