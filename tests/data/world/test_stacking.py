"""Masks are laid on a canvas and cover each other."""

import numpy as np
import pytest
from PIL import Image

from visionllm.data.world.stacking import box_of, covered, on_canvas, visible_parts

PATCH = np.array([[True, True], [True, False]])


@pytest.mark.parametrize(
    ("corner", "box"),
    [((1, 1), (1, 1, 3, 3)), ((-1, 0), (0, 0, 1, 1)), ((3, 2), (3, 2, 4, 3))],
)
def test_a_patch_is_cut_at_the_edge_of_the_canvas(corner: tuple[int, int], box: tuple[int, int, int, int]):
    mask = on_canvas(PATCH, corner, (3, 4))
    assert mask.shape == (3, 4)
    assert box_of(mask) == box


def test_a_patch_outside_leaves_nothing():
    assert not on_canvas(PATCH, (9, 9), (3, 4)).any()
    assert not on_canvas(PATCH, (-5, 0), (3, 4)).any()


def test_an_empty_mask_has_no_box():
    with pytest.raises(ValueError, match="expected a mask with at least one True pixel, got none"):
        box_of(np.zeros((2, 3), dtype=bool))


def test_half_a_pixel_counts_as_covered():
    layer = Image.fromarray(np.array([[255, 255, 255, 0], [0, 0, 0, 0]], dtype=np.uint8))
    assert covered(layer).tolist() == [[True, False]]


def test_what_comes_later_covers_what_came_before():
    row = np.array([[True, True, True, False]])
    seen = visible_parts([row, np.array([[False, True, False, False]]), np.array([[False, False, True, True]])])
    assert [mask.tolist() for mask in seen] == [
        [[True, False, False, False]],
        [[False, True, False, False]],
        [[False, False, True, True]],
    ]
    assert visible_parts([]) == []
