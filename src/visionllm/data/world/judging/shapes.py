"""Operations on masks: filling, growing, cutting into parts. SciPy does the work; here its results have types."""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from visionllm.data.world.stacking import Bits

_AROUND = np.ones((3, 3), dtype=np.bool_)


def filled(mask: Bits) -> Bits:
    """Return a mask without holes."""
    return np.asarray(ndimage.binary_fill_holes(mask), dtype=np.bool_)


def grown(mask: Bits, pixels: int) -> Bits:
    """Return a mask with so many pixels more on every side."""
    return np.asarray(ndimage.binary_dilation(mask, iterations=pixels), dtype=np.bool_) if pixels > 0 else mask


def eroded(mask: Bits, pixels: int) -> Bits:
    """Return a mask with so many pixels less on every side."""
    return np.asarray(ndimage.binary_erosion(mask, iterations=pixels), dtype=np.bool_) if pixels > 0 else mask


def depth(mask: Bits) -> NDArray[np.float64]:
    """Return float[H, W]: the distance of each True pixel from the nearest that is not; the edge counts as such."""
    found = np.asarray(ndimage.distance_transform_edt(np.pad(mask, 1)), dtype=np.float64)
    return found[1:-1, 1:-1]


def parts(mask: Bits) -> list[Bits]:
    """Return the connected parts of a mask, corners joined, as bool[H, W] each."""
    labels = np.zeros(mask.shape, dtype=np.int32)
    count = ndimage.label(mask, structure=_AROUND, output=labels)
    return [labels == number for number in range(1, int(np.max(np.asarray(count))) + 1)]


def resampled(mask: Bits, step: float, offset: NDArray[np.float64], side: int) -> NDArray[np.float32]:
    """Read a mask on a square grid.

    Args:
        mask: bool[H, W].
        step: Pixels between two points of the grid.
        offset: float[2]. (row, column) of its first point.
        side: Points a side.

    Returns:
        float32[side, side] in [0, 1], between pixels as their mixture.
    """
    grid = ndimage.affine_transform(
        mask.astype(np.float32),
        np.array([step, step]),
        offset,  # pyright: ignore[reportArgumentType]  # SciPy takes one number an axis, its types know one for all
        output_shape=(side, side),
        order=1,
    )
    return np.asarray(grid, dtype=np.float32)
