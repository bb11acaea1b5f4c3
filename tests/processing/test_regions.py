from typing import cast

import numpy as np
import pytest
import torch
from PIL import Image

from visionllm.processing.regions import (
    published_box_masks,
    published_example_region,
    published_split_masks,
    region_mask,
    seen_region,
    split_mask,
    stroke_mask,
)
from visionllm.processing.tiles import MODES, Mode, VisionImageConfig, vision_pixels
from visionllm.types import Box, Found, Mask, Point, Polygon, Region, Scribble

HW = (6, 8)


def settings(mode: str, size: int = 16) -> VisionImageConfig:
    return VisionImageConfig(image_size=size, mode=cast(Mode, mode), mean=(0, 0, 0), std=(1, 1, 1))


def test_a_box_covers_every_pixel_it_touches() -> None:
    mask = region_mask(Box(1, 2, 3, 4), HW)
    assert mask.shape == HW
    assert mask.dtype == np.bool_
    assert mask.sum() == 4
    assert mask[2:4, 1:3].all()
    assert region_mask(Box(1.9, 2.9, 2.1, 3.1), HW).sum() == 4
    assert region_mask(Box(0, 0, 8, 6), HW).all()


def test_a_point_is_one_pixel() -> None:
    mask = region_mask(Point(7.9, 0), HW)
    assert mask.sum() == 1
    assert mask[0, 7]


def test_a_scribble_is_as_wide_as_it_says() -> None:
    assert region_mask(Scribble(((1, 3), (6, 3)), width=1), HW)[3].tolist() == [False, *[True] * 6, False]
    assert region_mask(Scribble(((1, 3), (6, 3)), width=3), HW)[:, 4].sum() == 3
    assert region_mask(Scribble(((0, 0), (8, 6)), width=1), HW)[5, 7], "the far corner belongs to the last pixel"


def test_a_polygon_holds_its_inside_and_its_outline() -> None:
    mask = region_mask(Polygon(((1, 1), (5, 1), (5, 4), (1, 4))), HW)
    assert mask[1:5, 1:6].all()
    assert mask.sum() == 20


def test_a_mask_is_itself() -> None:
    pixels = np.zeros(HW, bool)
    pixels[2, 2] = True
    assert np.array_equal(region_mask(Mask(pixels), HW), pixels)


@pytest.mark.parametrize(
    ("region", "message"),
    [
        (Box(3, 1, 3, 4), r"region 5: expected a box with x0 < x1 and y0 < y1, got \(3, 1, 3, 4\)"),
        (Box(1, 4, 3, 1), "expected a box with x0 < x1"),
        (Box(float("nan"), 1, 3, 4), "expected a box with x0 < x1"),
        (Box(-1, 1, 3, 4), r"region 5: expected a box inside the 8×6 picture, got \(-1, 1, 3, 4\)"),
        (Box(1, 1, 9, 4), "expected a box inside the 8×6 picture"),
        (Box(1, 1, float("inf"), 4), "expected a box inside the 8×6 picture"),
        (Point(8, 1), r"region 5: expected a point inside the 8×6 picture, got \(8, 1\)"),
        (Point(1, -0.1), "expected a point inside"),
        (Point(float("nan"), 1), "expected a point inside"),
        (Scribble(((1, 1),)), "region 5: expected a scribble of at least 2 points, got 1"),
        (Scribble(((1, 1), (9, 1))), r"region 5: expected a scribble inside the 8×6 picture, got the point \(9, 1\)"),
        (Scribble(((1, 1), (2, 1)), width=0), "region 5: expected a scribble at least 1 pixel wide, got 0"),
        (Polygon(((1, 1), (2, 2))), "region 5: expected a polygon of at least 3 points, got 2"),
        (Polygon(((1, 1), (2, 2), (1, 7))), r"expected a polygon inside the 8×6 picture, got the point \(1, 7\)"),
        (Mask(np.zeros(HW, bool)), "region 5: expected a mask with pixels inside, got an empty one"),
        (Mask(np.ones((8, 6), bool)), r"region 5: expected a mask of the picture's size \(6, 8\), got \(8, 6\)"),
        (None, "region 5: expected a box, point, scribble, polygon or mask, got None"),
        (Found(1), r"region 5: expected a box, .* or mask, got Found\("),
        (Mask(np.ones(HW, np.uint8)), "region 5: expected a bool mask, got uint8"),  # pyright: ignore[reportArgumentType]
    ],
)
def test_regions_that_say_nothing_are_refused_with_their_number(region: Region, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        region_mask(region, HW, index=5)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("size_hw", [(16, 16), (40, 60), (120, 60), (5, 9)])
def test_a_region_lies_where_the_encoder_sees_it(mode: str, size_hw: tuple[int, int]) -> None:
    height, width = size_hw
    box = Box(width // 2 - 1, height // 2 - 1, width // 2 + 2, height // 2 + 2)
    mask = region_mask(box, size_hw)
    drawn = Image.fromarray((mask * 255).astype(np.uint8)).convert("RGB")
    seen = vision_pixels(drawn, settings(mode))[-1, 0]
    ours = split_mask(mask, settings(mode))
    assert ours.shape == (16, 16)
    assert set(ours.unique().tolist()) <= {0.0, 1.0}
    grid = torch.stack(torch.meshgrid(torch.arange(16.0), torch.arange(16.0), indexing="ij"))
    middle_seen, middle_ours = ((grid * m).sum((1, 2)) / m.sum() for m in (seen.clamp_min(0), ours))
    torch.testing.assert_close(middle_ours, middle_seen, rtol=0, atol=0.75)


@pytest.mark.parametrize(("width", "height"), [(16, 11), (11, 16), (16, 10)])
def test_a_region_moves_with_a_padded_picture_to_the_pixel(width: int, height: int) -> None:
    mask = np.random.default_rng(0).random((height, width)) > 0.7
    drawn = Image.fromarray((mask * 255).astype(np.uint8)).convert("RGB")
    seen = vision_pixels(drawn, settings("pad"))[0, 0]
    assert torch.equal(split_mask(mask, settings("pad")), seen)


@pytest.mark.parametrize(("width", "height"), [(16, 21), (21, 16), (16, 30)])
def test_a_region_is_cut_like_the_picture_to_the_pixel(width: int, height: int) -> None:
    mask = np.random.default_rng(0).random((height, width)) > 0.7
    drawn = Image.fromarray((mask * 255).astype(np.uint8)).convert("RGB")
    assert torch.equal(split_mask(mask, settings("square")), vision_pixels(drawn, settings("square"))[0, 0])


@pytest.mark.parametrize("mode", ["pad", "tiles", "stretch", "two-step-stretch"])
def test_no_single_point_vanishes(mode: str) -> None:
    for x in range(0, 300, 13):
        for y in range(0, 200, 11):
            assert split_mask(region_mask(Point(x, y), (200, 300)), settings(mode)).sum() >= 1


def test_enlarged_regions_have_no_holes() -> None:
    cells = split_mask(region_mask(Box(1, 1, 3, 3), (4, 4)), settings("stretch"))
    assert cells[4:12, 4:12].all()
    assert cells.sum() == 64


def test_a_region_of_the_right_size_stays_as_it_is() -> None:
    mask = region_mask(Point(3, 4), (16, 16))
    assert np.array_equal(split_mask(mask, settings("square")).numpy() > 0, mask)


def test_a_region_that_the_encoder_cuts_off_is_refused() -> None:
    mask = region_mask(Point(1, 5), (10, 40))
    with pytest.raises(
        ValueError, match="region 3: expected a region inside the central square that the model sees, got"
    ):
        split_mask(mask, settings("square"), index=3)


def test_published_boxes_end_at_the_inclusive_pixel() -> None:
    boxes = torch.tensor([[1.0, 2.0, 3.9, 4.0], [20.0, 1.0, 30.0, 2.0], [4.0, 1.0, 2.0, 3.0]])
    masks = published_box_masks(boxes, HW)
    assert masks[0, 2:5, 1:4].all()
    assert masks.sum((1, 2)).tolist() == [9, 2, 0]
    assert published_box_masks(torch.zeros(0, 4), HW).shape == (0, *HW)


def test_published_masks_count_any_positive_value_and_may_vanish() -> None:
    masks = np.zeros((2, 4, 4), bool)
    masks[0, 1, 1] = True
    masks[1, 0, 0] = True
    assert published_split_masks(masks, 8)[0].sum() == 16
    large = np.zeros((1, 40, 40), bool)
    large[0, 0, 0] = True
    assert published_split_masks(large, 4).sum() == 0


def test_published_example_regions_keep_grey_values() -> None:
    mask = Image.new("L", (4, 2), 51)
    region = published_example_region(mask, 4)
    torch.testing.assert_close(region[:, 0], torch.tensor([0.0, 0.2, 0.2, 0.0]))


def test_strokes_are_cut_off_at_the_border() -> None:
    mask = stroke_mask([(-5.0, 2.0), (20.0, 2.0)], 6, HW)
    assert mask[2].all()
    assert mask.shape == HW


def test_regions_are_seen_the_way_of_the_picture_or_the_published_way() -> None:
    config, box = settings("pad"), Box(2, 1, 4, 3)
    assert torch.equal(seen_region(box, HW, config), split_mask(region_mask(box, HW), config))
    corners = torch.tensor([[4.0, 1 * 16 / 6, 8.0, 3 * 16 / 6]])
    assert torch.equal(seen_region(box, HW, config, published=True), published_box_masks(corners, (16, 16))[0])
    mask = Mask(region_mask(box, HW))
    assert torch.equal(seen_region(mask, HW, config, published=True), published_split_masks(mask.pixels[None], 16)[0])
    grey = Image.fromarray(mask.pixels.astype(np.uint8) * 255)
    example = seen_region(box, HW, config, published=True, example=True)
    assert torch.equal(example, published_example_region(grey, 16))
    assert not torch.equal(example, seen_region(mask, HW, config, published=True))


def test_a_region_that_the_published_way_loses_is_refused() -> None:
    with pytest.raises(ValueError, match="region 3: expected a region that is still there when the picture is 4×4"):
        seen_region(Point(1, 1), (64, 64), settings("tiles", 4), published=True, index=3)
    with pytest.raises(ValueError, match="region 0: expected a point inside the 8×6 picture"):
        seen_region(Point(9, 1), HW, settings("tiles"), published=True)
