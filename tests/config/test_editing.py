import re
from dataclasses import fields, replace

import pytest

from visionllm.config.diffusion import published_unet
from visionllm.config.editing import EditingConfig


def test_the_defaults_are_the_published_sizes():
    config = EditingConfig()
    assert config.unet["in_channels"] == 8
    assert (config.picture_hw, config.drop_rate, config.image_guidance) == ((256, 256), 0.05, 1.5)
    assert config.scheduler == "EulerAncestralDiscreteScheduler"


def test_every_field_is_explained():
    explained = "".join(owner.__doc__ or "" for owner in EditingConfig.__mro__)
    assert [f.name for f in fields(EditingConfig) if f.name not in explained] == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"image_guidance": -0.5}, "expected image_guidance >= 0, got -0.5"),
        ({"drop_rate": 0.4}, "expected drop_rate in [0, 0.333"),
        ({"unet": published_unet(4)}, "expected a U-Net with 8 in_channels, got 4"),
        ({"pixel_std": (0.0, 1.0, 1.0)}, "expected pixel_std above 0, got (0.0, 1.0, 1.0)"),
    ],
)
def test_a_wrong_value_is_refused(change, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        replace(EditingConfig(), **change)


@pytest.mark.parametrize(
    ("original", "edited"), [((480, 640), (224, 296)), ((64, 64), (256, 256)), ((1, 4000), (8, 16192))]
)
def test_an_edited_picture_has_the_ratio_of_its_original(original, edited):
    assert EditingConfig().edited_hw(original) == edited
