"""The graph of views: signals of a context, and whatever is computed from them.

A `View` is an immutable node. `evaluate` computes every node of a batch once: an encoder of which
two stages are wanted runs once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol, runtime_checkable

import torch
from jaxtyping import Bool
from torch import Tensor, nn

from infomax._errors import InfomaxError
from infomax._taps import tapped
from infomax.slices import Channels, Columns, Crop, Half, Patches, Window

Slice = Half | Crop | Channels | Patches | Window | Columns


@dataclass(frozen=True)
class Signal:
    """Read a named signal of the context; pictures of bytes become numbers in [0, 1]."""

    name: str

    def __call__(self, value: Tensor) -> Tensor:
        return value.float() / 255 if value.dtype == torch.uint8 and value.ndim == 4 else value


@dataclass(frozen=True)
class Encode:
    """Run an encoder, and take its output or what the submodule named ``at`` puts out."""

    module: nn.Module
    at: str | None = None


Step = Signal | Encode | Callable[[Tensor], Tensor]


@dataclass(frozen=True, eq=False)
class View:
    """One view of a context: a node of the graph, equal only to itself.

    Two calls of `augment` are two views (two random draws); two `encode` calls with the same
    encoder on the same view share one evaluation.

    Example:
        >>> picture = Context().signal("picture")
        >>> top = picture.slice(Half("top"))
        >>> top.parent is picture, top.signal
        (True, 'picture')
    """

    step: Step
    parent: View | None = None
    name: str | None = None

    @property
    def signal(self) -> str:
        """Name of the signal this view is computed from."""
        return self.path[0].step.name  # type: ignore[union-attr]

    @property
    def path(self) -> tuple[View, ...]:
        """The views from the signal to this one."""
        return (*self.parent.path, self) if self.parent else (self,)

    @property
    def encoders(self) -> tuple[tuple[View, nn.Module], ...]:
        """The encoders on the way to this view, each with the view after it."""
        return tuple((v, v.step.module) for v in self.path if isinstance(v.step, Encode))

    @property
    def placed(self) -> bool:
        """Whether it has an axis of positions that no encoder has seen yet: patches."""
        if isinstance(self.step, Encode) or self.parent is None:
            return False
        return getattr(self.step, "places", False) or self.parent.placed

    def augment(self, transform: Callable[[Tensor], Tensor]) -> View:
        """A random variation of this view; each call draws anew."""
        return View(transform, self)

    def slice(self, cut: Slice) -> View:
        """A part of this view: a half, a crop, colours, patches, a window in time, columns."""
        return View(cut, self)

    def encode(self, module: nn.Module, at: str | None = None) -> View:
        """The features after an encoder, or (``at="stage2"``) in its middle.

        Raises:
            InfomaxError: if the encoder has no submodule of that name.
        """
        names = [name for name, _ in module.named_modules() if name]
        if at is not None and at not in names:
            raise InfomaxError(
                wanted=f"the name of a submodule of {type(module).__name__}",
                got=repr(at),
                fix="use one of " + ", ".join(names[:20]),
            )
        return View(Encode(module, at), self)

    def named(self, name: str) -> View:
        """The same node under a name of its own, as a new view."""
        return replace(self, name=name)

    def __repr__(self) -> str:
        return self.name or ".".join(_label(view.step) for view in self.path)


def _label(step: Step) -> str:
    if isinstance(step, Signal):
        return step.name
    if isinstance(step, Encode):
        return type(step.module).__name__.lower() + (f"@{step.at}" if step.at else "")
    return type(step).__name__.lower()


class Context:
    """One thing in the world, of which there are signals.

    Example:
        >>> context = Context()
        >>> context.signal("picture") is context.signal("picture")
        True
    """

    def __init__(self) -> None:
        self._signals: dict[str, View] = {}

    def signal(self, name: str) -> View:
        """The view that is the signal itself."""
        return self._signals.setdefault(name, View(Signal(name), name=name))


@runtime_checkable
class Posterior(Protocol):
    """What a stochastic encoder returns: p(z | x) for each context."""

    @property
    def mean(self) -> Tensor:
        """The mean of each context's distribution."""

    def sample(self) -> Tensor:
        """One reparametrized draw for each context."""

    def log_prob(self, z: Tensor) -> Tensor:
        """Return ``log p(z_i | x_i)``."""

    def log_prob_pairs(self, z: Tensor) -> Tensor:
        """Return ``log p(z_i | x_j)`` for all pairs."""


@runtime_checkable
class Reaching(Protocol):
    """A step that some contexts are too short for, such as a window in time."""

    def reached(self, value: Tensor) -> Bool[Tensor, " n"]:
        """Which contexts of a batch have what the step takes."""


@dataclass(frozen=True)
class Values:
    """Every view of a batch: its tensor, who has it, and its posterior where it has one.

    A view that is not in ``present`` is there in every context.
    """

    tensors: Mapping[View, Tensor]
    present: Mapping[View, Bool[Tensor, " n"]]
    posteriors: Mapping[View, Posterior]

    def together(self, *views: View) -> Bool[Tensor, " n"] | None:
        """Which contexts have all of some views; None if nothing is missing anywhere."""
        masks = [self.present[view] for view in views if view in self.present]
        return torch.stack(masks).all(0) if masks else None


def evaluate(
    views: Iterable[View],
    signals: Mapping[str, Tensor],
    present: Mapping[str, Bool[Tensor, " n"]] | None = None,
    *,
    draw: bool = True,
) -> Values:
    """Compute views of a batch, each node once, and an encoder once for all views that it can.

    Args:
        views: the views wanted (their ancestors are computed too).
        signals: the signals of the batch, contexts first.
        present: which contexts have each signal; all of them where not said. A view is there
            where its signal is and is long enough for every step on the way (`Reaching`).
        draw: whether a stochastic encoder gives a draw (for bounds) or its mean (for use).

    Raises:
        InfomaxError: if the batch lacks a signal.

    Example:
        >>> picture = Context().signal("picture")
        >>> top = picture.slice(Half("top"))
        >>> evaluate([top], {"picture": torch.zeros(2, 1, 28, 28)}).tensors[top].shape
        torch.Size([2, 1, 14, 28])
    """
    left = list(dict.fromkeys(node for view in views for node in view.path))
    tensors: dict[View, Tensor] = {}
    there: dict[View, Tensor] = {}
    posteriors: dict[View, Posterior] = {}
    while left:
        ready = [node for node in left if node.parent is None or node.parent in tensors]
        # encoders last: all views of one that can be encoded are, in one call
        turn = [node for node in ready if not isinstance(node.step, Encode)] or [
            node
            for node in ready
            if node.step.module is ready[0].step.module  # type: ignore[union-attr]
        ]
        left = [node for node in left if node not in turn]
        for node in turn:
            if node.parent is None and node.signal in (present or {}):
                there[node] = (present or {})[node.signal]
            masks = [there[node.parent]] if node.parent in there else []
            if isinstance(node.step, Reaching) and node.parent is not None:
                masks.append(node.step.reached(tensors[node.parent]))
            if masks:
                there[node] = torch.stack(masks).all(0)
            if isinstance(node.step, Signal):
                tensors[node] = _signal(node.step, signals)
            elif not isinstance(node.step, Encode):
                assert node.parent is not None
                value = tensors[node.parent]
                tensors[node] = _unfolded(node, node.step(folded(node.parent, value)), value)
        for node, output in _encoded(turn, tensors):
            assert node.parent is not None
            if isinstance(output, Posterior):
                posteriors[node] = output
                output = output.sample() if draw else output.mean
            tensors[node] = _unfolded(node, output, tensors[node.parent])
    return Values(tensors, there, posteriors)


def _signal(step: Signal, signals: Mapping[str, Tensor]) -> Tensor:
    if step.name not in signals:
        raise InfomaxError(
            wanted=f"a signal named '{step.name}'",
            got="signals " + ", ".join(sorted(signals)),
            fix="name one of these in the recipe's views, or choose other data",
        )
    return step(signals[step.name])


def _encoded(nodes: Sequence[View], tensors: Mapping[View, Tensor]) -> Iterator[tuple[View, Any]]:
    """Run the one encoder of some views, each input once; nothing if it is not of encoders."""
    encoding = [node.step for node in nodes if isinstance(node.step, Encode)]
    if not encoding:
        return
    inputs = dict.fromkeys(node.parent for node in nodes if node.parent is not None)
    places = list(dict.fromkeys(step.at for step in encoding))
    values = [folded(parent, tensors[parent]) for parent in inputs]
    outputs = dict(zip(inputs, tapped(encoding[0].module, values, places), strict=True))
    for node, step in zip(nodes, encoding, strict=True):
        assert node.parent is not None
        yield node, outputs[node.parent][step.at]


def folded(view: View, value: Tensor) -> Tensor:
    """Lay the places of a view out as contexts of their own, for a step that knows no places."""
    return value.flatten(0, 1) if view.placed else value


def _unfolded(view: View, output: Tensor, before: Tensor) -> Tensor:
    """Undo `folded` after a step; what it made of one place follows in order."""
    if view.parent is None or not view.parent.placed:
        return output
    if isinstance(view.step, Encode):
        output = vectors(view, output)
        return output.reshape(len(before), -1, output.shape[-1])
    one = output.shape[2:] if getattr(view.step, "places", False) else output.shape[1:]
    return output.reshape(len(before), -1, *one)


def vectors(view: View, value: Tensor) -> Tensor:
    """Lay a view out as ``[n, d]`` or ``[n, positions, d]``.

    A feature map ``[n, C, H, W]`` has H * W positions, a sequence ``[n, T, d]`` has T, and patches
    that no encoder has seen have theirs; another such signal is one vector a context.
    """
    if not isinstance(view.step, Encode):
        return value.flatten(2 if view.placed else 1).float()
    return value.flatten(2).transpose(1, 2) if value.ndim == 4 else value
