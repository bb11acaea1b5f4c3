"""Masks of things that lie on top of each other on a canvas."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from visionllm.data.world.pens import SCALE

Bits = NDArray[np.bool_]


def covered(layer: Image.Image) -> Bits:
    """Return bool[h, w]: canvas pixels of a patch of twice the resolution that are covered by half or more."""
    return np.asarray(layer.reduce(SCALE)) >= 128


def on_canvas(patch: Bits, corner: tuple[int, int], size_hw: tuple[int, int]) -> Bits:
    """Lay a patch on an empty canvas.

    Args:
        patch: bool[h, w].
        corner: (x, y) of its upper left pixel; may lie outside.
        size_hw: (height, width) of the canvas.

    Returns:
        bool[H, W]. What lies outside is cut off.
    """
    height, width = size_hw
    x, y = corner
    left, top = max(x, 0), max(y, 0)
    right, bottom = min(x + patch.shape[1], width), min(y + patch.shape[0], height)
    mask = np.zeros(size_hw, dtype=np.bool_)
    if left < right and top < bottom:
        mask[top:bottom, left:right] = patch[top - y : bottom - y, left - x : right - x]
    return mask


def box_of(mask: Bits) -> tuple[int, int, int, int]:
    """Return (x0, y0, x1, y1) of the True part of a mask; x1 and y1 are exclusive.

    Raises:
        ValueError: If nothing is True.

    >>> box_of(np.array([[False, True], [False, True]]))
    (1, 0, 2, 2)
    """
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(rows):
        raise ValueError("expected a mask with at least one True pixel, got none")
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def visible_parts(silhouettes: Sequence[Bits]) -> list[Bits]:
    """Return what can be seen of each silhouette when each lies on top of those before it."""
    seen: list[Bits] = []
    hidden = np.zeros(silhouettes[0].shape if silhouettes else (0, 0), dtype=np.bool_)
    for silhouette in reversed(silhouettes):
        seen.append(silhouette & ~hidden)
        hidden = hidden | silhouette
    return seen[::-1]
