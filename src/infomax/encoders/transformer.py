"""A transformer over the pieces of a text, the pieces learned from the training texts."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor, nn
from torch.nn import functional as F

from infomax._errors import InfomaxError
from infomax._ranges import Count, Share
from infomax.encoders.sequence import Pool, at_least_one, masked
from infomax.encoders.texts import as_bytes, from_bytes, strings
from infomax.slices import lengths

if TYPE_CHECKING:
    from tokenizers import Tokenizer

PADDING, TEXT = "<padding>", "<text>"


class Attention(nn.Module):
    """One layer: every piece looks at all real pieces of its text, then at itself.

    ``h = x + attention(norm(x))``, then ``h + mlp(norm(h))``; what is padding stays exact zeros.
    The work is that of the longest text of the batch, whatever the padding.
    """

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.layer = nn.TransformerEncoderLayer(
            width, heads, 4 * width, dropout, "gelu", batch_first=True, norm_first=True
        )

    def forward(self, value: Float[Tensor, "n t width"]) -> Float[Tensor, "n t width"]:
        real = lengths(value)  # one or more: a text begins with a piece of its own
        longest = int(real.max())
        padding = torch.arange(longest, device=value.device) >= real[:, None]
        seen = self.layer(value[:, :longest], src_key_padding_mask=padding)
        return F.pad(masked(seen, real), (0, 0, 0, value.shape[1] - longest))


class Transformer(nn.Module):
    r"""Layers of self-attention over the pieces of a text, pooled, and a linear map.

    Pieces are byte pairs merged by frequency in the training texts (NFKC, lower case), so that no
    text of any script is unknown; a text begins with a piece of its own and is cut after
    ``longest``. Learned positions are added, and stages ``layer1``, ``layer2``, ... are sequences
    ``[n, T, width]`` padded with zeros to the longest training text; ``pool`` is the mean and the
    maximum over the real pieces; ``head`` is linear. Slower than a `Bag`, which does not know the
    order of words: worth it where the order says something and there are many texts.

    Args:
        dim: width of the output.
        width: features of every layer, a multiple of ``heads``.
        layers: number of layers.
        heads: attention heads of a layer.
        pieces: size of the vocabulary.
        longest: most pieces of a text that are read.
        dropout: share left out of attention and layers in training.

    Raises:
        InfomaxError: a signal that is not text; a width that the heads cannot share; no layer.

    Source: Vaswani et al. 2017 (arXiv:1706.03762), layers normalized first as in Xiong et al. 2020
    (arXiv:2002.04745); pieces: Sennrich et al. 2016 (arXiv:1508.07909), by `tokenizers`.

    Example:
        >>> texts = [b"a frog", b"a toad", b"a frog and a toad"]
        >>> batch = torch.stack([torch.tensor(list(t.ljust(17, b"\0"))) for t in texts]).byte()
        >>> reader = Transformer(dim=8, width=16, layers=1, heads=2)
        >>> reader.start([batch])
        >>> reader(batch).shape
        torch.Size([3, 8])
    """

    learned: UInt8[Tensor, " bytes"]
    _tokenizer: Tokenizer | None

    def __init__(
        self,
        *,
        dim: Count = 256,
        width: Count = 128,
        layers: Count = 2,
        heads: Count = 4,
        pieces: Count = 8192,
        longest: Count = 128,
        dropout: Share = 0.1,
    ) -> None:
        super().__init__()
        at_least_one(layers, "layer")
        if heads < 1 or width % heads:
            raise InfomaxError(
                wanted="a width that is a multiple of the heads",
                got=f"width: {width}, heads: {heads}",
                fix="take e.g. width 128 and 4 heads",
            )
        self.size, self.longest = pieces, longest
        self.register_buffer("learned", torch.zeros(0, dtype=torch.uint8))
        self.embedding = nn.Embedding(pieces, width)
        self.position = nn.Embedding(longest, width)
        for table in (self.embedding, self.position):
            nn.init.normal_(table.weight, std=width**-0.5)
        self._layers = [f"layer{index}" for index in range(1, layers + 1)]
        for name in self._layers:
            self.add_module(name, Attention(width, heads, dropout))
        self.norm = nn.LayerNorm(width)
        self.pool = Pool()
        self.head = nn.Linear(2 * width, dim)
        self.register_load_state_dict_post_hook(lambda module, keys: module._forget())  # type: ignore[no-untyped-call]
        self._forget()

    def start(self, batches: Iterable[Tensor]) -> None:
        """Learn the pieces from the training texts, all of them, and how long texts are."""
        from tokenizers import (
            Tokenizer,
            models,
            normalizers,
            pre_tokenizers,
            processors,
            trainers,
        )

        texts = [text for batch in batches for text in strings(batch)]
        if not any(texts):
            raise InfomaxError(
                wanted="training texts to learn pieces from",
                got=f"{len(texts)} texts, all of them empty",
                fix="look at the text column",
            )
        tokenizer = Tokenizer(models.BPE())
        tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase()])
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
        alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
        if self.size < len(alphabet) + 2:
            raise InfomaxError(
                wanted=f"pieces: {len(alphabet) + 2} or more, one for each byte",
                got=f"pieces: {self.size}",
                fix="take some thousands",
            )
        tokenizer.train_from_iterator(
            texts,
            trainers.BpeTrainer(
                vocab_size=self.size,
                min_frequency=2,
                special_tokens=[PADDING, TEXT],
                initial_alphabet=alphabet,
                show_progress=False,
            ),
        )
        tokenizer.post_processor = processors.TemplateProcessing(
            single=f"{TEXT} $A", special_tokens=[(TEXT, tokenizer.token_to_id(TEXT))]
        )
        tokenizer.enable_truncation(self.longest)
        steps = max(len(text.ids) for text in tokenizer.encode_batch_fast(texts))
        tokenizer.enable_padding(length=steps, pad_token=PADDING)
        tokenizer.enable_truncation(steps)
        self.learned = as_bytes([tokenizer.to_str()]).to(self.learned.device)
        self._forget()

    def forward(self, value: UInt8[Tensor, "n length"]) -> Float[Tensor, "n dim"]:
        """Encode a batch of texts."""
        numbers, real = self._read(strings(value))
        hidden = self.embedding(numbers) + self.position.weight[: numbers.shape[1]]
        hidden = masked(hidden, real)
        for name in self._layers:
            hidden = self.get_submodule(name)(hidden)
        features: Tensor = self.head(self.pool(masked(self.norm(hidden), real)))
        return features

    def _read(self, texts: list[str]) -> tuple[Int[Tensor, "n t"], Int[Tensor, " n"]]:
        """The numbers of the pieces of each text, padded, and how many there are."""
        found = self._pieces.encode_batch_fast(texts)
        numbers = torch.tensor([text.ids for text in found], device=self.learned.device)
        real = torch.tensor([text.attention_mask for text in found], device=numbers.device)
        return numbers, real.sum(1)

    @property
    def _pieces(self) -> Tokenizer:
        if self._tokenizer is None:
            from tokenizers import Tokenizer

            if not len(self.learned):
                raise InfomaxError(
                    wanted="a transformer that has learned pieces",
                    got="one that has seen no texts",
                    fix="call `start([texts])` first, or load a trained state",
                )
            self._tokenizer = Tokenizer.from_str(from_bytes(self.learned)[0])
        return self._tokenizer

    def _forget(self) -> None:
        """Forget the tokenizer of a state that is no longer."""
        self._tokenizer = None
