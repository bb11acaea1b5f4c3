"""New pictures on one page."""

import numpy as np
import pytest
from PIL import Image

from visionllm.rendering import Canvas, draw_generated, paint_generated
from visionllm.types import GeneratedImages

RED, BLUE, GREY = (255, 0, 0), (0, 0, 255), (128, 128, 128)
IMAGE = Image.new("RGB", (40, 30), GREY)


def filled(size: tuple[int, int], colour: tuple[int, int, int]) -> np.ndarray:
    return np.full((size[1], size[0], 3), colour, dtype=np.uint8)


def edited(**changes) -> GeneratedImages:
    return GeneratedImages(**{"pictures": (filled((20, 15), RED),), "seeds": (0,), "original_hw": (30, 40)} | changes)


def test_an_edit_stands_beside_its_original_and_is_as_high():
    page = draw_generated(IMAGE, edited(), scale=2)
    assert page.height == 60
    assert page.width == 80 + 14 + 80
    assert page.getpixel((40, 30)) == GREY
    assert page.getpixel((134, 30)) == RED
    assert IMAGE.size == (40, 30)


def test_new_pictures_stand_in_a_row():
    result = GeneratedImages(pictures=(filled((8, 8), RED), filled((4, 8), BLUE)), seeds=(0, 1))
    page = draw_generated(None, result, scale=1)
    assert page.size == (8 + 14 + 4, 8)
    assert page.getpixel((2, 4)) == RED
    assert page.getpixel((24, 4)) == BLUE


def test_a_canvas_grows_to_the_right():
    canvas = Canvas(IMAGE, 1)
    paint_generated(canvas, edited())
    assert canvas.image.size == (40 + 14 + 40, 30)


def test_an_original_can_be_left_out():
    assert draw_generated(None, edited(), scale=1).size == (20, 15)


@pytest.mark.parametrize(
    ("result", "message"),
    [
        (edited(original_hw=(10, 10)), "expected the picture that was edited, 10x10, got 40x30"),
        (edited(original_hw=None), "expected no picture, got 40x30"),
        (edited(pictures=(), seeds=()), "expected one picture or more to draw, got none"),
    ],
)
def test_what_does_not_belong_together_is_refused(result: GeneratedImages, message: str):
    with pytest.raises(ValueError, match=message):
        draw_generated(IMAGE, result)
