"""Silhouettes matched against the renderer's own: every kind at every angle, every figure in many postures."""

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from visionllm.data.world.figures import FIGURES, draw_figure, sample_figure
from visionllm.data.world.judging.shapes import depth, grown, resampled
from visionllm.data.world.judging.shapes import filled as without_holes
from visionllm.data.world.kinds import template
from visionllm.data.world.scene import KINDS
from visionllm.data.world.splits import Dice
from visionllm.data.world.stacking import Bits, covered

GRID = 40
_REACH = 1.75
_STEP = 4
_POSTURES = 240
_HEIGHT = 72.0
# The hole of a ring, relative to its radius; a circle has the same outer line.
_RING_HOLE = 0.52

Grid = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class Turn:
    """How a silhouette is turned: degrees clockwise, mirrored before, and a little shorter along one direction."""

    angle: float = 0.0
    mirrored: bool = False
    squeeze: float = 1.0
    skew: float = 0.0

    def __call__(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Turn float[N, 2] points about the origin."""
        turn, along = np.radians(self.angle), np.radians(self.skew)
        axis = np.array([np.cos(along), np.sin(along)])
        points = points + np.outer(points @ axis, axis) * (self.squeeze - 1)
        points = points * np.array([-1.0 if self.mirrored else 1.0, 1.0])
        spin = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
        return points @ spin.T


@dataclass(frozen=True, kw_only=True)
class Match:
    """A kind that a silhouette is like: how it is turned, and the overlap in [0, 1]."""

    kind: str
    fit: float
    turn: Turn = Turn()


@dataclass(frozen=True, kw_only=True, eq=False)
class _Bank:
    """float32[N, GRID * GRID] of silhouettes with their kinds and turns."""

    rows: Grid
    areas: NDArray[np.float32]
    kinds: tuple[str, ...]
    turns: tuple[Turn, ...]


def normalised(mask: Bits) -> Grid:
    """Bring a silhouette to one place and size: its middle in the middle, its area the same for all.

    Args:
        mask: bool[H, W], True somewhere.

    Returns:
        float32[GRID * GRID] in [0, 1].
    """
    rows, columns = np.nonzero(mask)
    middle = np.array([rows.mean(), columns.mean()])
    unit = np.sqrt(len(rows) / np.pi)
    step = 2 * _REACH * unit / GRID
    offset = middle - (GRID - 1) / 2 * step
    return resampled(mask, step, offset, GRID).ravel()


def outline_mask(kind: str, radius: float, turn: Turn) -> Bits:
    """Draw the outer silhouette of a kind.

    Args:
        kind: One of `KINDS`.
        radius: Of its bounding circle, in pixels.
        turn: How it lies.
    """
    side = int(2 * radius + 4)
    return _drawn(turn(template(kind).outer.points) * radius + radius + 2, (side, side))


def _drawn(points: NDArray[np.float64], size_hw: tuple[int, int]) -> Bits:
    image = Image.new("1", (size_hw[1], size_hw[0]))
    ImageDraw.Draw(image).polygon(points.ravel().tolist(), fill=1)
    return np.asarray(image, dtype=bool)


@cache
def _kinds() -> _Bank:
    rows, kinds, turns = [], [], []
    period = {"circle": _STEP, "square": 90, "triangle": 120, "star": 72, "hexagon": 60, "cross": 90, "flower": 72}
    for kind in KINDS:
        if kind == "ring":  # its outer line is the circle's
            continue
        for mirrored in (False,) if kind in period else (False, True):
            for angle in range(0, period.get(kind, 360), _STEP):
                for squeeze, skew in ((1.0, 0.0), *((0.94, 45.0 * step) for step in range(4))):
                    turn = Turn(angle=angle, mirrored=mirrored, squeeze=squeeze, skew=skew)
                    rows.append(normalised(outline_mask(kind, 30.0, turn)))
                    kinds.append(kind)
                    turns.append(turn)
    return _bank(rows, kinds, turns)


@cache
def _figures() -> _Bank:
    rows, kinds = [], []
    for kind in FIGURES:
        for seed in range(_POSTURES):
            dice = Dice(np.random.Generator(np.random.PCG64(np.random.SeedSequence([17, seed]))))
            plan = sample_figure(dice, kind)
            mask = covered(draw_figure(plan, _HEIGHT)[0].silhouette)
            for turned in (mask, mask[:, ::-1]):
                rows.append(normalised(without_holes(turned)))
                kinds.append(kind)
    return _bank(rows, kinds, [Turn()] * len(rows))


def _bank(rows: list[Grid], kinds: list[str], turns: list[Turn]) -> _Bank:
    stacked = np.stack(rows)
    return _Bank(rows=stacked, areas=stacked.sum(axis=1), kinds=tuple(kinds), turns=tuple(turns))


def _overlaps(grid: Grid, bank: _Bank) -> NDArray[np.float32]:
    """Return float32[N]: the intersection over union with each row of a bank."""
    shared = bank.rows @ grid
    return shared / (bank.areas + grid.sum() - shared)


def match_kind(filled: Bits, solid: Bits) -> Match:
    """Say which of `KINDS` a thing is.

    Args:
        filled: bool[H, W]. Its silhouette with all holes filled.
        solid: bool[H, W]. What of it is no ground.
    """
    scores = _overlaps(normalised(filled), _kinds())
    best = int(scores.argmax())
    kind = _kinds().kinds[best]
    if kind in ("circle", "hexagon") and _has_ring_hole(filled, solid):
        kind = "ring"
    return Match(kind=kind, fit=float(scores[best]), turn=_kinds().turns[best])


def radius_of(match: Match, filled: Bits) -> float:
    """Return the radius of a thing's bounding circle in pixels, judged by its area."""
    x, y = match.turn(template(match.kind).outer.points).T
    area = 0.5 * abs(float(np.sum(x * np.roll(y, -1) - y * np.roll(x, -1))))
    return float(np.sqrt(np.count_nonzero(filled) / area))


def body_of(match: Match, filled: Bits, rim: float) -> Bits:
    """Return the part of a thing that only its filling can ink: inside its edge, off its holes and inner details.

    Args:
        match: What it is.
        filled: bool[H, W]. Its silhouette with all holes filled.
        rim: Width of the edge relative to the radius of the bounding circle.

    Returns:
        bool[H, W].
    """
    shape = template(match.kind)
    outer = match.turn(shape.outer.points)
    rows, columns = np.nonzero(filled)
    radius = radius_of(match, filled)
    rough = _drawn(outer * 40 + 64, (128, 128))
    middle = (np.argwhere(rough).mean(axis=0)[::-1] - 64) / 40
    origin = np.array([columns.mean(), rows.mean()]) - middle * radius
    body = depth(filled) > max(rim * radius, 1.5) + 0.8
    for contour in (*shape.holes, *shape.details):
        inner = _drawn(match.turn(contour.points) * radius + origin, filled.shape)
        if inner.any():
            body &= ~grown(inner, max(2, round(rim * radius) + 1))
    return body


def _has_ring_hole(filled: Bits, solid: Bits) -> bool:
    """Tell whether the middle of a disc is open and has an edge of its own."""
    rows, columns = np.nonzero(filled)
    y, x = rows.mean(), columns.mean()
    radius = np.sqrt(len(rows) / np.pi)
    reach = np.hypot(rows - y, columns - x) / radius
    inked = solid[rows, columns]
    hole = reach < _RING_HOLE - 0.17
    rim = (reach > _RING_HOLE - 0.02) & (reach < _RING_HOLE + 0.14)
    return bool(inked[hole].mean() < 0.25 and inked[rim].mean() > 0.55)


def match_figure(filled: Bits) -> Match:
    """Say which of `FIGURES` a silhouette is most like: the kind of most of the seven nearest, and the best overlap."""
    scores = _overlaps(normalised(filled), _figures())
    nearest = np.argsort(scores)[::-1][:7]
    votes: dict[str, float] = {}
    for index in nearest.tolist():
        votes[_figures().kinds[index]] = votes.get(_figures().kinds[index], 0.0) + float(scores[index]) ** 8
    return Match(kind=max(votes, key=lambda kind: votes[kind]), fit=float(scores[nearest[0]]))
