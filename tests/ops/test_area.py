"""Resizing by area."""

import pytest
import torch

from visionllm.ops.area import resize_by_area


def test_a_whole_ratio_takes_means_of_blocks():
    picture = torch.arange(24.0).reshape(4, 6)
    assert resize_by_area(picture, (2, 3)).tolist() == [[3.5, 5.5, 7.5], [15.5, 17.5, 19.5]]


def test_the_mean_stays_at_any_ratio():
    picture = torch.rand(3, 13, 7, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    for size in ((5, 7), (9, 4), (20, 31)):
        small = resize_by_area(picture, size)
        assert small.shape == (3, *size)
        assert torch.allclose(small.mean((1, 2)), picture.mean((1, 2)))


def test_the_same_size_and_an_empty_batch_change_nothing():
    picture = torch.rand(2, 4, 5)
    assert torch.equal(resize_by_area(picture, (4, 5)), picture)
    assert resize_by_area(picture[:0], (2, 2)).shape == (0, 2, 2)


def test_an_empty_size_is_refused():
    with pytest.raises(ValueError, match=r"expected a size of at least one pixel a side, got \(0, 3\)"):
        resize_by_area(torch.zeros(4, 4), (0, 3))
