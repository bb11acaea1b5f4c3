"""Paints a body on a patch: pieces from far to near, and which joints stay in sight."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from visionllm.data.world.figures.body import Body, Piece, View
from visionllm.data.world.palette import Shade, mixed
from visionllm.data.world.pens import SCALE
from visionllm.data.world.splits import Dice

_MARGIN = 3
_RIM = 0.7
_DARKEST = 0.34
_BLACK: Shade = (20, 16, 22)

Disc = tuple[float, float, float]
Row = list[Disc]


@dataclass(frozen=True, kw_only=True, eq=False)
class FigureLayers:
    """A painted figure, images of one size at twice the canvas resolution.

    Attributes:
        size_hw: (height, width) in whole canvas pixels.
        colours: RGB.
        silhouette: Greyscale: the whole region, what the figure covers.
        keypoints: float[P, 2]. (x, y) of each joint in canvas pixels, from the patch's corner.
        in_sight: bool[P]. False for joints that the body itself hides.
    """

    size_hw: tuple[int, int]
    colours: Image.Image
    silhouette: Image.Image
    keypoints: NDArray[np.float64]
    in_sight: NDArray[np.bool_]


def _snapped(value: float) -> float:
    """Round, so that a picture does not depend on the last bit of a sine."""
    return round(value * 64) / 64


def draw_body(
    dice: Dice, body: Body, names: Sequence[str], view: View, height: float, *, by_hand: bool = False
) -> FigureLayers:
    """Paint a body.

    Args:
        dice: Draws of an unsteady hand.
        body: What to paint.
        names: The joints that are wanted.
        view: From where it is seen.
        height: Extent of the longer side of its picture, in canvas pixels.
        by_hand: Whether limbs are quick wobbly lines.
    """
    rows = [[[(*view.project(spot), radius) for spot, radius in row] for row in piece.chains] for piece in body.pieces]
    discs = [disc for piece in rows for row in piece for disc in row]
    left, right = min(x - r for x, _, _, r in discs), max(x + r for x, _, _, r in discs)
    top, bottom = min(y - r for _, y, _, r in discs), max(y + r for _, y, _, r in discs)
    zoom = SCALE * height / max(right - left, bottom - top)
    width_px, height_px = (
        math.ceil((high - low) * zoom / SCALE) + 2 * _MARGIN for low, high in ((left, right), (top, bottom))
    )

    def place(x: float, y: float) -> tuple[float, float]:
        return _snapped((x - left) * zoom) + _MARGIN * SCALE, _snapped((y - top) * zoom) + _MARGIN * SCALE

    size = (width_px * SCALE, height_px * SCALE)
    brush = _Brush(dice, size, zoom, by_hand=by_hand)
    order = sorted(range(len(rows)), key=lambda i: _nearness(rows[i]) + body.pieces[i].nearer)
    for index in order:
        placed = [[(*place(x, y), r * zoom) for x, y, _, r in row] for row in rows[index]]
        brush.paint(body.pieces[index], placed, _nearness(rows[index]), index + 1)
    spots = [view.project(body.joints[name]) for name in names]
    corners = np.array([place(x, y) for x, y, _ in spots]).reshape(-1, 2)
    owners = [{i + 1 for i, piece in enumerate(body.pieces) if name in piece.joints} for name in names]
    numbers = np.asarray(brush.numbers)
    return FigureLayers(
        size_hw=(height_px, width_px),
        colours=brush.colours,
        silhouette=brush.numbers.point([0] + [255] * 255),
        keypoints=corners / SCALE,
        in_sight=np.array([_seen(numbers, x, y, own) for (x, y), own in zip(corners, owners, strict=True)], dtype=bool),
    )


def _nearness(rows: Sequence[Sequence[tuple[float, float, float, float]]]) -> float:
    discs = [near for row in rows for _, _, near, _ in row]
    return sum(discs) / len(discs)


def _seen(numbers: NDArray[np.uint8], x: float, y: float, own: set[int]) -> bool:
    """Tell whether one of its own pieces is on top at a joint or right beside it."""
    column, row = int(x), int(y)
    around = numbers[max(row - 1, 0) : row + 2, max(column - 1, 0) : column + 2]
    return bool(own & set(around.ravel().tolist()))


class _Brush:
    """Colours and piece numbers of a patch while it is painted."""

    def __init__(self, dice: Dice, size: tuple[int, int], zoom: float, *, by_hand: bool) -> None:
        self.colours = Image.new("RGB", size, (255, 255, 255))
        self.numbers = Image.new("L", size)
        self._draws = ImageDraw.Draw(self.colours), ImageDraw.Draw(self.numbers)
        self._dice, self._zoom, self._by_hand = dice, zoom, by_hand

    def paint(self, piece: Piece, rows: list[Row], nearness: float, number: int) -> None:
        """Paint one piece: its dark edge, then its colours; what is far is darker."""
        far = min(max(-nearness * 1.6 - 0.08, 0.0), _DARKEST)
        if self._by_hand:
            rows = [self._wobbled(row, piece) for row in rows]
        rim = SCALE * _RIM if piece.rimmed else 0.0
        if rim:
            for row, shade in zip(rows, piece.shade, strict=True):
                self._fill(row, mixed(mixed(shade, _BLACK, 0.5), _BLACK, far / 2), number, rim)
        for row, shade in zip(rows, piece.shade, strict=True):
            self._fill(row, mixed(shade, _BLACK, far), number, 0.0)

    def _wobbled(self, row: Row, piece: Piece) -> Row:
        """Bend a row as an unsteady hand does; limbs become lines of the pen."""
        reach, found = 0.011 * self._zoom, []
        for i, (x, y, r) in enumerate(row):
            before = row[max(i - 1, 0)]
            for share in (0.4, 0.75, 1.0) if i else (1.0,):
                across, down = (self._dice.uniform(-reach, reach) if share < 1 else 0.0 for _ in range(2))
                at_x, at_y = before[0] + (x - before[0]) * share + across, before[1] + (y - before[1]) * share + down
                thick = (before[2] + (r - before[2]) * share) * self._dice.uniform(0.92, 1.08)
                found.append((_snapped(at_x), _snapped(at_y), max(0.42 * thick, 0.8 * SCALE) if piece.limb else thick))
        return found

    def _fill(self, row: Row, shade: Shade, number: int, more: float) -> None:
        colours, numbers = self._draws
        for i, (x, y, r) in enumerate(row):
            r = max(r, 0.35 * SCALE) + more
            box = (x - r, y - r, x + r, y + r)
            colours.ellipse(box, fill=shade)
            numbers.ellipse(box, fill=number)
            if i:
                quad = _quad(row[i - 1], row[i], more)
                if quad is not None:
                    colours.polygon(quad, fill=shade)
                    numbers.polygon(quad, fill=number)


def _quad(first: Disc, second: Disc, more: float) -> list[float] | None:
    """Return the corners of the piece between two discs, or None if one hides it."""
    x, y = second[0] - first[0], second[1] - first[1]
    length = math.hypot(x, y)
    if length < 0.5:
        return None
    side_x, side_y = -y / length, x / length
    one, two = max(first[2], 0.35 * SCALE) + more, max(second[2], 0.35 * SCALE) + more
    corners = (
        (first[0] + side_x * one, first[1] + side_y * one),
        (second[0] + side_x * two, second[1] + side_y * two),
        (second[0] - side_x * two, second[1] - side_y * two),
        (first[0] - side_x * one, first[1] - side_y * one),
    )
    return [_snapped(value) for corner in corners for value in corner]
