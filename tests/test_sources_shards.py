"""Shards of tar files, lines of JSON, and streams: the contexts that lie in them, no more."""

import io
import json
import tarfile

import numpy as np
import pandas as pd
import pytest
import soundfile
from PIL import Image
from pydantic import ValidationError

from infomax._errors import InfomaxError
from infomax.data import DataSpec, load

RNG = np.random.default_rng(0)


def png(seed=None):
    held = io.BytesIO()
    pixels = np.random.default_rng(seed).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(held, "png")
    return held.getvalue()


def flac():
    held = io.BytesIO()
    soundfile.write(held, RNG.uniform(-0.5, 0.5, 800).astype(np.float32), 16000, format="FLAC")
    return held.getvalue()


def shard(path, members):
    with tarfile.open(path, "w") as archive:
        for name, held in members:
            held = held if isinstance(held, bytes) else str(held).encode()
            info = tarfile.TarInfo(name)
            info.size = len(held)
            archive.addfile(info, io.BytesIO(held))
    return path


def many(n, first=0, **extra):
    """Members of n contexts; every third lacks its sound."""
    members = []
    for i in range(first, first + n):
        facts = {"word": f"w{i}", "size": [i, 2 * i], "kind": "ab"[i % 2], "group": i // 2}
        members += [(f"{i:04}.png", png(i)), (f"{i:04}.txt", f"a thing {i}")]
        members += [(f"{i:04}.flac", flac())] if i % 3 else []
        members += [(f"{i:04}.json", json.dumps(facts)), (f"{i:04}.cls", i % 2)]
        members += [(f"{i:04}.{ending}", held) for ending, held in extra.items()]
    return members


def spec(path, source="webdataset", **keys):
    return DataSpec.model_validate({"source": source, "path": str(path), **keys})


def test_extensions_become_signals_and_a_missing_part_is_a_missing_signal(tmp_path):
    shard(tmp_path / "b.tar", many(20, first=20))
    shard(tmp_path / "a.tar", many(20))
    contexts = load(spec(tmp_path), whole=True)
    assert set(contexts.signals) == {"picture", "sound", "text"} and contexts.count("all") == 40
    assert contexts.labels["cls"].astype(int).tolist() == [0, 1] * 20
    batch = contexts.take("all", range(40))
    assert batch.present["sound"].tolist() == [bool(i % 3) for i in range(40)]
    pixels = np.asarray(Image.open(io.BytesIO(png(21)))).transpose(2, 0, 1)
    assert np.array_equal(batch.signals["picture"][21].numpy(), pixels)
    assert bytes(batch.signals["text"][7].tolist()).rstrip(b"\0") == b"a thing 7"


def test_a_recipe_says_which_extension_or_field_is_which_signal(tmp_path):
    shard(tmp_path / "a.tar", many(20, **{"seg.png": png(0)}))
    signals = {
        "mask": {"column": "seg.png", "kind": "picture"},
        "size": {"kind": "vector"},
        "word": {"kind": "text"},
    }
    contexts = load(spec(tmp_path / "a.tar", signals=signals, label="kind", group="group"))
    batch = contexts.take("test", [0])
    row = int(batch.index[0])
    assert batch.signals["size"][0].tolist() == [row, 2 * row]
    assert bytes(batch.signals["word"][0].tolist()).rstrip(b"\0") == f"w{row}".encode()
    groups = {s: {r // 2 for r in contexts.rows(s).tolist()} for s in ("train", "test")}
    assert not groups["train"] & groups["test"]


def test_names_of_shards_are_the_given_splits_and_a_pattern_chooses(tmp_path):
    shard(tmp_path / "train-000.tar", many(20))
    shard(tmp_path / "train-001.tar", many(20, first=20))
    shard(tmp_path / "test-000.tar", many(10, first=40))
    contexts = load(spec(tmp_path))
    assert sorted(contexts.rows("test").tolist()) == list(range(10))  # test sorts before train
    assert contexts.count("train") + contexts.count("validation") == 40
    only = load(spec(tmp_path / "train-*.tar"))
    assert sum(only.count(s) for s in ("train", "validation", "test")) == 40


def test_what_cannot_be_read_is_counted_and_named(tmp_path):
    members = many(300)
    broken = {"0003.png": b"no picture", "0006.json": b"{no", "0008.txt": b"\xff\xfe"}
    shard(tmp_path / "a.tar", [(name, broken.get(name, held)) for name, held in members])
    asked = spec(tmp_path, group="group")
    split = load(asked)
    assert sum(split.count(name) for name in ("train", "validation", "test")) == 297
    contexts = load(asked, whole=True)  # every row keeps its place
    assert contexts.count("all") == 300
    assert not contexts.signals["picture"].present[3]
    assert all(any(name in said for said in contexts.skipped) for name in broken)


def test_a_shard_that_breaks_off_loses_its_last_context_only(tmp_path):
    whole = shard(tmp_path / "whole.tar", many(200)).read_bytes()
    cut = len(whole) * 3 // 4
    (tmp_path / "a.tar").write_bytes(whole[:cut])
    contexts = load(spec(tmp_path / "a.tar"), whole=True)
    assert 140 < contexts.count("all") < 155
    assert len(contexts.skipped) == 1 and "a.tar" in contexts.skipped[0]


def test_names_in_an_archive_are_never_paths(tmp_path):
    inside = tmp_path / "in" / "deep"
    inside.mkdir(parents=True)
    (tmp_path / "secret.png").write_bytes(png(999))
    members = [
        *many(10),
        ("../../evil.png", png(0)),
        ("../../evil.txt", "x"),
        ("/etc/own.txt", "x"),
    ]
    shard(inside / "a.tar", members)
    with tarfile.open(inside / "a.tar", "a") as archive:
        for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE):
            info = tarfile.TarInfo("0099.png")
            info.type, info.linkname = kind, "../../secret.png"
            archive.addfile(info)
    before = sorted(p for p in tmp_path.rglob("*"))
    contexts = load(spec(inside / "a.tar"), whole=True)
    assert contexts.count("all") == 12  # the links are no context, the odd names are
    assert sorted(p for p in tmp_path.rglob("*")) == before
    secret = np.asarray(Image.open(tmp_path / "secret.png")).transpose(2, 0, 1)
    pictures = contexts.take("all", range(12)).signals["picture"].numpy()
    assert not any(np.array_equal(own, secret) for own in pictures)


def test_what_is_not_there_or_not_a_tar_is_said(tmp_path):
    (tmp_path / "none").mkdir()
    (tmp_path / "b.tar").write_bytes(b"no tar at all" * 100)
    for path, said in (("none", "none"), ("x-*.tar", "none"), ("b.tar", "b.tar"), ("c", "c")):
        with pytest.raises(InfomaxError, match=said):
            load(spec(tmp_path / path))
    shard(tmp_path / "a.tar", many(5))
    with pytest.raises(InfomaxError, match=r"flac.*json|the columns"):
        load(spec(tmp_path / "a.tar", signals={"x": {"column": "mp4", "kind": "picture"}}))


def test_lines_of_json_are_a_manifest(tmp_path):
    (tmp_path / "p.png").write_bytes(png())
    lines = [
        {"label": "ab"[i % 2], "x": [i, 1.5], "t": None if i % 4 == 0 else f"2020-01-{i:02}",
         "picture": "p.png"}
        for i in range(20)
    ]  # fmt: skip
    file = tmp_path / "m.jsonl"
    file.write_text("\n".join(map(json.dumps, lines)))
    signals = {"x": {"kind": "vector"}, "t": {"kind": "text"}, "picture": {"kind": "picture"}}
    contexts = load(spec(file, "jsonl", label="label", signals=signals), whole=True)
    batch = contexts.take("all", range(20))
    assert batch.signals["x"][3].tolist() == [3, 1.5]
    assert batch.present["t"].tolist() == [i % 4 != 0 for i in range(20)]
    assert bytes(batch.signals["t"][5].tolist()) == b"2020-01-05"
    file.write_text("{no")
    with pytest.raises(InfomaxError, match="JSON"):
        load(spec(file, "jsonl", signals=signals))


def test_a_stream_fetches_its_first_rows_only(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HOME", str(tmp_path / "cache"))
    folder = tmp_path / "pets"
    for split, n in (("train", 60), ("test", 30)):
        for i in range(n):
            place = folder / split / "ab"[i % 2]
            place.mkdir(parents=True, exist_ok=True)
            (place / f"{i}.png").write_bytes(png(i))
    contexts = load(spec(folder, "hub", stream=True, limit=20))
    assert sum(contexts.count(s) for s in ("train", "validation", "test")) == 20
    assert max(map(max, contexts.splits.values())) < 40  # 20 of each split, 20 drawn from these
    for wrong in ({"limit": None}, {"source": "csv"}):
        with pytest.raises(ValidationError):
            DataSpec.model_validate(
                {"source": "hub", "path": "x", "stream": True, "limit": 3, **wrong}
            )


def test_a_parquet_twin_gives_the_same_numbers(tmp_path):
    """The slow twin of a shard's fields: the same rows as a table."""
    shard(tmp_path / "a.tar", many(12))
    rows = [{"size": [i, 2 * i], "word": f"w{i}"} for i in range(12)]
    pd.DataFrame(rows).to_parquet(tmp_path / "a.parquet")
    signals = {"size": {"kind": "vector"}, "word": {"kind": "text"}}
    one = load(spec(tmp_path / "a.tar", signals=signals), whole=True).take("all", range(12))
    two = load(spec(tmp_path / "a.parquet", "parquet", signals=signals), whole=True)
    two = two.take("all", range(12))
    for name in signals:
        assert one.signals[name].equal(two.signals[name])
