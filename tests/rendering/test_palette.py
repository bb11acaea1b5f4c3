"""Colours that tell things apart."""

import numpy as np
import pytest
from PIL import Image

from visionllm.rendering.palette import INK, PALETTE, PAPER, group_colours, text_colour


@pytest.mark.parametrize("colour", PALETTE)
def test_words_on_a_colour_of_the_palette_can_be_read(colour):
    def brightness(rgb):
        return sum(weight * part for weight, part in zip((0.299, 0.587, 0.114), rgb, strict=True))

    assert text_colour(colour) in (INK, PAPER)
    assert abs(brightness(text_colour(colour)) - brightness(colour)) > 70


def test_groups_get_different_colours_until_the_palette_is_used_up():
    image = Image.new("RGB", (20, 20), "white")
    colours = group_colours(image, [[(0, 0, 5, 5)]] * (len(PALETTE) + 2))
    assert len(set(colours[: len(PALETTE)])) == len(PALETTE)
    assert set(colours[len(PALETTE) :]) <= set(PALETTE)


def test_a_box_around_something_red_is_not_red():
    image = Image.new("RGB", (20, 20), PALETTE[0])
    (chosen,) = group_colours(image, [[(2, 2, 10, 10)]])
    assert np.linalg.norm(np.subtract(chosen, PALETTE[0])) > 140


def test_a_group_without_boxes_gets_a_colour_too():
    assert group_colours(Image.new("RGB", (4, 4)), [[]]) == [PALETTE[0]]


def test_a_box_outside_the_picture_does_no_harm():
    assert group_colours(Image.new("RGB", (4, 4)), [[(90, 90, 99, 99)]])[0] in PALETTE
