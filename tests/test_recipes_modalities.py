"""The papers of several modalities: each recipe trains on a manifest or an archive."""

from itertools import combinations

import numpy as np
import pandas as pd
import pytest
import soundfile
from PIL import Image

from infomax import recipe, runs
from infomax.records import read_results

KINDS = ["red", "green", "blue", "grey"]
COUNT = 96
SHORT = [
    *("train.epochs=2", "train.batch=32", "data.validation=0.2", "data.test=0.25"),
    "evaluate.profile=false",
]


@pytest.fixture(scope="module")
def manifest(tmp_path_factory):
    """Coloured squares, their names, and a tone for each; every fourth voice is missing."""
    folder = tmp_path_factory.mktemp("things")
    draw, rows = np.random.default_rng(0), []
    for index in range(COUNT):
        kind = index % len(KINDS)
        pixels = draw.integers(0, 60, (32, 32, 3), dtype=np.uint8)
        pixels[..., kind % 3] += 150 if kind < 3 else 60
        Image.fromarray(pixels).save(folder / f"{index}.png")
        voice = ""
        if index % 4 or index < 4:
            seconds = np.arange(4000) / 16000
            tone = 0.3 * np.sin(2 * np.pi * 300 * (kind + 1) * seconds)
            voice = f"{index}.wav"
            soundfile.write(folder / voice, tone + 0.01 * draw.normal(size=len(tone)), 16000)
        words = f"a {KINDS[kind]} thing number {index % 7}"
        rows.append(
            {"picture": f"{index}.png", "words": words, "voice": voice, "kind": KINDS[kind]}
        )
    pd.DataFrame(rows).to_csv(folder / "manifest.csv", index=False)
    return folder / "manifest.csv"


def train(name, out, *settings):
    runs.train(recipe.read(name, [*SHORT, *settings]), out)
    return read_results(out / "results.json")


def test_a_picture_and_its_caption(manifest, tmp_path):
    eye = "encoders.eye={kind: convnet, width: 8, stages: 2}"
    found = train("clip", tmp_path / "run", f"data.path={manifest}", "data.label=kind", eye)
    (term,) = found.terms
    assert tuple(term.between) == ("z_seen", "z_words") and np.isfinite(term.nats)
    assert term.nats <= term.ceiling + 1e-5 and found.probes and found.retrieval


def test_every_pair_of_modalities_is_an_edge_of_those_who_have_both(manifest, tmp_path):
    settings = (
        f"data.path={manifest}",
        "encoders.eye.codes=20",
        "encoders.ear.codes=20",
        "data.signals.voice={kind: sound, column: voice, rate: 16000, seconds: 0.25}",
    )
    found = train("cmc-modalities", tmp_path / "run", *settings)
    pairs = {tuple(term.between): term for term in found.terms}
    ends = ("z_picture", "z_words", "z_voice")
    assert set(pairs) == set(combinations(ends, 2))
    assert all(np.isfinite(term.nats) for term in found.terms)
    with_voice = pairs["z_picture", "z_voice"].ceiling
    assert with_voice < pairs["z_picture", "z_words"].ceiling, "K counts those who have both"


def test_a_text_and_its_translation(manifest, tmp_path):
    data = f"data={{source: csv, path: {manifest}, signals: {{one: {{kind: text, column: words}}, "
    data += "other: {kind: text, column: kind}}}"
    cosine = "maximize.0.critic={kind: cosine, towers: false, temperature: 0.5}"
    settings = [*SHORT, "train.epochs=30", cosine]  # sixty pairs of four meanings: a warm critic
    (term,) = train("text-pairs", tmp_path / "run", data, *settings).terms
    assert 2 * term.stderr < term.nats <= term.ceiling + 1e-5


def test_three_measurements_at_once(tmp_path):
    draw = np.random.default_rng(0)
    x, y = draw.choice([-1.0, 1.0], (2, 400, 1))
    noise = 0.1 * draw.normal(size=(3, 400, 2))
    views = {"first": x + noise[0], "second": y + noise[1], "third": x * y + noise[2]}
    np.savez(tmp_path / "three.npz", **{name: v.astype("f4") for name, v in views.items()})
    (term,) = train("symile", tmp_path / "run", f"data.path={tmp_path / 'three.npz'}").terms
    assert len(term.between) == 3 and np.isfinite(term.nats)


def test_the_halves_of_a_table(tmp_path):
    draw = np.random.default_rng(0)
    cause = draw.normal(size=(300, 2))
    table = cause @ draw.normal(size=(2, 8)) + 0.1 * draw.normal(size=(300, 8))
    columns = [f"x{index}" for index in range(8)]
    pd.DataFrame(table, columns=columns).to_csv(tmp_path / "table.csv", index=False)
    found = train(
        "halves-of-columns", tmp_path / "run", f"data.path={tmp_path / 'table.csv'}",
        "train.epochs=10",
    )  # fmt: skip
    (term,) = found.terms
    assert term.nats > 3 * term.stderr and abs(term.control_nats) < term.nats


@pytest.fixture(scope="module")
def sensors(tmp_path_factory):
    """A wave that two sensors feel, each in its own units and phase; three paces, the label."""
    draw = np.random.default_rng(0)
    pace = draw.integers(0, 3, 240)
    speed = (0.3 * 1.6**pace * draw.uniform(0.9, 1.1, 240))[:, None]
    angle = speed * np.arange(64) + draw.uniform(0, 6.3, (240, 1))
    waves = {"accel": (1.0, (0.0, 1.0, 2.0)), "gyro": (200.0, (0.5, 1.5))}
    felt = {
        name: size * (np.sin(angle[:, :, None] + phases) + 0.3 * draw.normal(size=(240, 64, 1)))
        for name, (size, phases) in waves.items()
    }
    path = tmp_path_factory.mktemp("felt") / "sensors.npz"
    np.savez(path, pace=pace, **{name: values.astype("f4") for name, values in felt.items()})
    return path


@pytest.mark.parametrize("name", ["sensors", "cpc-sensors"])
def test_what_sensors_feel_together_and_later(name, sensors, tmp_path):
    settings = (f"data.path={sensors}", "data.label=pace", "train.epochs=20")
    found = train(name, tmp_path / "run", *settings)
    assert all(term.nats > 3 * term.stderr for term in found.terms)
    probe = next(p for p in found.probes if p.metric == "accuracy" and p.labels_used == "all")
    assert probe.learned > 0.8 > probe.raw, "a pace is not a linear map of samples in any phase"


def test_two_spans_of_a_text(tmp_path):
    draw = np.random.default_rng(0)
    topics = np.array([[f"{letter * 3}{n}" for n in range(30)] for letter in "abc"])
    topic = draw.integers(0, 3, 240)
    lines = [" ".join(draw.choice(topics[t], 12)) for t in topic]
    pd.DataFrame({"text": lines, "topic": topic}).to_parquet(tmp_path / "texts.parquet")
    where = f"data.path={tmp_path / 'texts.parquet'}"
    found = train("text-spans", tmp_path / "run", where, "data.label=topic", "train.epochs=20")
    (term,) = found.terms
    assert term.nats > 0.5, "what both spans tell is the topic, of log 3 = 1.1 nats"
    assert term.nats < 1.1 + 3 * term.stderr
