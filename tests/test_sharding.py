"""Encoders kept in parts over processes: gradients, norms, runs and states of one process."""

import contextlib
import subprocess
import sys
from functools import partial

import pytest
import torch
import torch.distributed as dist
from torch import nn
from torch.distributed.tensor import DTensor

import test_step as one
from infomax import I, Model, checkpoint, distributed, recipe
from infomax._errors import InfomaxError
from infomax.critics import Separable
from infomax.engine import saving, sharding
from infomax.engine.clock import Clock
from infomax.engine.plan import Plan, plan
from infomax.engine.step import Draw, gradient
from infomax.posteriors import GaussianHead
from test_processes import launch, nats

N, CHUNK = 24, 6


class Deep(nn.Module):
    """Blocks within blocks, a scalar, and a posterior at the end."""

    def __init__(self):
        super().__init__()
        inner = [nn.Sequential(nn.Linear(7, 7), nn.Tanh()) for _ in range(3)]
        self.blocks = nn.ModuleList(inner)
        self.scale = nn.Parameter(torch.tensor(1.5))
        self.head = GaussianHead(3)

    def forward(self, y):
        for block in self.blocks:
            y = y + block(y)
        return self.head(self.scale * y)


def case():
    """Three encoders: one seen by two views, a tapped one, a deep one with a posterior."""
    torch.manual_seed(0)
    x, y = one.two_views()
    net, tapped = one.Net(), one.Net()
    darker = x.augment(lambda value: 0.5 * value)
    critic = partial(Separable, dim=4, hidden=())
    objective = (
        I(x.encode(net), darker.encode(net), critic=critic())
        + 0.5 * I(x.encode(tapped, at="stage"), x.encode(tapped), critic=critic())
        + I(y.encode(Deep()), x.encode(net), critic=critic())
    )
    return one.ready(objective)


def step(model, cached, parts):
    processes, rank = distributed.world(), distributed.rank()
    cut = Plan(tuple(distributed.shares(N, CHUNK, processes)), CHUNK, cached, rank)
    if parts:
        assert sharding.shard(model, cut, torch.device("cpu"))
    parameters = list(model.parameters())
    kept = sum((p.to_local() if isinstance(p, DTensor) else p).numel() for p in parameters)
    given = {
        name: value.repeat(2, *[1] * (value.ndim - 1))[:N] for name, value in one.signals().items()
    }
    mine = {name: value[cut.share] for name, value in given.items()}
    found = {"kept": kept}
    for turn in range(2):  # twice: a step leaves everything as the next one needs it
        for p in parameters:  # as the optimizer does; the model may hold whole ones just now
            p.grad = None
        loss, _ = gradient(
            model, mine, {}, cut, Draw(0, turn), mixed=contextlib.nullcontext, clock=Clock()
        )
        distributed.add_up(parameters, asked=False)
        names = [name for name, p in model.named_parameters() if p.grad is not None]
        norm = sharding.clip(parameters, 0.01)
        clipped = {name: model.get_parameter(name).grad for name in names}
        found[turn] = loss, norm, sharding.whole(clipped)
        with torch.no_grad():
            for p in parameters:
                if p.grad is not None:
                    p -= p.grad
            model.encode(given)  # all of it, as a validation does
    found["state"] = sharding.whole(model.state_dict())
    return found


def worker(rank, folder):
    torch.set_num_threads(1)
    sharding.BLOCK = 1
    dist.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=2)
    found = {cached: step(case(), cached, parts=True) for cached in (True, False)}
    torch.save(found, f"{folder}/{rank}.pt")
    dist.barrier()
    dist.destroy_process_group()


def test_gradients_in_parts_are_those_of_one_process(tmp_path):
    begun = [subprocess.Popen([sys.executable, __file__, str(r), str(tmp_path)]) for r in (0, 1)]
    assert [process.wait(timeout=300) for process in begun] == [0, 0]
    first, second = (torch.load(tmp_path / f"{r}.pt", weights_only=False) for r in (0, 1))
    for cached in (True, False):
        alone = step(case(), cached, parts=False)
        for turn in range(2):
            loss, norm, clipped = alone[turn]
            for found in (first, second):
                torch.testing.assert_close(found[cached][turn][0], loss, rtol=1e-9, atol=1e-9)
                torch.testing.assert_close(found[cached][turn][1], norm, rtol=1e-9, atol=1e-9)
            mine = first[cached][turn][2]
            assert mine.keys() == clipped.keys() and len(clipped) > 12
            for name, value in clipped.items():
                torch.testing.assert_close(mine[name], value, rtol=0, atol=1e-9)
        for name, value in alone["state"].items():
            torch.testing.assert_close(first[cached]["state"][name], value, rtol=0, atol=1e-9)
        together = first[cached]["kept"] + second[cached]["kept"]
        assert (
            alone["kept"] < together < 1.6 * alone["kept"]
        )  # critics and the tapped one are whole


@pytest.mark.parametrize(("batch", "fine"), [(256, True), (384, True), (385, False)])
def test_processes_with_other_numbers_of_chunks_are_refused(monkeypatch, batch, fine):
    monkeypatch.setenv("WORLD_SIZE", "2")
    model = Model(I(*one.two_views()))
    train = recipe.TrainSpec(batch=batch, chunk=64)
    cut = plan(model, train, torch.device("cpu"))
    if fine:
        monkeypatch.setattr("torch.distributed.device_mesh.init_device_mesh", lambda *_: None)
        monkeypatch.setattr("torch.distributed.fsdp.fully_shard", lambda *_, **named: None)
        model.encoders.clear()
        assert not sharding.shard(model, cut, torch.device("cpu"))
    else:
        with pytest.raises(InfomaxError, match="as many chunks"):
            sharding.shard(model, cut, torch.device("cpu"))


def test_one_process_has_nothing_to_share():
    model = case()
    cut = Plan((slice(0, N),), CHUNK, False)
    assert not sharding.shard(model, cut, torch.device("cpu"))


def ended(*runs):
    told = [run.communicate(timeout=300) for run in runs]
    assert [run.returncode for run in runs] == [0] * len(runs), told


def same(one_run, other):
    for (*place, a), (*there, b) in zip(nats(one_run), nats(other), strict=True):
        assert place == there and a == pytest.approx(b, abs=1e-5)
    states = [checkpoint.load(run / saving.LAST).tensors for run in (one_run, other)]
    assert states[0].keys() == states[1].keys()
    for name, value in states[0].items():
        # Adam makes much of the last bits of a gradient near zero: the mean, not each number
        assert (states[1][name] - value).abs().mean() < 1e-4, name


@pytest.mark.parametrize("back", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_a_run_in_parts_is_that_of_one_process_and_each_goes_on_with_the_other(tmp_path, back):
    """The state before the last of one way, gone on with the other way."""
    settings = {"shard": True, "epochs": 2}
    ended(*(launch(tmp_path, str(count), count, **settings) for count in (1, 2)))
    same(tmp_path / "1", tmp_path / "2")
    files = [{p.name for p in (tmp_path / name).iterdir()} for name in "12"]
    assert files[0] == files[1]
    again = tmp_path / str(3 - back)  # trained by the others
    before = nats(again)
    (again / saving.PREVIOUS).rename(again / saving.LAST)
    (again / "results.json").unlink()
    ended(launch(tmp_path, again.name, back, "--resume", **settings))
    assert [line[:2] for line in nats(again)] == [line[:2] for line in before]
    same(tmp_path / "1", tmp_path / "2")
    assert (again / "results.json").exists()


if __name__ == "__main__":
    worker(int(sys.argv[1]), sys.argv[2])
