import re
from dataclasses import FrozenInstanceError, fields, replace

import pytest

from visionllm.config.detection import DetectionConfig


def test_the_defaults_are_the_published_sizes():
    config = DetectionConfig()
    assert config.width == 256
    assert config.object_queries == 900
    assert config.mask_points == 12544
    assert config.backbone["out_features"] == ["stage1", "stage2", "stage3", "stage4"]


def test_a_configuration_is_frozen():
    with pytest.raises(FrozenInstanceError):
        DetectionConfig().width = 8  # pyright: ignore[reportAttributeAccessIssue]


def test_every_field_is_explained():
    explained = "".join(owner.__doc__ or "" for owner in DetectionConfig.__mro__)
    missing = [f.name for f in fields(DetectionConfig) if f"{f.name}" not in explained]
    assert not missing


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"width": 0}, "expected width >= 1, got 0"),
        ({"mask_oversample": 0.5}, "expected mask_oversample >= 1, got 0.5"),
        ({"giou_cost": -1.0}, "expected giou_cost >= 0, got -1.0"),
        ({"token_loss_weight": -1.0}, "expected token_loss_weight >= 0, got -1.0"),
        ({"one_to_many": -1}, "expected one_to_many >= 0, got -1"),
        ({"dropout": 1.5}, "expected dropout in [0, 1], got 1.5"),
        ({"threshold": -0.1}, "expected threshold in [0, 1], got -0.1"),
        ({"width": 100}, "expected width to be a multiple of 8, got 100"),
        ({"heads": 6}, "expected width to be a multiple of 6, got 256"),
        ({"text_heads": 3}, "expected width to be a multiple of 3, got 256"),
        ({"fusion_width": 66}, "expected fusion_width to be a multiple of 4, got 66"),
        ({"width": 40, "heads": 4}, "expected width to be a multiple of 32, got 40"),
        ({"query_content": "other"}, "expected query_content to be one of ('learned', 'memory'), got 'other'"),
        ({"contrast": "other"}, "expected contrast to be one of ('plain', 'scaled'), got 'other'"),
        ({"levels": 2}, "expected levels >= 3, one a backbone stage, got 2"),
        (
            {"pixel_stage": "stem"},
            "expected a backbone with a model_type and two or more out_features, 'stem' among them",
        ),
        ({"backbone": {"out_features": ["stage1", "stage2"]}}, "got model_type None and out_features"),
        ({"backbone": {"model_type": "swin", "out_features": ["stage1"]}}, "two or more out_features"),
        ({"backbone": {"model_type": "swin"}}, "and out_features []"),
    ],
)
def test_a_wrong_value_is_refused(change, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        replace(DetectionConfig(), **change)
