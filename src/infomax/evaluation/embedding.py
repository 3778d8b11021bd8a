"""Views as arrays: what an encoder makes of contexts, what they were before, and a map of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from infomax.data import Contexts
from infomax.heldout import SEED, present
from infomax.views import Encode, View, evaluate, vectors

CHUNK = 500


def embed(view: View, contexts: Contexts, split: str) -> Float[np.ndarray, " n *shape"]:
    """One view of every context of a split, in the split's order, in evaluation mode.

    ``[n, d]``, or ``[n, positions, d]`` for a feature map or sequence. A stochastic encoder gives
    its mean. A context that lacks the signal, or is too short for a window, gives NaN.
    """
    (found,) = embed_each([view], contexts, split)
    return found


def embed_each(
    views: Sequence[View], contexts: Contexts, split: str
) -> list[Float[np.ndarray, " n *shape"]]:
    """Several views, evaluated together: what they share is one draw, what they do not is two."""
    device = device_of(views[0])
    for node in (node for view in views for node in view.path):
        if isinstance(node.step, Encode):
            node.step.module.eval()
    parts = []
    torch.manual_seed(SEED)
    for batch in contexts.batches(split, CHUNK, seed=None):
        batch = batch.to(device)
        parts.append(embedded(views, batch.signals, present(batch)))
    return [np.concatenate(own) for own in zip(*parts, strict=True)]


@torch.no_grad()
def embedded(
    views: Sequence[View],
    signals: Mapping[str, Tensor],
    there: Mapping[str, Tensor] | None = None,
) -> list[Float[np.ndarray, " n *shape"]]:
    """Views of a batch by encoders that are in evaluation mode; NaN where one is missing."""
    values = evaluate(views, signals, there, draw=False)
    out = []
    for view in views:
        part = vectors(view, values.tensors[view]).float().cpu().numpy()
        having = values.present.get(view)
        if having is not None:
            part = part.copy()
            part[~having.cpu().numpy()] = np.nan
        out.append(part)
    return out


def device_of(view: View) -> torch.device:
    """Where the encoders of a view are."""
    module = next((node.step.module for node in view.path if isinstance(node.step, Encode)), None)
    parameter = next(module.parameters(), None) if isinstance(module, nn.Module) else None
    return parameter.device if parameter is not None else torch.device("cpu")


def flat(z: Float[np.ndarray, " n *shape"]) -> Float[np.ndarray, " n d"]:
    """One vector a context: the mean over positions."""
    return z.mean(1) if z.ndim == 3 else z


def map_2d(z: Float[np.ndarray, "n d"], seed: int = 0) -> tuple[Float[np.ndarray, "n 2"], str]:
    """Two coordinates for each context: t-SNE of the first 50 principal components.

    Returns the points and the method's name. Source: van der Maaten & Hinton 2008.
    """
    from sklearn.decomposition import PCA
    from sklearn.manifold import TSNE

    components = min(50, z.shape[1], len(z) - 1)
    reduced = PCA(components, random_state=seed).fit_transform(z)
    if len(z) < 30 or components < 3:
        return reduced[:, :2].astype(np.float32), "PCA"
    tsne = TSNE(perplexity=min(30.0, len(z) / 4), init="pca", random_state=seed)
    return tsne.fit_transform(reduced).astype(np.float32), "t-SNE"
