"""Examples and what was found, on one page."""

import numpy as np
import pytest
from PIL import Image

from visionllm.rendering import draw_detections, draw_examples
from visionllm.types import Box, Detections, Example, Point

IMAGE = Image.new("RGB", (60, 40), "white")
FOUND = Detections(
    boxes=np.array([[5, 5, 30, 30]], np.float32),
    scores=np.array([0.9], np.float32),
    class_ids=np.array([0]),
    class_names=("bolt",),
    size_hw=(40, 60),
)


def test_examples_stand_above_what_was_found():
    example = Example(IMAGE, Box(10, 10, 30, 30), "bolt")
    page = draw_examples([example, Example(IMAGE, Point(20, 20))], [IMAGE], [FOUND])
    drawn = draw_detections(IMAGE, FOUND)
    assert page.size == (2 * drawn.width + 3 * 14, 2 * drawn.height + 3 * 14)
    below = page.crop((14, drawn.height + 28, 14 + drawn.width, 2 * drawn.height + 28))
    assert np.array_equal(np.asarray(below), np.asarray(drawn))


def test_many_new_pictures_stand_in_rows():
    example = Example(IMAGE, Box(10, 10, 30, 30))
    one, four = (draw_examples([example], [IMAGE] * n, [FOUND] * n) for n in (1, 4))
    height = draw_detections(IMAGE, FOUND).height
    assert four.height == one.height + height + 14


def test_the_name_of_an_example_is_written():
    named, unnamed = (draw_examples([Example(IMAGE, Box(9, 9, 30, 30), n)], [IMAGE], [FOUND]) for n in ("bolt", None))
    assert not np.array_equal(np.asarray(named), np.asarray(unnamed))


@pytest.mark.parametrize(("examples", "found"), [([], [FOUND]), ([Example(IMAGE, Point(1, 1))], [])])
def test_what_does_not_belong_together_is_refused(examples, found):
    with pytest.raises(ValueError, match="expected examples, and a result a picture, got"):
        draw_examples(examples, [IMAGE], found)
