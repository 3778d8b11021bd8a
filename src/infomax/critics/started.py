"""The critic that starts from the answer for Gaussian data."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from infomax import gaussian
from infomax._errors import InfomaxError
from infomax._layers import Hidden
from infomax.critics.pairs import Joint


class GaussianStarted(nn.Module):
    """A joint critic that starts from the answer for Gaussian data, and learns what is left.

    f(x, y) = log N(z, w; R) − log N(z; Rx) − log N(w; Ry) + net(z, w), where z and w are x and y
    after rank-Gaussianization by the training data and R their shrunk correlation. The network's
    output starts at zero, so for a Gaussian dependence under any monotone margins the critic is
    right before the first step, and NWJ and InfoNCE are already at the truth.

    Args:
        x_train: training samples of x, [n, dx]; only training ones, or the held-out value leaks.
        y_train: the paired samples of y, [n, dy].
        hidden: widths of the network's hidden layers.

    Raises:
        InfomaxError: unpaired, fewer than ten, or not finite training samples.

    Example:
        >>> x = torch.randn(5000, 1, generator=torch.Generator().manual_seed(0))
        >>> critic = GaussianStarted(x, x.cos() + x, hidden=(8,))
        >>> critic(x[:4], x[:6]).shape
        torch.Size([4, 6])
    """

    values_x: Tensor
    scores_x: Tensor
    values_y: Tensor
    scores_y: Tensor
    wx: Tensor
    wy: Tensor
    rho: Tensor

    def __init__(
        self,
        x_train: Float[Tensor, "n dx"],
        y_train: Float[Tensor, "m dy"],
        *,
        hidden: Hidden = (256, 256),
    ) -> None:
        super().__init__()
        if x_train.ndim != 2 or y_train.ndim != 2 or len(x_train) != len(y_train):
            got = f"x {tuple(x_train.shape)} and y {tuple(y_train.shape)}"
            raise InfomaxError(wanted="paired x [n, dx], y [n, dy]", got=got, fix="pair the rows")
        if len(x_train) < 10 or not (x_train.isfinite().all() and y_train.isfinite().all()):
            raise InfomaxError(
                wanted="ten or more finite training pairs",
                got=f"{len(x_train)} pairs, some perhaps NaN or infinite",
                fix="drop rows with missing values, or give more pairs",
            )
        x, y = x_train.detach(), y_train.detach()
        for name, (values, scores) in (
            ("x", gaussian.rank_knots(x)),
            ("y", gaussian.rank_knots(y)),
        ):
            self.register_buffer(f"values_{name}", values)
            self.register_buffer(f"scores_{name}", scores)
        z, w = self._gaussianized(x, y)
        correlation = gaussian.shrunk_correlation(torch.cat([z, w], -1).double())
        wx, wy, rho = gaussian.canonical(correlation, x.shape[-1])
        rho = rho.clamp(max=gaussian.strongest(x.dtype))
        for name, fitted in (("wx", wx), ("wy", wy), ("rho", rho)):
            self.register_buffer(name, fitted.to(x.dtype))
        self.net = Joint(hidden=hidden)
        with torch.no_grad():
            self.net(z[:2], w[:2])  # sizes it
            self.net.rest[-1].weight.zero_()  # type: ignore[operator]
            self.net.rest[-1].bias.zero_()  # type: ignore[operator]

    def _gaussianized(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        z = gaussian.gaussianize(x, self.values_x, self.scores_x)
        return z, gaussian.gaussianize(y, self.values_y, self.scores_y)

    def forward(
        self, x: Float[Tensor, "... n dx"], y: Float[Tensor, "... m dy"]
    ) -> Float[Tensor, "... n m"]:
        """Scores of all pairs; before training, the Gaussian's log-ratio."""
        z, w = self._gaussianized(x, y)
        scores: Tensor = self.net(z, w)
        return gaussian.gaussian_log_ratio(z @ self.wx, w @ self.wy, self.rho) + scores

    def ceiling(self, k: int) -> float | None:
        """None: any score can be reached."""
        return None
