"""Alignment and uniformity have known values on known point sets."""

import math

import pytest
import torch
import yaml
from scipy.special import gammaln, ive

from infomax import data
from infomax.diagnostics import alignment, uniformity
from infomax.evaluation.embedding import embed, embed_each
from infomax.views import Context
from problems import halves


def on_the_sphere(n, d, seed=0):
    return torch.randn(n, d, generator=torch.Generator().manual_seed(seed))


def slowly(z):
    """All pairs one by one, in double precision."""
    z = z.double()
    z = z / z.norm(dim=1, keepdim=True)
    n = len(z)
    kernel = [
        math.exp(-2 * float((z[i] - z[j]).square().sum()))
        for i in range(n) for j in range(n) if i != j
    ]  # fmt: skip
    return math.log(sum(kernel) / len(kernel))


@pytest.mark.parametrize("d", [2, 3, 16, 128])
def test_uniform_points_have_the_value_of_the_sphere(d):
    # E exp(4 cos) = Gamma(d/2) (2/4)^(d/2-1) I_{d/2-1}(4); ive is I times exp(-4)
    order = d / 2 - 1
    truth = gammaln(d / 2) + order * math.log(0.5) + math.log(ive(order, 4.0))
    found = [uniformity(on_the_sphere(3000, d, seed)) for seed in range(5)]
    mean = sum(found) / 5
    error = math.sqrt(sum((f - mean) ** 2 for f in found) / 4 / 5)
    assert abs(mean - truth) < 5 * error + 1e-4


def test_it_equals_its_slow_twin_whatever_the_chunk():
    z = on_the_sphere(37, 5)
    for chunk in (1, 5, 36, 37, 1000):
        assert uniformity(z, chunk) == pytest.approx(slowly(z), abs=1e-5)


def test_it_does_not_depend_on_scale_or_number_of_contexts():
    z = on_the_sphere(4000, 8)
    assert uniformity(z) == pytest.approx(uniformity(100 * z), abs=1e-5)
    few = [uniformity(on_the_sphere(20, 8, seed)) for seed in range(300)]
    mean = math.log(sum(map(math.exp, few)) / 300)  # the mean of the kernel is unbiased
    assert mean == pytest.approx(uniformity(z), abs=0.03)


def test_identical_points_and_one_point():
    assert uniformity(torch.ones(50, 4)) == pytest.approx(0, abs=1e-5)
    assert math.isnan(uniformity(torch.ones(1, 4)))
    assert alignment(torch.ones(5, 3), 7 * torch.ones(5, 3)) == pytest.approx(0, abs=1e-12)
    assert math.isnan(alignment(torch.ones(0, 3), torch.ones(0, 3)))


def test_unrelated_pairs_are_two_apart_and_correlated_ones_nearer():
    x, noise = on_the_sphere(20000, 32, 1), on_the_sphere(20000, 32, 2)
    error = 2 / math.sqrt(32) / math.sqrt(20000)
    assert abs(alignment(x, noise) - 2) < 4 * error
    assert alignment(x, 0.9 * x + math.sqrt(1 - 0.81) * noise) == pytest.approx(0.2, abs=0.01)


def test_the_ends_of_an_edge_are_two_draws_where_they_are_embedded_together():
    # each end alone begins with the same seed: their noise would be one, and the pair too near
    picture = Context().signal("picture")
    contexts = data.load("digits")
    ends = [picture.augment(torch.rand_like).encode(torch.nn.Flatten()) for _ in range(2)]
    together = [torch.from_numpy(z) - 0.5 for z in embed_each(ends, contexts, "test")]
    alone = [torch.from_numpy(embed(end, contexts, "test")) - 0.5 for end in ends]
    assert alignment(*alone) == pytest.approx(0, abs=1e-9)
    assert alignment(*together) == pytest.approx(2, abs=0.1)  # nothing is shared


def test_a_run_says_the_alignment_of_two_draws_not_of_one_seed(tmp_path):
    from infomax import recipe, runs
    from infomax.records import read_results

    asked = halves(limit=300, epochs=1)
    noisy = {"of": "picture", "augment": {"kind": "noise", "std": 5.0}}
    asked["views"] = {"picture": {"signal": "picture"}, "a": noisy, "b": noisy} | {
        "z": {"of": "a", "encode": "net"},
        "w": {"of": "b", "encode": "net"},
    }
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump(asked))
    runs.train(recipe.read(str(path), []), tmp_path / "run")
    found = read_results(tmp_path / "run" / "results.json").representation
    assert found.alignment > 0.2  # nearly all that the net sees is noise, another for each end
