"""How much one box or mask covers another."""

import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as rle


def box_ious(found: NDArray[np.floating], truth: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return the intersection over union of every found box with every true one.

    Args:
        found: float[N, 4]. (x0, y0, x1, y1) in pixels; x1 and y1 are exclusive.
        truth: float[M, 4], the same.

    Returns:
        float[N, M], each in [0, 1].

    >>> box_ious(np.float32([[0, 0, 2, 2]]), np.float32([[0, 0, 2, 2], [0, 0, 2, 4]]))
    array([[1. , 0.5]])
    """
    if not len(found) or not len(truth):
        return np.zeros((len(found), len(truth)))
    one, other = corners_to_extents(found), corners_to_extents(truth)
    return np.asarray(rle.iou(one, other, [0] * len(truth)))  # pyright: ignore[reportArgumentType]


def corners_to_extents(boxes: NDArray[np.floating]) -> NDArray[np.float64]:
    """Convert float[N, 4] (x0, y0, x1, y1) to COCO's (x, y, width, height)."""
    corners = np.asarray(boxes, dtype=np.float64).reshape(-1, 4)
    return np.concatenate([corners[:, :2], corners[:, 2:] - corners[:, :2]], axis=1)


def mask_overlap(found: NDArray[np.bool_], truth: NDArray[np.bool_]) -> tuple[int, int]:
    """Return the pixels in both masks and the pixels in either, both bool[H, W].

    Raises:
        ValueError: If the sizes differ.

    >>> mask_overlap(np.array([[True, True, False]]), np.array([[False, True, True]]))
    (1, 3)
    """
    if found.shape != truth.shape:
        raise ValueError(f"expected a mask of size {truth.shape}, got {found.shape}")
    return int((found & truth).sum()), int((found | truth).sum())


def all_found(
    found: NDArray[np.float32], found_ids: NDArray[np.int64], truth: NDArray[np.float32], truth_ids: NDArray[np.int64]
) -> bool:
    """Return whether the found boxes are exactly the true ones: as many, each on its own with IoU ≥ 0.5 and its class.

    Args:
        found: float[N, 4] in pixels.
        found_ids: int[N]. Class of each box.
        truth: float[M, 4] in pixels.
        truth_ids: int[M]. Class of each box.
    """
    if len(found) != len(truth):
        return False
    from scipy.optimize import linear_sum_assignment

    fits = (box_ious(found, truth) >= 0.5) & (np.asarray(found_ids)[:, None] == np.asarray(truth_ids)[None])
    rows, columns = linear_sum_assignment(fits, maximize=True)
    return bool(fits[rows, columns].all())
