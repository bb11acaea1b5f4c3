import math

import pytest
import torch

from visionllm.ops.boxes import (
    boxes_to_pixels,
    generalised_iou,
    inverse_sigmoid,
    iou,
    suppress,
    to_centres,
    to_corners,
)

SQUARE = torch.tensor([0.0, 0.0, 2.0, 2.0])


def test_corners_of_an_uneven_box():
    assert to_corners(torch.tensor([10.0, 20.0, 4.0, 8.0])).tolist() == [8, 16, 12, 24]


def test_centres_of_an_uneven_box():
    assert to_centres(torch.tensor([8.0, 16.0, 12.0, 24.0])).tolist() == [10, 20, 4, 8]


@pytest.mark.parametrize("convert", [to_corners, to_centres])
def test_no_boxes_stay_no_boxes(convert):
    assert convert(torch.zeros(0, 4)).shape == (0, 4)


def test_pixels_of_a_wide_picture():
    boxes = torch.tensor([[[0.25, 0.5, 0.5, 1.0]]])
    assert boxes_to_pixels(boxes, torch.tensor([[100, 200]])).tolist() == [[[0, 0, 100, 100]]]


def test_pixels_of_a_ragged_batch():
    boxes = torch.tensor([0.5, 0.5, 1.0, 1.0]).expand(2, 1, 4)
    pixels = boxes_to_pixels(boxes, torch.tensor([[10, 20], [30, 40]]))
    assert pixels[:, 0, 2:].tolist() == [[20, 10], [40, 30]]


def test_pixels_need_a_size_per_picture():
    with pytest.raises(ValueError, match="expected 2 sizes, one per image, got 1"):
        boxes_to_pixels(torch.zeros(2, 1, 4), torch.tensor([[1, 1]]))


@pytest.mark.parametrize(("eps", "least"), [(1e-5, -11.5129), (1e-3, -6.9078)])
def test_inverse_sigmoid_is_clamped(eps, least):
    x = torch.tensor([0.0, 0.25, 1.0])
    assert inverse_sigmoid(x, eps).tolist() == pytest.approx([least, math.log(1 / 3), -least], abs=1e-3)


def test_inverse_sigmoid_takes_numbers_outside_for_the_border():
    assert torch.equal(inverse_sigmoid(torch.tensor([-1.0, 2.0])), inverse_sigmoid(torch.tensor([0.0, 1.0])))


@pytest.mark.parametrize(
    ("other", "overlap", "generalised"),
    [
        pytest.param([0.0, 0.0, 2.0, 2.0], 1.0, 1.0, id="same"),
        pytest.param([1.0, 0.0, 3.0, 2.0], 1 / 3, 1 / 3, id="half"),
        pytest.param([4.0, 0.0, 6.0, 2.0], 0.0, -1 / 3, id="apart"),
        pytest.param([0.0, 0.0, 1.0, 1.0], 0.25, 0.25, id="inside"),
    ],
)
def test_overlaps_of_two_squares(other, overlap, generalised):
    assert iou(SQUARE, torch.tensor(other)).item() == pytest.approx(overlap)
    assert generalised_iou(SQUARE, torch.tensor(other)).item() == pytest.approx(generalised)


def test_two_empty_boxes_need_an_eps():
    empty = torch.zeros(4)
    assert iou(empty, empty).isnan()
    assert generalised_iou(empty, empty).isnan()
    assert iou(empty, empty, eps=1e-6) == 0
    assert generalised_iou(empty, empty, eps=1e-6) == 0


def test_all_pairs_by_broadcasting():
    assert iou(torch.zeros(3, 1, 4), torch.rand(1, 5, 4)).shape == (3, 5)


def test_suppression_keeps_the_best_of_a_class():
    boxes = torch.stack([SQUARE, SQUARE * 0.95, SQUARE + 5, SQUARE])
    kept = suppress(boxes, torch.tensor([0.5, 0.9, 0.1, 0.6]), torch.tensor([0, 0, 0, 1]), 0.5)
    assert kept.tolist() == [1, 3, 2]


def test_suppression_compares_with_kept_boxes_only():
    row = torch.tensor([[0.0, 0.0, 10.0, 1.0], [4.0, 0.0, 14.0, 1.0], [8.0, 0.0, 18.0, 1.0]])
    assert suppress(row, torch.tensor([0.9, 0.8, 0.7]), torch.zeros(3), 0.4).tolist() == [0, 2]


def test_suppression_stops_at_the_limit():
    boxes = torch.stack([SQUARE + 10 * i for i in range(4)])
    assert suppress(boxes, torch.tensor([0.1, 0.2, 0.3, 0.4]), torch.zeros(4), 0.5, limit=2).tolist() == [3, 2]


def test_suppression_of_nothing():
    assert suppress(torch.zeros(0, 4), torch.zeros(0), torch.zeros(0), 0.5).tolist() == []
