"""Regions of a question on its picture."""

import numpy as np
import pytest
from PIL import Image

from visionllm.rendering import draw_regions
from visionllm.types import Box, Mask, Point, Polygon, Scribble

IMAGE = Image.new("RGB", (40, 30), (200, 200, 200))
PIXELS = np.zeros((30, 40), dtype=bool)
PIXELS[10:20, 10:30] = True


@pytest.mark.parametrize(
    "region",
    [
        pytest.param(Box(10, 10, 30, 20), id="box"),
        pytest.param(Point(12, 14), id="point"),
        pytest.param(Scribble(((10, 10), (29, 19))), id="scribble"),
        pytest.param(Polygon(((10, 10), (29, 10), (20, 19))), id="polygon"),
        pytest.param(Mask(PIXELS), id="mask"),
    ],
)
def test_every_kind_of_region_is_drawn_where_it_is(region):
    drawn = np.asarray(draw_regions(IMAGE, [region]))
    changed = (drawn != 200).any(axis=-1)
    assert changed[40:80, 40:120].any()
    assert not changed[100:].any()


def test_no_regions_leave_the_picture_as_it_is():
    assert draw_regions(IMAGE, []).getextrema() == ((200, 200),) * 3


def test_an_empty_mask_is_drawn_as_a_number_only():
    assert draw_regions(IMAGE, [Mask(np.zeros((30, 40), dtype=bool))]).size == (160, 120)
