"""Two ways to put an object on paper: a clean vector pen, and a hand with a mouse.

A pen turns a plan (kind, fill, place) into layers on a small patch at twice the canvas resolution.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageChops, ImageDraw

from visionllm.data.world.kinds import Contour, Template, template
from visionllm.data.world.splits import Dice

SCALE = 2
Points = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Layers:
    """The layers of one object, greyscale images of one size at twice the canvas resolution.

    Attributes:
        origin: (x, y) of the patch's corner in canvas pixels.
        silhouette: The whole region, what the object covers.
        ink: Where the object's own shade goes.
        rim: Where a darker tone of the shade goes: the edge of a clean solid object.
    """

    origin: tuple[int, int]
    silhouette: Image.Image
    ink: Image.Image
    rim: Image.Image | None


@dataclass(frozen=True, kw_only=True)
class Pose:
    """Where a silhouette goes: centre and radius in canvas pixels, clockwise angle in degrees, and its mirroring."""

    centre: tuple[float, float]
    radius: float
    angle: float
    mirrored: bool


class _Patch:
    """Drawing surface of one object: places template points on a patch of the canvas."""

    def __init__(self, dice: Dice, pose: Pose, *, by_hand: bool) -> None:
        reach = pose.radius * (1.3 if by_hand else 1.02) + 2
        self.origin = (math.floor(pose.centre[0] - reach), math.floor(pose.centre[1] - reach))
        side = SCALE * (2 * math.ceil(reach) + 1)
        self.size = (side, side)
        self.radius = pose.radius * SCALE
        self.thickness = 0.0
        turn, skew = math.radians(pose.angle), math.radians(dice.uniform(0, 180))
        stretch = dice.uniform(0.84, 1.0) if by_hand else dice.uniform(0.93, 1.0)
        cos, sin = math.cos(skew), math.sin(skew)
        squeeze = (cos * cos + stretch * sin * sin, (1 - stretch) * cos * sin, sin * sin + stretch * cos * cos)
        flip = -1.0 if pose.mirrored else 1.0
        cos, sin = math.cos(turn) * self.radius, math.sin(turn) * self.radius
        self._x = (flip * (cos * squeeze[0] - sin * squeeze[1]), cos * squeeze[1] - sin * squeeze[2])
        self._y = (flip * (sin * squeeze[0] + cos * squeeze[1]), sin * squeeze[1] + cos * squeeze[2])
        self._shift = tuple((pose.centre[axis] - self.origin[axis]) * SCALE for axis in (0, 1))

    def place(self, points: Points) -> Points:
        """Move template points to patch pixels."""
        x, y = points[:, 0], points[:, 1]
        return np.stack(
            [
                self._x[0] * x + self._x[1] * y + self._shift[0],
                self._y[0] * x + self._y[1] * y + self._shift[1],
            ],
            axis=1,
        )

    def blank(self) -> tuple[Image.Image, ImageDraw.ImageDraw]:
        image = Image.new("L", self.size)
        return image, ImageDraw.Draw(image)


def _fill(draw: ImageDraw.ImageDraw, points: Points, value: int = 255) -> None:
    draw.polygon(points.ravel().tolist(), fill=value)


def _stroke(draw: ImageDraw.ImageDraw, points: Points, corners: NDArray[np.intp], width: float) -> None:
    """Draw a closed line; a dot on every corner fills the notch that two thick segments leave."""
    flat = points.ravel().tolist()
    draw.line(flat + flat[:2], fill=255, width=max(1, round(width)))
    half = width / 2
    for x, y in points[corners].tolist():
        draw.ellipse((x - half, y - half, x + half, y + half), fill=255)


def _stripes(draw: ImageDraw.ImageDraw, dice: Dice, patch: _Patch) -> None:
    pitch = max(5.2 * SCALE, dice.uniform(0.3, 0.42) * patch.radius)
    turn, middle, reach = math.radians(dice.uniform(0, 180)), patch.size[0] / 2, 1.4 * patch.radius
    cos, sin = math.cos(turn), math.sin(turn)
    offset = -reach + dice.uniform(0, pitch)
    width = max(2, round(pitch * dice.uniform(0.44, 0.54)))
    while offset < reach:
        x, y = middle + offset * -sin, middle + offset * cos
        draw.line((x - reach * cos, y - reach * sin, x + reach * cos, y + reach * sin), fill=255, width=width)
        offset += pitch


def _dots(draw: ImageDraw.ImageDraw, dice: Dice, patch: _Patch, *, jitter: float) -> None:
    pitch = max(5.4 * SCALE, dice.uniform(0.34, 0.44) * patch.radius)
    turn, middle = math.radians(dice.uniform(0, 90)), patch.size[0] / 2
    cos, sin = math.cos(turn) * pitch, math.sin(turn) * pitch
    size = pitch * dice.uniform(0.27, 0.31)
    count = math.ceil(1.1 * patch.radius / pitch) + 1
    for row in range(-count, count + 1):
        for column in range(-count, count + 1):
            along = column + 0.5 * (row & 1)
            x, y = middle + along * cos - row * sin, middle + along * sin + row * cos
            if jitter:
                x, y = x + pitch * dice.uniform(-jitter, jitter), y + pitch * dice.uniform(-jitter, jitter)
            draw.ellipse((x - size, y - size, x + size, y + size), fill=255)


def _line_width(dice: Dice, pose: Pose, fill: str) -> float:
    """Width of the edge in patch pixels: an outline object has nothing else, so its line is the thickest."""
    if fill == "outline":
        return SCALE * max(1.7, dice.uniform(0.09, 0.15) * pose.radius)
    return SCALE * max(1.2, dice.uniform(0.05, 0.08) * pose.radius)


def draw_clean(dice: Dice, kind: str, fill: str, pose: Pose) -> Layers:
    """Draw an object as a vector program would."""
    shape, patch = template(kind), _Patch(dice, pose, by_hand=False)
    contours = [(contour, patch.place(contour.points)) for contour in (shape.outer, *shape.holes)]
    silhouette, draw = patch.blank()
    for index, (_, points) in enumerate(contours):
        _fill(draw, points, 0 if index else 255)
    edge, pencil = patch.blank()
    width = 2 * _line_width(dice, pose, fill)
    for contour, points in contours:
        _stroke(pencil, points, contour.corners, width)
    details = [(contour, patch.place(contour.points)) for contour in shape.details] if pose.radius >= 9 else []
    if fill == "solid":
        ink = silhouette.copy()
        pencil = ImageDraw.Draw(ink)
        for _, points in details:
            _fill(pencil, points, 0)
        return Layers(origin=patch.origin, silhouette=silhouette, ink=ink, rim=ImageChops.darker(edge, silhouette))
    if fill == "striped":
        _stripes(pencil, dice, patch)
    elif fill == "dotted":
        _dots(pencil, dice, patch, jitter=0)
    else:
        for contour, points in details:
            _stroke(pencil, points, contour.corners, width / 3)
    return Layers(origin=patch.origin, silhouette=silhouette, ink=ImageChops.darker(edge, silhouette), rim=None)


def _wobbled(dice: Dice, patch: _Patch, contour: Contour, strength: float) -> Points:
    """Bend a contour by slow waves along it, as an unsteady hand does."""
    waves = contour.waves
    bend = np.zeros((contour.dense.shape[0], 2))
    for index in range(0, len(waves), 2):
        reach = strength / (1 + index / 4)
        for axis in (0, 1):
            one, two = dice.uniform(-reach, reach), dice.uniform(-reach, reach)
            bend[:, axis] += one * waves[index] + two * waves[index + 1]
    return patch.place(contour.dense + bend)


def _trace(draw: ImageDraw.ImageDraw, dice: Dice, points: Points, width: float, *, gaps: bool) -> None:
    """Follow a line with a pen that presses unevenly and now and then leaves the paper."""
    count = len(points)
    line = points.tolist()
    start = dice.integer(0, count - 1)
    position, end = 0, count + dice.integer(0, 3)
    while position < end:
        run = dice.integer(3, 9)
        pressed = width * dice.uniform(0.75, 1.3)
        piece = [tuple(line[(start + step) % count]) for step in range(position, min(position + run, end) + 1)]
        draw.line(piece, fill=255, width=max(2, round(pressed)))
        half = pressed / 2
        for x, y in (piece[0], piece[-1]):
            draw.ellipse((x - half, y - half, x + half, y + half), fill=255)
        position += run + (dice.integer(1, 2) if gaps and dice.chance(0.14) else 0)


def _scribble(draw: ImageDraw.ImageDraw, dice: Dice, patch: _Patch) -> None:
    """Fill by one zigzag line that leaves slivers of paper here and there."""
    pitch = max(2.0 * SCALE, dice.uniform(0.11, 0.17) * patch.radius)
    turn, middle, reach = math.radians(dice.uniform(0, 180)), patch.size[0] / 2, 1.25 * patch.radius
    cos, sin = math.cos(turn), math.sin(turn)
    path, offset, side = [], -reach, 1.0
    while offset < reach:
        along = side * reach * dice.uniform(0.92, 1.05)
        path.append((middle + along * cos - offset * sin, middle + along * sin + offset * cos))
        offset, side = offset + pitch * dice.uniform(0.7, 1.25), -side
    draw.line(path, fill=255, width=max(2, round(pitch * dice.uniform(1.05, 1.35))))


def _fill_by_hand(dice: Dice, patch: _Patch, fill: str, region: Image.Image) -> Image.Image:
    ink, pencil = patch.blank()
    if fill == "solid":
        if dice.chance(0.4):
            return region
        _scribble(pencil, dice, patch)
    elif fill == "striped":
        _stripes(pencil, dice, patch)
    elif fill == "dotted":
        _dots(pencil, dice, patch, jitter=0.12)
    return ImageChops.darker(ink, region)


def draw_by_hand(dice: Dice, kind: str, fill: str, pose: Pose) -> Layers:
    """Draw an object as a person does with a mouse: wobbly, gaps in the line, uneven filling."""
    shape: Template = template(kind)
    patch = _Patch(dice, pose, by_hand=True)
    strength = dice.uniform(0.012, 0.035)
    contours = [_wobbled(dice, patch, contour, strength) for contour in (shape.outer, *shape.holes)]
    region, draw = patch.blank()
    for index, points in enumerate(contours):
        _fill(draw, points, 0 if index else 255)
    filled = _fill_by_hand(dice, patch, fill, region)
    line, pencil = patch.blank()
    width = (0.6 if fill == "solid" else 0.8) * _line_width(dice, pose, fill) * dice.uniform(0.85, 1.25)
    gaps = dice.chance(0.6)
    for points in contours:
        _trace(pencil, dice, points, width, gaps=gaps)
    if pose.radius >= 9 and fill in ("solid", "outline"):
        marks, marker = patch.blank()
        for contour in shape.details:
            points = _wobbled(dice, patch, contour, strength)
            _fill(marker, points) if fill == "solid" else _trace(pencil, dice, points, 0.7 * width, gaps=False)
        filled = ImageChops.subtract(filled, marks)
    return Layers(
        origin=patch.origin,
        silhouette=ImageChops.lighter(region, line),
        ink=ImageChops.lighter(filled, line),
        rim=None,
    )


def draw_layers(dice: Dice, pen: str, kind: str, fill: str, pose: Pose) -> Layers:
    """Draw one object with a pen.

    Args:
        dice: Random stream of the picture.
        pen: One of `PENS`.
        kind: One of `KINDS`.
        fill: One of `FILLS`.
        pose: Where it goes.
    """
    return draw_clean(dice, kind, fill, pose) if pen == "clean" else draw_by_hand(dice, kind, fill, pose)
