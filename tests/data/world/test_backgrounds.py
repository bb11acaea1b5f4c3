import colorsys

import numpy as np
import pytest

from visionllm.data.world.backgrounds import draw_background, sample_ground
from visionllm.data.world.photos import TRAIN_PHOTOS
from visionllm.data.world.scene import BACKGROUNDS
from visionllm.data.world.splits import picture_dice


@pytest.mark.parametrize("kind", BACKGROUNDS)
@pytest.mark.parametrize("size_hw", [(64, 200), (131, 97)])
def test_backgrounds_fill_a_canvas_of_any_shape(kind, size_hw):
    for seed in range(6):
        image = draw_background(picture_dice(seed, "test"), kind, size_hw, photos=TRAIN_PHOTOS, dark=True)
        assert (image.height, image.width, image.mode) == (*size_hw, "RGB")


def test_grounds_are_never_as_strong_as_an_object():
    dice = picture_dice(0, "test")
    for _ in range(200):
        _, saturation, value = colorsys.rgb_to_hsv(*(part / 255 for part in sample_ground(dice, dark=True)))
        assert saturation < 0.2 or value < 0.2


def test_grounds_are_dark_only_when_allowed():
    dice = picture_dice(0, "test")
    assert min(max(sample_ground(dice, dark=False)) for _ in range(200)) > 150
    assert min(max(sample_ground(dice, dark=True)) for _ in range(200)) < 50


@pytest.mark.parametrize("kind", ["gradient", "paper", "noise"])
def test_patterned_backgrounds_are_not_plain(kind):
    image = draw_background(picture_dice(1, "test"), kind, (128, 128), photos=(), dark=False)
    assert len(np.unique(np.asarray(image).reshape(-1, 3), axis=0)) > 3
