"""Bfloat16 on the CPU moves boxes by less than a fiftieth of the picture's side."""

from itertools import islice

import numpy as np
import pytest
import torch

import half
from material import pictures
from visionllm import VisionLLM
from visionllm.types import Detections


def found(boxes: list[list[float]], class_ids: list[int]) -> Detections:
    return Detections(
        boxes=np.array(boxes, dtype=np.float32).reshape(-1, 4),
        scores=np.ones(len(boxes), dtype=np.float32),
        class_ids=np.array(class_ids),
        class_names=("a", "b"),
        size_hw=(50, 100),
    )


def test_boxes_are_compared_with_the_nearest_of_their_class():
    whole = found([[10, 10, 20, 20], [0, 0, 50, 50]], [0, 1])
    other = found([[0, 0, 50, 45], [12, 10, 20, 21], [10, 10, 20, 20]], [1, 0, 1])
    np.testing.assert_allclose(half.moved(whole, other), [0.02, 0.1], rtol=1e-5)


def test_what_the_other_model_does_not_find_is_infinitely_far():
    assert half.moved(found([[0, 0, 1, 1]], [0]), found([], [])).tolist() == [np.inf]
    assert half.moved(found([], []), found([], [])).tolist() == []


@pytest.mark.usefixtures("one_core")
def test_half_precision_finds_the_same_boxes():
    single, small = (VisionLLM.load(device="cpu", dtype=kind) for kind in (torch.float32, torch.bfloat16))
    assert {p.dtype for p in small.model.parameters()} == {torch.bfloat16}
    moved = half.distances(single, small, islice(pictures(), 6))
    assert len(moved) >= 3
    assert moved.max() <= 0.02
