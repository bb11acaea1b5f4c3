import re
from dataclasses import fields, replace

import pytest

from visionllm.config.pose import PoseConfig


def test_the_defaults_are_the_published_sizes():
    config = PoseConfig()
    assert (config.poses, config.keypoints, config.box_layers, config.object_queries) == (50, 68, 2, 900)
    assert config.dropout == 0
    assert config.oks_weight == config.keypoint_weight == 10
    assert config.backbone["out_features"] == ["stage2", "stage3", "stage4"]


def test_every_field_is_explained():
    explained = "".join(owner.__doc__ or "" for owner in PoseConfig.__mro__)
    assert [f.name for f in fields(PoseConfig) if f.name not in explained] == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"keypoints": 0}, "expected keypoints >= 1, got 0"),
        ({"oks_cost": -1.0}, "expected oks_cost >= 0, got -1.0"),
        ({"box_layers": 6}, "expected box_layers < decoder_layers, so that some decode keypoints, got 6 of 6"),
        ({"poses": 901}, "expected poses <= object_queries, got 901 of 900"),
        ({"nms_iou": 1.5}, "expected nms_iou in [0, 1], got 1.5"),
        ({"keypoint_scores": "x"}, "expected keypoint_scores to be one of ('instance', 'learned'), got 'x'"),
    ],
)
def test_a_wrong_value_is_refused(change, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        replace(PoseConfig(), **change)
