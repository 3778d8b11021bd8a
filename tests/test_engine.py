import os
import signal
import subprocess
import sys

import pytest
import torch

from infomax import building, checkpoint, data, engine, heldout, recipe
from infomax._errors import InfomaxError
from infomax.checkpoint import State
from infomax.objective import Model
from infomax.records import read_metrics
from problems import halves

SMALL = {"kind": "separable", "dim": 8, "hidden": []}
TREE = halves(limit=400, noise=0.1, critic=SMALL, epochs=4, batch=64, lr=1e-2)


@pytest.fixture(scope="module")
def contexts():
    return data.load(recipe.check(TREE, "here").data)


def prepared(contexts, encoder=None, **train):
    tree = {**TREE, "train": {**TREE["train"], **train}}
    if encoder:
        tree["encoders"] = {"net": encoder}
    chosen = recipe.check(tree, "here")
    study = building.build(chosen)
    model = Model(study.objective, dict(study.encoders))
    engine.set_up(model, study, contexts, chosen.train)
    return model, chosen.train


def parameters(model):
    return {name: value.clone() for name, value in model.state_dict().items()}


def test_training_raises_the_held_out_value(contexts, tmp_path):
    model, train = prepared(contexts, epochs=6)
    before = heldout.validate(model, contexts, train.batch, heldout.Moment(0, 0, 0.0)).objective
    trained = engine.fit(model, contexts, train, tmp_path)
    assert trained.best > before + 0.3
    metrics, damaged = read_metrics(tmp_path / "metrics.jsonl")
    assert len(metrics) == 12 and not damaged
    assert trained.best == max(m.objective for m in metrics if m.split == "validation")


def test_a_batch_of_more_than_all_training_contexts_is_all_of_them(contexts, tmp_path):
    model, train = prepared(contexts, epochs=2, batch=4096)
    told, seen = [], []

    def watch(done, total, words):
        seen.append((done, total))

    engine.fit(model, contexts, train, tmp_path, say=told.append, watch=watch)
    assert told == [
        f"train.batch: {contexts.count('train')}, which is every training context, and not 4096"
    ]
    assert seen == [(1, 2), (2, 2)]


def test_the_model_returned_is_the_best_on_validation(contexts, tmp_path):
    model, train = prepared(contexts)
    trained = engine.fit(model, contexts, train, tmp_path)
    again = heldout.validate(
        trained.model, contexts, train.batch, heldout.Moment(0, 0, 0.0)
    ).objective
    assert again == pytest.approx(trained.best, abs=1e-6)


@pytest.mark.parametrize("stop_after", [3, 4, 11, 16])
@pytest.mark.parametrize("kind", ["mlp", "convnet"])
def test_an_interrupted_run_resumed_is_the_uninterrupted_one(contexts, tmp_path, stop_after, kind):
    """In the middle of an epoch, at its end, at the end of all; whatever the layout in memory."""
    encoder = {"kind": "convnet", "width": 8, "stages": 2} if kind == "convnet" else None
    model, train = prepared(contexts, encoder)
    whole = parameters(engine.fit(model, contexts, train, tmp_path / "whole").model)

    def stop(done, total, words):
        if done == stop_after:
            os.kill(os.getpid(), signal.SIGINT)

    model, _ = prepared(contexts, encoder)
    with pytest.raises(engine.Interrupted):
        engine.fit(model, contexts, train, tmp_path / "cut", watch=stop)
    model, _ = prepared(contexts, encoder)
    resumed = parameters(engine.fit(model, contexts, train, tmp_path / "cut", resume=True).model)
    for name, value in whole.items():
        assert torch.equal(value, resumed[name]), name
    held = [
        [(m.step, m.objective) for m in read_metrics(tmp_path / run / "metrics.jsonl")[0]]
        for run in ("whole", "cut")
    ]
    assert held[0] == held[1]


def test_the_same_seed_gives_the_same_model_and_another_another(contexts, tmp_path):
    runs = []
    for index, seed in enumerate((0, 0, 1)):
        model, train = prepared(contexts, seed=seed, epochs=1)
        runs.append(parameters(engine.fit(model, contexts, train, tmp_path / str(index)).model))
    assert all(torch.equal(runs[0][n], runs[1][n]) for n in runs[0])
    assert not all(torch.equal(runs[0][n], runs[2][n]) for n in runs[0])


def test_held_out_batches_are_of_one_size_and_use_nearly_all(contexts):
    model, _ = prepared(contexts)
    for split in ("train", "validation", "test"):
        size = heldout.batch_size(contexts.count(split), 50)
        batches = [m[0] for m in heldout.measure(model, contexts, split, size)]
        assert {m.contexts for m in batches} == {m.candidates for m in batches} == {size}
        assert sum(m.contexts for m in batches) > 0.9 * contexts.count(split)


def test_splits_too_small_to_value_anything_are_refused():
    few = data.load(data.DataSpec(source="digits", limit=12))
    with pytest.raises(InfomaxError, match="validation split"):
        engine.check(few, recipe.TrainSpec(batch=2))


def test_a_run_killed_before_its_first_epoch_resumes_from_the_start(contexts, tmp_path):
    model, train = prepared(contexts)

    def kill(done, total, words):
        raise OSError("killed")

    with pytest.raises(OSError, match="killed"):
        engine.fit(model, contexts, train, tmp_path / "cut", watch=kill)
    model, _ = prepared(contexts)
    resumed = parameters(engine.fit(model, contexts, train, tmp_path / "cut", resume=True).model)
    model, _ = prepared(contexts)
    whole = parameters(engine.fit(model, contexts, train, tmp_path / "whole").model)
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)


def test_a_run_goes_on_only_with_the_data_it_was_trained_on(contexts, tmp_path):
    model, train = prepared(contexts, epochs=1)
    engine.fit(model, contexts, train, tmp_path)
    other = data.load(data.DataSpec(source="digits", limit=400, seed=1))
    with pytest.raises(InfomaxError, match="fingerprint"):
        engine.resumable(tmp_path, other)


def test_gradients_that_are_not_finite_stop_the_run_and_name_the_step(contexts, tmp_path):
    model, train = prepared(contexts)
    with torch.no_grad():
        next(model.parameters()).fill_(float("nan"))
    with pytest.raises(InfomaxError, match="NaN"):
        engine.fit(model, contexts, train, tmp_path)


def test_a_damaged_checkpoint_is_noticed(tmp_path):
    path = tmp_path / "state.safetensors"
    checkpoint.save(path, State({"model.w": torch.arange(1000.0)}, {"step": 3}))
    assert checkpoint.load(path).facts == {"step": 3}
    whole = path.read_bytes()
    path.write_bytes(whole[:-100])
    with pytest.raises(InfomaxError, match="damaged"):
        checkpoint.load(path)
    path.write_bytes(whole[:-50] + bytes([whole[-50] ^ 1]) + whole[-49:])
    with pytest.raises(InfomaxError, match="checksum"):
        checkpoint.load(path)
    with pytest.raises(InfomaxError, match="no such file"):
        checkpoint.load(tmp_path / "none")


def test_a_state_that_cannot_be_written_leaves_the_old_one(tmp_path, monkeypatch):
    path = tmp_path / "state.safetensors"
    checkpoint.save(path, State({"model.w": torch.zeros(3)}, {"step": 1}))

    def full(*_args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(checkpoint, "save_file", full)
    with pytest.raises(InfomaxError, match="No space"):
        checkpoint.save(path, State({"model.w": torch.ones(3)}, {"step": 2}))
    assert checkpoint.load(path).facts == {"step": 1}
    assert [p.name for p in tmp_path.iterdir()] == ["state.safetensors"]


def test_ctrl_c_on_the_command_line_exits_130_and_resume_finishes(tmp_path):
    import time

    import yaml

    tree = {**TREE, "train": {**TREE["train"], "epochs": 400}}
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump(tree))
    run = tmp_path / "run"
    command = [sys.executable, "-m", "infomax", "train", str(path), "--out", str(run)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    for _ in range(600):
        if (run / "metrics.jsonl").exists():
            break
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    assert b"Traceback" not in errors
    assert (run / "checkpoints" / "last.safetensors").exists()
    assert b"--resume" in errors
