"""Retrieval says what a slow, obvious count says; ties give chance; groups count together."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infomax import InfomaxError
from infomax.evaluation.retrieval import (
    by_cosine,
    cosine,
    mean_rank,
    places,
    recall_at,
    resampled,
    retrieve,
)


def slow_recall(scores, right, k, rng, times):
    """Sort every row again and again, ties in random order; count rows with a right one first."""
    hits = 0
    for _ in range(times):
        for row, good in zip(scores, right, strict=True):
            order = sorted(range(len(row)), key=lambda j: (-row[j], rng.random()))
            hits += any(good[j] for j in order[:k])
    return hits / (times * len(scores))


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    n=st.integers(2, 9),
    levels=st.integers(1, 4),
    groups=st.integers(1, 9),
    k=st.integers(1, 9),
)
def test_recall_is_the_mean_over_orders_of_the_tied(seed, n, levels, groups, k):
    rng = np.random.default_rng(seed)
    scores = rng.integers(0, levels, (n, n)).astype(float)
    group = rng.integers(0, groups, n)
    right = group[:, None] == group[None]
    place = places(scores, right)
    times = 400
    slow = slow_recall(scores, right, k, rng, times)
    exact = recall_at(k, *place).mean()
    error = math.sqrt(0.25 / (times * n)) + 1e-9
    assert abs(exact - slow) < 5 * error
    ranks = []
    for _ in range(times):
        for row, good in zip(scores, right, strict=True):
            order = sorted(range(n), key=lambda j: (-row[j], rng.random()))
            ranks.append(1 + min(order.index(j) for j in range(n) if good[j]))
    assert (
        abs(mean_rank(*place).mean() - np.mean(ranks)) < 5 * (n / 2) / math.sqrt(len(ranks)) + 1e-9
    )


@pytest.mark.parametrize("same", [0.0, 1.0, -3.7])
def test_a_collapsed_view_gives_chance_and_not_one(same):
    z = np.full((400, 16), same, np.float32)
    found = retrieve(by_cosine(z, z), np.arange(400))
    assert found.recall == pytest.approx(found.chance)
    assert found.recall[1] == pytest.approx(1 / 400)
    assert found.median_rank == found.chance_rank == 200.5


def test_noise_below_the_precision_of_the_scores_is_a_tie():
    z = np.full((300, 8), 1.0, np.float32) + 1e-6 * np.eye(300, 8, dtype=np.float32)
    assert retrieve(by_cosine(z, z), np.arange(300)).recall[1] < 0.05


def test_recall_on_a_gaussian_channel_is_what_a_simulation_expects():
    """y = x + noise: the chance that no other of 99 is nearer in angle, by plain simulation."""
    rng = np.random.default_rng(0)
    n, d, noise = 100, 6, 0.8

    def draw(count):
        x = rng.normal(size=(count, d))
        return x, x + noise * rng.normal(size=(count, d))

    hits = []
    for _ in range(40):
        x, y = draw(n)
        for i in range(0, n, 10):
            near = [np.dot(x[i], y[j]) / np.linalg.norm(y[j]) for j in range(n)]
            hits.append(near[i] == max(near))
    x, y = draw(4000)
    found = retrieve(by_cosine(x, y), np.arange(4000), candidates=n)
    assert (found.contexts, found.candidates) == (4000, n)
    error = math.sqrt(0.25 / len(hits) + 0.25 / (5 * n))
    assert abs(found.recall[1] - np.mean(hits)) < 3 * error
    low, high = found.interval[1]
    assert low < found.recall[1] < high
    assert 0.05 < high - low < 0.2
    assert found.chance == {1: pytest.approx(0.01), 5: pytest.approx(0.05), 10: pytest.approx(0.1)}


def test_contexts_of_one_group_are_right_for_each_other():
    """Ten things, each there six times, seen without a mistake about the thing."""
    rng = np.random.default_rng(0)
    thing = np.repeat(np.arange(10), 6)
    z = np.eye(10)[thing] + 1e-3 * rng.normal(size=(60, 10))
    w = np.eye(10)[thing] + 1e-3 * rng.normal(size=(60, 10))
    alone = retrieve(by_cosine(z, w), np.arange(60))
    together = retrieve(by_cosine(z, w), thing)
    assert together.recall[1] == 1.0
    assert alone.recall[1] < 0.5
    assert together.chance[1] == pytest.approx(6 / 60)
    assert together.chance[5] == pytest.approx(1 - math.comb(54, 5) / math.comb(60, 5))
    # ten groups stand behind it, not sixty searches
    assert together.interval[1][0] == pytest.approx(0.722, abs=0.01)
    assert together.interval[1][1] == 1.0


def test_more_contexts_than_candidates_are_drawn_and_the_seed_decides():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(700, 4))
    y = x + rng.normal(size=(700, 4))
    first, again, other = (
        retrieve(by_cosine(x, y), np.arange(700), candidates=50, seed=seed) for seed in (0, 0, 1)
    )
    assert first == again != other
    assert first.candidates == 50
    assert abs(first.recall[1] - other.recall[1]) < 0.15
    assert retrieve(by_cosine(x, y), np.arange(700)).candidates == 700


def test_few_candidates_leave_out_a_recall_that_says_nothing():
    z = np.eye(7)
    assert set(retrieve(by_cosine(z, z), np.arange(7)).recall) == {1, 5}
    assert set(retrieve(by_cosine(z[:2], z[:2]), np.arange(2)).recall) == {1}
    with pytest.raises(InfomaxError, match="two contexts"):
        retrieve(by_cosine(z[:1], z[:1]), np.arange(1))


def test_scores_that_are_not_numbers_and_searches_without_answer_are_refused():
    for scores, right in (([[1.0, np.nan]], [[True, False]]), ([[1.0, 2.0]], [[False, False]])):
        with pytest.raises(InfomaxError, match="right answer"):
            places(np.array(scores), np.array(right))


def test_the_interval_covers_the_mean_about_as_often_as_it_says():
    rng = np.random.default_rng(0)
    covered = 0
    for _ in range(200):
        clusters = np.repeat(np.arange(60), 3)
        p = np.repeat(rng.beta(1.5, 3.5, 60), 3)
        (low, high), *_ = resampled((rng.random(180) < p).astype(float)[None], clusters, rng)
        covered += low <= 0.3 <= high
    assert 0.89 < covered / 200 <= 1.0
    # as if the members of a cluster were independent it is too narrow
    hits = np.repeat(rng.random(60) < 0.3, 3).astype(float)[None]
    whole, split = (
        resampled(hits, c, rng)[0] for c in (np.repeat(np.arange(60), 3), np.arange(180))
    )
    assert whole[1] - whole[0] > 1.3 * (split[1] - split[0])


def test_the_cosine_is_that_of_sklearn_and_zero_for_a_vector_of_zeros():
    from sklearn.metrics.pairwise import cosine_similarity

    x, y = np.random.default_rng(0).normal(size=(2, 5, 3))
    assert np.allclose(cosine(x, y), cosine_similarity(x, y))
    assert (cosine(np.zeros((1, 3)), y) == 0).all()
