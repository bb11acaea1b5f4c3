import numpy as np
import pytest
import torch

from tests.decoders.pose.test_decoder import decoder, pictures, units
from visionllm.decoders.pose.postprocess import poses
from visionllm.types.requests import Options


def test_the_best_come_first_and_the_threshold_holds():
    queries, images = units("DDPP"), pictures([(64, 96)])
    with torch.no_grad():
        outputs = decoder()(queries, images)
    (everything,) = poses(outputs, images, Options(), 0.0)
    assert (np.diff(everything.scores) <= 0).all()
    assert len(everything) == 8, "four queries with two object groups"
    middle = float(everything.scores[3])
    (some,) = poses(outputs, images, Options(), middle)
    assert len(some) == 4
    assert len(poses(outputs, images, Options(max_instances=2), 0.0)[0]) == 2
    assert set(everything.class_ids.tolist()) == {0, 1}


def test_boxes_are_cut_at_the_border_and_keypoints_are_not_moved():
    queries, images = units("DPP"), pictures([(64, 96)])
    with torch.no_grad():
        outputs = decoder()(queries, images)
    (found,) = poses(outputs, images, Options(), 0.0)
    assert (found.boxes >= 0).all()
    assert (found.boxes <= [192, 128, 192, 128]).all()
    assert found.keypoints.shape == (4, 2, 2)


def test_outputs_without_keypoints_are_refused():
    queries, images = units("DPP"), pictures([(64, 96)])
    with torch.no_grad():
        outputs = decoder()(queries, images)
    cut = type(outputs)(**{**vars(outputs), "layers": outputs.layers[:1]})
    with pytest.raises(ValueError, match="expected keypoints of the last layer, got none"):
        poses(cut, images, Options(), 0.0)
