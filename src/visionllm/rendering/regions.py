"""The regions of a question drawn on its picture."""

from collections.abc import Sequence

import numpy as np
from PIL import Image

from visionllm.rendering.canvas import Canvas
from visionllm.rendering.palette import REGION_COLOUR
from visionllm.types import Box, Mask, Point, Polygon, Region, Scribble


def draw_regions(image: Image.Image, regions: Sequence[Region], *, scale: int | None = None) -> Image.Image:
    """Draw the regions of a question, numbered as R1, R2, … in their order.

    Args:
        image: The picture that the regions belong to; it is not changed.
        regions: What was pointed at.
        scale: How many times the picture is enlarged; None makes small pictures legible.

    Raises:
        ValueError: If the scale is not positive.
    """
    canvas = Canvas(image, scale)
    paint_regions(canvas, regions)
    return canvas.image


def paint_regions(canvas: Canvas, regions: Sequence[Region], names: Sequence[str] = ()) -> None:
    """Draw regions on a canvas, then their names: those given, or R1, R2 and so on."""
    for region in regions:
        _paint_region(canvas, region)
    for name, region in zip(names or [f"R{n + 1}" for n in range(len(regions))], regions, strict=True):
        canvas.chip((name,), _bounds(region), REGION_COLOUR)


def _paint_region(canvas: Canvas, region: Region) -> None:
    match region:
        case Box(x0, y0, x1, y1):
            canvas.box((x0, y0, x1, y1), REGION_COLOUR)
        case Point(x, y):
            canvas.dot((x, y), REGION_COLOUR)
        case Scribble(points, width):
            canvas.path(points, REGION_COLOUR, max(width, canvas.line / canvas.scale))
        case Polygon(points):
            canvas.path([*points, points[0]], REGION_COLOUR, canvas.line / canvas.scale)
        case Mask(pixels):
            canvas.mask(pixels, REGION_COLOUR)


def _bounds(region: Region) -> tuple[float, float, float, float]:
    match region:
        case Box(x0, y0, x1, y1):
            return x0, y0, x1, y1
        case Point(x, y):
            return x - 1, y - 1, x + 2, y + 2
        case Mask(pixels):
            rows, columns = np.flatnonzero(pixels.any(axis=1)), np.flatnonzero(pixels.any(axis=0))
            if not len(rows):
                return 0, 0, 0, 0
            return float(columns[0]), float(rows[0]), float(columns[-1] + 1), float(rows[-1] + 1)
        case Scribble(points) | Polygon(points):
            across, down = zip(*points, strict=True)
            return min(across), min(down), max(across) + 1, max(down) + 1
