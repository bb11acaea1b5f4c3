from dataclasses import replace

import numpy as np
import pytest
import torch

from tests.decoders.detection.test_decoder import decoder, pictures, units
from visionllm.decoders.detection.outputs import DetectionOutputs
from visionllm.decoders.detection.postprocess import detections
from visionllm.types.requests import Options
from visionllm.types.results import Detections

BOXES = torch.tensor([[0.5, 0.5, 0.5, 0.5], [0.5, 0.5, 0.5, 0.52], [0.9, 0.9, 0.4, 0.4]])
LOGITS = torch.tensor([[2.0, -3.0], [1.0, -torch.inf], [-1.0, 3.0]])
QUERIES, IMAGES = units([[True, True]]), pictures([(64, 96)])


def outputs(logits: torch.Tensor = LOGITS) -> DetectionOutputs:
    """Three boxes; the masks are the left half, the right half, and nothing."""
    with torch.no_grad():
        base = decoder()(QUERIES, IMAGES)
    features = torch.zeros(1, 2, 16, 24)
    features[0, 0, :, :12], features[0, 0, :, 12:] = 9, -9
    features[0, 1] = 9
    masks = torch.tensor([[1.0, 0.0], [-1.0, 0.0], [0.0, -1.0]])[None]
    last = replace(base.layers[-1], logits=logits[None], boxes=BOXES[None], masks=masks)
    return replace(base, layers=(last,), mask_features=features)


def found(threshold: float = 0.0, logits: torch.Tensor = LOGITS, **options) -> Detections:
    return detections(outputs(logits), QUERIES, IMAGES, Options(**options), threshold)[0]


def test_pairs_of_query_and_group_compete():
    result = found()
    assert result.class_ids.tolist() == [1, 0, 0, 0, 1]
    assert result.scores.tolist() == pytest.approx(torch.tensor([3.0, 2.0, 1.0, -1.0, -3.0]).sigmoid().tolist())


def test_boxes_are_pixels_of_the_original_picture_cut_at_its_border():
    result = found()
    assert result.size_hw == (128, 192)
    assert result.boxes[1].tolist() == [48, 32, 144, 96]
    assert result.boxes[0].tolist() == pytest.approx([0.7 * 192, 0.7 * 128, 192, 128], abs=1e-3)


def test_masks_belong_to_their_boxes():
    masks = found().masks
    assert masks is not None
    assert masks.dtype == np.bool_
    assert not masks[0].any()
    assert masks[1, :, :90].all()
    assert not masks[1, :, 102:].any()
    assert masks[2, :, 102:].all()


def test_a_threshold_cuts():
    assert found(threshold=0.5).class_ids.tolist() == [1, 0, 0]
    assert len(found(threshold=0.99)) == 0


def test_a_limit_cuts():
    assert found(max_instances=2).class_ids.tolist() == [1, 0]


def test_overlapping_boxes_of_a_class_become_one():
    assert found(threshold=0.5, nms_iou=0.7).class_ids.tolist() == [1, 0]
    assert found(threshold=0.5, nms_iou=0.99).class_ids.tolist() == [1, 0, 0]
    assert len(found(nms_iou=0.7, max_instances=1)) == 1


def test_a_limit_a_class_keeps_the_best_of_each():
    assert found(max_per_class=1).class_ids.tolist() == [1, 0]
    assert found(max_per_class=2).class_ids.tolist() == [1, 0, 0, 1]
    assert found(max_per_class=2, max_instances=3).class_ids.tolist() == [1, 0, 0]
    assert found(max_per_class=1, nms_iou=0.99).class_ids.tolist() == [1, 0]


def test_so_many_of_a_class_come_whatever_their_scores():
    assert found(threshold=0.99, min_per_class=1).class_ids.tolist() == [1, 0]
    assert found(threshold=0.5, min_per_class=2).class_ids.tolist() == [1, 0, 0, 1]
    assert found(threshold=0.99, min_per_class=2, max_instances=3).class_ids.tolist() == [1, 0, 0]
    with pytest.raises(ValueError, match="option min_per_class is out of range: got 3"):
        Options(min_per_class=3, max_per_class=2)


def test_masks_may_be_left_out():
    assert found(masks=False).masks is None


def test_masked_pairs_are_never_returned():
    assert len(found(logits=torch.full((3, 2), -torch.inf))) == 0


def test_groups_keep_their_routes():
    assert found().routes == ("[DET]", "[DET]")


def test_the_answer_of_a_batch_is_that_of_its_units():
    model = decoder()
    queries, images = units([[True, True], [True, False]], images=[1, 0]), pictures([(64, 96), (40, 33)])
    results = model.decode(queries, images, Options(max_instances=4))
    assert [r.size_hw for r in results] == [(80, 66), (128, 192)]
    assert all(r.masks is not None and r.masks.shape[1:] == r.size_hw for r in results)
    assert set(results[1].class_ids.tolist()) == {0}


def test_the_models_own_threshold_is_the_default():
    model = decoder(threshold=1.0)
    assert len(model.decode(QUERIES, IMAGES, Options())[0]) == 0
    assert len(model.decode(QUERIES, IMAGES, Options(threshold=0.0))[0]) > 0
