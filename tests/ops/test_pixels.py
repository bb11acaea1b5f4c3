import pytest
import torch

from visionllm.ops.pixels import pixel_shuffle


def test_the_channels_of_a_square_are_joined_row_by_row():
    grid = torch.arange(8.0).view(1, 2, 4, 1)
    assert pixel_shuffle(grid)[0, 0].tolist() == [[0, 1, 4, 5], [2, 3, 6, 7]]


def test_the_order_is_that_of_the_published_reshapes():
    x = torch.randn(2, 6, 4, 3, generator=torch.Generator().manual_seed(0))
    n, w, h, c = x.shape
    y = x.view(n, w, h // 2, 2 * c).permute(0, 2, 1, 3).contiguous()
    y = y.view(n, h // 2, w // 2, 4 * c).permute(0, 2, 1, 3)
    assert torch.equal(pixel_shuffle(x), y)


def test_a_side_of_one_changes_nothing():
    x = torch.rand(1, 3, 5, 2)
    assert torch.equal(pixel_shuffle(x, 1), x)


def test_no_pictures_stay_no_pictures():
    assert pixel_shuffle(torch.zeros(0, 4, 4, 2)).shape == (0, 2, 2, 8)


@pytest.mark.parametrize("size", [(3, 4), (4, 3)])
def test_a_side_that_does_not_divide_is_refused(size):
    with pytest.raises(ValueError, match=f"expected sides that are multiples of 2, got {size[0]}×{size[1]}"):
        pixel_shuffle(torch.zeros(1, *size, 1))
