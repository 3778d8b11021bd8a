"""Features of one layer without gradient: which patches of a signal are like which typical ones.

For some hundred contexts, where a deep network learns its training contexts by heart.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from infomax._errors import InfomaxError
from infomax._ranges import Count, Positive
from infomax.encoders.canonical import whitening
from infomax.encoders.conv import GridPool
from infomax.encoders.sequence import masked, real_steps
from infomax.encoders.sound import CHUNK, Spectrogram, is_sound
from infomax.encoders.standard import Standardize, first
from infomax.slices import lengths

PATCHES = 20_000
"""Patches that a dictionary is learned from."""
COMPONENTS, SMOOTH = 64, 0.1
"""Principal components of a patch that are kept, and how much its whitening is shrunk."""


class Codebook(nn.Module):
    r"""Patches of a picture, sound or series, by how near they are to each code of a dictionary.

    ``f_k(x) = max(0, mean_j |x - c_j| - |x - c_k|)`` for every whitened patch x, pooled as means
    over a grid of parts: of a picture ``grid`` by ``grid`` cells (and the maximum over all of
    them); of a sound or series the whole and ``grid`` equal parts of its real length, so that a
    slow voice meets a quick one, and beside them the means of every band there, its deviation, and
    the logarithm of the length, which means forget. The codes are the means of k clusters of
    training patches, learned in `start`; nothing here has a gradient.

    Args:
        codes: size of the dictionary.
        patch: size of a patch: pixels along each side, or steps in time.
        grid: parts along each side, or of the time.
        rate: samples a second of sounds (Hz), whose log-mel frames are the steps; None for others.
        mels: bands of frequency of a sound.
        hop: seconds between the frames of a sound.
        frame: seconds in one.

    Raises:
        InfomaxError: a signal of another kind; one smaller than a patch; no training samples.

    Source: Coates, Ng & Lee 2011, An analysis of single-layer networks in unsupervised feature
    learning (AISTATS), k-means (triangle).

    Example:
        >>> net = Codebook(codes=10, patch=3)
        >>> net.start([torch.rand(8, 1, 12, 12)])
        >>> net(torch.rand(4, 1, 12, 12)).shape
        torch.Size([4, 50])
    """

    mean: Float[Tensor, " d"]
    whiten: Float[Tensor, "d e"]
    centers: Float[Tensor, "codes e"]

    def __init__(
        self,
        *,
        codes: Count = 200,
        patch: Count = 6,
        grid: Count = 2,
        rate: Count | None = None,
        mels: Count = 40,
        hop: Positive = 0.02,
        frame: Positive = 0.03,
    ) -> None:
        super().__init__()
        if min(codes, patch, grid) < 1 or codes < 2:
            raise InfomaxError(
                wanted="two codes or more, patches and a grid of at least 1",
                got=f"codes: {codes}, patch: {patch}, grid: {grid}",
                fix="use for example codes: 200, patch: 6, grid: 2",
            )
        self.codes, self.patch, self.grid, self.rate = codes, patch, grid, rate
        self.spectrogram = None if rate is None else Spectrogram(rate, mels, hop, frame)
        self.scale = Standardize()
        self.pool = GridPool(grid)
        for name in ("mean", "whiten", "centers"):
            self.register_buffer(name, torch.zeros(0))

    @torch.no_grad()
    def start(self, batches: Iterable[Float[Tensor, " n *signal"]]) -> None:
        """Learn bands' statistics, the whitening and the dictionary from training patches."""
        from sklearn.cluster import MiniBatchKMeans

        kept = [batch.float() for batch in first(batches)]
        if self.spectrogram is not None or (kept and kept[0].ndim == 3):
            steps = [self._steps(batch) for batch in kept]
            self.scale.start(value[real_steps(value, real)] for value, real in steps)
        patches = torch.cat([self._some(batch, PATCHES // len(kept) + 1) for batch in kept])
        if len(patches) < self.codes:
            raise InfomaxError(
                wanted=f"{self.codes} training patches or more, one for each code",
                got=f"{len(patches)}",
                fix="give more or larger training samples, or set codes lower",
            )
        self.mean, self.whiten = whitening(patches, COMPONENTS, SMOOTH)
        seed = int(torch.randint(2**31 - 1, ()))
        found = MiniBatchKMeans(
            self.codes, random_state=seed, n_init=1, batch_size=2048, max_iter=20
        ).fit(self._white(patches).cpu().numpy())
        self.centers = torch.from_numpy(found.cluster_centers_).to(patches)

    def forward(self, value: Float[Tensor, " n *signal"]) -> Float[Tensor, "n features"]:
        """Encode a batch."""
        if not len(self.centers):
            raise InfomaxError(
                wanted="a codebook that has learned its codes",
                got="one that has seen no training samples",
                fix="call `start([samples])` first, or load a trained state",
            )
        if self.spectrogram is None and value.ndim == 4:
            return torch.cat([self._picture(some) for some in torch.split(value.float(), CHUNK)])
        return torch.cat([self._sequence(some) for some in torch.split(value, CHUNK)])

    def _picture(self, picture: Float[Tensor, "n c h w"]) -> Float[Tensor, "n features"]:
        n, _, height, width = picture.shape
        near = self._near(self._squares(picture))
        places = near.reshape(n, height - self.patch + 1, width - self.patch + 1, -1)
        pooled: Tensor = self.pool(places.permute(0, 3, 1, 2))
        return pooled

    def _sequence(self, value: Tensor) -> Float[Tensor, "n features"]:
        steps, real = self._steps(value)
        steps = masked(self.scale(steps), real)
        there = real_steps(steps, real)
        near = steps.new_zeros(*steps.shape[:2], len(self.centers))
        near[there] = self._near(self._runs(steps, real)[there])
        parts = [_parts(steps.shape[1], real, grid) for grid in sorted({1, self.grid})]
        mean = steps.sum(1) / real.clamp_min(1)[:, None]
        spread = masked((steps - mean[:, None]).square(), real).sum(1) / real.clamp_min(1)[:, None]
        pooled = torch.cat(parts, 1) @ torch.cat([near, steps], 2)
        length = real.clamp_min(1).log()[:, None]
        return torch.cat([pooled.flatten(1), spread.sqrt(), length], 1)

    def _near(self, patches: Float[Tensor, "*n d"]) -> Float[Tensor, "*n codes"]:
        flat = self._white(patches.flatten(0, -2))
        far = torch.cdist(flat, self.centers)
        near = (far.mean(1, keepdim=True) - far).clamp_min(0)
        return near.reshape(*patches.shape[:-1], len(self.centers))

    def _white(self, patches: Float[Tensor, "m d"]) -> Float[Tensor, "m e"]:
        return (patches - self.mean) @ self.whiten

    def _squares(self, picture: Float[Tensor, "n c h w"]) -> Float[Tensor, "n places d"]:
        if min(picture.shape[2:]) < self.patch:
            raise InfomaxError(
                wanted=f"pictures of at least one patch of {self.patch} pixels",
                got=f"{picture.shape[2]} x {picture.shape[3]}",
                fix="set the encoder's patch lower",
            )
        return F.unfold(picture, self.patch).transpose(1, 2)

    def _steps(self, value: Tensor) -> tuple[Float[Tensor, "n t d"], Int[Tensor, " n"]]:
        """The steps in time of a sound (its frames) or series, and how many are real."""
        if self.spectrogram is not None:
            sound = is_sound(value).float()
            return self.spectrogram(sound), self.spectrogram.real(sound)
        if value.ndim != 3:
            raise InfomaxError(
                wanted="pictures [n, C, H, W], series [n, T, C], or sounds and their `rate`",
                got=f"a view of shape {tuple(value.shape)} (contexts first)",
                fix="set the encoder's rate for sounds; take mlp or canonical for vectors",
            )
        return value.float(), lengths(value)

    def _runs(
        self, steps: Float[Tensor, "n t d"], real: Int[Tensor, " n"]
    ) -> Float[Tensor, "n t e"]:
        """The steps around each step, less the mean of the whole, side by side."""
        mean = steps.sum(1, keepdim=True) / real.clamp_min(1)[:, None, None]
        around = F.pad(masked(steps - mean, real), (0, 0, self.patch // 2, (self.patch - 1) // 2))
        return around.unfold(1, self.patch, 1).flatten(2)

    def _some(self, batch: Tensor, most: int) -> Float[Tensor, "m d"]:
        """Patches of training samples, drawn at random."""
        if self.spectrogram is None and batch.ndim == 4:
            patches = self._squares(batch).flatten(0, 1)
            patches = patches[patches.std(1) > 0]  # blank paper is no code
        else:
            steps, real = self._steps(batch)
            patches = self._runs(masked(self.scale(steps), real), real)[real_steps(steps, real)]
        return patches[torch.randperm(len(patches), device=patches.device)[:most]]


def _parts(steps: int, real: Int[Tensor, " n"], grid: int) -> Float[Tensor, "n grid t"]:
    """Weights that take means over equal parts of the real steps; a step may be in two of them.

    Example:
        >>> _parts(4, torch.tensor([3]), 2)
        tensor([[[0.6667, 0.3333, 0.0000, 0.0000],
                 [0.0000, 0.3333, 0.6667, 0.0000]]])
    """
    ends = torch.linspace(0, 1, grid + 1, device=real.device) * real.clamp_min(1)[:, None]
    at = torch.arange(steps, device=real.device)
    low, high = ends[:, :-1, None], ends[:, 1:, None]
    inside = (torch.minimum(high, at + 1.0) - torch.maximum(low, at + 0.0)).clamp_min(0)
    return inside / inside.sum(2, keepdim=True)
