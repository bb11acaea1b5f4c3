"""What a user pointed at, as the browser says it, into regions of the picture."""

import json
import math
from collections.abc import Sequence
from typing import Any

from visionllm.processing.regions import region_mask
from visionllm.server.errors import ApiError
from visionllm.server.page.words import Told
from visionllm.types import Box, Instance, Point, Pose, Region, Scribble

MOST_MARKS, MOST_POINTS = 16, 4000


def regions_of(text: str, found: Sequence[Instance | Pose], size_hw: tuple[int, int]) -> tuple[Region, ...]:
    """Read marks.

    Args:
        text: JSON: a list of `{"kind": "point"|"box"|"scribble", "at": [numbers], "width": pixels}`, or
            `{"kind": "pick", "id": index}` for something that was found.
        found: What the picture shows, as picks count it.
        size_hw: (height, width) of the picture.

    Raises:
        Told: If it is anything else.
        ApiError: If a region is not on the picture or empty.
    """
    try:
        marks = json.loads(text or "[]")
    except (ValueError, RecursionError):
        marks = None
    if not isinstance(marks, list) or len(marks) > MOST_MARKS:
        raise Told(f"Mark at most {MOST_MARKS} places, then try again.")
    regions = tuple(_region(mark, found, size_hw) for mark in marks)
    for number, region in enumerate(regions):
        try:
            region_mask(region, size_hw, index=number)
        except ValueError as error:
            raise ApiError(400, str(error), code="invalid_region") from None
    return regions


def _region(mark: Any, found: Sequence[Instance | Pose], size_hw: tuple[int, int]) -> Region:
    kind = mark.get("kind") if isinstance(mark, dict) else None
    if kind == "pick":
        index = mark.get("id")
        if type(index) is not int or not 0 <= index < len(found):
            raise Told("What you picked is not in the picture any more. Pick it again.")
        return inside(found[index].region, size_hw)
    numbers = _numbers(mark.get("at") if isinstance(mark, dict) else None)
    if kind == "point" and len(numbers) == 2:
        return Point(*numbers)
    if kind == "box" and len(numbers) == 4:
        return Box(*numbers)
    if kind == "scribble" and len(numbers) >= 4 and len(numbers) % 2 == 0:
        width = mark.get("width", 3)
        if type(width) is not int or not 1 <= width <= 100:
            raise Told("A scribble is between 1 and 100 pixels wide.")
        return Scribble(tuple(zip(numbers[::2], numbers[1::2], strict=True)), width)
    raise Told("A point is two numbers, a box four, a scribble two for each of its points. Mark the place again.")


def _numbers(given: Any) -> list[float]:
    if not isinstance(given, list) or len(given) > 2 * MOST_POINTS:
        return []
    plain = [float(value) for value in given if type(value) in (int, float) and math.isfinite(value)]
    return plain if len(plain) == len(given) else []


def inside(region: Region, size_hw: tuple[int, int]) -> Region:
    """Cut a box that was found at the border of its picture; what a user draws is never changed."""
    if not isinstance(region, Box):
        return region
    height, width = size_hw
    return Box(max(region.x0, 0.0), max(region.y0, 0.0), min(region.x1, width), min(region.y1, height))
