"""What a person is shown of a run: where its time goes, trackers, plain lines."""

import json
import resource
import subprocess
import sys

import pytest
import torch
import yaml

from infomax import console, data, engine, heldout, recipe
from infomax._errors import InfomaxError
from infomax.engine import precision, trackers
from infomax.engine.clock import PARTS
from test_engine import TREE, parameters, prepared


@pytest.fixture(scope="module")
def contexts():
    return data.load(recipe.check(TREE, "here").data)


def test_the_profile_is_of_every_part_and_adds_up(contexts, tmp_path):
    import time

    model, train = prepared(contexts)
    clock = engine.Clock(on=True)
    started = time.perf_counter()
    engine.fit(model, contexts, train, tmp_path, clock=clock)
    whole = time.perf_counter() - started
    table = clock.table()
    assert tuple(table) == PARTS
    assert sum(share for _, share in table.values()) == pytest.approx(1)
    assert all(milliseconds >= 0 for milliseconds, _ in table.values())
    measured = sum(milliseconds for milliseconds, _ in table.values()) * clock.steps / 1e3
    assert 0 < measured <= whole
    assert clock.steps == 16


def test_a_slow_encoder_and_a_slow_augmentation_are_told_apart(contexts, tmp_path):
    import time

    model, train = prepared(contexts, epochs=1)
    net = model.encoders["net"]
    real = net.forward

    def slow(x):
        time.sleep(0.04)
        return real(x)

    net.forward = slow
    clock = engine.Clock(on=True)
    engine.fit(model, contexts, train, tmp_path, clock=clock)
    table = clock.table()
    assert table["encode"][0] >= 40 > table["augment"][0]  # both views in one call


def test_without_a_profile_the_clock_stands_still(contexts, tmp_path):
    model, train = prepared(contexts, epochs=1)
    clock = engine.Clock()
    engine.fit(model, contexts, train, tmp_path, clock=clock)
    assert not clock.table()


@pytest.mark.parametrize(
    ("amx", "asked", "found"),
    [
        (True, "auto", torch.bfloat16),
        (False, "auto", torch.float32),
        (True, "float32", torch.float32),
        (False, "bfloat16", torch.bfloat16),
    ],
)
def test_precision_is_a_rule_of_the_device(amx, asked, found, monkeypatch):
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: amx)
    assert precision.chosen(asked, torch.device("cpu")) == found


def test_bfloat16_trains_another_model_that_is_as_good(contexts, tmp_path):
    values, weights = [], []
    for name in ("float32", "bfloat16"):
        model, train = prepared(contexts, precision=name, epochs=6)
        trained = engine.fit(model, contexts, train, tmp_path / name)
        values.append(trained.best)
        weights.append(parameters(trained.model))
    assert values[0] == pytest.approx(values[1], abs=0.15)
    assert not all(torch.equal(value, weights[1][name]) for name, value in weights[0].items())
    assert all(value.dtype == torch.float32 for value in weights[1].values())


def test_an_unknown_tracker_and_one_not_installed_are_refused(contexts, monkeypatch):
    train = recipe.TrainSpec(batch=64, track="abacus")
    with pytest.raises(InfomaxError, match="tensorboard, wandb"):
        engine.check(contexts, train)
    monkeypatch.setattr("accelerate.tracking.is_mlflow_available", lambda: False)
    monkeypatch.setattr("accelerate.tracking.get_available_trackers", lambda: [])
    with pytest.raises(InfomaxError, match="pip install mlflow"):
        trackers.names(["mlflow"])


def test_a_tracker_is_told_every_line_of_the_metrics(contexts, tmp_path):
    pytest.importorskip("tensorboardX")
    model, train = prepared(contexts, epochs=2, track=["tensorboard"])
    engine.fit(model, contexts, train, tmp_path / "run")
    files = (tmp_path / "run" / "track").rglob("events*")
    told = b"".join(path.read_bytes() for path in files)
    for key in (b"validation/objective", b"train/z-w/infonce", b"validation/z-w/infonce"):
        assert key in told


def test_a_bad_tracker_on_the_command_line_exits_2_and_writes_nothing(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump(TREE))
    run = tmp_path / "run"
    command = [sys.executable, "-m", "infomax", "train", str(path), "--out", str(run)]
    done = subprocess.run(
        [*command, "--set", "train.track=abacus"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2 and "abacus" in done.stderr and "Traceback" not in done.stderr
    assert not run.exists()


def test_progress_without_a_terminal_is_plain_lines_and_silent_where_it_should_be(capsys):
    with console.Progress() as progress:
        progress.step(1, 2, "")
        progress.say("evaluating")
        progress.note("a state is damaged")
        progress.step(2, 2, "a-b 0.5")
    told = capsys.readouterr().out.splitlines()
    assert [line.split("  ")[0] for line in told] == [
        "step 1/2", "evaluating", "a state is damaged", "step 2/2",
    ]  # fmt: skip
    assert not any("\x1b" in line for line in told)
    with console.Progress(silent=True) as progress:
        progress.step(1, 1, "")
        progress.say("evaluating")
        progress.note("a state is damaged")
    assert capsys.readouterr().out == ""


def test_the_profile_is_printed(capsys):
    console.profile({"data": (0.5, 0.25), "encode": (1.5, 0.75)})
    told = capsys.readouterr().out
    assert "encode" in told and "75%" in told


def test_large_evaluation_batches_are_capped_and_encoded_in_parts(contexts, monkeypatch):
    assert heldout.batch_size(60_000, 16_384) < 10_000
    model, _ = prepared(contexts)
    whole = [m[0].terms[0] for m in heldout.measure(model, contexts, "test", 40)]
    monkeypatch.setattr(heldout, "AT_ONCE", 7)
    parts = [m[0].pairs.contexts for m in heldout.measure(model, contexts, "test", 40)]
    assert parts == [len(scores) for scores in whole]


def test_a_large_batch_trains_and_is_valued(tmp_path):
    """More contexts than are held at once, and tiles: the whole way."""
    large = data.load(data.DataSpec(source="mnist5k"))
    tree = {**TREE, "data": {"source": "mnist5k"}}
    from infomax import building
    from infomax.objective import Model

    tree["train"] = {"epochs": 4, "batch": 3500, "lr": 3e-2, "warmup": 0}
    chosen = recipe.check(tree, "here")
    study = building.build(chosen)
    model = Model(study.objective, dict(study.encoders))
    engine.set_up(model, study, large, chosen.train)
    trained = engine.fit(model, large, chosen.train, tmp_path)
    assert trained.best > 0.02
    lines = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert lines[0]["terms"][0]["ceiling"] == pytest.approx(torch.tensor(3500.0).log().item())


@pytest.mark.parametrize(
    ("code", "seconds"),
    [("import sys; sys.argv = ['infomax', '--help']; import infomax.__main__", 0.5),
     ("import infomax", 1.5)],
    ids=["--help", "import"],
)  # fmt: skip
def test_the_command_answers_at_once(code, seconds):
    """In seconds of the processor, which others on the machine do not lengthen."""
    least = 10.0
    for _ in range(3):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        least = min(least, used)
    assert least < seconds
