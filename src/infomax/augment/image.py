"""Augmentations of pictures ``[n, C, H, W]`` with values in [0, 1].

Each is a frozen record, called with a batch; every picture draws its own variation. `crop_flip`
is one affine resampling in plain torch: the same pictures as kornia's RandomResizedCrop and
RandomHorizontalFlip, without its loop over the batch; `jitter` is one matrix a picture. `blur` and
`erase` are kornia's.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from infomax._errors import InfomaxError
from infomax._ranges import Odd, Share, Shares, Span

Pictures = Float[Tensor, "n c h w"]
YIQ = ((0.299, 0.587, 0.114), (0.595716, -0.274453, -0.321263), (0.211456, -0.522591, 0.311135))
"""Luma, and the two axes of chroma, from red, green and blue."""


@dataclass(frozen=True)
class crop_flip:
    """Cut out a random rectangle, resize it to the whole, and mirror it half of the time.

    Args:
        scale: smallest and largest share of the area that is kept.
        ratio: narrowest and widest aspect ratio, before resizing.
        flip: probability of mirroring left to right.

    Source: Szegedy et al. 2015 (arXiv:1409.4842); Chen et al. 2020 (arXiv:2002.05709).

    Example:
        >>> crop_flip(scale=(0.5, 1.0))(torch.rand(8, 3, 32, 32)).shape
        torch.Size([8, 3, 32, 32])
    """

    scale: Shares = (0.3, 1.0)
    ratio: Span = (0.75, 4 / 3)
    flip: Share = 0.5

    def __call__(self, pictures: Pictures) -> Pictures:
        n, device = len(pictures), pictures.device
        area = torch.empty(n, device=device).uniform_(*self.scale)
        log_ratio = [math.log(self.ratio[0]), math.log(self.ratio[1])]
        aspect = torch.empty(n, device=device).uniform_(*log_ratio).exp()
        width, height = (area * aspect).sqrt().clamp(max=1), (area / aspect).sqrt().clamp(max=1)
        mirror = torch.where(torch.rand(n, device=device) < self.flip, -1.0, 1.0)
        theta = torch.zeros(n, 2, 3, device=device)
        theta[:, 0, 0], theta[:, 1, 1] = width * mirror, height
        theta[:, 0, 2] = (1 - width) * (2 * torch.rand(n, device=device) - 1)
        theta[:, 1, 2] = (1 - height) * (2 * torch.rand(n, device=device) - 1)
        grid = F.affine_grid(theta, list(pictures.shape), align_corners=False)
        return F.grid_sample(pictures, grid, padding_mode="border", align_corners=False)


@dataclass(frozen=True)
class jitter:
    """Change brightness and contrast, of pictures with colours also saturation and hue.

    ``x' = clip(b (m + c (x - m)), 0, 1)`` with m the picture's mean, b in 1 +- brightness and
    c in 1 +- contrast. Before that, of pictures with three channels, chroma (I and Q of YIQ) is
    stretched by a factor in 1 +- saturation and turned by +- hue turns; grey stays what it is. Two
    crops of one picture share their colours, and without this that is all that need be learned.

    Source: Chen et al. 2020 (arXiv:2002.05709), appendix A: 0.8, 0.8, 0.8 and 0.2 on ImageNet, half
    of it on small pictures, in 80 % of them (here in all).

    Example:
        >>> grey = torch.full((2, 3, 4, 4), 0.5)
        >>> torch.allclose(jitter(brightness=0.0, contrast=0.0)(grey), grey)
        True
    """

    brightness: Share = 0.4
    contrast: Share = 0.4
    saturation: Share = 0.4
    hue: Share = 0.1

    def __call__(self, pictures: Pictures) -> Pictures:
        size, device = (len(pictures), 1, 1, 1), pictures.device
        if pictures.shape[1] == 3 and (self.saturation or self.hue):
            pictures = self._coloured(pictures)
        factor = 1 + self.brightness * (2 * torch.rand(size, device=device) - 1)
        spread = 1 + self.contrast * (2 * torch.rand(size, device=device) - 1)
        mean = pictures.mean((1, 2, 3), keepdim=True)
        return (factor * (mean + spread * (pictures - mean))).clamp(0, 1)

    def _coloured(self, pictures: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n 3 h w"]:
        """Each picture through a matrix of its own: YIQ, chroma stretched and turned, and back."""
        stretch, angle = 2 * torch.rand(2, len(pictures), device=pictures.device) - 1
        stretch, angle = 1 + self.saturation * stretch, 2 * math.pi * self.hue * angle
        yiq = torch.tensor(YIQ, device=pictures.device)
        change = torch.eye(3, device=pictures.device).repeat(len(pictures), 1, 1)
        change[:, 1, 1] = change[:, 2, 2] = stretch * angle.cos()
        change[:, 2, 1] = stretch * angle.sin()
        change[:, 1, 2] = -change[:, 2, 1]
        change = (torch.linalg.inv(yiq) @ change @ yiq).to(pictures.dtype)
        return torch.einsum("nij,njhw->nihw", change, pictures)


@dataclass(frozen=True)
class grayscale:
    """Take the colours of a share of the pictures, and leave their luma in every channel.

    Source: Chen et al. 2020 (arXiv:2002.05709), appendix A.

    Example:
        >>> grayscale(share=1.0)(torch.rand(2, 3, 4, 4)).std(1).max() < 1e-6
        tensor(True)
    """

    share: Share = 0.2

    def __call__(self, pictures: Pictures) -> Pictures:
        if pictures.shape[1] != 3:
            return pictures
        luma = pictures.new_tensor(YIQ[0])[:, None, None]
        grey = (luma * pictures).sum(1, keepdim=True)
        chosen = torch.rand(len(pictures), 1, 1, 1, device=pictures.device) < self.share
        return torch.where(chosen, grey, pictures)


@dataclass(frozen=True)
class blur:
    """Blur with a Gaussian of random width, for a share of the pictures (kornia).

    Raises:
        InfomaxError: a kernel of more than the picture and its mirror image on both sides.
    """

    sigma: Span = (0.1, 1.0)
    size: Odd = 3
    share: Share = 0.5

    def __call__(self, pictures: Pictures) -> Pictures:
        from kornia.augmentation import RandomGaussianBlur

        smallest = min(pictures.shape[2:])
        if self.size // 2 >= smallest:
            raise InfomaxError(
                wanted=f"a blur of size {2 * smallest - 1} or less, for {smallest} pixels",
                got=f"size: {self.size}",
                fix="3 is usual; a wider blur is a larger sigma",
            )
        kernel = (self.size, self.size)
        blurred: Tensor = RandomGaussianBlur(kernel, self.sigma, p=self.share)(pictures)
        return blurred


@dataclass(frozen=True)
class erase:
    """Blank out a random rectangle in a share of the pictures (kornia).

    Source: Zhong et al. 2020 (arXiv:1708.04896).
    """

    scale: Shares = (0.02, 0.33)
    share: Share = 0.5

    def __call__(self, pictures: Pictures) -> Pictures:
        from kornia.augmentation import RandomErasing

        erased: Tensor = RandomErasing(self.scale, p=self.share)(pictures)
        return erased
