"""Pointing at things, as people do: a box, a pixel, a scribble, an outline or a mask."""

import math

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from visionllm.data.world.scene import Scene, WorldThing
from visionllm.data.world.splits import Dice
from visionllm.types import Box, Mask, Point, Polygon, Region, Scribble

WAYS: tuple[str, ...] = ("box", "point", "scribble", "polygon", "mask")
WAY_WORDS: dict[str, str] = {
    "box": "in this box",
    "point": "at this point",
    "scribble": "under this scribble",
    "polygon": "in this outline",
    "mask": "in this mask",
}
_DEEPEST = 6
_CORNERS = 12

Bits = NDArray[np.bool_]


def region_on(thing: WorldThing, way: str, dice: Dice) -> Region:
    """Point at an object in one of `WAYS`."""
    return region_of_mask(thing.mask, thing.box, way, dice)


def region_on_nothing(scene: Scene, way: str, dice: Dice) -> Region | None:
    """Point at a place where no object is, or return None if none is found."""
    height, width = scene.size_hw
    taken = np.zeros(scene.size_hw, dtype=bool)
    for thing in scene.things:
        taken |= thing.mask
    for _ in range(30):
        box_width, box_height = (round(dice.uniform(0.14, 0.3) * min(height, width)) for _ in range(2))
        x0, y0 = dice.integer(0, width - box_width), dice.integer(0, height - box_height)
        x1, y1 = x0 + box_width, y0 + box_height
        if not taken[max(y0 - 2, 0) : y1 + 2, max(x0 - 2, 0) : x1 + 2].any():
            blob = Image.new("1", (width, height))
            ImageDraw.Draw(blob).ellipse((x0, y0, x1 - 1, y1 - 1), fill=1)
            return region_of_mask(np.asarray(blob, dtype=bool), (x0, y0, x1, y1), way, dice)
    return None


def region_of_mask(mask: Bits, box: tuple[int, int, int, int], way: str, dice: Dice) -> Region:
    """Point at the True part of a mask.

    Args:
        mask: bool[H, W] with at least one True pixel.
        box: (x0, y0, x1, y1) of the True part; x1 and y1 are exclusive.
        way: One of `WAYS`.
        dice: Random draws.

    Raises:
        ValueError: If the way is unknown.
    """
    x0, y0, x1, y1 = box
    if way == "mask":
        return Mask(mask)
    if way == "box":
        return _loose_box(box, mask.shape, dice)
    crop = mask[y0:y1, x0:x1]
    if way == "point":
        x, y = _inner_pixel(depth_inside(crop), dice)
        return Point(float(x0 + x), float(y0 + y))
    if way == "scribble":
        return Scribble(tuple((float(x0 + x), float(y0 + y)) for x, y in _inner_line(crop, dice)))
    if way == "polygon":
        return Polygon(_outline(crop, (x0, y0), mask.shape, dice))
    raise ValueError(f"expected one of the ways of pointing {', '.join(WAYS)}, got {way!r}")


def depth_inside(bits: Bits) -> NDArray[np.int8]:
    """Return int8[h, w]: how many one-pixel shells lie outside each True pixel (at most 6), 0 where False.

    >>> depth_inside(np.ones((3, 3), dtype=bool)).tolist()
    [[1, 1, 1], [1, 2, 1], [1, 1, 1]]
    """
    depth = bits.astype(np.int8)
    core = np.pad(bits, 1)
    for _ in range(_DEEPEST - 1):
        inner = core.copy()
        inner[1:-1, 1:-1] &= core[:-2, 1:-1] & core[2:, 1:-1] & core[1:-1, :-2] & core[1:-1, 2:]
        if not inner.any():
            break
        core = inner
        depth += core[1:-1, 1:-1]
    return depth


def _inner_pixel(depth: NDArray[np.int8], dice: Dice) -> tuple[int, int]:
    """Draw a pixel (x, y) that is not near the edge where the shape is thick enough."""
    rows, columns = np.nonzero(depth >= max(1, round(0.6 * int(depth.max()))))
    index = dice.integer(0, len(rows) - 1)
    return int(columns[index]), int(rows[index])


def _inner_line(crop: Bits, dice: Dice) -> list[tuple[int, int]]:
    """Draw two to five points (x, y) whose connecting lines stay inside the True part."""
    depth = depth_inside(crop)
    inside = depth >= min(2, int(depth.max()))
    line = [_inner_pixel(depth, dice)]
    goal = dice.integer(2, 5)
    rows, columns = np.nonzero(inside)
    for _ in range(12):
        index = dice.integer(0, len(rows) - 1)
        x, y = int(columns[index]), int(rows[index])
        steps = np.linspace(0.0, 1.0, 16)
        xs = np.rint(line[-1][0] + steps * (x - line[-1][0])).astype(int)
        ys = np.rint(line[-1][1] + steps * (y - line[-1][1])).astype(int)
        if (x, y) != line[-1] and inside[ys, xs].all():
            line.append((x, y))
        if len(line) == goal:
            break
    # A dot is a line of no length; it marks the pixel it was pressed on.
    return line if len(line) > 1 else [line[0], line[0]]


def _loose_box(box: tuple[int, int, int, int], shape: tuple[int, ...], dice: Dice) -> Box:
    x0, y0, x1, y1 = box
    slack_x, slack_y = 0.05 * (x1 - x0), 0.05 * (y1 - y0)
    return Box(
        max(0.0, round(x0 + dice.uniform(-slack_x, slack_x), 1)),
        max(0.0, round(y0 + dice.uniform(-slack_y, slack_y), 1)),
        min(float(shape[1]), round(x1 + dice.uniform(-slack_x, slack_x), 1)),
        min(float(shape[0]), round(y1 + dice.uniform(-slack_y, slack_y), 1)),
    )


def _outline(
    crop: Bits, corner: tuple[int, int], shape: tuple[int, ...], dice: Dice
) -> tuple[tuple[float, float], ...]:
    """Walk around the True part as seen from its middle, one vertex in each twelfth of a turn, a little unsteadily."""
    rows, columns = np.nonzero(crop)
    middle_x, middle_y = float(columns.mean()), float(rows.mean())
    across, down = columns - middle_x, rows - middle_y
    reach = np.hypot(across, down)
    sector = ((np.arctan2(down, across) + math.pi) / (2 * math.pi) * _CORNERS).astype(int) % _CORNERS
    vertices = []
    for index in range(_CORNERS):
        here = np.flatnonzero(sector == index)
        if len(here):
            far = here[np.argmax(reach[here])]
            stretch = dice.uniform(1.0, 1.08) + 0.7 / max(float(reach[far]), 1.0)
            vertices.append((middle_x + float(across[far]) * stretch, middle_y + float(down[far]) * stretch))
    if len(vertices) < 3:
        height, width = crop.shape
        vertices = [(0.0, 0.0), (float(width), 0.0), (float(width), float(height)), (0.0, float(height))]
    x0, y0 = corner
    return tuple((_within(x0 + x, shape[1]), _within(y0 + y, shape[0])) for x, y in vertices)


def _within(value: float, side: int) -> float:
    return round(min(max(value, 0.0), float(side)), 1)
