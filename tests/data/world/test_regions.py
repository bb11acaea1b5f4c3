"""Regions lie on what they point at."""

import numpy as np
import pytest
from PIL import Image, ImageDraw

from tests.data.world.scenes import drawn, picture_of, thing
from visionllm.data.world.regions import WAYS, depth_inside, region_of_mask, region_on, region_on_nothing
from visionllm.data.world.splits import Dice
from visionllm.types import Box, Mask, Point, Polygon, Region, Scribble


def covered(region: Region, size_hw: tuple[int, int]) -> np.ndarray:
    """Return bool[H, W] of the pixels of a region, drawn apart from the code under test."""
    canvas = Image.new("1", (size_hw[1], size_hw[0]))
    pen = ImageDraw.Draw(canvas)
    if isinstance(region, Mask):
        return region.pixels
    if isinstance(region, Box):
        pen.rectangle((region.x0, region.y0, region.x1 - 1, region.y1 - 1), fill=1)
    elif isinstance(region, Point):
        pen.point((region.x, region.y), fill=1)
    elif isinstance(region, Polygon):
        pen.polygon(region.points, fill=1)
    else:
        pen.line(region.points, fill=1, width=1)
        pen.point(region.points, fill=1)
    return np.asarray(canvas, dtype=bool)


@pytest.mark.parametrize("way", WAYS)
def test_a_region_on_an_object_lies_on_it(way: str):
    dice = Dice(np.random.default_rng(0))
    for picture in drawn(25):
        for item in picture.scene.objects:
            bits = covered(region_on(item, way, dice), picture.scene.size_hw)
            inside = (bits & item.mask).sum() / bits.sum()
            found = (bits & item.mask).sum() / item.mask.sum()
            if way in ("point", "scribble"):
                assert inside > 0.93
            else:
                assert found > 0.8


def test_points_are_single_pixels_of_the_mask():
    dice = Dice(np.random.default_rng(0))
    for picture in drawn(25):
        for item in picture.scene.objects:
            point = region_on(item, "point", dice)
            assert isinstance(point, Point)
            assert item.mask[int(point.y), int(point.x)]


@pytest.mark.parametrize("way", WAYS)
def test_a_region_on_nothing_touches_no_object(way: str):
    dice = Dice(np.random.default_rng(0))
    for picture in drawn(25):
        region = region_on_nothing(picture.scene, way, dice)
        if region is not None:
            bits = covered(region, picture.scene.size_hw)
            assert bits.any()
            assert not any((bits & item.mask).any() for item in picture.scene.objects)


def test_there_is_no_empty_place_in_a_full_picture():
    full = thing("large red solid star", (20, 20), (32, 40))
    full.mask[:] = True
    assert region_on_nothing(picture_of(full, size_hw=(32, 40)).scene, "box", Dice(np.random.default_rng(0))) is None


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("pixels", [((5, 7),), ((0, 0), (0, 1)), ((31, 39), (31, 38), (30, 39))])
def test_a_few_pixels_can_be_pointed_at(way: str, pixels: tuple[tuple[int, int], ...]):
    mask = np.zeros((32, 40), dtype=bool)
    for row, column in pixels:
        mask[row, column] = True
    rows, columns = np.nonzero(mask)
    box = (int(columns.min()), int(rows.min()), int(columns.max()) + 1, int(rows.max()) + 1)
    for seed in range(10):
        region = region_of_mask(mask, box, way, Dice(np.random.default_rng(seed)))
        if isinstance(region, Polygon):
            assert len(region.points) >= 3
        elif isinstance(region, Scribble):
            assert len(region.points) >= 2
            assert region.width == 3
        elif isinstance(region, Box):
            assert 0 <= region.x0 < region.x1 <= 40
            assert 0 <= region.y0 < region.y1 <= 32


def test_an_unknown_way_is_refused():
    item = thing("small red solid star", (20, 20))
    with pytest.raises(ValueError, match=r"expected one of the ways of pointing box, .*, got 'nod'"):
        region_on(item, "nod", Dice(np.random.default_rng(0)))


def test_depth_counts_shells_up_to_six():
    assert depth_inside(np.ones((40, 40), dtype=bool)).max() == 6
    assert depth_inside(np.zeros((3, 4), dtype=bool)).max() == 0
    assert depth_inside(np.ones((5, 5), dtype=bool))[2].tolist() == [1, 2, 3, 2, 1]
