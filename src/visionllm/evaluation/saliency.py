"""Measures of one soft mask against a true one, as salient and camouflaged objects are scored by.

The library that the field uses (`pysodmetrics`) needs OpenCV and scikit-learn, so the measures are written here from
their papers; tests hold numbers that the library gives.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import convolve, distance_transform_edt

Map = NDArray[np.float64]
Mask = NDArray[np.bool_]
_LEVELS = 255
_TINY = float(np.spacing(1))


def mean_absolute_error(found: Map, truth: Mask) -> float:
    """Return how far a map float[H, W] in [0, 1] is from the mask bool[H, W], on the average of all pixels.

    >>> mean_absolute_error(np.array([[0.5, 0.0]]), np.array([[True, False]]))
    0.25
    """
    return float(np.abs(found - truth).mean())


def s_measure(found: Map, truth: Mask) -> float:
    """Return how alike the structures are, of objects and of regions, in [0, 1].

    Args:
        found: float[H, W] in [0, 1].
        truth: bool[H, W].

    Source: Fan et al., Structure-measure, ICCV 2017, equations 1 to 10, α = 0.5.

    >>> truth = np.array([[True, True, False], [False, False, False]])
    >>> round(s_measure(truth.astype(float), truth), 6), s_measure(np.zeros((2, 3)), ~truth & truth)
    (1.0, 1.0)
    """
    share = float(truth.mean())
    if share in (0.0, 1.0):
        return abs(1 - share - float(found.mean()))
    objects = share * _object_score(found[truth]) + (1 - share) * _object_score(1 - found[~truth])
    return max(0.0, 0.5 * objects + 0.5 * _region_score(found, truth))


def _object_score(values: Map) -> float:
    mean = float(values.mean())
    deviation = float(values.std(ddof=1)) if values.size > 1 else 0.0
    return 2 * mean / (mean**2 + 1 + deviation + _TINY)


def _region_score(found: Map, truth: Mask) -> float:
    """Compare the four parts that the centre of the true mask cuts the map into, weighed by their areas."""
    row, column = (round(float(middle)) + 1 for middle in np.argwhere(truth).mean(axis=0))
    parts = [
        (rows, columns) for rows in (slice(row), slice(row, None)) for columns in (slice(column), slice(column, None))
    ]
    return sum(_likeness(found[part], truth[part].astype(float)) * truth[part].size for part in parts) / truth.size


def _likeness(found: Map, truth: Map) -> float:
    """Return the structural similarity of two maps, without the constants of the usual formula."""
    if not found.size:
        return 0.0
    x, y, free = float(found.mean()), float(truth.mean()), found.size - 1 + _TINY
    spread_x, spread_y = float(((found - x) ** 2).sum()) / free, float(((truth - y) ** 2).sum()) / free
    joint = float(((found - x) * (truth - y)).sum()) / free
    above, below = 4 * x * y * joint, (x**2 + y**2) * (spread_x + spread_y)
    if above:
        return above / (below + _TINY)
    return 0.0 if below else 1.0


def e_measure(found: Map, truth: Mask) -> float:
    """Return the enhanced-alignment measure in [0, 1], on the average of 255 thresholds.

    Args:
        found: float[H, W] in [0, 1].
        truth: bool[H, W].

    Differs: the threshold 0, at which every pixel is foreground whatever was found, is left out, and the mean is over
    all pixels, as in the paper and not as in its code; so the truth scores 1.

    Source: Fan et al., Enhanced-alignment measure, IJCAI 2018, equations 2 to 4.

    >>> truth = np.array([[True, True, False], [False, False, False]])
    >>> round(e_measure(truth.astype(float), truth), 6)
    1.0
    """
    levels = np.floor(found * _LEVELS).astype(np.int64)
    ends = [np.cumsum(np.bincount(levels[part], minlength=_LEVELS + 1)[::-1])[::-1][1:] for part in (truth, ~truth)]
    right, wrong = (counts.astype(np.float64) for counts in ends)
    inside, size = int(truth.sum()), truth.size
    chosen = right + wrong
    if inside in (0, size):
        return float(np.mean(chosen if inside else size - chosen) / size)
    told, true = chosen / size, inside / size
    parts = (
        (right, 1 - told, 1 - true),
        (wrong, 1 - told, -true),
        (inside - right, -told, 1 - true),
        (size - inside - wrong, -told, -true),
    )
    aligned = [count * (1 + 2 * a * b / (a**2 + b**2 + _TINY)) ** 2 / 4 for count, a, b in parts]
    return float(np.mean(np.sum(aligned, axis=0)) / size)


def weighted_f(found: Map, truth: Mask) -> float:
    """Return the weighted F-measure with β² = 1, in [0, 1]: errors near the true mask and scattered ones weigh less.

    Args:
        found: float[H, W] in [0, 1].
        truth: bool[H, W]; 0 is returned where it is empty.

    Source: Margolin et al., How to evaluate foreground maps, CVPR 2014, section 4.

    >>> truth = np.pad(np.ones((16, 16), dtype=bool), 8)
    >>> round(weighted_f(truth.astype(float), truth), 6), round(weighted_f(np.zeros((32, 32)), truth), 2)
    (1.0, 0.0)
    """
    if not truth.any():
        return 0.0
    measured: Any = distance_transform_edt(~truth, return_indices=True)
    distance, nearest = measured
    error = np.abs(found - truth)
    spread = np.where(truth, error, error[tuple(nearest)])
    y, x = np.mgrid[-3:4, -3:4]
    kernel = np.exp(-(x**2 + y**2) / 50)
    smooth = convolve(spread, kernel / kernel.sum(), mode="constant")
    least = np.where(truth & (smooth < error), smooth, error)
    weighed = least * np.where(truth, 1.0, 2 - np.exp(np.log(0.5) / 5 * distance))
    hits, misses = float(truth.sum() - weighed[truth].sum()), float(weighed[~truth].sum())
    recall, precision = 1 - float(weighed[truth].mean()), hits / (hits + misses + _TINY)
    return 2 * recall * precision / (recall + precision + _TINY)
