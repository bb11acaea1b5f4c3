"""Verdicts on pictures that a model made: does it show what was asked, was the edit done, was the rest left alone."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from visionllm.data.world.judging.ground import fit_ground
from visionllm.data.world.judging.perceive import Seen, perceive
from visionllm.data.world.judging.wishes import Wish
from visionllm.data.world.positions import middle
from visionllm.data.world.scene import WorldThing

# How far a thing may lie from where it should, as a share of the shorter side; and how far grounds may differ in RGB.
_PLACE = 0.09
_LOOSE = 0.3
_GROUND = 26.0
_MOST_PSNR = 100.0


def shows(pixels: NDArray[np.uint8], wish: Wish) -> bool:
    """Tell whether a picture shows what was wished for, no more and no less.

    Args:
        pixels: uint8[H, W, 3].
        wish: What was asked for.
    """
    return wish.fulfilled_by(perceive(pixels))


def edit_done(
    made: NDArray[np.uint8],
    before: NDArray[np.uint8],
    wanted: NDArray[np.uint8],
    things: Sequence[WorldThing] | None = None,
) -> bool:
    """Tell whether an edited picture shows what it should: the right things in their places, on the right ground.

    Things that the edit left alone must be where they were; those it added or moved may be anywhere near.

    Args:
        made: uint8[H, W, 3]. The edited picture.
        before: uint8[H, W, 3]. The picture it was made from.
        wanted: uint8[H, W, 3]. A right one.
        things: What should be there; by default what can be seen in `wanted`.

    Raises:
        ValueError: If the pictures differ in size.
    """
    if not made.shape == before.shape == wanted.shape:
        raise ValueError(f"expected pictures of one size, got {made.shape}, {before.shape} and {wanted.shape}")
    difference = np.abs(fit_ground(made) - fit_ground(wanted)).max(axis=2)
    if float(difference.mean()) > _GROUND:
        return False
    right = perceive(wanted) if things is None else tuple(things)
    seen, old = perceive(made), perceive(before)
    if len(seen) != len(right):
        return False
    if not right:
        return True
    shorter = min(made.shape[:2])
    reaches = [_reach(thing, old, shorter) for thing in right]
    costs = np.array(
        [[not _same(thing, one, reach) for one in seen] for thing, reach in zip(right, reaches, strict=True)]
    ).astype(np.float64)
    rows, columns = linear_sum_assignment(costs)
    return bool((costs[rows, columns] == 0).all())


def _reach(thing: WorldThing, old: Sequence[Seen], shorter: int) -> float:
    """Return how far from its place a thing may lie, in pixels; one that was moved must be nearer to it than it was."""
    like = [math.dist(middle(thing), middle(one)) for one in old if _same(thing, one, math.inf)]
    if like and min(like) <= _PLACE * shorter:
        return _PLACE * shorter
    return min([_LOOSE * shorter, *(0.6 * distance for distance in like)])


def _same(thing: WorldThing, seen: Seen, reach: float) -> bool:
    """Tell whether a thing that was seen may be the one that should be there."""
    if (thing.kind, thing.colour) != (seen.kind, seen.colour):
        return False
    if getattr(thing, "fill", seen.fill) != seen.fill:
        return False
    return math.dist(middle(thing), middle(seen)) <= reach


def psnr_outside(before: NDArray[np.uint8], after: NDArray[np.uint8], changed: NDArray[np.bool_]) -> float:
    """Return the peak signal-to-noise ratio outside an edit, in dB; equal pixels give 100.

    Args:
        before: uint8[H, W, 3].
        after: uint8[H, W, 3]. As the model made it: nothing may have been pasted back.
        changed: bool[H, W]. What the edit was allowed to change.

    Raises:
        ValueError: If the sizes differ, or nothing lies outside.
    """
    if before.shape != after.shape or before.shape[:2] != changed.shape:
        raise ValueError(f"expected one size, got {before.shape}, {after.shape} and {changed.shape}")
    if changed.all():
        raise ValueError("expected some pixels outside the edit, got none")
    error = (before[~changed].astype(np.float64) - after[~changed]) ** 2
    return min(_MOST_PSNR, 10 * math.log10(255**2 / max(float(error.mean()), 1e-6)))
