from itertools import combinations

import pytest

from visionllm.data.world.palette import SHADES, contrast, mixed, sample_shade, shade_of
from visionllm.data.world.scene import COLOURS
from visionllm.data.world.splits import picture_dice


def test_every_colour_word_has_shades():
    assert tuple(SHADES) == COLOURS


def test_shades_of_different_words_look_different():
    dice = picture_dice(0, "test")
    drawn = {colour: [sample_shade(dice, colour) for _ in range(60)] for colour in COLOURS}
    for first, second in combinations(COLOURS, 2):
        assert min(contrast(one, two) for one in drawn[first] for two in drawn[second]) > 14, (first, second)


@pytest.mark.parametrize(
    ("hsv", "rgb"), [((0, 1, 1), (255, 0, 0)), ((-240, 1, 1), (0, 255, 0)), ((0, 0, 0.5), (128, 128, 128))]
)
def test_hues_wrap_around_to_bytes(hsv, rgb):
    assert shade_of(*hsv) == rgb


def test_mixing_goes_from_one_shade_to_the_other():
    assert mixed((0, 100, 200), (100, 100, 0), 0.25) == (25, 100, 150)


def test_black_and_white_are_a_hundred_apart():
    assert contrast((0, 0, 0), (255, 255, 255)) == pytest.approx(100, abs=0.1)
    assert contrast((9, 80, 200), (9, 80, 200)) == 0
