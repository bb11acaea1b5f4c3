"""What is true between two objects of a picture, told only where it is beyond doubt.

Two opposite relations may both be False: then neither should be asked about.
"""

from collections.abc import Callable

from visionllm.data.world.scene import SIZES, WorldObject, WorldThing


def _offset(first: WorldThing, second: WorldThing, axis: int) -> float:
    """How far the second box's centre lies beyond the first's (0 along x, 1 along y), less the doubtful margin.

    The margin is a twelfth of the picture's shorter side, and at least a quarter of both boxes' extents.
    """
    extents = [item.box[axis + 2] - item.box[axis] for item in (first, second)]
    centres = [(item.box[axis + 2] + item.box[axis]) / 2 for item in (first, second)]
    return centres[1] - centres[0] - max(min(first.mask.shape) / 12, sum(extents) / 4)


def left_of(first: WorldThing, second: WorldThing) -> bool:
    """Tell whether the first object is clearly to the left of the second."""
    return _offset(first, second, 0) >= 0


def right_of(first: WorldThing, second: WorldThing) -> bool:
    """Tell whether the first object is clearly to the right of the second."""
    return left_of(second, first)


def above(first: WorldThing, second: WorldThing) -> bool:
    """Tell whether the first object is clearly above the second."""
    return _offset(first, second, 1) >= 0


def below(first: WorldThing, second: WorldThing) -> bool:
    """Tell whether the first object is clearly below the second."""
    return above(second, first)


def larger_than(first: WorldObject, second: WorldObject) -> bool:
    """Tell whether the first object's size class is above the second's."""
    return SIZES.index(first.size) > SIZES.index(second.size)


def smaller_than(first: WorldObject, second: WorldObject) -> bool:
    """Tell whether the first object's size class is below the second's."""
    return larger_than(second, first)


PLACES: dict[str, Callable[[WorldThing, WorldThing], bool]] = {
    "left of": left_of,
    "right of": right_of,
    "above": above,
    "below": below,
}
RELATIONS: dict[str, Callable[[WorldObject, WorldObject], bool]] = {
    **PLACES,
    "larger than": larger_than,
    "smaller than": smaller_than,
}
