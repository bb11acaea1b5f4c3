"""A picture to draw on: small ones are enlarged first, so that lines are crisp and words can be read."""

from collections.abc import Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageChops, ImageDraw, ImageFilter, ImageFont

from visionllm.rendering.palette import PAPER, Colour, text_colour

Rect = tuple[float, float, float, float]

LONG_SIDE = 560
LARGEST_SCALE = 4
_CASING = 205


@cache
def font(size: int) -> ImageFont.FreeTypeFont:
    """Return Pillow's own typeface at a size in pixels."""
    loaded = ImageFont.load_default(size)
    if not isinstance(loaded, ImageFont.FreeTypeFont):
        raise ImportError("drawing words needs a Pillow with FreeType support; reinstall it with pip")
    return loaded


def fitting_scale(size: tuple[int, int]) -> int:
    """Return how many times a (width, height) picture is enlarged to be legible.

    >>> fitting_scale((128, 128)), fitting_scale((224, 180)), fitting_scale((1200, 800))
    (4, 2, 1)
    """
    return max(1, min(LARGEST_SCALE, round(LONG_SIDE / max(size))))


class Canvas:
    """An enlarged copy of a picture; everything is drawn in pixels of the original.

    Attributes:
        image: The drawing so far, RGB.
        scale: Pixels of the drawing per pixel of the original.
        line: Width of lines, in pixels of the drawing.
        text: Height of words, in pixels of the drawing.
    """

    def __init__(self, image: Image.Image, scale: int | None = None) -> None:
        """Enlarge a copy of `image`; `scale` None chooses what is legible.

        Raises:
            ValueError: If the scale is not positive.
        """
        if scale is not None and scale < 1:
            raise ValueError(f"expected a scale of at least 1, got {scale}")
        self.scale = scale or fitting_scale(image.size)
        width, height = image.width * self.scale, image.height * self.scale
        self.image = image.convert("RGB").resize((width, height), Image.Resampling.BICUBIC)
        self.line = max(2, round(min(width, height) / 200))
        self.text = max(13, round(max(width, height) / 40))
        self._chips: list[Rect] = []

    def mask(self, pixels: NDArray[np.bool_], colour: Colour, opacity: float = 0.15) -> None:
        """Tint bool[H, W] of the original and trace its outline."""
        rows, columns = np.flatnonzero(pixels.any(axis=1)), np.flatnonzero(pixels.any(axis=0))
        if not len(rows):
            return
        left, top = max(int(columns[0]) - 2, 0), max(int(rows[0]) - 2, 0)
        part = pixels[top : int(rows[-1]) + 3, left : int(columns[-1]) + 3]
        size = (part.shape[1] * self.scale, part.shape[0] * self.scale)
        place = (left * self.scale, top * self.scale)
        soft = Image.fromarray(part.astype(np.uint8) * 255).resize(size, Image.Resampling.BICUBIC)
        # A steeper ramp than the enlargement's leaves an edge of about one pixel.
        inside = soft.point([max(0, min(255, round((v - 128) * self.scale + 128))) for v in range(256)])
        self._stamp(inside.point([round(v * opacity) for v in range(256)]), colour, place)
        for width, tone, strength in ((self.line + 1, PAPER, _CASING), (self.line, colour, 255)):
            grown = inside.filter(ImageFilter.MaxFilter(2 * (width // 2) + 1))
            reach = (width - 1) // 2  # a filter of one pixel changes nothing, and some versions of Pillow die of it
            shrunk = inside.filter(ImageFilter.MinFilter(2 * reach + 1)) if reach else inside
            edge = ImageChops.subtract(grown, shrunk)
            self._stamp(edge.point([v * strength // 255 for v in range(256)]), tone, place)

    def box(self, box: Rect, colour: Colour) -> None:
        """Draw the outline of (x0, y0, x1, y1), x1 and y1 exclusive."""
        x0, y0, x1, y1 = self._corners(box)
        pen = ImageDraw.Draw(self.image)
        for margin, tone, width in ((1, PAPER, self.line + 2), (0, colour, self.line)):
            rect = (x0 - margin, y0 - margin, max(x1 - 1 + margin, x0), max(y1 - 1 + margin, y0))
            pen.rectangle(rect, outline=tone, width=width)

    def path(self, points: Sequence[tuple[float, float]], colour: Colour, width: float) -> None:
        """Draw a line through points, `width` pixels of the original wide, with round ends."""
        line = [((x + 0.5) * self.scale, (y + 0.5) * self.scale) for x, y in points]
        for extra, tone in ((2.0, PAPER), (0.0, colour)):
            self._stroke(line, width * self.scale + extra, tone)

    def dot(self, point: tuple[float, float], colour: Colour) -> None:
        """Draw a disc centred on one pixel of the original, in a ring."""
        self.path([point], colour, 6 * self.line / self.scale)
        self.path([point], PAPER, 3 * self.line / self.scale)
        self.path([point], colour, 1.5 * self.line / self.scale)

    def chip(self, words: Sequence[str], beside: Rect, colour: Colour) -> None:
        """Write the first of `words` that finds room beside a box, away from the chips before it; else the last one."""
        box = self._corners(beside)
        spots = [(spot, text) for text in words for spot in self._spots(text, box)]
        costs = [self._crowding(spot) for spot, _ in spots]
        best = next((i for i, cost in enumerate(costs) if cost < 0.05), int(np.argmin(costs)))
        rect, text = spots[best]
        self._chips.append(rect)
        pen = ImageDraw.Draw(self.image)
        pen.rounded_rectangle(rect, radius=3, fill=colour, outline=PAPER)
        middle = ((rect[0] + rect[2]) / 2, (rect[1] + rect[3]) / 2)
        pen.text(middle, text, font=font(self.text), fill=text_colour(colour), anchor="mm")

    def _corners(self, box: Rect) -> tuple[int, int, int, int]:
        x0, y0, x1, y1 = (round(side * self.scale) for side in box)
        return x0, y0, x1, y1

    def _spots(self, text: str, box: tuple[int, int, int, int]) -> list[Rect]:
        """Places for a chip: above the box, below it, inside its top, then at its right and left; all on the canvas."""
        width = font(self.text).getlength(text) + 10
        height = self.text + 6
        x0, y0, x1, y1 = box
        corners = [
            (x0, y0 - height - 1),
            (x0, y1 + 1),
            (x1 - width, y0 - height - 1),
            (x1 - width, y1 + 1),
            (x0, y0),
            (x1 + 1, y0),
            (x0 - width - 1, y0),
        ]
        limit_x, limit_y = self.image.width - width - 1, self.image.height - height - 1
        placed = [(max(0.0, min(x, limit_x)), max(0.0, min(y, limit_y))) for x, y in corners]
        return [(x, y, x + width, y + height) for x, y in placed]

    def _crowding(self, rect: Rect) -> float:
        """Share of a chip that earlier chips cover."""
        area = (rect[2] - rect[0]) * (rect[3] - rect[1])
        covered = 0.0
        for other in self._chips:
            width = min(rect[2], other[2]) - max(rect[0], other[0])
            height = min(rect[3], other[3]) - max(rect[1], other[1])
            covered += max(width, 0) * max(height, 0)
        return covered / area

    def _stamp(self, opacity: Image.Image, colour: Colour, place: tuple[int, int]) -> None:
        self.image.paste(colour, (*place, place[0] + opacity.width, place[1] + opacity.height), opacity)

    def _stroke(self, line: Sequence[tuple[float, float]], width: float, colour: Colour) -> None:
        """Draw a line without jagged edges: on a sheet twice as large, which is reduced before it is stamped."""
        zoom, margin = 2, round(width) + 2
        left, top = round(min(x for x, _ in line)) - margin, round(min(y for _, y in line)) - margin
        right, bottom = round(max(x for x, _ in line)) + margin, round(max(y for _, y in line)) + margin
        sheet = Image.new("L", ((right - left) * zoom, (bottom - top) * zoom))
        pen = ImageDraw.Draw(sheet)
        joints = [((x - left) * zoom, (y - top) * zoom) for x, y in line]
        radius = width * zoom / 2
        pen.line(joints, fill=255, width=round(2 * radius), joint="curve")
        for x, y in joints:
            pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=255)
        self._stamp(sheet.reduce(zoom), colour, (left, top))
