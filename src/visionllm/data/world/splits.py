"""Which pictures belong together: splits, their random streams, and the pairs held out of training."""

from collections.abc import Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from visionllm.data.world.scene import COLOURS, KINDS

T = TypeVar("T")

WORLD_VERSION = 1
VERSIONS: tuple[int, ...] = (1, 2)
SEED_LIMIT = 10**9
SPLITS: tuple[str, ...] = (
    "train",
    "validation",
    "test",
    "unseen-pairs",
    "unseen-phrasing",
    "hand-drawn",
    "photo-background",
    "crowded",
)

# Strides 11 and 1 visit sixteen kinds once and every colour twice; the offset keeps everyday pairs (red heart,
# green tree, yellow star) on the side of training.
UNSEEN_PAIRS: frozenset[tuple[str, str]] = frozenset(
    (KINDS[(11 * index + 5) % len(KINDS)], COLOURS[index % len(COLOURS)]) for index in range(16)
)


class Dice:
    """Random draws of one picture, from raw uniform numbers alone so that they are the same in every NumPy."""

    def __init__(self, generator: np.random.Generator) -> None:
        """Keep the generator; every draw advances it."""
        self._generator = generator

    def uniform(self, low: float, high: float) -> float:
        """Return a number in [low, high)."""
        return low + (high - low) * float(self._generator.random())

    def integer(self, low: int, high: int) -> int:
        """Return a whole number in [low, high], both included."""
        return low + int(self._generator.random() * (high - low + 1))

    def chance(self, probability: float) -> bool:
        """Return True with the given probability."""
        return float(self._generator.random()) < probability

    def choose(self, options: Sequence[T], weights: Sequence[float] | None = None) -> T:
        """Return one of `options`, all alike or in proportion to `weights`."""
        draw = float(self._generator.random())
        if weights is None:
            return options[int(draw * len(options))]
        rest = draw * sum(weights)
        for option, weight in zip(options, weights, strict=True):
            rest -= weight
            if rest < 0:
                return option
        return options[-1]

    def sample(self, options: Sequence[T], count: int) -> list[T]:
        """Return `count` different members of `options`."""
        pool = list(options)
        return [pool.pop(int(self._generator.random() * len(pool))) for _ in range(count)]

    def bytes(self, *shape: int) -> NDArray[np.uint8]:
        """Return uint8[*shape] of uniform noise."""
        total = int(np.prod(shape))
        raw = self._generator.bit_generator.random_raw((total + 7) // 8)
        return np.asarray(raw, dtype="<u8").view(np.uint8)[:total].reshape(shape)


def picture_dice(seed: int, split: str, *strand: int) -> Dice:
    """Open the random stream of one picture.

    Args:
        seed: Index of the picture inside its split, in [0, 10**9).
        split: One of `SPLITS`. Streams of different splits never meet.
        strand: Further numbers that tell streams of the same seed apart, version 1 having none.

    Raises:
        ValueError: If the split is unknown or the seed is out of range.
    """
    if split not in SPLITS:
        raise ValueError(f"expected one of the splits {', '.join(SPLITS)}, got {split!r}")
    if not 0 <= seed < SEED_LIMIT:
        raise ValueError(f"expected a seed in [0, {SEED_LIMIT}), got {seed}")
    entropy = np.random.SeedSequence([WORLD_VERSION, SPLITS.index(split), seed, *strand])
    return Dice(np.random.Generator(np.random.PCG64(entropy)))
