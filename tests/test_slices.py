import pytest
import torch
from torch import nn

from infomax import I, Model, building, recipe
from infomax._errors import InfomaxError
from infomax.critics import Bilinear
from infomax.encoders import MLP, ConvNet
from infomax.slices import Channels, Crop, Half, Patches
from infomax.views import Context, evaluate, vectors


def pictures(n=3, channels=1, size=28):
    return torch.rand(n, channels, size, size, generator=torch.Generator().manual_seed(0))


def test_halves_of_columns_are_of_vectors_and_of_the_channels_of_series():
    vector, series = torch.arange(10.0).view(1, 10), torch.rand(2, 7, 6)
    left, right = Half("left", gap=1)(vector), Half("right", gap=1)(vector)
    assert left.tolist() == [[0, 1, 2, 3]] and right.tolist() == [[6, 7, 8, 9]]
    assert torch.equal(torch.cat([Half("left")(series), Half("right")(series)], -1), series)
    with pytest.raises(InfomaxError, match="a picture for half: top"):
        Half("top")(series)
    with pytest.raises(InfomaxError, match="with a gap of 5"):
        Half("right", gap=5)(vector)


def test_lightness_and_colour_are_those_of_cie():
    """Values of pure colours from the CIE 1976 definitions (D65 white)."""
    known = {
        (1.0, 0.0, 0.0): (53.24, 80.09, 67.20),
        (0.0, 1.0, 0.0): (87.73, -86.18, 83.18),
        (0.0, 0.0, 1.0): (32.30, 79.19, -107.86),
        (1.0, 1.0, 1.0): (100.0, 0.0, 0.0),
        (0.0, 0.0, 0.0): (0.0, 0.0, 0.0),
    }
    colours = torch.tensor(list(known)).view(-1, 3, 1, 1)
    lab = torch.tensor(list(known.values()))
    light, colour = Channels("L")(colours)[..., 0, 0], Channels("ab")(colours)[..., 0, 0]
    torch.testing.assert_close(100 * light[:, 0], lab[:, 0], atol=0.1, rtol=0)
    torch.testing.assert_close(220 * (colour - 0.5), lab[:, 1:], atol=0.1, rtol=0)
    assert colour.min() >= 0 and colour.max() <= 1


def test_a_grey_picture_has_no_colours_to_give():
    with pytest.raises(InfomaxError, match="grey pictures have no colour") as caught:
        Channels("ab")(pictures())
    assert "1 channel(s)" in caught.value.got
    with pytest.raises(InfomaxError, match="a picture for channels"):
        Channels("L")(torch.rand(4, 9))


@pytest.mark.parametrize(("height", "width"), [(28, 28), (20, 32)])
def test_patches_are_the_crops_in_raster_order(height, width):
    picture = torch.rand(2, 3, height, width)
    cut = Patches(8, 4)
    patches, across = cut(picture), cut.columns(width)
    assert patches.shape[1] == across * ((height - 8) // 4 + 1)
    for place in range(patches.shape[1]):
        top, left = 4 * (place // across), 4 * (place % across)
        assert torch.equal(patches[:, place], Crop(top, left, 8, 8)(picture))
    with pytest.raises(InfomaxError, match="patch"):
        Patches(40, 4)(picture)


@pytest.mark.parametrize(
    ("make", "at", "places"),
    [
        (lambda: ConvNet(channels=1, width=16, stages=2, dim=5), None, 36),
        (lambda: ConvNet(channels=1, width=16, stages=2, dim=5), "stage1", 36 * 16),
        (lambda: MLP(hidden=(8,), dim=5), None, 36),
    ],
)
def test_an_encoder_sees_every_patch_by_itself(make, at, places):
    """Folding the places into the batch equals a loop over them."""
    net = make()
    patches = Context().signal("picture").slice(Patches(8, 4))
    seen = patches.encode(net, at)
    value = pictures()
    with torch.no_grad():
        values = evaluate([seen], {"picture": value})
        whole = vectors(seen, values.tensors[seen])
        assert whole.shape[:2] == (3, places)
        one = Context().signal("patch").encode(net, at)
        for place in range(36):
            alone = Patches(8, 4)(value)[:, place]
            tensor = evaluate([one], {"patch": alone}).tensors[one]
            tensor = vectors(one, tensor).reshape(3, places // 36, -1)
            mine = whole.reshape(3, 36, places // 36, -1)[:, place]
            torch.testing.assert_close(mine, tensor, atol=1e-5, rtol=1e-4)


def test_what_is_done_to_patches_is_done_to_each_until_an_encoder_makes_a_sequence():
    seen = []

    class Watching(nn.Module):
        def forward(self, value):
            seen.append(tuple(value.shape))
            return value.flatten(1) if value.ndim == 4 else value

    patches = Context().signal("picture").slice(Patches(8, 4))
    turned = patches.augment(
        lambda v: seen.append(tuple(v.shape)) or v + torch.rand(len(v), 1, 1, 1)
    )
    parts = turned.slice(Patches(4, 4))
    first = parts.encode(Watching())
    second = first.encode(Watching())
    values = evaluate([second, turned], {"picture": torch.zeros(2, 1, 28, 28)})
    assert seen == [(72, 1, 8, 8), (288, 1, 4, 4), (2, 144, 16)]
    assert values.tensors[turned].flatten(2).std(1).min() > 0, "each patch draws its own"
    tensor = values.tensors[parts]
    assert tensor.shape == (2, 144, 1, 4, 4)
    assert torch.equal(tensor[:, :4].amax((2, 3, 4)), tensor[:, :1].amax((2, 3, 4)).expand(-1, 4))
    assert vectors(turned, values.tensors[turned]).shape == (2, 36, 64)


def test_a_row_of_patches_ahead_is_the_patch_below():
    patches = Context().signal("picture").slice(Patches(8, 4))
    encoded = patches.encode(nn.Flatten())
    critic = Bilinear()
    model = Model(I(encoded, encoded, critic=critic, positions=6))
    value = pictures()
    (measured,) = model({"picture": value})
    below = critic(Crop(0, 8, 8, 8)(value).flatten(1), Crop(4, 8, 8, 8)(value).flatten(1))
    torch.testing.assert_close(measured.terms[0][2], below)


def test_a_recipe_names_colours_and_patches():
    tree = {
        "data": {"source": "digits"},
        "encoders": {"net": {"kind": "mlp", "dim": 8}},
        "views": {
            "picture": {"signal": "picture"},
            "L": {"of": "picture", "channels": "L"},
            "ab": {"of": "picture", "channels": "ab"},
            "patches": {"of": "L", "patches": {"size": 4, "stride": 2}},
            "z": {"of": "patches", "encode": "net"},
        },
        "maximize": [{"between": ["z", "ab"]}],
        "evaluate": {"view": "z", "profile": False},
    }
    study = building.build(recipe.check(tree, "here"))
    assert study.views["ab"].step == Channels("ab")
    assert study.views["patches"].step == Patches(4, 2)
    for wrong in ({"channels": "lab"}, {"patches": {"size": 4}}, {"patches": {"size": 0}}):
        tree["views"]["L"] = {"of": "picture", **wrong}
        with pytest.raises(InfomaxError, match=next(iter(wrong))):
            recipe.check(tree, "here")
