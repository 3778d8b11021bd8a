"""Whatever ends a run, what was trained is there, and going on gives the uninterrupted run."""

import contextlib
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
import torch
import yaml

from infomax import checkpoint, data, engine, runs
from infomax import recipe as recipes
from infomax._errors import InfomaxError
from infomax.checkpoint import State
from infomax.engine import fitting, saving
from infomax.records import read_metrics
from test_engine import TREE, parameters, prepared

KILLED = {**TREE, "train": {"epochs": 12, "batch": 64, "lr": 1e-2}}


@pytest.fixture(scope="module")
def contexts():
    return data.load(recipes.check(TREE, "here").data)


def command(path, run, *more):
    return [sys.executable, "-m", "infomax", "train", str(path), "--out", str(run), *more]


def result(run):
    """What must not depend on interruptions: the weights, and every value on the way."""
    state = checkpoint.load(run / "model.safetensors")
    lines, damaged = read_metrics(run / "metrics.jsonl")
    assert not damaged
    return state.tensors, [(m.step, m.split, m.objective) for m in lines]


def same(one, other):
    assert one[1] == other[1]
    assert one[0].keys() == other[0].keys()
    for name, value in one[0].items():
        assert torch.equal(value, other[0][name]), name


@pytest.mark.parametrize("kills", [2, pytest.param(30, marks=pytest.mark.slow)])
def test_killed_at_random_moments_and_resumed_it_is_the_uninterrupted_run(tmp_path, kills):
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump(KILLED))
    started = time.perf_counter()
    subprocess.run(command(path, tmp_path / "whole"), check=True, capture_output=True)
    whole = time.perf_counter() - started
    draw, run, killed = random.Random(0), tmp_path / "cut", 0
    for _ in range(20 * kills):
        resume = ["--resume"] if (run / "recipe.yaml").exists() else []
        process = subprocess.Popen(command(path, run, *resume), stderr=subprocess.PIPE)
        # most of the time is imports and evaluation: wait for the training, then a moment
        wait = draw.uniform(0, 0.3 * whole)
        while process.poll() is None and time.perf_counter() - started < 3000:
            if (run / ".lock").exists():
                break
            time.sleep(0.01)
        time.sleep(wait)
        process.kill()
        _, errors = process.communicate()
        assert process.returncode in (0, -9), errors.decode()
        killed += process.returncode == -9
        if killed >= kills:
            break
        if process.returncode == 0:  # it finished before it was killed: from the start again
            same(result(tmp_path / "whole"), result(run))
            shutil.rmtree(run)
    resume = ["--resume"] if (run / "recipe.yaml").exists() else []
    done = subprocess.run(command(path, run, *resume), check=False, capture_output=True)
    assert done.returncode == 0, done.stderr.decode()
    same(result(tmp_path / "whole"), result(run))
    left = {p.name for p in run.iterdir()}
    assert ".lock" not in left


class Kill(BaseException):
    """What a power cut is to a test: nothing in the program expects it."""


@pytest.mark.parametrize("moment", range(12))
def test_killed_at_every_moment_around_a_save(contexts, tmp_path, monkeypatch, moment):
    """Between any two of the calls that change the folder."""
    model, train = prepared(contexts, epochs=3)
    whole = parameters(engine.fit(model, contexts, train, tmp_path / "whole").model)
    calls = []

    def counted(function):
        def call(*given, **named):
            if len(calls) == 4 + moment:  # after the first state
                raise Kill
            calls.append(function.__name__)
            return function(*given, **named)

        return call

    monkeypatch.setattr(checkpoint, "save_file", counted(checkpoint.save_file))
    monkeypatch.setattr(checkpoint.os, "replace", counted(os.replace))
    monkeypatch.setattr(checkpoint.os, "link", counted(os.link))
    monkeypatch.setattr(fitting, "append_metric", counted(fitting.append_metric))
    model, _ = prepared(contexts, epochs=3)
    with pytest.raises(Kill):
        engine.fit(model, contexts, train, tmp_path / "cut")
    monkeypatch.undo()
    model, _ = prepared(contexts, epochs=3)
    resumed = parameters(engine.fit(model, contexts, train, tmp_path / "cut", resume=True).model)
    assert all(torch.equal(value, resumed[name]) for name, value in whole.items())
    held = [read_metrics(tmp_path / run / "metrics.jsonl")[0] for run in ("whole", "cut")]
    assert [m.objective for m in held[0]] == [m.objective for m in held[1]]


def truncate(path):
    path.write_bytes(path.read_bytes()[:-100])


def flip(path):
    whole = bytearray(path.read_bytes())
    whole[len(whole) // 2] ^= 1
    path.write_bytes(bytes(whole))


def empty(path):
    path.write_bytes(b"")


@pytest.mark.parametrize("harm", [truncate, flip, empty])
def test_a_damaged_last_state_is_said_and_the_older_one_used(contexts, tmp_path, harm):
    model, train = prepared(contexts)
    whole = parameters(engine.fit(model, contexts, train, tmp_path).model)
    harm(tmp_path / saving.LAST)
    spoilt = (tmp_path / saving.LAST).read_bytes()
    said = []
    model, _ = prepared(contexts)
    again = engine.fit(model, contexts, train, tmp_path, resume=True, say=said.append)
    assert all(torch.equal(value, parameters(again.model)[name]) for name, value in whole.items())
    assert len(said) == 1 and "damaged" in said[0] and "going on from step" in said[0]
    aside = (tmp_path / saving.LAST).with_name("last.safetensors.damaged")
    assert aside.read_bytes() == spoilt
    assert checkpoint.load(tmp_path / saving.LAST).facts["step"] == again.step


def test_a_damaged_best_state_is_said_and_chosen_anew(contexts, tmp_path):
    model, train = prepared(contexts)
    engine.fit(model, contexts, train, tmp_path)
    flip(tmp_path / saving.BEST)
    said = []
    model, _ = prepared(contexts)
    engine.fit(model, contexts, train, tmp_path, resume=True, say=said.append)
    assert len(said) == 1 and "best.safetensors is damaged" in said[0]


def test_where_every_state_is_damaged_nothing_is_overwritten(contexts, tmp_path):
    model, train = prepared(contexts)
    engine.fit(model, contexts, train, tmp_path)
    for path in (saving.LAST, saving.PREVIOUS):
        flip(tmp_path / path)
    before = {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}
    with pytest.raises(InfomaxError, match="checksum"):
        engine.fit(model, contexts, train, tmp_path, resume=True)
    assert {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()} == before


@pytest.mark.parametrize("what", ["save_file", "append_metric"])
def test_a_full_disk_is_one_message_and_the_state_before_it_whole(
    contexts,
    tmp_path,
    monkeypatch,
    what,
):
    model, train = prepared(contexts)
    whole = parameters(engine.fit(model, contexts, train, tmp_path / "whole").model)
    home = checkpoint if what == "save_file" else fitting
    real, calls = getattr(home, what), []

    def full(*given):
        calls.append(1)
        if len(calls) > 3:
            raise OSError(28, "No space left on device")
        return real(*given)

    monkeypatch.setattr(home, what, full)
    model, _ = prepared(contexts)
    with pytest.raises(InfomaxError, match="No space"):
        engine.fit(model, contexts, train, tmp_path / "cut")
    monkeypatch.undo()
    model, _ = prepared(contexts)
    resumed = parameters(engine.fit(model, contexts, train, tmp_path / "cut", resume=True).model)
    assert all(torch.equal(value, resumed[name]) for name, value in whole.items())


def test_a_folder_that_cannot_be_written_to_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    chosen = recipes.check(TREE, "here")
    for out in (tmp_path / "file", tmp_path / "file" / "run"):
        with pytest.raises(InfomaxError, match="to write into"):
            runs.train(chosen, out)


@contextlib.contextmanager
def as_nobody(folder):
    """Root may write anywhere: as root, take the rights of a user who has none to a folder."""
    root = os.geteuid() == 0
    folder.chmod(0o555)
    if root:
        os.seteuid(65534)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)
        folder.chmod(0o755)


def test_a_read_only_folder_is_refused():
    chosen = recipes.check(TREE, "here")
    with tempfile.TemporaryDirectory() as name:  # pytest's own folders are closed to other users
        folder = Path(name)
        with as_nobody(folder), pytest.raises(InfomaxError, match="to write into") as refused:
            runs.train(chosen, folder / "run")
        assert name in str(refused.value) and not list(folder.iterdir())
        runs.train(chosen, folder / "run")


def test_a_folder_in_use_names_the_process_and_a_lock_left_behind_holds_nothing(tmp_path):
    code = (
        "import sys, time; from pathlib import Path; from infomax import checkpoint\n"
        "with checkpoint.held(Path(sys.argv[1])): print('held', flush=True); time.sleep(60)"
    )
    other = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE)
    assert other.stdout.readline() == b"held\n"
    chosen = recipes.check(TREE, "here")
    try:
        with pytest.raises(InfomaxError, match=f"process {other.pid} on"):
            runs.train(chosen, tmp_path)
        assert [p.name for p in tmp_path.iterdir()] == [".lock"]
    finally:
        other.kill()
        other.communicate()
    assert (tmp_path / ".lock").exists()  # killed: the file stays, the lock does not
    with checkpoint.held(tmp_path):
        pass
    assert not list(tmp_path.iterdir())


def test_the_state_before_the_last_is_kept(tmp_path):
    for step in (1, 2, 3):
        saving.save(tmp_path, State({"model.w": torch.full((3,), float(step))}, {"step": step}))
    assert checkpoint.load(tmp_path / saving.LAST).facts == {"step": 3}
    assert checkpoint.load(tmp_path / saving.PREVIOUS).facts == {"step": 2}
    assert len(list((tmp_path / saving.CHECKPOINTS).iterdir())) == 2


def test_a_folder_without_hard_links_keeps_it_too(tmp_path, monkeypatch):
    def cannot(*_given):
        raise OSError("no links here")

    monkeypatch.setattr(checkpoint.os, "link", cannot)
    test_the_state_before_the_last_is_kept(tmp_path)


def test_a_long_epoch_is_saved_in_its_middle(contexts, tmp_path, monkeypatch):
    monkeypatch.setattr(fitting, "SAVED_EVERY", 0.0)
    model, train = prepared(contexts)

    def kill(done, total, words):
        if done == 4:
            raise Kill

    with pytest.raises(Kill):
        engine.fit(model, contexts, train, tmp_path, watch=kill)
    assert checkpoint.load(tmp_path / saving.LAST).facts["step"] == 3  # an epoch has four


def spoil(model, bad):
    """Let the critic of the only edge fail at these calls."""
    edge = model.objective.terms[0].edge
    real = edge.critic.forward
    calls = []

    def forward(x, y):
        calls.append(1)
        return real(x, y) * (float("nan") if len(calls) in bad else 1.0)

    edge.critic.forward = forward


def test_a_step_that_is_not_finite_is_left_out_and_counted(contexts, tmp_path):
    model, train = prepared(contexts, epochs=1)
    spoil(model, {2})
    said = []
    trained = engine.fit(model, contexts, train, tmp_path, say=said.append)
    facts = checkpoint.load(tmp_path / saving.LAST).facts
    assert trained.step == 4 and facts["skipped"] == 1 and facts["in_a_row"] == 0
    assert said == ["step 1: gradient not finite, left out (1 so far)"]
    assert all(torch.isfinite(value).all() for value in parameters(model).values())


def test_ten_in_a_row_end_the_run_with_the_last_finite_state_and_the_rows(
    contexts,
    tmp_path,
):
    model, train = prepared(contexts)
    spoil(model, set(range(6, 99)))
    with pytest.raises(InfomaxError, match=r"10 steps in a row.*rows"):
        engine.fit(model, contexts, train, tmp_path)
    state = checkpoint.load(tmp_path / saving.LAST)
    assert state.facts["in_a_row"] == 10
    assert all(torch.isfinite(value).all() for value in state.tensors.values())
    found = json.loads((tmp_path / "not_finite.json").read_text())
    assert len(found["rows"]) == train.batch


def test_the_contexts_that_are_not_finite_are_named(contexts, tmp_path):
    model, train = prepared(contexts)
    row = int(contexts.rows("train")[17])
    pictures = contexts.signals["picture"].read(torch.tensor([row])).float() / 255
    net = model.encoders["net"]
    real = net.forward
    top = pictures[0, :, : pictures.shape[2] // 2].flatten()

    def forward(x):
        z = real(x)
        near = (x.flatten(1) - top).abs().mean(1) < 0.13  # this digit, whatever the noise
        return torch.where(near[:, None], float("nan"), z)

    net.forward = forward
    train = train.model_copy(update={"batch": contexts.count("train")})
    train = train.model_copy(update={"epochs": 12})
    with pytest.raises(InfomaxError, match="rows"):
        engine.fit(model, contexts, train, tmp_path)
    found = json.loads((tmp_path / "not_finite.json").read_text())
    assert row in found["rows"] and len(found["rows"]) < 100
