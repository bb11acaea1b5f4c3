"""Drawing in pixels of the original on an enlarged copy."""

import numpy as np
import pytest
from PIL import Image, ImageFont

from visionllm.rendering.canvas import Canvas, fitting_scale, font

RED = (230, 25, 75)


def plain(width: int = 40, height: int = 30) -> Image.Image:
    return Image.new("RGB", (width, height), (120, 120, 120))


def is_drawn(canvas: Canvas) -> np.ndarray:
    return (np.asarray(canvas.image) != 120).any(axis=-1)


@pytest.mark.parametrize(
    ("size", "scale"), [((128, 128), 4), ((224, 180), 2), ((224, 96), 2), ((640, 480), 1), ((1, 1), 4)]
)
def test_small_pictures_are_enlarged_by_whole_steps(size, scale):
    assert fitting_scale(size) == scale


def test_the_drawing_is_an_enlarged_copy_of_any_kind_of_picture():
    image = Image.new("L", (40, 30), 7)
    canvas = Canvas(image)
    assert canvas.image.size == (160, 120)
    assert canvas.image.getpixel((5, 5)) == (7, 7, 7)
    assert image.mode == "L"


def test_a_scale_can_be_asked_for_and_must_be_positive():
    assert Canvas(plain(), 2).image.size == (80, 60)
    with pytest.raises(ValueError, match="expected a scale of at least 1, got 0"):
        Canvas(plain(), 0)


def test_a_box_is_drawn_along_its_pixels_and_leaves_its_inside():
    canvas = Canvas(plain(), 4)
    canvas.box((10, 5, 20, 15), RED)
    assert canvas.image.getpixel((40, 20)) == RED
    assert canvas.image.getpixel((79, 59)) == RED
    assert canvas.image.getpixel((60, 40)) == (120, 120, 120)
    assert not is_drawn(canvas)[70:].any()


def test_a_box_without_extent_is_still_seen():
    canvas = Canvas(plain(), 4)
    canvas.box((10, 5, 10, 5), RED)
    assert is_drawn(canvas).any()


def test_a_mask_is_tinted_inside_and_untouched_elsewhere():
    pixels = np.zeros((30, 40), dtype=bool)
    pixels[5:20, 10:25] = True
    canvas = Canvas(plain(), 4)
    canvas.mask(pixels, RED)
    inside = canvas.image.getpixel((70, 50))
    assert isinstance(inside, tuple) and inside[0] > 130 and inside != RED
    assert not is_drawn(canvas)[:, 110:].any()


def test_an_empty_mask_draws_nothing():
    canvas = Canvas(plain(), 4)
    canvas.mask(np.zeros((30, 40), dtype=bool), RED)
    assert not is_drawn(canvas).any()


def test_a_path_is_as_wide_as_it_says():
    canvas = Canvas(plain(), 4)
    canvas.path([(5, 15), (35, 15)], RED, 3)
    column = np.asarray(canvas.image)[:, 80].astype(int)
    assert (np.abs(column - RED).sum(axis=1) < 20).sum() == pytest.approx(12, abs=2)


def test_a_dot_is_drawn_on_its_pixel_even_at_the_border():
    canvas = Canvas(plain(), 4)
    canvas.dot((0, 29), RED)
    assert canvas.image.getpixel((2, 118)) == RED


def test_chips_stay_on_the_picture():
    canvas = Canvas(plain(128, 128), 4)
    for box in ((0, 0, 5, 5), (123, 123, 128, 128), (60, 0, 128, 4)):
        canvas.chip(("12 yellow star 0.98", "12"), box, RED)
    for x0, y0, x1, y1 in canvas._chips:
        assert 0 <= x0 < x1 <= 512
        assert 0 <= y0 < y1 <= 512


def test_chips_of_crowded_boxes_do_not_cover_each_other():
    canvas = Canvas(plain(128, 128), 4)
    for step in range(5):
        canvas.chip((f"{step} blue house", str(step)), (40 + 4 * step, 60, 60 + 4 * step, 80), RED)
    for chip in canvas._chips:
        others = [other for other in canvas._chips if other is not chip]
        assert not any(
            min(chip[2], o[2]) - max(chip[0], o[0]) > 3 and min(chip[3], o[3]) - max(chip[1], o[1]) > 3 for o in others
        )


def test_without_freetype_the_error_says_what_is_missing(monkeypatch):
    monkeypatch.setattr(ImageFont, "load_default", lambda size: ImageFont.ImageFont())
    font.cache_clear()
    with pytest.raises(ImportError, match="Pillow with FreeType"):
        font(13)
    font.cache_clear()
