"""Two processes are one process: losses, gradients, whole runs; and what crosses between them."""

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time

import pytest
import torch
import torch.distributed as dist
import yaml
from torch import nn

import test_step as one
from infomax import I, Model, bounds, distributed
from infomax.critics import Bilinear, Joint, Separable
from infomax.engine.clock import Clock
from infomax.engine.plan import Plan
from infomax.engine.step import Draw, gradient
from infomax.posteriors import GaussianMarginal
from problems import halves


def cases():
    """Name -> (objective, who lacks what, size of chunks): every bound, and the awkward ones."""
    torch.manual_seed(0)
    found = {}
    for bound in one.OF_SCORES:
        x, y = one.two_views()
        critic = Separable(dim=4)
        objective = I(x.encode(one.Net()), y.encode(nn.Linear(7, 6)), bound=bound, critic=critic)
        found[bound.name] = (objective, one.missing(), 5)
    for bound in one.OF_DENSITIES:
        x, y = one.two_views()
        z = x.encode(one.Stochastic())
        objective = I(x, z, bound=bound, critic=GaussianMarginal(3)) + I(z, y, critic=Bilinear())
        found[bound.name] = (objective, one.missing(), 5)
    x, y = one.two_views()
    net = one.Net()
    maps = I(x.encode(net, at="stage"), x.encode(net), critic=Joint(hidden=(8,)), negatives="both")
    found["maps"] = (maps + 0.5 * I(x.encode(net), y, bound=bounds.NWJ, critic=Bilinear()), None, 5)
    x, y = one.two_views()
    noisy = x.augment(lambda value: value + 0.3 * torch.randn_like(value)).encode(one.Noisy())
    found["draws"] = (I(noisy, y, critic=Separable(dim=4)), None, 6)  # 4 chunks: 2 for each
    x, y = one.two_views()
    idle = I(x.encode(one.Net()), y, critic=Bilinear()) + I(
        y, x.encode(nn.Sequential(nn.Flatten(), nn.Linear(64, 7))), critic=Bilinear()
    )
    nobody = {"y": torch.zeros(one.N, dtype=torch.bool)}  # no context has both ends: no gradient
    found["nobody"] = (idle, nobody, 5)
    return found


def step(name, objective, present, chunk, cached):
    model = one.ready(objective)
    model.zero_grad()
    processes, rank = distributed.world(), distributed.rank()
    cut = Plan(tuple(distributed.shares(one.N, chunk, processes)), chunk, cached, rank)
    given = {key: value[cut.share] for key, value in one.signals().items()}
    there = {key: value[cut.share] for key, value in (present or {}).items()}
    loss, _ = gradient(
        model, given, there, cut, Draw(0, 3), mixed=contextlib.nullcontext, clock=Clock()
    )
    asked = distributed.add_up(list(model.parameters()), asked=rank == processes - 1)
    return loss, one.grads(model), asked


def worker(rank, processes, folder):
    torch.set_num_threads(1)
    dist.init_process_group(
        "gloo", init_method=f"file://{folder}/meet{processes}", rank=rank, world_size=processes
    )
    found = {}
    for name, (objective, present, chunk) in cases().items():
        for cached in (True, False):
            found[name, cached] = step(name, objective, present, chunk, cached)
    tensors = {"a": torch.full((3,), float(rank)), "n": torch.tensor(rank)}
    found["first"] = distributed.from_first(tensors, {"rank": rank})
    found["any"] = distributed.any_of(rank == 1)
    found["bytes"] = counted(processes)
    torch.save(found, f"{folder}/{processes}-{rank}.pt")
    dist.barrier()
    dist.destroy_process_group()


def counted(processes):
    """Bytes that a process sends in a step, counted at the collectives, and by the formula."""
    sent = []
    gather, reduce = dist.all_gather, dist.all_reduce

    def gathers(parts, mine):
        sent.append((processes - 1) * mine.numel() * mine.itemsize)
        return gather(parts, mine)

    def reduces(value):
        sent.append(2 * (processes - 1) / processes * value.numel() * value.itemsize)
        return reduce(value)

    dist.all_gather, dist.all_reduce = gathers, reduces
    try:
        x, y = one.two_views()
        model = Model(I(x.encode(nn.Sequential(nn.Flatten(), nn.Linear(64, 96))), y.encode(
            nn.Linear(7, 32)), critic=Separable(dim=16)))  # fmt: skip
        given = {key: value.float().repeat(6, *[1] * (value.ndim - 1))[:96 * processes]
                 for key, value in one.signals().items()}  # fmt: skip
        model({key: value[:4] for key, value in given.items()})
        k = len(given["x"])
        cut = Plan(tuple(distributed.shares(k, 8, processes)), 8, True, distributed.rank())
        mine = {key: value[cut.share] for key, value in given.items()}
        gradient(model, mine, {}, cut, Draw(0, 0), mixed=contextlib.nullcontext, clock=Clock())
        parameters = list(model.parameters())
        distributed.add_up(parameters, asked=False)
        numbers = sum(p.numel() for p in parameters)
        return sum(sent), distributed.bytes_sent(k, 96 + 32, numbers, processes)
    finally:
        dist.all_gather, dist.all_reduce = gather, reduce


@pytest.fixture(scope="module", params=[2, pytest.param(3, marks=pytest.mark.slow)])
def several(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("processes")
    ours = [sys.executable, __file__, str(request.param), str(folder)]
    others = [subprocess.Popen([*ours, str(rank)]) for rank in range(request.param)]
    assert [other.wait(timeout=300) for other in others] == [0] * request.param
    return [
        torch.load(folder / f"{request.param}-{rank}.pt", weights_only=False)
        for rank in range(request.param)
    ]


def test_losses_and_gradients_are_those_of_one_process(several):
    for name, (objective, present, chunk) in cases().items():
        if name == "draws" and len(several) == 3:
            continue  # the chunks do not divide among three: other draws
        for cached in (True, False):
            alone = step(name, objective, present, chunk, cached)
            for rank, found in enumerate(several):
                loss, gradients, asked = found[name, cached]
                torch.testing.assert_close(loss, alone[0], rtol=1e-9, atol=1e-9)
                assert gradients.keys() == alone[1].keys(), (name, rank)
                for key, value in alone[1].items():
                    size = 1 + value.abs().max().item()
                    torch.testing.assert_close(gradients[key], value, rtol=0, atol=1e-9 * size)
                assert asked  # the last process asked to stop, and all know


def test_what_the_first_process_has_all_have(several):
    for found in several:
        tensors, facts = found["first"]
        assert facts == {"rank": 0} and found["any"]
        assert torch.equal(tensors["a"], torch.zeros(3)) and tensors["n"] == 0


def test_the_bytes_that_cross_are_those_of_the_formula(several):
    for found in several:
        sent, formula = found["bytes"]
        assert formula <= sent <= 1.01 * formula  # beside it: a flag for each parameter


TREE = halves(limit=600, epochs=3, chunk=32)


def launch(folder, name, processes, *more, **settings):
    """Start a run by torchrun (or plainly); its environment holds no port of others."""
    path = folder / "mine.yaml"
    tree = {**TREE, "train": {**TREE["train"], **settings}}
    path.write_text(yaml.safe_dump(tree))
    python = [sys.executable, "-m"]
    if processes > 1:
        with socket.socket() as free:
            free.bind(("localhost", 0))
            port = free.getsockname()[1]
        python += ["torch.distributed.run", "--nproc-per-node", str(processes)]
        python += ["--master-port", str(port), "-m"]
    command = [*python, "infomax", "train", str(path), "--out", str(folder / name), *more]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    )


def nats(run):
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return [(line["step"], line["split"], line["objective"]) for line in lines]


def steps_done(run):
    """By what is noted: nothing is, where the state before the first note was the last saved."""
    return max((step for step, *_ in nats(run)), default=0)


def test_torchrun_gives_the_run_of_one_process(tmp_path):
    runs = [launch(tmp_path, name, count) for name, count in (("one", 1), ("two", 2))]
    told = [run.communicate(timeout=300) for run in runs]
    assert [run.returncode for run in runs] == [0, 0], told
    one_run, two_runs = nats(tmp_path / "one"), nats(tmp_path / "two")
    assert [line[:2] for line in one_run] == [line[:2] for line in two_runs]
    for (*_, a), (*_, b) in zip(one_run, two_runs, strict=True):
        assert a == pytest.approx(b, abs=1e-5)
    assert told[1][0].count("report:") == 1  # the first process alone speaks
    files = [{p.name for p in (tmp_path / name).iterdir()} for name in ("one", "two")]
    assert files[0] == files[1]


@pytest.mark.parametrize(
    ("words", "world", "code", "torn"),
    [
        (["recipes", "show", "simclr"], 2, 0, False),
        (["recipes", "show", "none-such"], 2, 2, False),
        (["recipes", "show", "simclr"], 1, 0, True),
    ],
)
def test_one_of_several_processes_ends_without_the_teardown(words, world, code, torn):
    ends = (
        "import atexit; atexit.register(print, 'torn down')\nfrom infomax.cli import main; main()"
    )
    ended = subprocess.run(
        [sys.executable, "-c", ends, *words],
        check=False,
        capture_output=True,
        text=True,
        env={**os.environ, "WORLD_SIZE": str(world), "PYTHONUNBUFFERED": ""},
    )
    assert ended.returncode == code
    assert ("torn down" in ended.stdout) == torn
    assert "maximize:" in ended.stdout or "none-such" in ended.stderr  # nothing was lost


@pytest.mark.slow
def test_more_processes_than_contexts_is_refused(tmp_path):
    run = launch(tmp_path, "many", 3, batch=2, chunk=None)
    _, errors = run.communicate(timeout=300)
    assert run.returncode != 0
    assert errors.count("at most 2 processes") == 1
    assert "exitcode  : 2" in errors or "exitcode: 2" in errors
    assert not (tmp_path / "many").exists()


@pytest.mark.slow
@pytest.mark.parametrize("shard", [False, True])
def test_a_killed_process_ends_the_run_with_one_message_and_it_goes_on(tmp_path, shard):
    run = launch(tmp_path, "cut", 2, epochs=2000, shard=shard)
    metrics = tmp_path / "cut" / "metrics.jsonl"
    for _ in range(600):
        if metrics.exists():
            break
        time.sleep(0.1)
    children = subprocess.run(
        ["ps", "-o", "pid=", "--ppid", str(run.pid)], capture_output=True, text=True, check=True
    )
    os.kill(int(children.stdout.split()[-1]), signal.SIGKILL)
    _, errors = run.communicate(timeout=120)
    assert run.returncode != 0
    assert len(re.findall("wanted:", errors)) <= 1
    assert "infomax/engine" not in errors  # torchrun's traceback is its own; none is of the run
    done = steps_done(tmp_path / "cut")
    again = launch(tmp_path, "cut", 2, "--resume", epochs=2000, shard=shard)
    for _ in range(600):
        if steps_done(tmp_path / "cut") > done:
            break
        time.sleep(0.1)
    again.send_signal(signal.SIGINT)
    _, errors = again.communicate(timeout=120)
    assert steps_done(tmp_path / "cut") > done
    assert errors.count("state saved") == 1


if __name__ == "__main__":
    worker(int(sys.argv[3]), int(sys.argv[1]), sys.argv[2])
