"""Ways of pointing at a part of a picture, in pixels of the original picture."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Box:
    """An axis-aligned box: corners in pixels; x1 and y1 are exclusive."""

    x0: float
    y0: float
    x1: float
    y1: float


@dataclass(frozen=True)
class Point:
    """One pixel, at column x and row y."""

    x: float
    y: float


@dataclass(frozen=True)
class Scribble:
    """A polyline drawn over the object.

    Attributes:
        points: (x, y) pairs in pixels, at least two.
        width: Line width in pixels.
    """

    points: tuple[tuple[float, float], ...]
    width: int = 3


@dataclass(frozen=True)
class Polygon:
    """A closed outline: (x, y) pairs in pixels, at least three."""

    points: tuple[tuple[float, float], ...]


@dataclass(frozen=True, eq=False)
class Mask:
    """A pixel mask: bool[H, W], the size of the original picture, True inside the region."""

    pixels: NDArray[np.bool_]


@dataclass(frozen=True)
class Found:
    """Something that an earlier answer of a conversation found; `Chat` puts its mask or box in this place.

    Attributes:
        number: As it is listed and drawn, from 1.
        turn: Number of the answer, from 1; None means the last one that found something.
    """

    number: int
    turn: int | None = None


Region = Box | Point | Scribble | Polygon | Mask
