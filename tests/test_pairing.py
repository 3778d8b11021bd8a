import pytest
import torch

from infomax._errors import InfomaxError
from infomax.pairing import arrange


def product(pairs):
    return torch.einsum("...nd,...md->...nm", pairs.x, pairs.y)


@pytest.fixture
def maps():
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(5, 3, 4, generator=generator)
    y = torch.randn(5, 2, 4, generator=generator)
    return x, y


def test_all_positions_pair_every_place_with_every_place(maps):
    x, y = maps
    scores = product(arrange(x, y))
    assert scores.shape == (3, 2, 5, 5)
    for p in range(3):
        for q in range(2):
            torch.testing.assert_close(scores[p, q], x[:, p] @ y[:, q].T)


def test_same_and_ahead_pair_places_in_order(maps):
    x, _ = maps
    y = x.flip(0)
    same = product(arrange(x, y, "same"))
    ahead = product(arrange(x, y, 1))
    assert same.shape == (3, 5, 5) and ahead.shape == (2, 5, 5)
    torch.testing.assert_close(ahead[1], x[:, 1] @ y[:, 2].T)


def test_within_takes_other_places_of_the_same_context_as_negatives(maps):
    x, _ = maps
    scores = product(arrange(x, x, "same", "within"))
    assert scores.shape == (5, 3, 3)
    torch.testing.assert_close(scores[4], x[4] @ x[4].T)


def test_both_with_all_points_each_row_at_its_own_candidate(maps):
    x, y = maps
    pairs = arrange(x, y, "all", "both")
    scores = product(pairs)
    assert scores.shape == (5 * 3 * 2, 5 * 2)
    row = 0
    for i in range(5):
        for p in range(3):
            for q in range(2):
                expected = x[i, p] @ y[i, q]
                torch.testing.assert_close(scores[row, pairs.positives[row]], expected)
                assert pairs.rows[row] == pairs.columns[pairs.positives[row]] == i
                row += 1


def test_select_keeps_positives_pointing_at_their_own(maps):
    x, y = maps
    pairs = arrange(x, y, "all", "both")
    keep = torch.tensor([True, False, True, True, False])
    rows, columns, positives = pairs.select(keep)
    smaller = product(pairs)[rows][:, columns]
    again = arrange(x[keep], y[keep], "all", "both")
    torch.testing.assert_close(smaller, product(again))
    assert torch.equal(positives, again.positives)


@pytest.mark.parametrize(
    ("positions", "negatives", "said"),
    [("same", "batch", "same number"), (3, "batch", "steps"), ("all", "within", "no place")],
)
def test_positions_that_do_not_fit_are_refused(maps, positions, negatives, said):
    with pytest.raises(InfomaxError, match=said):
        arrange(*maps, positions, negatives)


def test_vectors_have_no_places_within():
    with pytest.raises(InfomaxError, match="one vector a context"):
        arrange(torch.zeros(4, 2), torch.zeros(4, 2), negatives="within")
