"""Positions that are safe to speak about: directions with a cone around them, and orders with gaps."""

from collections.abc import Sequence
from itertools import pairwise

from visionllm.data.world.relations import PLACES, larger_than
from visionllm.data.world.scene import WorldObject, WorldThing

DIRECTIONS: dict[str, tuple[float, float]] = {"left of": (-1, 0), "right of": (1, 0), "above": (0, -1), "below": (0, 1)}
# Axis and sign of the order that starts at each side.
SIDES: dict[str, tuple[int, int]] = {"left": (0, 1), "right": (0, -1), "top": (1, 1), "bottom": (1, -1)}
_SIDEWAYS = 0.35
_MORE_AREA = 1.3


def middle(thing: WorldThing) -> tuple[float, float]:
    """Return the centre (x, y) of what can be seen of an object, in pixels."""
    x0, y0, x1, y1 = thing.box
    return (x0 + x1) / 2, (y0 + y1) / 2


def lies(first: WorldThing, direction: str, second: WorldThing) -> bool | None:
    """Return whether the first object lies in one of `DIRECTIONS` from the second, or None where people might disagree.

    True inside a right-angled cone and beyond the doubtful margin; False clearly outside of that half of the plane.
    """
    (x, y), (at_x, at_y) = middle(first), middle(second)
    ahead_x, ahead_y = DIRECTIONS[direction]
    ahead = (x - at_x) * ahead_x + (y - at_y) * ahead_y
    aside = abs((x - at_x) * ahead_y) + abs((y - at_y) * ahead_x)
    if ahead >= aside:
        return True if PLACES[direction](first, second) else None
    return False if ahead <= _SIDEWAYS * aside else None


def direction_between(first: WorldObject, second: WorldObject) -> str | None:
    """Return the one of `DIRECTIONS` in which the first object lies from the second if all others are clearly wrong."""
    judged = {name: lies(first, name, second) for name in DIRECTIONS}
    if None in judged.values():
        return None
    return next((name for name, true in judged.items() if true), None)


def clearly_larger(first: WorldObject, second: WorldObject) -> bool:
    """Return whether the first object is larger in its size class and to the eye: a long thin key may fool the eye."""
    return larger_than(first, second) and first.area >= _MORE_AREA * second.area


def in_order(objects: Sequence[WorldObject], side: str) -> list[WorldObject] | None:
    """Return objects from one of `SIDES` to the other, or None if two are too close to tell which comes first."""
    axis, sign = SIDES[side]
    ordered = sorted(objects, key=lambda thing: sign * middle(thing)[axis])
    for before, after in pairwise(ordered):
        if abs(middle(after)[axis] - middle(before)[axis]) < min(before.mask.shape) / 16:
            return None
    return ordered
