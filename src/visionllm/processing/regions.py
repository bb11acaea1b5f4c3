"""Regions → masks at the picture's size, and at the size of the split that the region encoder reads."""

from collections.abc import Sequence
from math import ceil, floor

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from torch import Tensor
from torch.nn import functional

from visionllm.processing.tiles import VisionImageConfig
from visionllm.types import Box, Mask, Point, Polygon, Region, Scribble

BoolMask = NDArray[np.bool_]


def region_mask(region: Region, size_hw: tuple[int, int], *, index: int = 0) -> BoolMask:
    """Draw a region on its picture.

    Args:
        region: In pixels of the picture. A box covers every pixel that it touches, a polygon its outline too.
        size_hw: (height, width) of the picture.
        index: Number of the region among those of the request, for messages.

    Returns:
        bool[H, W]. True inside the region; never empty.

    Raises:
        ValueError: If it is no region, leaves the picture, is empty, has too few points, or is a mask of another size.
    """
    if not isinstance(region, Region):
        raise ValueError(f"region {index}: expected a box, point, scribble, polygon or mask, got {region!r}")
    if isinstance(region, Mask):
        return _checked_mask(region, size_hw, index)
    if isinstance(region, Box):
        return _box_mask(region, size_hw, index)
    if isinstance(region, Point):
        return _point_mask(region, size_hw, index)
    return _drawn_mask(region, size_hw, index)


def _checked_mask(region: Mask, size_hw: tuple[int, int], index: int) -> BoolMask:
    pixels = np.asarray(region.pixels)
    if pixels.shape != size_hw:
        raise ValueError(f"region {index}: expected a mask of the picture's size {size_hw}, got {pixels.shape}")
    if pixels.dtype != np.bool_:
        raise ValueError(f"region {index}: expected a bool mask, got {pixels.dtype}")
    if not pixels.any():
        raise ValueError(f"region {index}: expected a mask with pixels inside, got an empty one")
    return pixels


def _box_mask(region: Box, size_hw: tuple[int, int], index: int) -> BoolMask:
    height, width = size_hw
    x0, y0, x1, y1 = region.x0, region.y0, region.x1, region.y1
    if not (x0 < x1 and y0 < y1):
        raise ValueError(
            f"region {index}: expected a box with x0 < x1 and y0 < y1, got ({x0:g}, {y0:g}, {x1:g}, {y1:g})"
        )
    if not (x0 >= 0 and y0 >= 0 and x1 <= width and y1 <= height):
        raise ValueError(
            f"region {index}: expected a box inside the {width}×{height} picture, got ({x0:g}, {y0:g}, {x1:g}, {y1:g})"
        )
    mask = np.zeros(size_hw, dtype=np.bool_)
    mask[floor(y0) : ceil(y1), floor(x0) : ceil(x1)] = True
    return mask


def _point_mask(region: Point, size_hw: tuple[int, int], index: int) -> BoolMask:
    height, width = size_hw
    if not (0 <= region.x < width and 0 <= region.y < height):
        raise ValueError(
            f"region {index}: expected a point inside the {width}×{height} picture, got ({region.x:g}, {region.y:g})"
        )
    mask = np.zeros(size_hw, dtype=np.bool_)
    mask[int(region.y), int(region.x)] = True
    return mask


def _drawn_mask(region: Scribble | Polygon, size_hw: tuple[int, int], index: int) -> BoolMask:
    height, width = size_hw
    name, least = ("scribble", 2) if isinstance(region, Scribble) else ("polygon", 3)
    if len(region.points) < least:
        raise ValueError(f"region {index}: expected a {name} of at least {least} points, got {len(region.points)}")
    for x, y in region.points:
        if not (0 <= x <= width and 0 <= y <= height):
            raise ValueError(
                f"region {index}: expected a {name} inside the {width}×{height} picture, got the point ({x:g}, {y:g})"
            )
    points = [(min(float(x), width - 1.0), min(float(y), height - 1.0)) for x, y in region.points]
    if isinstance(region, Scribble):
        if region.width < 1:
            raise ValueError(f"region {index}: expected a scribble at least 1 pixel wide, got {region.width}")
        return stroke_mask(points, region.width, size_hw)
    canvas = Image.new("1", (width, height))
    ImageDraw.Draw(canvas).polygon(points, fill=1, outline=1)
    return np.array(canvas, dtype=np.bool_)


def stroke_mask(points: Sequence[tuple[float, float]], width: int, size_hw: tuple[int, int]) -> BoolMask:
    """Draw a polyline with round joints, as the published prompt sampler does; pixels outside the canvas are cut off.

    Args:
        points: (x, y) pairs in pixels.
        width: Width of the brush in pixels.
        size_hw: (height, width) of the canvas.

    Returns:
        bool[H, W].
    """
    canvas = Image.new("1", (size_hw[1], size_hw[0]))
    draw = ImageDraw.Draw(canvas)
    draw.line(list(points), fill=1, width=width)
    radius = width // 2 - 1
    for x, y in points if radius >= 0 else ():
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=1)
    return np.array(canvas, dtype=np.bool_)


def split_mask(mask: BoolMask, config: VisionImageConfig, *, index: int = 0) -> Tensor:
    """Bring a region mask to the split that shows the whole picture, in the way the picture itself got there.

    A cell is inside if its centre is, or if any pixel of the region falls into it: a single point never vanishes.

    Args:
        mask: bool[H, W] at the picture's size, not empty.
        config: How the vision encoder sees the picture.
        index: Number of the region, for messages.

    Returns:
        float[S, S]. 1 inside the region.

    Raises:
        ValueError: If the encoder cuts the region off (mode `square` shows the central square only).
    """
    height, width = mask.shape
    size = config.image_size
    if mask.shape == (size, size):
        return torch.from_numpy(mask.astype(np.float32))
    left = top = 0
    if config.mode in ("square", "pad"):
        side = min(mask.shape) if config.mode == "square" else max(mask.shape)
        left, top = int((width - side) / 2), int((height - side) / 2)
        height = width = side
    cells = np.zeros((size, size), dtype=np.bool_)
    y, x = np.nonzero(mask)
    row = np.floor((y + 0.5 - top) * size / height).astype(np.int64)
    column = np.floor((x + 0.5 - left) * size / width).astype(np.int64)
    seen = (row >= 0) & (row < size) & (column >= 0) & (column < size)
    cells[row[seen], column[seen]] = True
    centres = np.arange(size) + 0.5
    row, column = (np.floor(centres * e / size + o).astype(np.int64) for e, o in ((height, top), (width, left)))
    inside = np.ix_((row >= 0) & (row < mask.shape[0]), (column >= 0) & (column < mask.shape[1]))
    cells[inside] |= mask[row[inside[0][:, 0]]][:, column[inside[1][0]]]
    if not cells.any():
        raise ValueError(
            f"region {index}: expected a region inside the central square that the model sees, got one beside it"
        )
    return torch.from_numpy(cells).float()


def seen_region(
    region: Region,
    size_hw: tuple[int, int],
    config: VisionImageConfig,
    *,
    published: bool = False,
    example: bool = False,
    index: int = 0,
) -> Tensor:
    """Bring a region to the split that shows the whole picture.

    Args:
        region: In pixels of its picture.
        size_hw: (height, width) of the picture.
        config: How the vision encoder sees the picture.
        published: Bring it there as the published code does, whatever way the picture itself goes: stretched, and a box
            with its right and bottom border; an example's region on a square.
        example: Its picture is one of several, so an example of something.
        index: Number of the region, for messages.

    Returns:
        float[S, S]. 1 inside the region.

    Raises:
        ValueError: As `region_mask` and `split_mask`; or if the published way leaves nothing of a small region.
    """
    mask = region_mask(region, size_hw, index=index)
    if not published:
        return split_mask(mask, config, index=index)
    size = config.image_size
    if example:
        found = published_example_region(Image.fromarray(mask.astype(np.uint8) * 255), size)
    elif isinstance(region, Box):
        corners = torch.tensor([[region.x0, region.y0, region.x1, region.y1]])
        found = published_box_masks(corners / torch.tensor([*size_hw[::-1]] * 2) * size, (size, size))[0]
    else:
        found = published_split_masks(mask[None], size)[0]
    if not found.any():
        raise ValueError(
            f"region {index}: expected a region that is still there when the picture is {size}×{size} pixels, got a "
            "smaller one; mark more of the object"
        )
    return found


def published_box_masks(boxes: Tensor, size_hw: tuple[int, int]) -> Tensor:
    """Fill boxes as the published code does: coordinates clamped to the canvas, truncated, right and bottom inclusive.

    Args:
        boxes: float[N, 4]. (x0, y0, x1, y1) in pixels of the canvas.
        size_hw: (height, width) of the canvas.

    Returns:
        float[N, H, W]. A box beside the canvas becomes a line at its border; one with x1 < x0 stays empty.

    Source: VisionLLM v2's region masks; ours (`region_mask`) end at the exclusive corner.
    """
    height, width = size_hw
    x0, x1 = boxes[:, 0::2].clamp(0, width - 1).long().unbind(1)
    y0, y1 = boxes[:, 1::2].clamp(0, height - 1).long().unbind(1)
    x, y = torch.arange(width), torch.arange(height)
    columns = (x >= x0[:, None]) & (x <= x1[:, None])
    rows = (y >= y0[:, None]) & (y <= y1[:, None])
    return (rows[:, :, None] & columns[:, None, :]).float()


def published_split_masks(masks: BoolMask, image_size: int) -> Tensor:
    """Stretch masks to S×S as the published code does: bilinear without antialiasing, every value above 0 counts.

    Args:
        masks: bool[N, H, W].
        image_size: S.

    Returns:
        float[N, S, S]. A small region may vanish.
    """
    stretched = functional.interpolate(
        torch.from_numpy(masks)[:, None].float(), (image_size, image_size), mode="bilinear", align_corners=False
    )
    return (stretched[:, 0] > 0).float()


def published_example_region(mask: Image.Image, image_size: int) -> Tensor:
    """Prepare the marked region of an in-context example as the published code does: on a black square, nearest resize.

    Args:
        mask: Grey picture (mode `L`).
        image_size: S.

    Returns:
        float[S, S] in [0, 1]; grey values are kept.
    """
    side = max(mask.size)
    square = Image.new("L", (side, side))
    square.paste(mask, ((side - mask.width) // 2, (side - mask.height) // 2))
    resized = square.resize((image_size, image_size), Image.Resampling.NEAREST)
    return torch.from_numpy(np.array(resized)).float() / 255
