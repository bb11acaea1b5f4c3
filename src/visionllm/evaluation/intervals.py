"""Scores with confidence intervals: what a score would be had other pictures been drawn."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Self

import numpy as np
from numpy.typing import NDArray

Statistic = Callable[[NDArray[np.float64]], float]
"""A score as a function of float[P], how often each picture counts; NaN where the score is not defined."""


@dataclass(frozen=True, kw_only=True)
class Score:
    """A value with its 95 % confidence interval; None where it is not defined.

    Attributes:
        value: The score on the pictures as they were drawn.
        low: Lower end of the interval.
        high: Upper end of the interval.
        samples: The score on every draw of the pictures, NaN where it is not defined; None where nothing was drawn.
    """

    value: float | None
    low: float | None = None
    high: float | None = None
    samples: NDArray[np.float64] | None = field(default=None, compare=False, repr=False)


def resamples(pictures: int, *, draws: int, seed: int = 0) -> NDArray[np.float64]:
    """Draw as many pictures as there are, with replacement, `draws` times.

    Returns:
        float[draws, pictures]. How often each picture was drawn.

    Raises:
        ValueError: If there are no pictures.

    >>> resamples(3, draws=4).sum(axis=1).tolist()
    [3.0, 3.0, 3.0, 3.0]
    """
    if pictures < 1:
        raise ValueError(f"expected at least one picture, got {pictures}")
    shares = np.full(pictures, 1 / pictures)
    return np.random.default_rng(seed).multinomial(pictures, shares, size=draws).astype(np.float64)


def bootstrap(statistic: Statistic, draws: NDArray[np.float64]) -> Score:
    """Score all pictures once each, and again on every draw of them.

    Args:
        statistic: The score.
        draws: float[D, P] from `resamples`; without any draw there is no interval.

    Source: Efron, Bootstrap methods, 1979 (percentile interval).

    >>> bootstrap(lambda weights: float(weights.sum()), resamples(4, draws=10))
    Score(value=4.0, low=4.0, high=4.0)
    """
    value = statistic(np.ones(draws.shape[1]))
    if math.isnan(value):
        return Score(value=None)
    samples = np.array([statistic(draw) for draw in draws])
    if not len(samples) or np.isnan(samples).all():
        return Score(value=value)
    low, high = np.nanpercentile(samples, [2.5, 97.5])
    return Score(value=value, low=float(low), high=float(high), samples=samples)


class Tally:
    """A ratio that is kept picture by picture: hits over tries, or an intersection over a union."""

    def __init__(self, pictures: int) -> None:
        """Start with nothing counted for any of the pictures."""
        self._parts = np.zeros(pictures)
        self._wholes = np.zeros(pictures)

    def add(self, picture: int, part: float, whole: float = 1.0) -> None:
        """Count `part` out of `whole` for one picture."""
        self._parts[picture] += part
        self._wholes[picture] += whole

    @classmethod
    def joined(cls, tallies: Sequence[Self]) -> Self:
        """Return the ratio of everything that several tallies of the same pictures counted; there is at least one."""
        whole = cls(len(tallies[0]._wholes))
        for tally in tallies:
            whole._parts += tally._parts
            whole._wholes += tally._wholes
        return whole

    def __call__(self, weights: NDArray[np.float64]) -> float:
        """Return the ratio; NaN if nothing was counted."""
        whole = float(weights @ self._wholes)
        return float(weights @ self._parts) / whole if whole else math.nan


def mean_of(statistics: Sequence[Statistic]) -> Statistic:
    """Return the mean of the statistics that are defined; NaN if none is."""
    return _joined(statistics, lambda values: float(np.mean(values)))


def least_of(statistics: Sequence[Statistic]) -> Statistic:
    """Return the least of the statistics that are defined; NaN if none is."""
    return _joined(statistics, min)


def _joined(statistics: Sequence[Statistic], join: Callable[[list[float]], float]) -> Statistic:
    def joined(weights: NDArray[np.float64]) -> float:
        values = [v for v in (s(weights) for s in statistics) if not math.isnan(v)]
        return join(values) if values else math.nan

    return joined
