import pytest
import torch

from infomax import augment, encoders
from infomax._errors import InfomaxError
from infomax.encoders.standard import StandardizePictures


@pytest.mark.parametrize("size", [(1, 28, 28), (3, 32, 20), (1, 14, 28)])
def test_a_convnet_takes_pictures_of_any_size_and_names_its_stages(size):
    net = encoders.ConvNet(width=16, stages=3, dim=10)
    assert net(torch.rand(4, *size)).shape == (4, 10)
    assert {"stage1", "stage2", "stage3", "pool", "head"} <= dict(net.named_modules()).keys()


@pytest.mark.parametrize("size", [(1, 16, 16), (3, 28, 20)])
@pytest.mark.parametrize("blocks", [(2, 2, 2, 2), (1, 1, 1)])
def test_a_resnet_takes_pictures_of_any_size_and_halves_them_after_its_first_stage(size, blocks):
    net = encoders.ResNet(blocks=blocks, width=16, dim=10)
    sides = {}
    for name, module in net.named_modules():
        if name.startswith("stage") and "." not in name:
            module.register_forward_hook(lambda *got, name=name: sides.update({name: got[2].shape}))
    picture = torch.rand(4, *size)
    assert net(picture).shape == (4, 10)
    for index, shape in enumerate(sides.values()):
        smaller = [-(-side // 2**index) for side in size[1:]]
        assert list(shape) == [4, 16 * 2**index, *smaller]
    layers = [m for n, m in net.named_modules() if "conv" in n]
    assert len(layers) == 2 * sum(blocks)  # with the stem and a linear head: 18 layers, or 8
    for wrong in ((), (2, 0), (1,) * 6):
        with pytest.raises(InfomaxError, match="blocks"):
            encoders.ResNet(blocks=wrong)


@pytest.mark.parametrize(
    ("make", "stage"), [(encoders.ConvNet, "stage2"), (encoders.ResNet, "stage1")]
)
def test_normalized_by_place_a_place_knows_nothing_of_far_ones(make, stage):
    """The statistics of a whole picture tell every place of all others; its own do not."""
    picture = torch.rand(2, 1, 48, 48, generator=torch.Generator().manual_seed(0))
    other = picture.clone()
    other[..., 32:, 32:] *= 0.2
    changes = {}
    for norm in ("picture", "place"):
        torch.manual_seed(0)
        net = make(channels=1, width=16, norm=norm)
        seen = []
        net.get_submodule(stage).register_forward_hook(lambda *got, seen=seen: seen.append(got[2]))
        net(picture), net(other)
        corner = seen[0].shape[-1] // 4
        changes[norm] = (seen[0] - seen[1])[..., :corner, :corner].abs().max().item()
        assert not torch.allclose(seen[0][..., -1, -1], seen[1][..., -1, -1], atol=1e-3)
    assert changes["place"] == 0 and changes["picture"] > 1e-3


def test_a_grid_keeps_where_things_are_and_one_cell_forgets_it():
    picture = torch.zeros(1, 1, 32, 32)
    picture[..., 4:12, 4:12] = 1
    moved = picture.roll((16, 16), (2, 3))
    changes = {}
    for grid in (1, 2):
        torch.manual_seed(0)
        net = encoders.ConvNet(channels=1, width=16, stages=2, grid=grid)
        cells = slice(0, 32 * grid * grid)  # the means; the maximum over all places follows
        changes[grid] = (net(picture)[:, cells] - net(moved)[:, cells]).abs().max()
    assert changes[1] < 0.4 * changes[2]


@pytest.mark.parametrize(
    "net",
    [
        encoders.ConvNet(width=16),
        encoders.ConvNet(width=16, norm="place"),
        encoders.ResNet(width=16, blocks=(1, 1)),
        encoders.MLP(hidden=(32,), dim=8),
    ],
)
def test_every_context_is_encoded_by_itself(net):
    pictures = torch.rand(6, 1, 16, 16)
    whole = net.train()(pictures)
    torch.testing.assert_close(whole[:2], net.eval()(pictures[:2]))


def test_vectors_of_any_scale_reach_an_mlp_standardized():
    generator = torch.Generator().manual_seed(0)
    scales = torch.tensor([1e-3, 1.0, 1e4, 0.0])
    sample = 5 * scales + scales * torch.randn(500, 4, generator=generator)
    net = encoders.MLP(hidden=(8,), dim=2)
    net.start([sample[:300], sample[300:]])
    scaled = net.scale(sample)
    torch.testing.assert_close(scaled.mean(0), torch.zeros(4), atol=1e-4, rtol=0)
    torch.testing.assert_close(
        scaled.std(0, correction=0), torch.tensor([1.0, 1, 1, 0]), atol=1e-4, rtol=0
    )


def test_crop_flip_keeps_a_picture_when_nothing_is_left_to_chance():
    pictures = torch.rand(3, 2, 9, 9)
    whole = augment.crop_flip(scale=(1.0, 1.0), ratio=(1.0, 1.0), flip=0.0)(pictures)
    torch.testing.assert_close(whole, pictures, atol=1e-5, rtol=0)
    mirrored = augment.crop_flip(scale=(1.0, 1.0), ratio=(1.0, 1.0), flip=1.0)(pictures)
    torch.testing.assert_close(mirrored, pictures.flip(3), atol=1e-5, rtol=0)


def test_crop_flip_cuts_rectangles_inside_the_picture():
    """Of a ramp, a crop shows a part of the range: as wide as its width."""
    ramp = torch.linspace(0, 1, 64).expand(200, 1, 64, 64)
    torch.manual_seed(0)
    seen = augment.crop_flip(scale=(0.25, 0.25), ratio=(1.0, 1.0), flip=0.0)(ramp)
    width = seen[:, 0, 0, -1] - seen[:, 0, 0, 0]
    torch.testing.assert_close(width, torch.full((200,), 0.5), atol=0.02, rtol=0)
    assert seen.min() >= 0 and seen.max() <= 1
    assert seen[:, 0, 0, 0].std() > 0.1


@pytest.mark.parametrize(
    "vary",
    [
        augment.crop_flip(),
        augment.jitter(),
        augment.blur(share=1.0),
        augment.erase(share=1.0),
        augment.noise(),
        augment.drop(),
    ],
)
def test_an_augmentation_varies_every_picture_and_repeats_with_its_seed(vary):
    pictures = torch.rand(8, 1, 12, 12)
    torch.manual_seed(3)
    first = vary(pictures)
    torch.manual_seed(3)
    assert torch.equal(vary(pictures), first)
    assert first.shape == pictures.shape
    assert ((first - pictures).abs().amax((1, 2, 3)) > 1e-3).float().mean() >= 0.5


def test_jitter_changes_brightness_and_contrast_by_its_strengths():
    pictures = 0.3 + 0.2 * torch.rand(500, 1, 8, 8)
    torch.manual_seed(0)
    bright = augment.jitter(brightness=0.5, contrast=0.0)(pictures)
    factor = bright.mean((1, 2, 3)) / pictures.mean((1, 2, 3))
    assert 0.5 <= factor.min() < 0.55 and 1.45 < factor.max() <= 1.5
    contrast = augment.jitter(brightness=0.0, contrast=0.5)(pictures)
    torch.testing.assert_close(contrast.mean((1, 2, 3)), pictures.mean((1, 2, 3)))


def test_jitter_stretches_and_turns_colours_and_leaves_luma_and_grey():
    torch.manual_seed(0)
    pictures = 0.4 + 0.1 * torch.rand(300, 3, 4, 4)
    still = {"brightness": 0.0, "contrast": 0.0}
    changed = augment.jitter(**still, saturation=0.5, hue=0.25)(pictures)
    yiq = torch.tensor(augment.image.YIQ)
    before, after = (torch.einsum("ij,njhw->nihw", yiq, p) for p in (pictures, changed))
    torch.testing.assert_close(after[:, 0], before[:, 0])
    chroma = [torch.complex(p[:, 1], p[:, 2]) for p in (before, after)]
    ratio = chroma[1] / chroma[0]
    assert (ratio - ratio.mean((1, 2), keepdim=True)).abs().max() < 1e-2, "one change a picture"
    size, turn = ratio.mean((1, 2)).abs(), ratio.mean((1, 2)).angle() / (2 * torch.pi)
    assert 0.5 <= size.min() < 0.55 and 1.45 < size.max() <= 1.5
    assert -0.25 <= turn.min() < -0.22 and 0.22 < turn.max() <= 0.25
    grey = torch.rand(8, 1, 4, 4).expand(8, 3, 4, 4)
    torch.testing.assert_close(augment.jitter(**still, saturation=1.0, hue=0.5)(grey), grey)


def test_colours_turn_alone_and_stay_within_bounds_in_any_precision():
    torch.manual_seed(0)
    still = {"brightness": 0.0, "contrast": 0.0}
    pictures = torch.rand(50, 3, 4, 4)
    turned = augment.jitter(**still, saturation=0.0, hue=0.5)(0.4 + 0.1 * pictures)
    assert (turned - 0.4 - 0.1 * pictures).abs().amax((1, 2, 3)).mean() > 0.02
    for of in (pictures, pictures.double()):
        seen = augment.jitter(saturation=1.0, hue=0.5)(of)
        assert seen.dtype == of.dtype and seen.min() >= 0 and seen.max() <= 1


def test_grayscale_leaves_luma():
    red, blue = torch.tensor([[1.0, 0, 0], [0, 0, 1.0]])[:, :, None, None]
    seen = augment.grayscale(share=1.0)(torch.stack([red, blue]).expand(2, 3, 2, 2))
    assert seen[0].unique().tolist() == pytest.approx([0.299])
    assert seen[1].unique().tolist() == pytest.approx([0.114])


def test_saturation_is_that_of_kornia_of_the_same_factor():
    from kornia.enhance import adjust_saturation_with_gray_subtraction as twin

    torch.manual_seed(1)
    pictures = 0.4 + 0.2 * torch.rand(20, 3, 4, 4)
    vary = augment.jitter(brightness=0.0, contrast=0.0, saturation=0.5, hue=0.0)
    changed = vary(pictures)
    torch.manual_seed(1)
    torch.rand(20, 3, 4, 4)
    factor = 1 + 0.5 * (2 * torch.rand(2, 20)[0] - 1)
    torch.testing.assert_close(changed, twin(pictures, factor), atol=2e-3, rtol=0)


def test_grayscale_takes_the_colours_of_its_share_of_the_pictures():
    torch.manual_seed(0)
    pictures = torch.rand(1000, 3, 2, 2)
    seen = augment.grayscale(share=0.3)(pictures)
    grey = seen.std(1).amax((1, 2)) < 1e-6
    assert 0.25 < grey.float().mean() < 0.35
    assert torch.equal(seen[~grey], pictures[~grey])
    one = torch.rand(4, 1, 2, 2)
    assert torch.equal(augment.grayscale(share=1.0)(one), one)


def test_sequences_apply_in_order():
    steps = augment.Sequence((lambda v: v + 1, lambda v: v * 2))
    assert steps(torch.zeros(1)).item() == 2


@pytest.mark.parametrize("make", [encoders.ConvNet, encoders.ResNet])
def test_pictures_are_standardized_as_in_training_whatever_their_ground(make):
    """Darker, lighter, of little contrast: after `start` on them all are the same pictures."""
    pictures = torch.rand(64, 3, 12, 12, generator=torch.Generator().manual_seed(0))
    factor = torch.tensor([0.1, 0.5, 2.0])[:, None, None]
    ground = torch.tensor([0.8, 0.0, -1.0])[:, None, None]
    net = make(width=8).eval()
    net.start([pictures[:40], pictures[40:]])
    once = net(pictures)
    flat = pictures.movedim(1, -1).flatten(0, 2)
    torch.testing.assert_close(net.scale.mean, flat.mean(0))
    torch.testing.assert_close(net.scale.std, flat.std(0, correction=0))
    changed = pictures * factor + ground
    assert not torch.allclose(net(changed), once, atol=1e-2)
    net.start([changed])
    torch.testing.assert_close(net(changed), once, atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize(
    "make", [lambda: encoders.ConvNet(channels=3, width=8), lambda: encoders.MLP(dim=4)]
)
def test_statistics_travel_with_the_weights_into_a_net_that_has_none(make):
    one, other = make().eval(), make().eval()
    batch = torch.rand(9, 3, 8, 8) if isinstance(one, encoders.ConvNet) else torch.rand(9, 5)
    one.start([3 * batch + 1])
    expected = one(batch)
    other.load_state_dict(one.state_dict())
    assert torch.equal(other(batch), expected)


def test_a_channel_that_never_changes_is_only_centred():
    pictures = torch.rand(8, 2, 6, 6)
    pictures[:, 1] = 0.7
    scale = StandardizePictures()
    scale.start([pictures])
    assert scale(pictures)[:, 1].abs().max() < 1e-6
