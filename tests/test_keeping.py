"""Decoded data kept on disk: the same batches and runs as from memory, and memory stays small."""

import io
import json
import os
import subprocess
import sys
import tarfile

import numpy as np
import pytest
import soundfile
import torch
from PIL import Image
from pydantic import ValidationError

from infomax import building, data, engine, recipe
from infomax._errors import InfomaxError
from infomax.data import keeping, pictures
from infomax.data.columns import DiskColumn, MemoryColumn
from infomax.objective import Model

SIDE = 12


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    home = tmp_path / "cache"
    monkeypatch.setenv("INFOMAX_CACHE", str(home))
    return home


@pytest.fixture
def folder(tmp_path):
    """150 pictures of two classes: a copy among them, one that is broken, one without a sound."""
    place = tmp_path / "data"
    place.mkdir()
    rng = np.random.default_rng(0)
    lines = ["picture,voice,what"]
    for i in range(150):
        pixels = rng.integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(place / f"{i}.png")
        tone = 0.5 * np.sin(np.arange(400) * 0.01 * (i + 1))
        soundfile.write(place / f"{i}.wav", tone, 8000)
        lines.append(f"{i}.png,{'' if i == 7 else f'{i}.wav'},{'ab'[i % 2]}")
    for end in ("png", "wav"):
        (place / f"40.{end}").write_bytes((place / f"9.{end}").read_bytes())
    (place / "33.png").write_bytes(b"junk")
    (place / "all.csv").write_text("\n".join(lines))
    return place


def spec(folder, keep, **more):
    signals = {
        "picture": {"kind": "picture"},
        "voice": {"kind": "sound", "rate": 8000, "seconds": 0.05},
    }
    tree = {"source": "csv", "path": str(folder / "all.csv"), "label": "what", "signals": signals}
    return {**tree, "keep": keep, **more}


def load(folder, keep, **more):
    return data.load(data.DataSpec.model_validate(spec(folder, keep, **more)))


def same(one, two):
    assert one.fingerprint == two.fingerprint and one.skipped == two.skipped
    for split in data.SPLITS:
        assert one.rows(split).tolist() == two.rows(split).tolist()
        for a, b in zip(*(c.batches(split, 7, seed=1, epoch=2) for c in (one, two)), strict=True):
            assert torch.equal(a.index, b.index)
            for name, value in a.signals.items():
                assert torch.equal(value, b.signals[name])
                assert torch.equal(a.present[name], b.present[name])


def test_contexts_from_disk_are_those_from_memory(folder):
    held, kept = load(folder, "memory"), load(folder, "disk")
    for column in held.signals.values():
        assert isinstance(column, MemoryColumn)
    for column in kept.signals.values():
        assert isinstance(column, DiskColumn)
    same(held, kept)
    assert "33.png" in kept.skipped[0]
    side = {row: split for split in data.SPLITS for row in kept.rows(split).tolist()}
    assert side[9] == side[40]  # copies are seen on disk too


def test_part_and_skip_from_disk(folder):
    held, kept = load(folder, "memory"), load(folder, "disk")
    ways = {"size": 16, "seed": 3, "drop_last": True, "part": slice(4, 9), "skip": 2}
    for a, b in zip(*(c.batches("train", **ways) for c in (held, kept)), strict=True):
        assert len(a) == 5 and torch.equal(a.signals["voice"], b.signals["voice"])


@pytest.mark.parametrize("ahead", [1, 2])
def test_batches_that_are_not_all_taken_end_quietly(folder, ahead):
    batches = load(folder, "disk").batches("train", 8, seed=0)
    for _ in range(ahead):
        next(batches)
    batches.close()


def run(folder, keep, out):
    tree = {
        "paper": "Nobody 2026",
        "data": spec(folder, keep),
        "encoders": {
            "eye": {"kind": "convnet", "width": 4, "stages": 2, "dim": 8},
            "ear": {"kind": "mlp", "hidden": [8], "dim": 8},
        },
        "views": {
            "p": {"signal": "picture"},
            "v": {"signal": "voice"},
            "cut": {"of": "p", "augment": "crop_flip"},
            "z": {"of": "cut", "encode": "eye"},
            "w": {"of": "v", "encode": "ear"},
        },
        "maximize": [{"between": ["z", "w"], "critic": "cosine"}],
        "train": {"epochs": 2, "batch": 32},
        "evaluate": {"view": "z"},
    }
    chosen = recipe.check(tree, "here")
    contexts, study = data.load(chosen.data), building.build(chosen)
    model = Model(study.objective, dict(study.encoders))
    engine.set_up(model, study, contexts, chosen.train)
    return engine.fit(model, contexts, chosen.train, out).model.state_dict()


def test_a_run_from_disk_is_the_run_from_memory(folder, tmp_path):
    one, two = (run(folder, keep, tmp_path / keep) for keep in ("memory", "disk"))
    assert one.keys() == two.keys()
    for name, value in one.items():
        assert torch.equal(value, two[name]), name


@pytest.fixture
def decodings(monkeypatch):
    """How many pictures are decoded."""
    found = []
    real = pictures.read_picture

    def counted(file, size, channels):
        found.append(file)
        return real(file, size, channels)

    monkeypatch.setattr(pictures, "read_picture", counted)
    return found


def test_what_is_kept_is_decoded_once_until_it_changes(folder, cache, decodings):
    first = load(folder, "disk")
    assert len(decodings) == 150
    same(first, load(folder, "disk"))
    assert len(decodings) == 150
    files = sorted(path.name.partition("-")[0] for path in cache.glob("*.rows"))
    assert files == ["picture", "sound"]
    Image.new("RGB", (SIDE, SIDE)).save(folder / "11.png")
    other = load(folder, "disk")
    assert len(decodings) == 300
    assert other.signals["picture"].read(torch.tensor([11])).max() == 0
    load(folder, "disk", limit=100)
    assert len(decodings) == 400


def test_a_file_of_rows_that_was_cut_is_made_anew_or_said(folder, cache, decodings):
    held = load(folder, "disk")
    (rows,) = cache.glob("picture-*.rows")
    os.truncate(rows, rows.stat().st_size // 2)
    with pytest.raises(InfomaxError, match="shorter"):
        held.signals["picture"].read(torch.arange(150))
    again = load(folder, "disk")
    assert len(decodings) == 300
    same(again, load(folder, "memory"))


def test_filling_that_is_interrupted_leaves_nothing(folder, cache, monkeypatch):
    real, calls = keeping.os.pwrite, []

    def stop(*given):
        calls.append(1)
        if len(calls) > 20:
            raise KeyboardInterrupt
        return real(*given)

    monkeypatch.setattr(keeping.os, "pwrite", stop)
    with pytest.raises(KeyboardInterrupt):
        load(folder, "disk")
    assert {path.suffix for path in cache.iterdir()} == {".lock"}
    monkeypatch.undo()
    os.environ["INFOMAX_CACHE"] = str(cache)
    same(load(folder, "disk"), load(folder, "memory"))


def test_no_room_is_one_message(folder, cache, monkeypatch):
    def full(*given):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(keeping.os, "pwrite", full)
    with pytest.raises(InfomaxError, match=r"(?s)No space.*INFOMAX_CACHE"):
        load(folder, "disk")
    few = type("usage", (), {"free": 10})
    monkeypatch.setattr(keeping.shutil, "disk_usage", lambda place: few)
    with pytest.raises(InfomaxError, match=r"0\.0 GB free"):
        load(folder, "disk")
    cache.rename(cache.with_name("moved"))
    cache.write_text("a file")
    with pytest.raises(InfomaxError, match="to keep data"):
        load(folder, "disk")


def test_by_itself_on_disk_only_where_memory_is_short(folder, monkeypatch):
    picture, voice = 150 * 3 * SIDE * SIDE, 149 * 400 * 2
    assert keeping.SHARE * keeping.free() > picture + voice
    held = load(folder, "auto").signals
    assert {type(column) for column in held.values()} == {MemoryColumn}
    monkeypatch.setattr(keeping, "free", lambda: int(1.5 * picture / keeping.SHARE))
    kept = load(folder, "auto").signals
    assert picture < 1.5 * picture < voice
    assert isinstance(kept["picture"], MemoryColumn) and isinstance(kept["voice"], DiskColumn)
    monkeypatch.undo()
    alone = keeping.free()
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "4")
    assert keeping.free() < alone / 2  # a process has its part of the machine


def test_arrays_cannot_be_kept_on_disk():
    for source in ("npz", "digits"):
        with pytest.raises(ValidationError, match="keep: disk is for files"):
            data.DataSpec.model_validate({"source": source, "path": "x", "keep": "disk"})


@pytest.mark.parametrize("source", ["webdataset", "hub", "stream", "imagefolder", "parquet"])
def test_every_source_of_files(tmp_path, source, monkeypatch, decodings):
    """Marks of their own: shards and hub; bytes in cells; folders. Read twice, decoded once."""
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    rng, place = np.random.default_rng(1), tmp_path / "pets"
    files = {}
    for i in range(40):
        held = io.BytesIO()
        Image.fromarray(rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)).save(held, "png")
        files["ab"[i % 2], i] = held.getvalue()
    more = {}
    if source == "stream":
        source, more = "hub", {"stream": True, "limit": 40}
    if source in ("hub", "imagefolder"):
        for (label, i), held in files.items():
            (place / label).mkdir(parents=True, exist_ok=True)
            (place / label / f"{i}.png").write_bytes(held)
    elif source == "webdataset":
        place = tmp_path / "pets.tar"
        with tarfile.open(place, "w") as archive:
            for (_, i), held in files.items():
                info = tarfile.TarInfo(f"{i}.png")
                info.size = len(held)
                archive.addfile(info, io.BytesIO(held))
    else:
        import pandas as pd

        place = tmp_path / "pets.parquet"
        pd.DataFrame({"picture": list(files.values())}).to_parquet(place)
        more = {"signals": {"picture": {"kind": "picture"}}}
    tree = {"source": source, "path": str(place), **more}
    held, kept, again = (
        data.load(data.DataSpec.model_validate({**tree, "keep": keep}))
        for keep in ("memory", "disk", "disk")
    )
    assert len(decodings) == 80
    same(held, kept)
    same(kept, again)


LOADER = """
import json, psutil, sys
import torch
from infomax import data
from infomax.data import pictures
calls, real, memory = [], pictures.read_picture, psutil.Process().memory_info
def counted(*given, **named):
    calls.append(memory().rss)
    return real(*given, **named)
pictures.read_picture = counted
tree = json.loads(sys.argv[1])
before = memory().rss
contexts, seen = data.load(data.DataSpec.model_validate(tree)), []
for batch in contexts.batches("train", 8, seed=0):
    seen.append(memory().rss)
print(json.dumps([len(calls), contexts.fingerprint, (max(calls + seen) - before) / 2**20]))
"""


def loaders(*trees):
    """Processes that load at once: pictures decoded, fingerprint, megabytes that memory grew."""
    told = {**os.environ, "OMP_NUM_THREADS": "1"}
    begun = [
        subprocess.Popen(
            [sys.executable, "-c", LOADER, json.dumps(t)], stdout=subprocess.PIPE, env=told
        )
        for t in trees
    ]
    return [json.loads(process.communicate()[0]) for process in begun]


def test_memory_does_not_grow_with_the_data(tmp_path):
    """160 MB of decoded pictures; read whole, once through."""
    place = tmp_path / "large"
    for i in range(200):
        (place / "ab"[i % 2]).mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (32, 32), (i, 0, 0)).save(place / "ab"[i % 2] / f"{i}.png")
    signals = {"picture": {"kind": "picture", "size": 520}}
    tree = {"source": "imagefolder", "path": str(place), "signals": signals}
    ((_, one, held),) = loaders({**tree, "keep": "memory"})
    ((_, two, kept),) = loaders({**tree, "keep": "disk"})
    assert one == two
    assert held > 150 > 80 > kept, (held, kept)


def test_two_processes_fill_it_once(folder):
    first, second = loaders(spec(folder, "disk"), spec(folder, "disk"))
    assert sorted((first[0], second[0])) == [0, 150]
    assert first[1] == second[1] == load(folder, "memory").fingerprint
