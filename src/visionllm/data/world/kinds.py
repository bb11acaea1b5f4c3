"""Silhouettes of the twenty kinds: one closed contour each, with holes and inner details where a kind has them.

Templates are drawn upright in a plane with y pointing down and are fitted into the unit circle, so that the size of an
object means the same for every kind. Coordinates are rounded: a picture must not depend on the last bit of a sine.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from visionllm.data.world.scene import KINDS

Points = NDArray[np.float64]
Path = list[tuple[float, float]]
_WAVES = (1, 2, 3, 5, 8)
_STEP = 0.09


@dataclass(frozen=True, kw_only=True, eq=False)
class Contour:
    """One closed line.

    Attributes:
        points: float[N, 2]. Vertices in the unit circle, the last joined to the first.
        corners: int[C]. Vertices where the line turns sharply.
        dense: float[M, 2]. The same line with a vertex at least every twelfth of the radius.
        waves: float[2 * len(_WAVES), M]. Sines and cosines along the line that a wobbly hand is mixed from.
    """

    points: Points
    corners: NDArray[np.intp]
    dense: Points
    waves: NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class Template:
    """The drawing of one kind: its outer line, the holes in it, and shapes drawn inside."""

    outer: Contour
    holes: tuple[Contour, ...]
    details: tuple[Contour, ...]


def _arc(cx: float, cy: float, radius: float, start: float, end: float, count: int, *, ry: float | None = None) -> Path:
    """Points of an arc from angle `start` to `end` in degrees; 0 is right, 90 is down."""
    angles = [math.radians(start + (end - start) * step / (count - 1)) for step in range(count)]
    return [(cx + radius * math.cos(a), cy + (radius if ry is None else ry) * math.sin(a)) for a in angles]


def _regular(count: int, start: float) -> Path:
    return _arc(0, 0, 1, start, start + 360, count + 1)[:-1]


def _disc(cx: float, cy: float, radius: float, count: int = 40) -> Path:
    return _arc(cx, cy, radius, 0, 360, count + 1)[:-1]


def _star() -> Path:
    outer, inner = _regular(5, -90), [(0.42 * x, 0.42 * y) for x, y in _regular(5, -54)]
    return [point for pair in zip(outer, inner, strict=True) for point in pair]


def _heart() -> Path:
    left = _arc(-0.5, -0.3, 0.5, -36, -215, 22)
    right = [(-x, y) for x, y in reversed(left)]
    return [(0, -0.2), *left, (0, 1.0), *right]


def _crescent() -> Path:
    return [*_arc(0, 0, 1, 48, 312, 40), *_arc(0.5, 0, 0.77, 283, 77, 30)]


def _arrow() -> Path:
    return [(-1, -0.24), (0.1, -0.24), (0.1, -0.72), (1, 0), (0.1, 0.72), (0.1, 0.24), (-1, 0.24)]


def _drop() -> Path:
    return [(0, -1.25), *_arc(0, 0.3, 0.72, -28, 208, 34)]


def _tree() -> Path:
    right = [(0.42, -0.42), (0.24, -0.42), (0.6, 0.1), (0.36, 0.1), (0.8, 0.66), (0.19, 0.66), (0.19, 1.05)]
    return [(0, -1.05), *right, *[(-x, y) for x, y in reversed(right)]]


def _house() -> Path:
    roof = [(-1.0, -0.12), (0, -0.95), (0.34, -0.668), (0.34, -0.98), (0.62, -0.98), (0.62, -0.435), (1.0, -0.12)]
    return [*roof, (0.74, -0.12), (0.74, 0.82), (-0.74, 0.82), (-0.74, -0.12)]


def _fish() -> Path:
    top = _arc(0.2, 0.55, 1.02, -35, -138, 18)
    bottom = [(x, -y) for x, y in reversed(top)]
    return [(1.06, 0), *top, (-1.05, -0.6), (-0.8, 0), (-1.05, 0.6), *bottom]


def _boat() -> Path:
    hull = [(1.0, 0.36), (0.62, 0.9), (-0.62, 0.9), (-1.0, 0.36)]
    sails = [(-0.09, 0.36), (-0.09, 0.08), (-0.62, 0.08), (-0.09, -0.95), (0.09, -0.95), (0.76, 0.08), (0.09, 0.08)]
    return [*sails, (0.09, 0.36), *hull]


def _cup() -> Path:
    handle = [(0.51, -0.52), *_arc(0.5, 0.0, 0.6, -80, 80, 16, ry=0.57), (0.41, 0.52)]
    return [(-0.72, -0.82), (0.56, -0.82), *handle, (0.36, 0.82), (-0.52, 0.82)]


def _key() -> Path:
    bow = _arc(-0.5, 0, 0.5, 20, 340, 34)
    return [
        *bow,
        (1.0, -0.17),
        (1.0, 0.5),
        (0.74, 0.5),
        (0.74, 0.17),
        (0.56, 0.17),
        (0.56, 0.44),
        (0.3, 0.44),
        (0.3, 0.17),
    ]


def _flower() -> Path:
    angles = [math.radians(step * 360 / 90) for step in range(90)]
    lengths = [0.5 + 0.5 * abs(math.cos(2.5 * a)) ** 0.62 for a in angles]
    return [(r * math.sin(a), -r * math.cos(a)) for r, a in zip(lengths, angles, strict=True)]


def _umbrella() -> Path:
    dome = _arc(0, 0, 1, 180, 360, 30, ry=0.9)
    scallops = [*_arc(0.72, 0, 0.28, 0, -180, 8)[1:], *_arc(0.28, 0, 0.17, 0, -90, 5)[1:]]
    stick = [(0.11, -0.1), (0.11, 0.72), *_arc(-0.13, 0.72, 0.24, 0, 180, 10)]
    hook = [*_arc(-0.13, 0.72, 0.05, 180, 0, 4), (-0.09, 0.66), (-0.09, -0.1)]
    left = [(-x, y) for x, y in reversed(scallops)]
    return [*dome, *scallops, *stick, *hook, *left]


def _car() -> Path:
    wheels = [*_arc(0.52, 0.34, 0.29, 0, 180, 12), *_arc(-0.52, 0.34, 0.29, 0, 180, 12)]
    cabin = [(-1.0, 0.3), (-1.0, -0.1), (-0.66, -0.16), (-0.42, -0.62), (0.3, -0.62), (0.6, -0.16), (1.0, -0.04)]
    return [*cabin, (1.0, 0.3), *wheels]


def _cross() -> Path:
    quarter = [(-0.33, -1.0), (0.33, -1.0), (0.33, -0.33)]
    turns = [(1, 0, 0, 1), (0, -1, 1, 0), (-1, 0, 0, -1), (0, 1, -1, 0)]
    return [(a * x + b * y, c * x + d * y) for a, b, c, d in turns for x, y in quarter]


_OUTER: dict[str, Callable[[], Path]] = {
    "circle": lambda: _disc(0, 0, 1, 56),
    "square": lambda: _regular(4, 45),
    "triangle": lambda: _regular(3, -90),
    "star": _star,
    "heart": _heart,
    "ring": lambda: _disc(0, 0, 1, 56),
    "cross": _cross,
    "crescent": _crescent,
    "hexagon": lambda: _regular(6, 0),
    "arrow": _arrow,
    "drop": _drop,
    "tree": _tree,
    "house": _house,
    "fish": _fish,
    "boat": _boat,
    "cup": _cup,
    "key": _key,
    "flower": _flower,
    "umbrella": _umbrella,
    "car": _car,
}
_HOLES: dict[str, list[Path]] = {
    "ring": [_disc(0, 0, 0.52, 36)],
    "cup": [[(0.48, -0.28), *_arc(0.5, 0.0, 0.33, -80, 80, 10, ry=0.31), (0.43, 0.28)]],
    "key": [_disc(-0.52, 0, 0.23, 20)],
}
_DETAILS: dict[str, list[Path]] = {
    "house": [[(-0.18, 0.82), (-0.18, 0.26), (0.18, 0.26), (0.18, 0.82)]],
    "fish": [_disc(0.62, -0.1, 0.1, 12)],
    "flower": [_disc(0, 0, 0.24, 20)],
    "car": [
        [(-0.36, -0.44), (-0.12, -0.44), (-0.12, -0.14), (-0.5, -0.14)],
        [(0.04, -0.44), (0.22, -0.44), (0.4, -0.14), (0.04, -0.14)],
    ],
}


def _enclosing_circle(points: Points) -> tuple[Points, float]:
    """Smallest circle around points, by steps towards the farthest one (Badoiu and Clarkson, 2003)."""
    centre = points.mean(axis=0)
    for step in range(1, 2000):
        farthest = points[np.argmax(((points - centre) ** 2).sum(axis=1))]
        centre = centre + (farthest - centre) / (step + 1)
    return centre, float(np.sqrt(((points - centre) ** 2).sum(axis=1)).max())


def _contour(points: Points) -> Contour:
    before, after = points - np.roll(points, 1, axis=0), np.roll(points, -1, axis=0) - points
    turn = before[:, 0] * after[:, 1] - before[:, 1] * after[:, 0]
    along = (before * after).sum(axis=1)
    corners = np.flatnonzero(np.abs(np.arctan2(turn, along)) > math.radians(25))
    dense = []
    for start, side in zip(points, after, strict=True):
        count = max(1, math.ceil(math.hypot(*side) / _STEP))
        dense.extend(start + side * step / count for step in range(count))
    line = np.array(dense)
    lengths = np.hypot(*(np.roll(line, -1, axis=0) - line).T)
    phase = 2 * np.pi * np.concatenate([[0.0], np.cumsum(lengths)[:-1]]) / lengths.sum()
    waves = np.array([wave(phase * count) for count in _WAVES for wave in (np.sin, np.cos)])
    return Contour(points=points.round(5), corners=corners, dense=line.round(5), waves=waves.round(5))


@cache
def template(kind: str) -> Template:
    """Return the drawing of a kind (one of `KINDS`).

    Raises:
        ValueError: If there is no such kind.
    """
    if kind not in KINDS:
        raise ValueError(f"expected one of the kinds {', '.join(KINDS)}, got {kind!r}")
    outer = np.array(_OUTER[kind]())
    centre, radius = _enclosing_circle(outer)

    def fitted(points: Path) -> Contour:
        return _contour((np.array(points) - centre) / radius)

    return Template(
        outer=fitted(_OUTER[kind]()),
        holes=tuple(fitted(hole) for hole in _HOLES.get(kind, [])),
        details=tuple(fitted(detail) for detail in _DETAILS.get(kind, [])),
    )
