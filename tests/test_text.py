"""Augmentations of text keep whole words, valid UTF-8 and at least one word."""

import pytest
import torch

from infomax.augment import crop_words, drop_words

LINES = ["one two  three", "", "Кот и мышь", " a", "añejo 日本語 z"]


def batch(lines, length=40):
    return torch.stack(
        [torch.tensor(list(line.encode().ljust(length, b"\0"))).byte() for line in lines]
    )


def texts(rows):
    return [bytes(row.tolist()).rstrip(b"\0").decode() for row in rows]


@pytest.mark.parametrize("change", [drop_words(share=0.6), crop_words(scale=(0.2, 0.9))])
def test_what_is_left_are_words_of_the_text_in_order(change):
    torch.manual_seed(0)
    for _ in range(50):
        for before, after in zip(LINES, texts(change(batch(LINES))), strict=True):
            left, words = after.split(), before.split()
            assert bool(left) == bool(words)
            rest = iter(words)
            assert all(word in rest for word in left)


def test_the_share_of_words_left_is_the_one_asked_for():
    torch.manual_seed(0)
    many = batch([" ".join("abcdefghij")] * 4000)
    left = sum(len(t.split()) for t in texts(drop_words(share=0.3)(many))) / 40000
    assert abs(left - 0.7) < 5 * (0.21 / 40000) ** 0.5
    kept = [len(t.split()) for t in texts(crop_words(scale=(0.5, 0.5))(many))]
    assert set(kept) == {5}


def test_nothing_asked_for_changes_nothing():
    same = batch(["one two", "Кот и мышь"])
    assert torch.equal(drop_words(share=0.0)(same), same)
    assert torch.equal(crop_words(scale=(1.0, 1.0))(same), same)


def test_the_draws_are_those_of_the_seed():
    rows = batch([" ".join("abcdefghij")] * 8)
    draws = []
    for seed in (0, 0, 1):
        torch.manual_seed(seed)
        draws.append(drop_words(share=0.5)(rows))
    assert torch.equal(draws[0], draws[1]) and not torch.equal(draws[0], draws[2])
