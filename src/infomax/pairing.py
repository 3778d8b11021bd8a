"""How the positions of two views pair, and which others are negatives.

A view is ``[n, d]`` (one vector a context) or ``[n, P, d]`` (P positions: places of a feature map,
steps in time). A bound wants score matrices whose last two axes are anchors and candidates.
`arrange` lays the two views out so that a critic, which broadcasts leading axes, makes exactly
those matrices. The layout decides *which* mutual information is bounded, so it is explicit.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from infomax._errors import InfomaxError

Negatives = Literal["batch", "within", "both"]
Positions = Literal["all", "same"] | int


@dataclass(frozen=True)
class Pairs:
    """Two views laid out so that ``critic(x, y)`` has anchors and candidates in its last axes.

    Attributes:
        x: anchors ``[..., n, dx]``.
        y: candidates ``[..., m, dy]``; its leading axes broadcast against those of ``x``.
        contexts: how many contexts there are.
        positives: column of each row's positive, or None for column i.
        rows: the context each row belongs to, or None where contexts lead the matrices.
        columns: the context each column belongs to, likewise; ``[m, members]`` where a candidate is
            a tuple made of several contexts.
        mask: which candidates count for each anchor, or None where all do.
    """

    x: Float[Tensor, "... n dx"]
    y: Float[Tensor, "... m dy"]
    contexts: int
    positives: Int[Tensor, " n"] | None = None
    rows: Int[Tensor, " n"] | None = None
    columns: Int[Tensor, " m *members"] | None = None
    mask: Bool[Tensor, "_ _"] | None = None

    def select(self, contexts: Bool[Tensor, " contexts"]) -> tuple[Any, Any, Tensor | None]:
        """Return the rows, the columns and the new positives of the contexts marked."""
        if self.rows is not None:
            contexts = contexts.to(self.rows.device)
        if self.rows is None or self.columns is None:
            return contexts, slice(None), None
        rows, columns = contexts[self.rows], contexts[self.columns]
        if columns.ndim == 2:  # a tuple stays if all its contexts do
            columns = columns.all(1)
        if self.positives is None:
            return rows, columns, None
        renumbered = columns.cumsum(0) - 1
        return rows, columns, renumbered[self.positives[rows]]


def arrange(
    x: Float[Tensor, "n *p dx"],
    y: Float[Tensor, "n *q dy"],
    positions: Positions = "all",
    negatives: Negatives = "batch",
) -> Pairs:
    """Lay two views out as anchors and candidates.

    ====================  ==================================================  =================
    positions             positives                                           source
    ====================  ==================================================  =================
    ``all``               every place of x with every place of y              DIM, AMDIM
    ``same``              place p with place p                                -
    ``k`` (an int >= 1)   place p with place p + k (``ahead: k``)             CPC
    ====================  ==================================================  =================

    ====================  ==================================================  =================
    negatives             candidates                                          K
    ====================  ==================================================  =================
    ``batch``             the paired place in every context                   contexts
    ``within``            the other places of the same context                positions
    ``both``              every place of every context                        contexts * places
    ====================  ==================================================  =================

    Raises:
        InfomaxError: if the positions do not fit (numbers of places differ, too few steps).

    Example:
        >>> local, whole = torch.zeros(8, 49, 16), torch.zeros(8, 32)
        >>> pairs = arrange(local, whole)
        >>> pairs.x.shape, pairs.y.shape        # a critic makes [49, 1, 8, 8]
        (torch.Size([49, 1, 8, 16]), torch.Size([1, 1, 8, 32]))
    """
    n = x.shape[0]
    contexts = torch.arange(n, device=x.device)
    if x.ndim == 2 and y.ndim == 2 and isinstance(positions, int):
        raise InfomaxError(
            wanted=f"views with steps for ahead: {positions}",
            got="two views of one vector a context",
            fix="take `ahead` out, or use a sequence as both ends of the edge",
        )
    if x.ndim == 2 and y.ndim == 2:
        if negatives != "batch":
            raise InfomaxError(
                wanted=f"a view with positions for negatives '{negatives}'",
                got="two views of one vector a context",
                fix="use negatives: batch, or a feature map or sequence as one end of the edge",
            )
        return Pairs(x, y, n, rows=contexts, columns=contexts)
    x3 = x if x.ndim == 3 else x[:, None]
    y3 = y if y.ndim == 3 else y[:, None]
    p, q = x3.shape[1], y3.shape[1]
    if positions == "all" and negatives == "batch":
        lead_x, lead_y = x3.transpose(0, 1)[:, None], y3.transpose(0, 1)[None]
        return Pairs(lead_x, lead_y, n, rows=contexts, columns=contexts)
    if positions == "all" and negatives == "both":
        places = torch.arange(n * q, device=x.device).view(n, 1, q).expand(n, p, q)
        return Pairs(
            x3.repeat_interleave(q, dim=1).flatten(0, 1),
            y3.flatten(0, 1),
            n,
            positives=places.flatten(),
            rows=contexts.repeat_interleave(p * q),
            columns=contexts.repeat_interleave(q),
        )
    x3, y3 = _matched(x3, y3, positions)
    if negatives == "batch":
        return Pairs(x3.transpose(0, 1), y3.transpose(0, 1), n, rows=contexts, columns=contexts)
    if negatives == "within":
        return Pairs(x3, y3, n)
    owners = contexts.repeat_interleave(x3.shape[1])
    return Pairs(x3.flatten(0, 1), y3.flatten(0, 1), n, rows=owners, columns=owners)


def _matched(x: Tensor, y: Tensor, positions: Positions) -> tuple[Tensor, Tensor]:
    """Bring the positives of two views to the same position index."""
    if isinstance(positions, int):
        if x.shape[1] != y.shape[1] or not 1 <= positions < x.shape[1]:
            raise InfomaxError(
                wanted=f"two views with the same steps, more than {positions} of them",
                got=f"{x.shape[1]} and {y.shape[1]} steps",
                fix="look fewer steps ahead, or lengthen the window",
            )
        return x[:, :-positions], y[:, positions:]
    if positions == "all":
        raise InfomaxError(
            wanted="positions: same, or ahead: k, for negatives within one context",
            got="positions: all, which leaves no place as a negative",
            fix="choose positions: same or ahead: k, or negatives: batch",
        )
    if x.shape[1] != y.shape[1]:
        raise InfomaxError(
            wanted="two views with the same number of positions for positions: same",
            got=f"{x.shape[1]} and {y.shape[1]} positions",
            fix="use positions: all, or tap two stages of the same size",
        )
    return x, y


def tuples(n: int, others: int, device: torch.device | None = None) -> Int[Tensor, "m members"]:
    """Contexts that the candidates of an n-way edge are made of: n true tuples, n shuffled ones.

    A candidate has one member of each of the `others` views. Of the true ones all come from one
    context; of the shuffled ones each from another (view u is rolled by u), so they are draws of
    the product of the marginals. Contexts come in random order: a roll is as good as a shuffle,
    never joins two members of one context, and repeats.

    Example:
        >>> tuples(3, 2).tolist()
        [[0, 0], [1, 1], [2, 2], [0, 1], [1, 2], [2, 0]]
    """
    contexts = torch.arange(n, device=device)
    rolled = torch.stack([contexts.roll(-shift) for shift in range(others)], 1)
    return torch.cat([contexts[:, None].expand(n, others), rolled])


def fair(members: Int[Tensor, "m members"]) -> Bool[Tensor, "n m"]:
    """Which of the `tuples` count for each anchor: its own, and those it has no part in.

    K = n - others + 1 of them, its own included.

    Example:
        >>> fair(tuples(4, 2)).sum(1).tolist()
        [3, 3, 3, 3]
    """
    n = len(members) // 2
    anchors = torch.arange(n, device=members.device)
    foreign = (members[None, n:] != anchors[:, None, None]).all(2)
    return torch.cat([torch.eye(n, dtype=torch.bool, device=members.device), foreign], 1)
