"""A batch in chunks has the loss and the gradient of the batch in one piece, whatever the bound."""

import contextlib

import pytest
import torch
from torch import nn

from infomax import Context, I, Model, bounds, recipe
from infomax._errors import InfomaxError
from infomax.critics import Bilinear, Cosine, Joint, Separable
from infomax.engine.clock import Clock
from infomax.engine.plan import Plan, plan
from infomax.engine.step import Draw, gradient
from infomax.objective import tiling
from infomax.posteriors import GaussianHead, GaussianMarginal
from problems import LargestTensor

N = 23  # chunks of 5: an uneven last one
OF_SCORES = [b for b in bounds.ALL if b.needs == "scores"]
OF_DENSITIES = [
    b(entropy=1.0) if b.name == "BarberAgakov" else b for b in bounds.ALL if b.needs == "densities"
]
CPU = torch.device("cpu")


class Net(nn.Module):
    """A small convolutional encoder with a stage to tap."""

    def __init__(self):
        super().__init__()
        self.stage = nn.Conv2d(1, 4, 3, stride=2)
        self.head = nn.Linear(4 * 3 * 3, 6)

    def forward(self, x):
        return self.head(torch.relu(self.stage(x)).flatten(1))


def two_views():
    context = Context()
    return context.signal("x"), context.signal("y").encode(nn.Identity())  # stays in float64


def signals(seed=0):
    draw = torch.Generator().manual_seed(seed)
    x = torch.rand(N, 1, 8, 8, generator=draw, dtype=torch.float64)
    y = x.flatten(1)[:, :7] + 0.1 * torch.rand(N, 7, generator=draw, dtype=torch.float64)
    return {"x": x, "y": y}


def missing():
    there = torch.ones(N, dtype=torch.bool)
    there[[1, 5, 6, 7, 8, 9, 22]] = False  # all of the second chunk but none of the third
    return {"y": there}


def ready(objective, dtype=torch.float64):
    torch.manual_seed(0)
    model = Model(objective).to(dtype)
    model({name: value.to(dtype) for name, value in signals().items()})
    return model.to(dtype)


def by_hand(model, given, present=None):
    """The slow, obvious twin: everything at once, in one graph, scores and all."""
    model.zero_grad()
    torch.manual_seed(0)
    loss = model.loss(model(given, present))
    loss.backward()
    return loss.detach(), grads(model)


def grads(model):
    return {n: p.grad.clone() for n, p in model.named_parameters() if p.grad is not None}


def in_chunks(model, given, present=None, *, chunk=5, cached=True):
    model.zero_grad()
    cut = Plan((slice(0, N),), chunk, cached)
    loss, _ = gradient(
        model, given, present or {}, cut, Draw(0, 3), mixed=contextlib.nullcontext, clock=Clock()
    )
    return loss, grads(model)


def same(one, other, tolerance=1e-9):
    torch.testing.assert_close(one[0], other[0], rtol=tolerance, atol=tolerance)
    assert one[1].keys() == other[1].keys() and one[1]
    for name, value in one[1].items():
        size = 1 + value.abs().max().item()
        torch.testing.assert_close(value, other[1][name], rtol=0, atol=tolerance * size)


@pytest.mark.parametrize("cached", [True, False])
@pytest.mark.parametrize("present", [None, missing()], ids=["all", "missing"])
@pytest.mark.parametrize("bound", OF_SCORES, ids=lambda b: b.name)
def test_every_bound_of_scores(bound, present, cached):
    x, y = two_views()
    objective = I(x.encode(Net()), y.encode(nn.Linear(7, 6)), bound=bound, critic=Separable(dim=4))
    model = ready(objective)
    same(by_hand(model, signals(), present), in_chunks(model, signals(), present, cached=cached))


class Stochastic(nn.Module):
    """A posterior whose draw has no randomness, so that whole and chunked draws are the same."""

    def __init__(self):
        super().__init__()
        self.net, self.head = Net(), GaussianHead(3)

    def forward(self, x):
        posterior = self.head(self.net(x))
        object.__setattr__(posterior, "sample", lambda: posterior.mean + 0.3)
        return posterior


@pytest.mark.parametrize("present", [None, missing()], ids=["all", "missing"])
@pytest.mark.parametrize("bound", OF_DENSITIES, ids=lambda b: b.name)
def test_every_bound_of_densities(bound, present):
    x, y = two_views()
    z = x.encode(Stochastic())
    objective = I(x, z, bound=bound, critic=GaussianMarginal(3)) + I(z, y, critic=Bilinear())
    model = ready(objective)
    same(by_hand(model, signals(), present), in_chunks(model, signals(), present))


@pytest.mark.parametrize("chunk", [1, 5, 22, 23, 99])
def test_every_size_of_chunk(chunk):
    x, y = two_views()
    model = ready(I(x.encode(Net()), y, critic=Joint(hidden=(8,))))
    whole = by_hand(model, signals())
    for cached in (True, False):
        same(whole, in_chunks(model, signals(), chunk=chunk, cached=cached))


@pytest.mark.parametrize("negatives", ["batch", "both"])
@pytest.mark.parametrize("tiles", [True, False])
def test_maps_and_positions_and_an_encoder_shared_by_edges(negatives, tiles, monkeypatch):
    if tiles:
        monkeypatch.setattr(tiling, "MATRIX", 1)
    x, y = two_views()
    net = Net()
    objective = I(
        x.encode(net, at="stage"), x.encode(net), critic=Separable(dim=4), negatives=negatives
    ) + 0.5 * I(x.encode(net), y, bound=bounds.JS, critic=Cosine(dim=4))
    model = ready(objective)
    same(by_hand(model, signals(), missing()), in_chunks(model, signals(), missing()), 1e-7)


@pytest.mark.parametrize("critic", [Separable, Bilinear, Cosine])
@pytest.mark.parametrize("bound", [b for b in OF_SCORES if b.tiled], ids=lambda b: b.name)
def test_tiles_are_the_matrix(bound, critic, monkeypatch):
    x, y = two_views()
    model = ready(I(x.encode(Net()), y.encode(nn.Linear(7, 6)), bound=bound, critic=critic()))
    dense = by_hand(model, signals(), missing())
    calls = []
    monkeypatch.setattr(tiling, "MATRIX", 1)
    real = tiling._loss
    monkeypatch.setattr(tiling, "_loss", lambda *a: calls.append(1) or real(*a))
    same(dense, in_chunks(model, signals(), missing()), 1e-7)
    assert calls


def test_a_large_batch_never_holds_its_matrix():
    """No tensor of a step is as large as K x K, though the critic's matrix would be."""
    k = 3000

    x, y = two_views()
    model = Model(I(x.encode(nn.Linear(7, 8)), y, critic=Cosine(dim=8)))
    given = {"x": torch.randn(k, 7), "y": torch.randn(k, 7)}
    model({name: value[:4] for name, value in given.items()})
    cut = Plan((slice(0, k),), 512, True)
    with LargestTensor() as largest:
        gradient(model, given, {}, cut, Draw(0, 0), mixed=contextlib.nullcontext, clock=Clock())
    assert k * 8 <= largest.numbers < k * k // 2


class Noisy(nn.Module):
    """Everything random at once: dropout, then a draw from a posterior."""

    def __init__(self):
        super().__init__()
        self.net, self.dropout, self.head = Net(), nn.Dropout(0.5), GaussianHead(3)

    def forward(self, x):
        return self.head(self.dropout(self.net(x)))


def test_random_draws_are_replayed_when_a_chunk_is_encoded_again():
    x, y = two_views()
    seen = x.augment(lambda value: value + 0.3 * torch.randn_like(value))
    objective = I(seen.encode(Noisy()), y, critic=Separable(dim=4))
    model = ready(objective)
    once = in_chunks(model, signals(), cached=False)
    same(once, in_chunks(model, signals(), cached=True))
    torch.manual_seed(9)  # whatever was drawn before
    same(once, in_chunks(model, signals(), cached=True))
    other = in_chunks(model, signals(), chunk=6)
    assert abs(other[0] - once[0]) > 1e-6  # chunks are the unit of draws


def test_in_float32_too():
    x, y = two_views()
    model = ready(I(x.encode(Net()), y, critic=Separable(dim=4)), torch.float32)
    given = {name: value.float() for name, value in signals().items()}
    same(by_hand(model, given), in_chunks(model, given), 1e-6)


def test_bfloat16_encoders_meet_in_float32():
    x, y = two_views()
    model = ready(I(x.encode(Net()), y, critic=Separable(dim=4)), torch.float32)
    given = {name: value.float() for name, value in signals().items()}
    exact = by_hand(model, given)
    model.zero_grad()
    _, ends = gradient(
        model, given, {}, Plan((slice(0, N),), 5, True), Draw(0, 3), clock=Clock(),
        mixed=lambda: torch.autocast("cpu", dtype=torch.bfloat16),
    )  # fmt: skip
    assert {value.dtype for value in ends.tensors.values()} == {torch.float32}
    for name, value in grads(model).items():
        assert value.dtype == torch.float32
        torch.testing.assert_close(value, exact[1][name], rtol=0.1, atol=0.02)


def normalized():
    x, y = two_views()
    return Model(I(x.encode(nn.Sequential(nn.Flatten(), nn.BatchNorm1d(64))), y)).train()


@pytest.mark.parametrize(
    ("settings", "processes", "fine"),
    [
        ({"batch": 256}, 1, True),  # one piece, as the encoder wants it
        ({"batch": 256, "chunk": 256}, 1, True),
        ({"batch": 2048, "chunk": 2048}, 1, True),
        ({"batch": 256, "chunk": 64}, 1, False),
        ({"batch": 2048}, 1, False),
        ({"batch": 256}, 2, False),
    ],
)
def test_batch_normalization_in_a_batch_that_is_cut_is_refused(
    settings, processes, fine, monkeypatch
):
    monkeypatch.setenv("WORLD_SIZE", str(processes))
    train = recipe.TrainSpec(**settings)
    model = normalized()
    if fine:
        cut = plan(model, train, CPU)
        assert cut.chunk >= train.batch and not cut.cached
    else:
        with pytest.raises(InfomaxError, match="GroupNorm"):
            plan(model, train, CPU)
    model.eval()  # statistics that are frozen depend on no batch
    plan(model, train, CPU)


def test_how_a_batch_is_cut(monkeypatch):
    model = Model(I(*two_views()))
    assert not plan(model, recipe.TrainSpec(batch=512), CPU).cached
    large = plan(model, recipe.TrainSpec(batch=16384), CPU)
    assert large.cached and len(list(large.chunks())) == 128
    asked = plan(model, recipe.TrainSpec(batch=512, chunk=200), CPU)
    assert asked.cached and [c.stop for c in asked.chunks()] == [200, 400, 512]
    model.encoders["table"] = torch.nn.Embedding(1000, 3000)  # each chunk adds to all its gradients
    assert plan(model, recipe.TrainSpec(batch=16384), CPU).chunk == 256
    model.encoders["larger"] = torch.nn.Embedding(10_000, 3000)
    assert plan(model, recipe.TrainSpec(batch=16384), CPU).chunk == 512
    model.encoders.requires_grad_(False)
    assert plan(model, recipe.TrainSpec(batch=16384), CPU).chunk == 128
    monkeypatch.setenv("WORLD_SIZE", "3")
    monkeypatch.setenv("RANK", "2")
    third = plan(model, recipe.TrainSpec(batch=512), CPU)
    assert third.counts == [170, 171, 171] and third.share == slice(341, 512)
    with pytest.raises(InfomaxError, match="at most 2 processes"):
        plan(model, recipe.TrainSpec(batch=2), CPU)
