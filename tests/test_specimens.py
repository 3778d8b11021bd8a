"""What views look like: one context as each has it, and what the map tells of its contexts."""

import base64
import io

import numpy as np
import pytest
import soundfile
import torch
from PIL import Image

from infomax.augment import noise
from infomax.data import Contexts, encode_texts
from infomax.data.columns import MemoryColumn
from infomax.evaluation import mapped, specimens
from infomax.evaluation.mapped import mapped as map_of
from infomax.evaluation.specimens import spectrogram
from infomax.slices import Channels, Half, Patches, Window
from infomax.views import Context

N, RATE = 12, 8000
WORDS = [f"thing number {i} is here" for i in range(N)]


def contexts():
    """Of twelve, rows 3 to 5 have everything and only row 4 is long enough for a late window."""
    rng = np.random.default_rng(0)
    some = torch.tensor([0 if i in (3, 4, 5) else -1 for i in range(N)])
    voices = np.zeros((3, RATE), np.float32)
    for i, length in enumerate((2000, 7000, 3000)):
        voices[i, :length] = 0.3 * np.sin(np.arange(length) * 0.3)
    slot = torch.where(some < 0, some, torch.arange(N) - 3)
    return Contexts(
        "made",
        {
            "picture": MemoryColumn(
                "picture", torch.from_numpy(rng.integers(0, 256, (N, 3, 16, 16), np.uint8))
            ),
            "words": MemoryColumn("text", torch.from_numpy(encode_texts(WORDS, 200))),
            "voice": MemoryColumn("sound", torch.from_numpy(voices), slot),
            "row": MemoryColumn("vector", torch.from_numpy(rng.normal(size=(N, 60))).float()),
            "watch": MemoryColumn("series", torch.from_numpy(rng.normal(size=(N, 300, 6))).float()),
        },
        {"kind": np.array([f"k{i % 2}" for i in range(N)])},
        {"train": np.arange(2), "validation": np.arange(2, 3), "test": np.arange(2, N)},
    )


def views():
    context = Context()
    picture, voice = context.signal("picture"), context.signal("voice")
    return {
        "picture": picture,
        "top": picture.slice(Half("top")),
        "ab": picture.slice(Channels("ab")),
        "patches": picture.slice(Patches(8, 4)),
        "seen": picture.augment(noise(std=0.2)),
        "again": picture.augment(noise(std=0.2)),
        "words": context.signal("words"),
        "voice": voice,
        "late": voice.slice(Window(start=4800, length=800)),
        "row": context.signal("row"),
        "watch": context.signal("watch"),
        "z": context.signal("row").encode(torch.nn.Linear(60, 4)),
    }


@pytest.fixture(scope="module")
def found():
    return specimens.specimens(views(), contexts(), {"voice": RATE})


def pixels(shown):
    content = base64.b64decode(shown["picture"].removeprefix("data:image/png;base64,"))
    return np.asarray(Image.open(io.BytesIO(content)))


def test_the_context_that_has_every_view_is_shown_and_no_encoder_is(found):
    assert found["row"] == 4
    assert set(found["views"]) == set(views()) - {"z"}
    assert found["views"]["words"] == {"text": WORDS[4]}


def test_a_part_of_a_picture_is_that_part_and_two_draws_are_two(found):
    whole = pixels(found["views"]["picture"])
    expected = contexts().signals["picture"].data[4].permute(1, 2, 0).numpy()
    assert np.array_equal(whole, expected)
    assert np.array_equal(pixels(found["views"]["top"]), whole[:8])
    assert found["views"]["top"]["size"] == [16, 8]
    patches = pixels(found["views"]["patches"])
    assert patches.shape == (3 * 9 - 1, 3 * 9 - 1, 3)
    assert np.array_equal(patches[9:17, 18:26], whole[4:12, 8:16])
    assert not np.array_equal(pixels(found["views"]["seen"]), pixels(found["views"]["again"]))


def test_colour_alone_has_the_hue_of_the_picture_and_one_lightness(found):
    from kornia.color import rgb_to_lab

    def lab(rgb):
        return rgb_to_lab(torch.from_numpy(rgb.copy()).permute(2, 0, 1)[None] / 255)[0]

    whole, colour = (lab(pixels(found["views"][name])) for name in ("picture", "ab"))
    pale = whole[1:].norm(dim=0) < 40  # within what a screen can show at this lightness
    assert (colour[0][pale] - 65).abs().max() < 2
    assert (colour[1:] - whole[1:])[:, pale].abs().max() < 4


def test_sounds_can_be_heard_and_end_where_they_do(found):
    voice, late = found["views"]["voice"], found["views"]["late"]
    for shown, seconds in ((voice, 7000 / RATE), (late, 0.1)):
        kind, _, content = shown["sound"].partition(";base64,")
        assert kind in ("data:audio/mpeg", "data:audio/wav")
        heard, rate = soundfile.read(io.BytesIO(base64.b64decode(content)))
        assert rate == RATE
        assert seconds <= len(heard) / rate < seconds + 0.2  # what MP3 adds at both ends
    tone = pixels(voice)  # 0.3 rad a sample is 382 Hz: one line near the bottom
    assert tone.shape[0] == specimens.BANDS and tone.shape[1] <= 2 * specimens.FRAMES
    assert tone.sum(-1).mean(1).argmax() > specimens.BANDS * 2 // 3


def test_numbers_are_in_proportion_and_no_more_than_can_be_drawn(found):
    row = contexts().signals["row"].data[4].numpy()
    bars = np.array(found["views"]["row"]["bars"])
    assert len(bars) == specimens.BARS and found["views"]["row"]["count"] == [60]
    assert np.allclose(bars, row[:40] / np.abs(row[:40]).max(), atol=1e-3)
    lines = found["views"]["watch"]["lines"]
    assert [len(line) for line in lines] == [specimens.POINTS] * specimens.LINES


def test_a_grey_batch_shows_the_picture_of_most_contrast():
    flat = torch.full((N, 1, 4, 4), 100, dtype=torch.uint8)
    flat[7, 0, :2] = 255
    signals = {"picture": MemoryColumn("picture", flat)}
    splits = {"train": np.arange(2), "validation": np.arange(2), "test": np.arange(N)}
    data = Contexts("grey", signals, {}, splits)
    views = {"picture": Context().signal("picture")}
    assert specimens.specimens(views, data, {})["row"] == 7


def test_the_map_tells_what_a_context_looks_and_sounds_like_within_its_room(monkeypatch):
    z = np.random.default_rng(0).normal(size=(N - 2, 5))
    z[0] = np.nan
    held = map_of("z", z, contexts(), {"voice": RATE}, "kind")
    assert held["index"].tolist() == list(range(3, N))
    assert held["texts"].tolist() == WORDS[3:]
    assert held["pictures"].shape == (N - 3, 16, 16, 3)
    assert held["labels"].tolist() == [f"k{i % 2}" for i in range(3, N)]
    heard = [bool(sound) for sound in held["sounds"]]
    assert heard == [True] * 3 + [False] * 6  # the others lack a voice
    assert held["sounds"].dtype.kind == "S"
    monkeypatch.setattr(mapped, "BYTES", 1)
    few = map_of("z", z, contexts(), {"voice": RATE}, "kind")["sounds"]
    assert sum(map(bool, few)) == 1


def test_all_that_a_page_may_hold_is_less_than_ten_megabytes():
    from infomax.evaluation import neighbours
    from infomax.report import atlas

    assert neighbours.BYTES + mapped.BYTES + max(atlas.SHEET_BYTES, atlas.PNG_BYTES) < 9.5e6


@pytest.mark.parametrize("rate", [100, 1000, 8000, 192_000])
@pytest.mark.parametrize("samples", [1, 3000])
def test_a_spectrogram_is_drawn_at_any_rate(rate, samples):
    wave = np.random.default_rng(0).normal(size=samples).astype(np.float32)
    assert spectrogram(wave, rate).startswith(b"\x89PNG")
