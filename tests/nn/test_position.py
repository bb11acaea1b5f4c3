import math

import pytest
import torch

from visionllm.nn.position import box_embedding, grid_embedding, sine_embedding


def test_sines_and_cosines_take_turns():
    embedded = sine_embedding(torch.tensor([0.1]), 4, temperature=100.0)
    angle = 0.2 * math.pi
    expected = [math.sin(angle), math.cos(angle), math.sin(angle / 10), math.cos(angle / 10)]
    assert embedded.tolist() == pytest.approx(expected)


def test_numbers_are_embedded_one_after_the_other():
    both = sine_embedding(torch.tensor([[0.1, 0.7]]), 6)
    torch.testing.assert_close(both[0, :6], sine_embedding(torch.tensor([0.1]), 6))
    torch.testing.assert_close(both[0, 6:], sine_embedding(torch.tensor([0.7]), 6))


def test_a_box_is_embedded_row_first():
    box = torch.tensor([0.1, 0.2, 0.3, 0.4])
    torch.testing.assert_close(box_embedding(box, 8), sine_embedding(torch.tensor([0.2, 0.1, 0.3, 0.4]), 8))


def test_a_grid_is_embedded_by_its_real_cells_only():
    mask = torch.zeros(2, 4, 6, dtype=torch.bool)
    mask[0, :2, :3] = True
    mask[1] = True
    places = grid_embedding(mask, 8, temperature=20.0)
    alone = grid_embedding(torch.ones(1, 2, 3, dtype=torch.bool), 8, temperature=20.0)
    assert places.shape == (2, 4, 6, 8)
    torch.testing.assert_close(places[0, :2, :3], alone[0])


def test_rows_fill_the_first_half_and_columns_the_second():
    places = grid_embedding(torch.ones(1, 3, 5, dtype=torch.bool), 8, temperature=20.0)[0]
    assert torch.equal(places[1, 0, :4], places[1, 4, :4])
    assert torch.equal(places[0, 2, 4:], places[2, 2, 4:])
    assert not torch.equal(places[0, 0, :4], places[1, 0, :4])
