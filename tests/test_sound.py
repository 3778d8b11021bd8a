"""Sounds and series: what is padding never counts, what is later is never seen, what is missing
for one view is missing for its edges alone."""

import math

import librosa
import numpy as np
import pytest
import soundfile
import torch
from torch import nn

from infomax import (
    augment,
    building,
    data,
    encoders,
    engine,
    heldout,
    presence,
    recipe,
    runs,
)
from infomax._errors import InfomaxError
from infomax.data import DataSpec
from infomax.encoders.sound import QUIET, Spectrogram, mel_filters
from infomax.objective import Model
from infomax.slices import Window, lengths
from infomax.views import Context, evaluate

RATE = 1000


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def sounds(n=4, samples=4000, seed=0):
    return 0.1 * torch.randn(n, samples, generator=generator(seed))


# --- spectrograms ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rate", "size", "mels"), [(8000, 256, 40), (16000, 512, 64), (1600, 64, 8)]
)
def test_mel_filters_are_those_of_librosa(rate, size, mels):
    twin = librosa.filters.mel(sr=rate, n_fft=size, n_mels=mels)
    np.testing.assert_allclose(mel_filters(rate, size, mels).T, twin, atol=1e-7)


def test_the_spectrogram_is_that_of_librosa():
    sound = sounds(2, 8000)
    net = Spectrogram(8000, 40, 0.01, 0.032)
    frames = net(sound)
    for row, own in zip(sound.numpy(), frames.numpy(), strict=True):
        twin = librosa.feature.melspectrogram(
            y=row, sr=8000, n_fft=256, hop_length=80, n_mels=40, center=False
        )
        np.testing.assert_allclose(own[: twin.shape[1]], np.log(twin.T + QUIET), atol=2e-4)
    assert frames.shape == (2, 100, 40)


def test_bands_are_standardized_with_training_statistics_padding_left_out():
    sound = sounds(20, 8000)
    padded = torch.cat([sound, torch.zeros(20, 8000)], 1)
    net, twin = encoders.LogMel(rate=8000), encoders.LogMel(rate=8000)
    net.start(iter([sound[:7], sound[7:]]))
    twin.start([padded])
    frames = net.scale(net.spectrogram(sound))
    torch.testing.assert_close(frames.mean((0, 1)), torch.zeros(40), atol=1e-4, rtol=0)
    torch.testing.assert_close(frames.std((0, 1)), torch.ones(40), atol=1e-3, rtol=0)
    torch.testing.assert_close(net.scale.mean, twin.scale.mean, atol=1e-5, rtol=0)


def test_statistics_are_taken_of_enough_batches_and_no_more():
    taken = []

    def batches():
        for index in range(10):
            taken.append(index)
            yield torch.randn(1500, 20, 2) * (1 if index < 3 else 100)

    net = encoders.Series()
    net.start(batches())
    assert taken == [0, 1, 2]
    assert net.scale.std.max() < 1.1


def test_more_mels_than_frames_can_tell_apart_are_refused():
    with pytest.raises(InfomaxError, match="tell apart"):
        encoders.LogMel(rate=8000, mels=200)
    with pytest.raises(InfomaxError, match="as long as the hop"):
        encoders.LogMel(hop=0.05)
    with pytest.raises(InfomaxError, match="one stage"):
        encoders.LogMel(stages=0)


# --- padding --------------------------------------------------------------------------------------


def started(kind, **options):
    torch.manual_seed(0)
    net = building.make(building.ENCODERS, {"kind": kind, **options}, "here")
    net.start([sounds(8)])
    return net.eval()


SOUND_ENCODERS = [("logmel", {"rate": 8000, "width": 16}), ("waveform", {"width": 16})]


@pytest.mark.parametrize(("kind", "options"), SOUND_ENCODERS)
@pytest.mark.parametrize("real", [1, 79, 1000, 4000])
def test_padding_changes_nothing(kind, options, real):
    net = started(kind, **options)
    sound = sounds(3, 4000)
    sound[1, real:] = 0
    z = net(sound)
    torch.testing.assert_close(net(nn.functional.pad(sound, (0, 1234))), z, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(net(sound[1:2, :real])[0], z[1], atol=1e-5, rtol=1e-4)


def test_what_is_not_a_sound_is_refused():
    for kind, options in SOUND_ENCODERS:
        with pytest.raises(InfomaxError, match=r"sounds \[n, samples\]"):
            started(kind, **options)(torch.zeros(2, 1, 8, 8))


@pytest.mark.parametrize(("kind", "options"), SOUND_ENCODERS)
def test_every_sound_is_encoded_by_itself_and_silence_is_a_number(kind, options):
    net = started(kind, **options)
    sound = sounds(3, 2000)
    sound[2] = 0
    z = net(sound)
    torch.testing.assert_close(net(sound[:1]), z[:1], atol=1e-5, rtol=1e-4)
    assert z.isfinite().all()


def test_a_pool_is_the_mean_and_maximum_of_real_steps():
    steps = torch.randn(3, 9, 4, generator=generator()) - 5
    steps[1, 4:] = 0
    pooled = encoders.Pool()(steps)
    for row, real in enumerate((9, 4, 9)):
        alone = steps[row, :real]
        torch.testing.assert_close(pooled[row], torch.cat([alone.mean(0), alone.amax(0)]))
    assert torch.equal(encoders.Pool()(torch.zeros(1, 5, 2)), torch.zeros(1, 4))
    with pytest.raises(InfomaxError, match="a sequence"):
        encoders.Pool()(torch.zeros(4, 3))


def test_a_context_is_zero_where_its_input_is_padding():
    torch.manual_seed(0)
    steps = torch.randn(2, 12, 3)
    steps[0, 7:] = 0
    out = encoders.GRU(width=5)(steps)
    assert lengths(out).tolist() == [7, 12]


# --- time -----------------------------------------------------------------------------------------


def first_change(before, after):
    changed = (before - after).abs().amax((0, 2)) > 1e-6
    return int(changed.int().argmax()) if changed.any() else len(changed)


@pytest.mark.parametrize(("kind", "options", "step"), [
    ("logmel", {"rate": 8000, "width": 16, "stages": 3}, 640),
    ("waveform", {"width": 16, "strides": (5, 4, 2, 2)}, 80),
])  # fmt: skip
def test_a_step_never_sees_the_steps_after_it(kind, options, step):
    """Steps, and the context on top of them, up to the sample that changed are the same."""
    net = started(kind, **options)
    torch.manual_seed(1)
    memory = encoders.GRU(width=8)
    signal = Context().signal("sound")
    z = signal.encode(net, at=f"stage{len(options.get('strides', (1, 1, 1)))}")
    context = z.encode(memory)
    sound = sounds(2, 4000)
    other = sound.clone()
    other[:, 2000:] += 0.1
    before = evaluate([z, context], {"sound": sound}).tensors
    after = evaluate([z, context], {"sound": other}).tensors
    # a frame reaches over its hop into the next: 240 samples where the hop is 80
    reach = 240 - 80 if kind == "logmel" else 0
    seen = (2000 - reach) // step
    for view in (z, context):
        assert seen <= first_change(before[view], after[view]) <= 2000 // step


def test_steps_three_apart_share_no_sample():
    """As the recipe says of its edges: what is predicted was not heard."""
    net = started("logmel", rate=8000, width=8)
    sound = sounds(1, 8000).requires_grad_()
    z = evaluate([end := Context().signal("s").encode(net, at="stage3")], {"s": sound}).tensors[end]
    seen = [
        torch.autograd.grad(z[:, t].sum(), sound, retain_graph=True)[0].ne(0)[0] for t in (4, 6, 7)
    ]
    assert (seen[0] & seen[1]).any() and not (seen[0] & seen[2]).any()
    assert int(seen[2].nonzero().max() - seen[2].nonzero().min()) <= 1920


def test_a_context_at_t_depends_on_no_input_after_t():
    torch.manual_seed(0)
    net, steps = encoders.GRU(width=6, layers=2), torch.randn(2, 10, 4, requires_grad=True)
    out = net(steps)
    for t in (0, 4, 9):
        (slope,) = torch.autograd.grad(out[:, t].sum(), steps, retain_graph=True)
        assert slope[:, t + 1 :].abs().sum() == 0
        assert (slope[:, : t + 1].abs().sum((0, 2)) > 0).all()


def test_series_are_standardized_by_channel_and_halve_their_time():
    net = encoders.Series(width=8, stages=2, dim=3)
    scale = torch.tensor([1e-3, 1.0, 1e4])
    series = scale * (3 + torch.randn(50, 40, 3, generator=generator()))
    net.start([series])
    scaled = net.scale(series)
    torch.testing.assert_close(scaled.std((0, 1)), torch.ones(3), atol=1e-2, rtol=0)
    assert net(series).shape == (50, 3)
    signal = Context().signal("x")
    stages = [signal.encode(net, at=f"stage{index}") for index in (1, 2)]
    shapes = [v.shape for v in evaluate(stages, {"x": series}).tensors.values()][1:]
    assert shapes == [(50, 20, 8), (50, 10, 8)]


def test_the_padding_of_a_series_changes_nothing():
    net = encoders.Series(width=8, stages=2).eval()
    series = 5 + torch.randn(20, 40, 3, generator=generator())
    series[3, 17:] = 0
    net.start([series])
    real = series.flatten(0, 1)[series.flatten(0, 1).ne(0).any(1)]
    torch.testing.assert_close(net.scale.mean, real.mean(0))
    z = net(series)
    longer = net(nn.functional.pad(series, (0, 0, 0, 9)))
    torch.testing.assert_close(longer, z, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(net(series[3:4, :17])[0], z[3], atol=1e-5, rtol=1e-4)


def test_what_is_done_to_a_padded_series_leaves_its_padding():
    series = 5 + torch.randn(300, 40, 3, generator=generator())
    series[:, 17:] = 0
    torch.manual_seed(0)
    noisy = augment.noise(std=0.5)(series)
    assert noisy[:, :17].ne(series[:, :17]).all() and not noisy[:, 17:].any()
    assert augment.crop_time(seconds=10, rate=1)(series).ne(0).all()
    whole = 5 + torch.randn(2, 40, 3, generator=generator())
    both = torch.cat([whole, series[:2]])
    reached = [Window(start, 10).reached(both).tolist() for start in (0, 12, 17)]
    assert reached == [[True] * 4, [True] * 4, [True, True, False, False]]


def test_the_size_of_a_series_is_seen_by_its_encoder():
    torch.manual_seed(0)
    net = encoders.Series(width=16, stages=2).eval()
    series = torch.randn(20, 40, 3, generator=generator())
    net.start([series])
    z, larger = net(series), net(3 * series)
    assert ((larger - z).norm(dim=1) > 0.03 * z.norm(dim=1)).all()


# --- augmentations --------------------------------------------------------------------------------


@pytest.mark.parametrize("vary", [
    augment.gain(), augment.hiss(), augment.shift_time(), augment.crop_time(1.0, 1000),
])  # fmt: skip
def test_augmentations_of_sounds_vary_each_repeat_with_their_seed_and_keep_padding(vary):
    value = sounds(8, 3000)
    value[:, 2000:] = 0
    torch.manual_seed(3)
    first = vary(value)
    torch.manual_seed(3)
    assert torch.equal(vary(value), first)
    assert not torch.equal(vary(value), first)
    assert len({float(row[:900].sum()) for row in first}) == 8
    if first.shape == value.shape and not isinstance(vary, augment.shift_time):
        assert lengths(first).tolist() == [2000] * 8


def test_gain_is_within_its_decibels():
    value = sounds(400, 50)
    torch.manual_seed(0)
    change = 20 * (augment.gain(decibels=6)(value) / value)[:, 0].log10()
    assert -6 <= change.min() < -5.8 and 5.8 < change.max() <= 6.001


def test_hiss_has_the_signal_to_noise_ratio_it_says():
    value = sounds(2, 40_000)
    value[1, 20_000:] = 0
    added = augment.hiss(lowest=20, highest=20)(value) - value
    for row, real in enumerate((40_000, 20_000)):
        power = value[row, :real].square().mean() / added[row, :real].square().mean()
        assert 10 * power.log10() == pytest.approx(20, abs=0.3)
        assert not added[row, real:].any()


def test_a_shift_moves_by_up_to_its_share():
    value = torch.zeros(500, 100)
    value[:, 50] = 1
    torch.manual_seed(0)
    places = augment.shift_time(share=0.1)(value).argmax(1)
    assert places.min() == 40 and places.max() == 60


def test_a_crop_in_time_lies_anywhere_within_the_real_part():
    ramp = torch.arange(1.0, 101).expand(500, 100).clone()
    ramp[:, 60:] = 0
    torch.manual_seed(0)
    crop = augment.crop_time(seconds=0.02, rate=1000)(ramp)
    assert crop.shape == (500, 20)
    assert (crop[:, 1:] - crop[:, :-1] == 1).all()
    assert crop[:, 0].min() == 1 and crop[:, -1].max() == 60
    series = augment.crop_time(seconds=30, rate=1)(torch.zeros(4, 50, 3))
    assert series.shape == (4, 30, 3)
    with pytest.raises(InfomaxError, match="200 samples"):
        augment.crop_time(seconds=0.2, rate=1000)(ramp)


def test_rescaling_multiplies_whole_channels():
    series = 1 + torch.rand(300, 20, 2)
    torch.manual_seed(0)
    factors = augment.rescale(spread=0.2)(series) / series
    torch.testing.assert_close(factors, factors[:, :1].expand_as(factors))
    assert factors.log().std() == pytest.approx(0.2, abs=0.03)


# --- who has which view ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Recordings of two classes of tones; every fourth is too short for second 2."""
    place = tmp_path_factory.mktemp("sounds")
    rng = np.random.default_rng(0)
    for index in range(120):
        seconds = 1.0 if index % 4 == 0 else 3.0
        tone = (100, 170)[index % 2] * (1 + 0.2 * rng.random())
        time = np.arange(round(seconds * RATE)) / RATE
        wave = 0.3 * np.sin(2 * np.pi * tone * time) + 0.02 * rng.standard_normal(len(time))
        (place / "ab"[index % 2]).mkdir(exist_ok=True)
        soundfile.write(place / "ab"[index % 2] / f"{index:03}.wav", wave, RATE)
    return place


def tree(folder, **changes):
    return {
        "data": {
            "source": "audiofolder", "path": str(folder),
            "signals": {"sound": {"kind": "sound", "rate": RATE, "seconds": 4}},
        },
        "encoders": {
            "ear": {"kind": "logmel", "rate": RATE, "mels": 6, "width": 8, "stages": 2, "dim": 4}
        },
        "views": {
            "sound": {"signal": "sound"},
            "now": {"of": "sound", "window": {"second": 0.2, "length": 0.5}},
            "later": {"of": "sound", "window": {"second": 2, "length": 0.5}},
            "z": {"of": "now", "encode": "ear"},
            "w": {"of": "later", "encode": "ear"},
        },
        "maximize": [{"between": ["z", "w"], "critic": "bilinear"}],
        "train": {"epochs": 1, "batch": 16},
        "evaluate": {"view": "z"},
        **changes,
    }  # fmt: skip


def prepared(tree):
    chosen = recipe.check(tree, "here")
    contexts = data.load(chosen.data)
    study = building.build(chosen)
    return chosen, contexts, study, Model(study.objective, dict(study.encoders))


def test_audiofolder_reads_classes_and_names_what_it_cannot_read(folder, tmp_path):
    contexts = data.load(f"audiofolder:{folder}")
    assert sum(contexts.count(split) for split in data.SPLITS) == 120
    assert set(contexts.labels["label"]) == {"a", "b"}
    assert contexts.signals["sound"].shape == (4 * 16000,)
    for index in range(120):
        target = tmp_path / ("x" if index < 60 else "y") / f"{index}.wav"
        target.parent.mkdir(exist_ok=True)
        soundfile.write(target, np.random.default_rng(index).uniform(-0.5, 0.5, 800), RATE)
    (tmp_path / "x" / "7.wav").write_bytes(b"not a sound")
    assert [said.split(":")[0] for said in data.load(f"audiofolder:{tmp_path}").skipped] == [
        "x/7.wav"
    ]
    (tmp_path / "z").mkdir()
    with pytest.raises(InfomaxError, match="sounds below"):
        data.load(f"audiofolder:{tmp_path / 'z'}")
    soundfile.write(tmp_path / "loose.wav", np.ones(10) / 2, RATE)
    with pytest.raises(InfomaxError, match="1 beside them"):
        data.load(f"audiofolder:{tmp_path}")


def test_another_folder_of_sounds_keeps_the_rate_of_the_recipe():
    heard = {"sound": {"kind": "sound", "column": "file", "rate": 8000, "seconds": 2}}
    spec = DataSpec(source="csv", path="a.csv", label="who", signals=heard)
    other = data.override(spec, "audiofolder:there")
    assert other.signals["sound"].rate == 8000 and other.signals["sound"].column is None
    assert other.label is None


def test_contexts_too_short_are_counted_and_named_once(folder):
    _, contexts, study, _ = prepared(tree(folder))
    found = presence.census(study.views.values(), contexts)
    assert found.count(study.views["now"]) == 120
    assert found.count(study.views["w"]) == 90
    (said,) = found.short()
    assert said.startswith("'later': 90 of 120 contexts reach it; too short are rows 0, ")
    presence.check(study.objective, found, study.views["z"])


def test_k_counts_only_contexts_that_reach_both_windows(folder):
    chosen, contexts, study, model = prepared(tree(folder))
    engine.set_up(model, study, contexts, chosen.train)
    batch = contexts.take("train", range(40))
    (measured,) = model(batch.signals, heldout.present(batch))
    there = int((lengths(batch.signals["sound"]) > 2400).sum())
    assert 2 < measured.contexts == measured.candidates == there < 40
    alone = batch.signals["sound"][lengths(batch.signals["sound"]) > 2400]
    (twin,) = model({"sound": alone})
    torch.testing.assert_close(measured.terms[0], twin.terms[0], atol=1e-5, rtol=1e-4)


def test_batches_of_different_k_weigh_by_their_contexts(folder):
    chosen, contexts, study, model = prepared(tree(folder))
    engine.set_up(model, study, contexts, chosen.train)
    batches = list(heldout.measure(model, contexts, "train", 16))
    counts = [m.contexts for (m,) in batches]
    assert len(set(counts)) > 1
    bound = study.objective.terms[0].edge.bound
    values = [float(bound.value(*m.terms)) for (m,) in batches]
    metric = heldout.metric_of(model, batches, "train", heldout.Moment(0, 0, 0.0))
    assert metric.objective == pytest.approx(np.average(values, weights=counts))


def test_a_window_past_the_end_of_every_recording_is_refused(folder):
    far = tree(folder)
    far["views"]["later"]["window"]["second"] = 3.2
    chosen, contexts, study, _ = prepared(far)
    found = presence.census(study.views.values(), contexts)
    with pytest.raises(InfomaxError, match=r"'later'[\s\S]*all 120 end before"):
        presence.check(study.objective, found, study.views["z"])
    out = folder.parent / "far"
    with pytest.raises(InfomaxError):
        runs.train(chosen, out)
    assert not out.exists()


def test_an_edge_between_views_that_never_occur_together_is_refused(tmp_path):
    rng = np.random.default_rng(0)
    lines = ["file,a0,a1"]
    for index in range(60):
        soundfile.write(tmp_path / f"{index}.wav", 0.1 * rng.standard_normal(500), RATE)
        lines.append(f"{index}.wav,," if index % 2 else f",{rng.normal()},{rng.normal()}")
    (tmp_path / "m.csv").write_text("\n".join(lines))
    signals = {
        "sound": {"kind": "sound", "column": "file", "rate": RATE, "seconds": 1},
        "felt": {"kind": "vector", "column": ["a0", "a1"]},
    }
    apart = tree(
        tmp_path,
        data={"source": "csv", "path": str(tmp_path / "m.csv"), "signals": signals},
        views={
            "sound": {"signal": "sound"}, "felt": {"signal": "felt"},
            "z": {"of": "sound", "encode": "ear"}, "w": {"of": "felt", "encode": "net"},
        },
    )  # fmt: skip
    apart["encoders"]["net"] = {"kind": "mlp", "hidden": [], "dim": 4}
    _, contexts, study, _ = prepared(apart)
    found = presence.census(study.views.values(), contexts)
    with pytest.raises(InfomaxError, match=r"'z' and 'w'[\s\S]*0 \(of"):
        presence.check(study.objective, found, study.views["z"])


def test_layers_are_sized_though_the_first_contexts_lack_a_view(folder):
    """The split decides who comes first; here nobody does until late."""
    chosen, contexts, study, model = prepared(tree(folder))
    rows = contexts.rows("train")
    short = lengths(contexts.take("train", range(len(rows))).signals["sound"]) < 2400
    contexts.splits["train"] = np.concatenate([rows[short], rows[~short]])
    few = presence.sample(study.objective, contexts, 8)
    assert len(few) == 10
    engine.set_up(model, study, contexts, chosen.train)
    assert not any(isinstance(p, nn.UninitializedParameter) for p in model.parameters())


def test_an_embedding_of_a_window_is_not_a_number_where_it_is_not_reached(folder):
    from infomax.evaluation import embed
    from infomax.evaluation.fixed import fixed

    chosen, contexts, study, model = prepared(tree(folder))
    engine.set_up(model, study, contexts, chosen.train)
    z = embed(study.views["w"], contexts, "train")
    there = lengths(contexts.take("train", range(len(z))).signals["sound"]) > 2400
    assert np.array_equal(np.isfinite(z).all(1), there.numpy())
    baseline = fixed(study.views["w"], contexts, ("train",))["train"]
    assert np.array_equal(np.isfinite(baseline).all(1), there.numpy())


def test_a_rate_other_than_the_datas_is_refused(folder):
    wrong = tree(folder)
    wrong["encoders"]["ear"]["rate"] = 2000
    with pytest.raises(InfomaxError, match=r"encoders\.ear\.rate=1000"):
        building.build(recipe.check(wrong, "here"))
    wrong = tree(folder)
    wrong["views"]["now"] = {"of": "sound", "augment": {"kind": "crop_time", "seconds": 0.5}}
    with pytest.raises(InfomaxError, match=r"views\.now\.augment"):
        building.build(recipe.check(wrong, "here"))


# --- prediction ahead -----------------------------------------------------------------------------


def coding(folder, **edge):
    chosen = recipe.read("cpc-sound")
    return {
        **tree(folder),
        "encoders": {
            "ear": {"kind": "logmel", "rate": RATE, "mels": 6, "width": 8, "stages": 2},
            "memory": {"kind": "gru", "width": 8},
            "pool": {"kind": "pool"},
        },
        "views": {
            name: spec.model_dump(exclude_none=True)
            | ({"at": "stage2"} if spec.at else {})
            | (
                {"augment": {"kind": "crop_time", "seconds": 0.6, "rate": RATE}}
                if spec.augment
                else {}
            )
            for name, spec in chosen.views.items()
        },
        "maximize": [{**chosen.maximize[0].model_dump(exclude_none=True), "ahead": [1, 3], **edge}],
        "evaluate": {"view": chosen.evaluate.view, "profile": False},
    }


def test_several_steps_ahead_are_as_many_edges_of_equal_share(folder):
    _, _, study, _ = prepared(coding(folder, weight=2.0))
    terms = study.objective.terms
    assert [(t.weight, t.edge.positions) for t in terms] == [(1.0, 1), (1.0, 3)]
    assert terms[0].edge.critic is not terms[1].edge.critic
    for wrong in ([], [1, 1], [0], 0):
        with pytest.raises(InfomaxError, match="ahead"):
            recipe.check(coding(folder, ahead=wrong), "here")


def test_the_context_is_scored_against_the_step_k_later(folder):
    chosen, contexts, study, model = prepared(coding(folder, negatives="batch"))
    engine.set_up(model, study, contexts, chosen.train)
    batch = contexts.take("train", range(12))
    torch.manual_seed(0)
    one, three = model(batch.signals)
    torch.manual_seed(0)
    ends = [study.objective.terms[0].edge.a, study.objective.terms[0].edge.b]
    values = evaluate(ends, batch.signals).tensors
    c, z = values[ends[0]], values[ends[1]]
    critic = study.objective.terms[1].edge.critic
    assert one.terms[0].shape[0] == z.shape[1] - 1
    torch.testing.assert_close(three.terms[0][2], critic(c[:, 2], z[:, 5]), atol=1e-5, rtol=1e-4)


def test_a_cropped_recording_has_no_padding_among_its_steps(folder):
    chosen, contexts, study, model = prepared(coding(folder))
    engine.set_up(model, study, contexts, chosen.train)
    batch = contexts.take("train", range(40))
    end = study.objective.terms[0].edge.b
    values = evaluate([end], batch.signals)
    steps = values.tensors[end]
    assert (lengths(steps) == steps.shape[1]).all()


def test_an_edge_whose_steps_are_padding_is_refused(folder):
    padded = coding(folder)
    padded["views"]["part"] = {"of": "sound", "window": {"start": 0, "length": 4000}}
    chosen, contexts, study, model = prepared(padded)
    with pytest.raises(InfomaxError, match="'context' and 'z'"):  # nobody reaches it
        engine.set_up(model, study, contexts, chosen.train)
    padded["views"]["z"]["of"] = "sound"
    del padded["views"]["part"]
    chosen, contexts, study, model = prepared(padded)
    with pytest.raises(InfomaxError, match=r"padding in 16 of the first 16[\s\S]*crop_time"):
        engine.set_up(model, study, contexts, chosen.train)


def test_predictive_coding_runs_from_recipe_to_results(folder):
    chosen = recipe.check(coding(folder), "here")
    said = []
    results = runs.train(chosen, folder.parent / "cpc", note=said.append)
    assert [t.positions for t in results.terms] == [1, 3]
    assert all(t.ceiling > math.log(8) and t.nats < t.ceiling for t in results.terms)
    assert results.representation.dimension == 16
    assert not said
