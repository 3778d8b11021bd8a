"""Where views meet in closed form: laws of the linear start of training."""

import numpy as np
import pytest
import torch

from infomax import building, checkpoint, data, encoders, engine, heldout, recipe
from infomax._errors import InfomaxError
from infomax.critics import Cosine
from infomax.encoders.canonical import directions, whitening
from infomax.evaluation.baselines import fit_cca
from infomax.objective import Model


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def linear_views(n=1500, shared=3, widths=(6, 5, 4), noise=0.5, seed=0):
    """Views that are linear maps of one latent, and noise."""
    draw = generator(seed)
    latent = torch.randn(n, shared, generator=draw)
    maps = [torch.randn(shared, width, generator=draw) for width in widths]
    return latent, [x @ m + noise * torch.randn(n, m.shape[1], generator=draw) for x, m in
                    zip([latent] * len(maps), maps, strict=True)]  # fmt: skip


def found(x, y):
    """Share of rows whose own partner is the nearest by cosine."""
    cosines = Cosine(towers=False)(x, y)
    return (cosines.argmax(1) == torch.arange(len(x))).float().mean().item()


# --- pure functions -------------------------------------------------------------------------------


def test_whitened_numbers_do_not_correlate_whatever_their_scale_and_mixture():
    x = torch.randn(3000, 5, generator=generator()) @ torch.randn(5, 5, generator=generator(1))
    x = x * torch.tensor([1e-3, 1, 10, 1e3, 1]) + 7
    mean, whiten = whitening(x, 5, 0.0)
    torch.testing.assert_close(torch.cov(((x - mean) @ whiten).T), torch.eye(5), atol=1e-2, rtol=0)
    shrunk = (x - mean) @ whitening(x, 3, 0.5)[1]
    spread = shrunk.std(0)
    assert shrunk.shape[1] == 3 and (spread.diff() <= 0).all() and spread[0] > spread[-1]


def test_few_rows_of_many_columns_are_whitened_alike():
    x = torch.randn(30, 80, generator=generator()).double()
    mean, whiten = whitening(x, 20, 0.3)
    z = (x - mean) / x.std(0)
    values, axes = torch.linalg.eigh(z.T @ z / 30)
    values, axes = values.flip(0)[:20], axes.flip(1)[:, :20]
    twin = z @ (axes / (0.7 * values + 0.3 * z.square().sum() / 30 / 30).sqrt())
    ours = (x - mean) @ whiten.double()
    torch.testing.assert_close(ours @ ours.T, twin @ twin.T, atol=1e-4, rtol=1e-4)


def test_a_column_that_never_changes_says_nothing():
    x = torch.randn(50, 3, generator=generator())
    x[:, 1] = 4.0
    whiten = whitening(x, 3, 0.1)[1]
    assert whiten.isfinite().all() and not whiten[1].any() and whiten.shape == (3, 2)


def test_of_two_views_they_are_those_of_canonical_correlation():
    _, (x, y, _) = linear_views()
    whole = [(v - m) @ w for v, (m, w) in ((v, whitening(v, 99, 0.0)) for v in (x, y))]
    there = [torch.ones(len(x), dtype=torch.bool)] * 2
    a, b = directions(whole, there, [(0, 1)], [0, 1])
    p, q = whole[0] @ a, whole[1] @ b
    ours = [np.corrcoef(p[:, k], q[:, k])[0, 1] for k in range(5)]
    twin = fit_cca(x.numpy(), y.numpy(), ridge=0.0).correlations
    np.testing.assert_allclose(ours, twin, atol=1e-3)


def test_views_that_never_occur_together_meet_through_a_third():
    _, views = linear_views(noise=0.1)
    whole = [(v - m) @ w for v, (m, w) in ((v, whitening(v, 99, 0.1)) for v in views)]
    first = torch.arange(1500) < 700
    there = [first, ~first, torch.ones(1500, dtype=torch.bool)]
    edges = [(0, 1), (0, 2), (1, 2)]  # nobody has both ends of the first
    a, b, _ = directions(whole, there, edges, [0, 1, 2])
    rows = slice(0, 50)
    assert found(whole[0][rows] @ a[:, :3], whole[1][rows] @ b[:, :3]) > 0.5


def test_views_may_share_a_map():
    latent, _ = linear_views()
    views = [latent + 0.1 * torch.randn(latent.shape, generator=generator(s)) for s in (1, 2)]
    there = [torch.ones(1500, dtype=torch.bool)] * 2
    (shared,) = directions(views, there, [(0, 1)], [0, 0])
    assert shared.shape == (3, 3)
    assert found(views[0][:100] @ shared, views[1][:100] @ shared) > 0.5


# --- in a recipe ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def three(tmp_path_factory):
    """Three measurements of few contexts, the third missing for some."""
    _, views = linear_views(n=300)
    file = tmp_path_factory.mktemp("three") / "three.npz"
    np.savez(file, **{name: v.numpy() for name, v in zip("abc", views, strict=True)})
    names = {name: {"kind": "vector", "column": name} for name in "abc"}
    tree = {
        "data": {"source": "npz", "path": str(file), "signals": names},
        "encoders": {f"of_{name}": {"kind": "canonical", "dim": 8} for name in "abc"},
        "views": {name: {"signal": name} for name in "abc"}
        | {f"z_{name}": {"of": name, "encode": f"of_{name}"} for name in "abc"},
        "maximize": [
            {
                "between": ["z_a", "z_b", "z_c"],
                "edges": "all-pairs",
                "critic": {"kind": "cosine", "towers": False},
            }
        ],
        "train": {"epochs": 1, "batch": 64},
        "evaluate": {"view": "z_a", "profile": False},
    }
    chosen = recipe.check(tree, "three")
    return chosen, data.load(chosen.data)


def set_up(three):
    chosen, contexts = three
    study = building.build(chosen)
    model = Model(study.objective, dict(study.encoders))
    engine.set_up(model, study, contexts, chosen.train)
    return model, study


def nats(model, contexts):
    return heldout.validate(model, contexts, 64, heldout.Moment(0, 0, 0)).objective


def test_training_begins_at_the_linear_answer(three):
    model, study = set_up(three)
    begun = nats(model, three[1])
    for name in "abc":  # principal components alone: views that do not meet
        module = study.encoders[f"of_{name}"]
        module.begin(torch.eye(*module.weight.shape))
    assert begun > nats(model, three[1]) + 1 and begun > 3


def test_a_canonical_map_is_one_vector_a_context_and_a_state(three):
    _, study = set_up(three)
    again = encoders.Canonical(dim=8)
    saved = {
        f"model.{name}": tensor for name, tensor in study.encoders["of_a"].state_dict().items()
    }
    checkpoint.unpack_part(saved, "", again)
    x = torch.randn(7, 6)
    torch.testing.assert_close(again(x), study.encoders["of_a"](x))
    torch.testing.assert_close(again(x[:1]), again(x)[:1])
    with pytest.raises(InfomaxError, match="ridge"):
        encoders.Canonical(ridge=1.5)
    with pytest.raises(InfomaxError, match="whitened"):
        encoders.Canonical()(x)


def test_a_cosine_without_towers_compares_what_it_is_given():
    x, y = torch.randn(5, 4, generator=generator()), torch.randn(6, 4, generator=generator(1))
    twin = torch.cosine_similarity(x[:, None], y[None], dim=2) / 0.2
    critic = Cosine(temperature=0.2, towers=False)
    torch.testing.assert_close(critic(x, y), twin)
    assert [name for name, _ in critic.named_parameters()] == ["log_scale"]
