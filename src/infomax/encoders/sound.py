"""Encoders of sounds ``[n, samples]`` within [-1, 1], padded with exact zeros at the end.

`LogMel` hears as the ear does, in bands of frequency, and learns from few recordings; `Waveform`
learns its own filters and wants many. Both give a sequence at every stage and pool it at the end;
see `sequence` for what padding and time mean to them.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from infomax._errors import InfomaxError
from infomax._ranges import Count, Positive
from infomax.encoders.sequence import Pyramid, at_least_one, masked
from infomax.encoders.standard import Standardize, first
from infomax.slices import lengths

QUIET = 1e-7
"""Power added before the logarithm: about the noise of 16-bit samples."""
CHUNK = 64
"""Sounds whose spectrum is held at once."""
LINEAR = 1000.0
"""Hz up to which the mel scale is linear."""


def mel_filters(rate: int, size: int, mels: int) -> Float[Tensor, "bins mels"]:
    """Triangular filters, equally wide on the mel scale, each of unit area over the frequencies.

    The scale is linear up to 1000 Hz (200/3 Hz each) and logarithmic above (27 in a factor of 6.4).

    Args:
        rate: samples a second (Hz).
        size: samples in a frame of the Fourier transform.
        mels: how many filters.

    Source: Slaney 1998, Auditory Toolbox; the default of librosa.

    Example:
        >>> mel_filters(16000, 400, 40).shape
        torch.Size([201, 40])
    """
    step = math.log(6.4) / 27
    top = LINEAR * 3 / 200 + math.log(max(1.0, rate / 2 / LINEAR)) / step
    top = top if rate / 2 > LINEAR else rate / 2 * 3 / 200
    mel = torch.linspace(0, top, mels + 2, dtype=torch.float64)
    knee = LINEAR * 3 / 200
    hertz = torch.where(mel < knee, mel * 200 / 3, LINEAR * torch.exp((mel - knee) * step))
    bins = torch.linspace(0, rate / 2, size // 2 + 1, dtype=torch.float64)[:, None]
    rising = (bins - hertz[:-2]) / (hertz[1:-1] - hertz[:-2])
    falling = (hertz[2:] - bins) / (hertz[2:] - hertz[1:-1])
    triangles = torch.minimum(rising, falling).clamp_min(0)
    return (triangles * 2 / (hertz[2:] - hertz[:-2])).float()


class Spectrogram(nn.Module):
    """Log-mel spectrogram ``log(power + 1e-7)``: ``[n, samples] -> [n, frames, mels]``.

    Frame t begins at sample ``t * hop``; a sound of L samples has ``ceil(L / hop)`` frames, those
    after them are zero.

    Raises:
        InfomaxError: so many mels that a filter falls between two frequencies.
    """

    window: Tensor
    filters: Tensor

    def __init__(self, rate: int, mels: int, hop: float, frame: float) -> None:
        super().__init__()
        self.hop, self.size = max(1, round(hop * rate)), round(frame * rate)
        if not self.hop <= self.size:
            raise InfomaxError(
                wanted="frames at least as long as the hop between them",
                got=f"hop: {hop}, frame: {frame} (seconds)",
                fix="use for example hop: 0.01, frame: 0.03",
            )
        filters = mel_filters(rate, self.size, mels)
        if not bool(filters.sum(0).gt(0).all()):
            raise InfomaxError(
                wanted=f"mels that frames of {self.size} samples can tell apart",
                got=f"mels: {mels}",
                fix="use fewer mels, or longer frames (frame: seconds)",
            )
        self.register_buffer("filters", filters, persistent=False)
        self.register_buffer("window", torch.hann_window(self.size), persistent=False)

    def forward(self, sound: Float[Tensor, "n samples"]) -> Float[Tensor, "n frames mels"]:
        # in chunks: the complex spectrum takes many times the room of the sound
        return torch.cat([self._logs(some) for some in torch.split(sound, CHUNK)])

    def _logs(self, sound: Tensor) -> Tensor:
        room = self.size - self.hop + -sound.shape[1] % self.hop
        padded = F.pad(sound.float(), (0, room))
        spectrum = torch.stft(
            padded,
            self.size,
            self.hop,
            window=self.window,
            center=False,
            return_complex=True,
        )
        power = spectrum.real.square() + spectrum.imag.square()
        logs: Tensor = (power.transpose(1, 2) @ self.filters + QUIET).log()
        return logs

    def real(self, sound: Tensor) -> Tensor:
        """How many frames of each sound are not padding."""
        return -(-lengths(sound) // self.hop)


class LogMel(Pyramid):
    """Log-mel spectrogram, each band standardized, then strided convolutions over time.

    Each of the stages halves the time: after three, with a hop of 10 ms, a step is 80 ms, and sees
    240 ms, so that steps three apart share no sample. Bands are standardized with statistics of
    training sounds.

    Args:
        rate: samples a second of the sounds (Hz); it must be the data's.
        mels: bands of frequency.
        hop: seconds between frames.
        frame: seconds in a frame.
        width: features of every stage.
        stages: number of stages.
        dim: width of the output; None ends with the pooled features.

    Raises:
        InfomaxError: no stage; frames shorter than the hop; too many mels for the frames.

    Example:
        >>> net = LogMel(rate=8000, width=16, dim=8)
        >>> net(torch.randn(4, 8000)).shape
        torch.Size([4, 8])
    """

    def __init__(
        self,
        *,
        rate: Count = 16000,
        mels: Count = 40,
        hop: Positive = 0.01,
        frame: Positive = 0.03,
        width: Count = 128,
        stages: Count = 3,
        dim: Count | None = None,
    ) -> None:
        at_least_one(stages)
        super().__init__((width,) * stages, (2,) * stages, dim, mels)
        self.rate = rate
        self.spectrogram = Spectrogram(rate, mels, hop, frame)
        self.scale = Standardize(mels)

    def forward(self, sound: Float[Tensor, " n *signal"]) -> Float[Tensor, " n dim"]:
        """Encode a batch of sounds."""
        frames = self.scale(self.spectrogram(is_sound(sound)))
        return self.climb(masked(frames, self.spectrogram.real(sound)))

    def start(self, batches: Iterable[Float[Tensor, "n samples"]]) -> None:
        """Take the mean and deviation of each band over training frames."""
        self.scale.start(self._frames(sound) for sound in first(batches))

    @torch.no_grad()
    def _frames(self, sound: Tensor) -> Float[Tensor, "m mels"]:
        frames: Tensor = self.spectrogram(is_sound(sound))
        steps = torch.arange(frames.shape[1], device=frames.device)
        return frames[steps < self.spectrogram.real(sound)[:, None]]


class Waveform(Pyramid):
    """Strided convolutions over the samples themselves, as in contrastive predictive coding.

    The product of the strides is the samples in a step: 160 for those of the paper, 10 ms at
    16 kHz; ``[5, 4, 2, 2]`` gives the same at 8 kHz. Samples are divided by their training
    deviation. Normalization is over the features of one step, not over time or the batch.

    Args:
        width: features of every stage.
        strides: samples or steps that each stage makes one of.
        dim: width of the output; None ends with the pooled features.

    Raises:
        InfomaxError: no stage.

    Source: van den Oord et al. 2018, section 3.1 (arXiv:1807.03748).

    Example:
        >>> net = Waveform(width=16, dim=8)
        >>> net(torch.randn(2, 1600)).shape
        torch.Size([2, 8])
    """

    def __init__(
        self,
        *,
        width: Count = 128,
        strides: tuple[Count, ...] = (5, 4, 2, 2, 2),
        dim: Count | None = None,
    ) -> None:
        at_least_one(len(strides))
        super().__init__((width,) * len(strides), strides, dim, 1)
        self.scale = Standardize(1)

    def forward(self, sound: Float[Tensor, " n *signal"]) -> Float[Tensor, " n dim"]:
        """Encode a batch of sounds."""
        return self.climb((is_sound(sound).float() / self.scale.std)[:, :, None])

    def start(self, batches: Iterable[Float[Tensor, "n samples"]]) -> None:
        """Take the deviation of training samples, padding left out."""
        self.scale.start(sound[sound != 0][:, None] for sound in first(batches))


def is_sound(value: Tensor) -> Tensor:
    """Refuse what is not a batch of sounds."""
    if value.ndim != 2:
        raise InfomaxError(
            wanted="sounds [n, samples] for this encoder",
            got=f"a view of shape {tuple(value.shape)} (contexts first)",
            fix="encode a sound, or use the encoder of its kind: convnet, series, mlp",
        )
    return value
