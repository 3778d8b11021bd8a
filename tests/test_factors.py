"""Low-level factors are right on signals of which they are known."""

import math

import numpy as np
import pytest
import torch

from infomax.evaluation.factors import (
    FACTORS,
    of_pictures,
    of_series,
    of_sounds,
    of_texts,
    of_vectors,
)

RATE = 8000


def tone(hz, seconds=0.5, loudness=0.5, padded=0.0, harmonics=(1.0,)):
    t = torch.arange(round(seconds * RATE)) / RATE
    wave = sum(a * torch.sin(2 * torch.pi * (k + 1) * hz * t) for k, a in enumerate(harmonics))
    wave = loudness * wave
    wave[-1] = 1e-3  # a last sample that is not zero
    return torch.nn.functional.pad(wave, (0, round(padded * RATE)))


def grating(cycles, angle, side=32):
    at = torch.arange(side) / side
    x, y = torch.meshgrid(at, at, indexing="xy")
    phase = 2 * torch.pi * cycles * (math.cos(angle) * x + math.sin(angle) * y)
    return (0.5 + 0.4 * torch.sin(phase))[None, None]


def test_brightness_and_contrast_are_mean_and_deviation_of_the_luminance():
    pictures = torch.rand(5, 1, 12, 9)
    found = of_pictures(pictures)
    assert torch.allclose(found["brightness"], pictures.mean((1, 2, 3)))
    assert torch.allclose(found["contrast"], pictures.flatten(1).std(1))
    red = torch.zeros(1, 3, 4, 4)
    red[:, 0] = 1.0
    assert of_pictures(red)["brightness"] == pytest.approx(0.299)


@pytest.mark.parametrize("degrees", [0, 30, 60, 90, 120, 150])
def test_orientation_is_that_of_a_grating(degrees):
    found = of_pictures(grating(4, math.radians(degrees), side=64))["orientation"]
    apart = (float(found) - math.radians(degrees) + math.pi / 2) % math.pi - math.pi / 2
    assert abs(apart) < 0.03


def test_coarse_and_fine_tell_slow_gratings_from_fast_ones():
    slow, fast = of_pictures(grating(1, 0.0)), of_pictures(grating(12, 0.0))
    assert slow["coarse"] > 0.95 and slow["fine"] < 0.01
    assert fast["fine"] > 0.95 and fast["coarse"] < 0.01
    noise = of_pictures(torch.rand(200, 1, 32, 32))
    # white noise: the share of the square of frequencies outside the circle of half its side
    assert float(noise["fine"].mean()) == pytest.approx(1 - math.pi / 16, abs=0.03)
    assert fast["edges"] > 3 * slow["edges"]


def test_the_centre_is_where_the_mass_is_on_any_ground():
    for ground, ink in ((0.0, 1.0), (1.0, 0.0), (0.5, 0.9)):
        picture = torch.full((1, 1, 20, 10), ground)
        picture[:, :, 15, 2] = ink
        found = of_pictures(picture)
        assert found["down"] == pytest.approx(15.5 / 20, abs=1e-4)
        assert found["across"] == pytest.approx(2.5 / 10, abs=1e-4)
    even = of_pictures(torch.full((1, 1, 20, 10), 0.3))
    assert even["down"] == pytest.approx(0.5, abs=1e-4)


@pytest.mark.parametrize(
    ("colour", "hue"),
    [((1, 0, 0), 0.0), ((0, 1, 0), 2 * math.pi / 3), ((0, 0, 1), -2 * math.pi / 3)],
)
def test_hue_is_an_angle_and_grey_has_no_saturation(colour, hue):
    picture = torch.tensor(colour, dtype=torch.float32)[None, :, None, None].expand(1, 3, 4, 4)
    found = of_pictures(0.2 + 0.6 * picture)
    assert found["hue"] == pytest.approx(hue, abs=1e-4)
    assert found["saturation"] == pytest.approx(0.6, abs=1e-4)
    assert of_pictures(torch.full((1, 3, 4, 4), 0.4))["saturation"] == pytest.approx(0, abs=1e-6)
    assert "hue" not in of_pictures(torch.rand(1, 1, 4, 4))


@pytest.mark.parametrize("hz", [80.0, 131.0, 220.0, 440.0, 523.25, 800.0])
@pytest.mark.parametrize("harmonics", [(1.0,), (1.0, 0.5, 0.3), (0.3, 1.0, 0.5)])
def test_pitch_is_the_fundamental(hz, harmonics):
    found = of_sounds(tone(hz, harmonics=harmonics)[None], rate=RATE)["pitch"]
    assert float(found) == pytest.approx(hz, rel=0.02)


def test_duration_loudness_centroid_and_bandwidth():
    sounds = torch.stack([tone(500, 0.5, 0.5, 0.5), tone(1000, 1.0, 0.05), torch.zeros(RATE)])
    found = of_sounds(sounds, rate=RATE)
    assert found["duration"].tolist() == pytest.approx([0.5, 1.0, 0.0])
    level = 20 * math.log10(0.5 / math.sqrt(2))
    assert found["loudness"][:2].tolist() == pytest.approx([level, level - 20], abs=0.1)
    assert found["centroid"][:2].tolist() == pytest.approx([500, 1000], rel=0.02)
    noise = of_sounds(torch.randn(4, RATE) * 0.1, rate=RATE)
    assert noise["centroid"].mean() == pytest.approx(RATE / 4, rel=0.05)
    assert noise["bandwidth"].mean() == pytest.approx(RATE / 2 / math.sqrt(12), rel=0.05)
    assert found["bandwidth"][0] < 0.1 * noise["bandwidth"].mean()
    assert all(torch.isfinite(value).all() for value in found.values())


def test_text_is_counted_in_characters():
    words = ["Über 12 Äpfel", "", "ABC", "  two  words "]
    rows = [text.encode() for text in words]
    longest = max(map(len, rows))
    texts = torch.tensor([list(row.ljust(longest, b"\0")) for row in rows], dtype=torch.uint8)
    found = of_texts(texts)
    assert found["length"].tolist() == [13, 0, 3, 13]
    assert found["words"].tolist() == [3, 0, 1, 2]
    assert found["letters"][0] == pytest.approx(9 / 13)
    assert found["digits"][0] == pytest.approx(2 / 13)
    assert found["capitals"].tolist() == pytest.approx([0, 0, 1, 0])


def test_numbers_of_vectors_and_series():
    vectors = torch.tensor(np.random.default_rng(0).normal(size=(4, 6)), dtype=torch.float32)
    found = of_vectors(vectors)
    assert torch.allclose(found["mean"], vectors.mean(1))
    assert torch.allclose(found["spread"], vectors.std(1))
    ramp = torch.arange(10.0)[None, :, None] * torch.tensor([[2.0, -1.0]])
    found = of_series(ramp)
    assert found["slope"] == pytest.approx(0.5)
    assert found["step"] == pytest.approx(1.5)
    assert "spread" not in of_vectors(torch.ones(2, 1))


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        ("picture", torch.rand(6, 3, 9, 8)),
        ("picture", torch.rand(6, 1, 2, 2)),
        ("sound", torch.rand(6, 300)),
        ("sound", torch.rand(6, 5)),
        ("text", torch.randint(0, 256, (6, 20), dtype=torch.uint8)),
        ("vector", torch.rand(6, 1)),
        ("series", torch.rand(6, 1, 2)),
        ("series", torch.rand(6, 7, 2)),
    ],
)
def test_each_context_has_its_own_finite_factors(kind, values):
    whole = FACTORS[kind](values)
    alone = FACTORS[kind](values[2:3])
    for name, value in whole.items():
        assert value.shape == (6,) and torch.isfinite(value).all(), name
        assert torch.allclose(value[2:3], alone[name], rtol=1e-3, atol=1e-4), name
    nothing = FACTORS[kind](torch.zeros_like(values))
    assert all(torch.isfinite(value).all() for value in nothing.values())
