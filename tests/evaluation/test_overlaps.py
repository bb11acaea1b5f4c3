"""Boxes and masks that cover one another."""

import numpy as np
import pytest

from visionllm.evaluation.overlaps import all_found, box_ious, corners_to_extents, mask_overlap

A, B = (0, 0, 10, 10), (20, 10, 40, 30)


def boxes(*some):
    return np.asarray(some, dtype=np.float32).reshape(-1, 4)


def ids(*some):
    return np.asarray(some, dtype=np.int64)


def test_half_a_box_has_iou_one_half():
    assert box_ious(boxes((0, 0, 5, 10)), boxes(A, B)).tolist() == [[0.5, 0.0]]


@pytest.mark.parametrize(("found", "truth"), [(0, 2), (2, 0), (0, 0)])
def test_no_boxes_on_a_side_give_an_empty_table(found, truth):
    assert box_ious(boxes(*[A] * found), boxes(*[A] * truth)).shape == (found, truth)


def test_extents_are_corner_width_and_height():
    assert corners_to_extents(boxes(B)).tolist() == [[20, 10, 20, 20]]
    assert corners_to_extents(boxes()).shape == (0, 4)


def test_masks_overlap_in_pixels():
    one, two = np.zeros((3, 5), dtype=bool), np.zeros((3, 5), dtype=bool)
    one[:, :3] = True
    two[:, 2:] = True
    assert mask_overlap(one, two) == (3, 15)


def test_masks_of_different_sizes_are_refused():
    with pytest.raises(ValueError, match=r"expected a mask of size \(2, 3\), got \(3, 2\)"):
        mask_overlap(np.zeros((3, 2), dtype=bool), np.zeros((2, 3), dtype=bool))


@pytest.mark.parametrize(
    ("found", "found_ids", "right"),
    [
        pytest.param([B, A], [1, 0], True, id="in-any-order"),
        pytest.param([A, B], [1, 0], False, id="classes-swapped"),
        pytest.param([A, A], [0, 1], False, id="one-found-twice"),
        pytest.param([A], [0], False, id="one-missing"),
        pytest.param([A, B, B], [0, 1, 1], False, id="one-too-many"),
        pytest.param([(0, 0, 10, 5), B], [0, 1], True, id="exactly-half-covered"),
        pytest.param([(0, 0, 10, 4), B], [0, 1], False, id="less-than-half-covered"),
    ],
)
def test_everything_is_found_or_not(found, found_ids, right):
    assert all_found(boxes(*found), ids(*found_ids), boxes(A, B), ids(0, 1)) is right


def test_nothing_is_found_where_nothing_is():
    assert all_found(boxes(), ids(), boxes(), ids())
