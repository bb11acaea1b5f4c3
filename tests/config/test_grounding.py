import re

import pytest

from visionllm.config.grounding import GroundingConfig, swin_tiny


def test_the_published_backbone_starts_at_any_stage():
    assert swin_tiny(1)["out_features"] == ["stage1", "stage2", "stage3", "stage4"]
    assert GroundingConfig().encoder_stages == ["stage2", "stage3", "stage4"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"object_queries": 0}, "expected object_queries >= 1, got 0"),
        ({"box_weight": -1.0}, "expected box_weight >= 0, got -1.0"),
        ({"backbone": {"model_type": "swin"}}, "expected a backbone with a model_type and out_features"),
        ({"backbone": {"out_features": ["stage1"]}}, "got model_type None and out_features ['stage1']"),
        ({"levels": 2}, "expected levels >= 3, one a backbone stage, got 2"),
    ],
)
def test_a_wrong_value_is_refused(change, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        GroundingConfig(**change)
