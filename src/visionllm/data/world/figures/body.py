"""Bodies in space: joints with names, and pieces made of discs along bones.

The space of a body has x to its own left, y up and z ahead; one unit is about its height (people) or length (animals).
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from visionllm.data.world.palette import Shade

Spot = tuple[float, float, float]
Chain = tuple[tuple[Spot, float], ...]
LEFT, RIGHT = 1.0, -1.0
SIDES: tuple[tuple[str, float], ...] = (("left", LEFT), ("right", RIGHT))


@dataclass(frozen=True, kw_only=True)
class Piece:
    """Part of a body that is painted in one go.

    Attributes:
        chains: Discs in a row, each a centre and a radius; neighbours are joined.
        shade: Colour of each chain.
        joints: Names of the joints that lie on the piece.
        nearer: Added to its nearness when pieces are put in order.
        limb: Whether a quick hand draws it as one line.
        rimmed: Whether it has a dark edge.
    """

    chains: tuple[Chain, ...]
    shade: tuple[Shade, ...]
    joints: tuple[str, ...] = ()
    nearer: float = 0.0
    limb: bool = False
    rimmed: bool = True


@dataclass(frozen=True, kw_only=True)
class Body:
    """A posed body: its joints by name, and what is to be painted."""

    joints: Mapping[str, Spot]
    pieces: tuple[Piece, ...]


@dataclass(frozen=True, kw_only=True)
class View:
    """How a body is seen.

    Attributes:
        yaw: Degrees from facing the viewer (0) to facing right in the picture (90), away (180) and left (270).
        roll: Degrees that the picture of the body is turned by, clockwise.
    """

    yaw: float
    roll: float = 0.0

    @property
    def facing(self) -> str:
        """One word for the direction the body looks in: front, right, back or left."""
        return ("front", "right", "back", "left")[round(self.yaw / 90) % 4]

    def project(self, spot: Spot) -> Spot:
        """Return x to the right, y down and the nearness to the viewer of a spot."""
        turn, tilt = math.radians(self.yaw), math.radians(self.roll)
        x = spot[0] * math.cos(turn) + spot[2] * math.sin(turn)
        near = spot[2] * math.cos(turn) - spot[0] * math.sin(turn)
        y = -spot[1]
        return x * math.cos(tilt) - y * math.sin(tilt), x * math.sin(tilt) + y * math.cos(tilt), near


def moved(start: Spot, step: Spot, length: float = 1.0) -> Spot:
    """Return the spot at the end of a step of so many lengths."""
    return start[0] + step[0] * length, start[1] + step[1] * length, start[2] + step[2] * length


def along(start: Spot, end: Spot, share: float) -> Spot:
    """Return the spot at a share of the way."""
    return tuple(a + (b - a) * share for a, b in zip(start, end, strict=True))  # pyright: ignore[reportReturnType]


def hanging(side: float, swing: float, spread: float) -> Spot:
    """Return the direction of a limb of one side: straight down, swung forward and spread outward by degrees."""
    out, ahead = math.radians(spread), math.radians(swing)
    return side * math.sin(out), -math.cos(out) * math.cos(ahead), math.cos(out) * math.sin(ahead)


def pitched(spot: Spot, degrees: float) -> Spot:
    """Turn a spot about the left-right axis; what is ahead rises."""
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return spot[0], spot[1] * cos + spot[2] * sin, spot[2] * cos - spot[1] * sin


def turned(spot: Spot, degrees: float) -> Spot:
    """Turn a spot about the upright axis; what is ahead goes to the body's left."""
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return spot[0] * cos + spot[2] * sin, spot[1], spot[2] * cos - spot[0] * sin


def chain(*discs: tuple[Spot, float]) -> Chain:
    """Name a row of discs."""
    return discs


def taper(spots: Sequence[Spot], first: float, last: float) -> Chain:
    """Return discs whose radii run evenly from the first to the last."""
    steps = max(len(spots) - 1, 1)
    return tuple((spot, first + (last - first) * i / steps) for i, spot in enumerate(spots))
