"""What the benchmarks of the picture world share: which pictures are drawn, and which questions they offer."""

import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from visionllm.data.world.drawing import draw_picture
from visionllm.data.world.scene import WorldPicture
from visionllm.data.world.splits import SPLITS
from visionllm.data.world.tasks import FAMILIES
from visionllm.evaluation.base import Ask, Benchmark, Question
from visionllm.evaluation.intervals import Score, Statistic, bootstrap, resamples
from visionllm.types import Sample

Mode = Literal["free", "known", "both"]
MODES: tuple[Mode, ...] = ("free", "known", "both")

SEED_STRIDE = 10**5
SEEDS = 10**4
# A family that few pictures offer gets fewer questions than there are pictures, once so many times as many were drawn.
_PATIENCE = 4


@dataclass(frozen=True, kw_only=True)
class WorldSetting:
    """Which pictures are asked about, and how.

    Attributes:
        split: One of `SPLITS`.
        seed: Each seed has pictures of its own.
        pictures: Pictures a family.
        mode: Free answers, known classes, or both side by side.
        threshold: Lowest score at which a phrase counts as found in known-class mode; None takes the model's own.
        draws: Draws of the confidence intervals.

    Raises:
        ValueError: If a value is out of its range.
    """

    split: str = "test"
    seed: int = 0
    pictures: int = 500
    mode: Mode = "both"
    threshold: float | None = None
    draws: int = 200

    def __post_init__(self) -> None:
        most = SEED_STRIDE // _PATIENCE
        ranges = {
            "split": (self.split in SPLITS, f"one of {', '.join(SPLITS)}"),
            "seed": (0 <= self.seed < SEEDS, f"a number in [0, {SEEDS})"),
            "pictures": (1 <= self.pictures <= most, f"a number in [1, {most}]"),
            "mode": (self.mode in MODES, f"one of {', '.join(MODES)}"),
            "threshold": (self.threshold is None or 0 <= self.threshold <= 1, "a number in [0, 1]"),
            "draws": (self.draws >= 0, "a number that is not negative"),
        }
        for name, (fits, expected) in ranges.items():
            if not fits:
                raise ValueError(f"expected {expected} as {name}, got {getattr(self, name)!r}")

    @property
    def free(self) -> bool:
        """Whether free answers are judged."""
        return self.mode != "known"

    @property
    def known(self) -> bool:
        """Whether known classes are judged."""
        return self.mode != "free"

    @property
    def limit(self) -> int:
        """Number of pictures that may be drawn."""
        return self.pictures * _PATIENCE

    @cached_property
    def resamples(self) -> NDArray[np.float64]:
        """The draws of the confidence intervals, the same for every score."""
        return resamples(self.limit, draws=self.draws, seed=self.seed)

    def picture(self, index: int) -> WorldPicture:
        """Draw a picture of this run."""
        return _drawn(self.seed * SEED_STRIDE + index, self.split)

    def image(self, index: int) -> Image.Image:
        """Return a picture of this run as the predictor takes it."""
        return Image.fromarray(self.picture(index).pixels)

    def sample(self, index: int, family: str, *, number: int = 0) -> Sample | None:
        """Write a question of a family about a picture, or None if the picture offers none.

        Args:
            index: Number of the picture.
            family: One of `FAMILIES`.
            number: Which question about this picture.
        """
        seeds = [self.seed, SPLITS.index(self.split), index, zlib.crc32(family.encode()), number]
        phrasing = "unseen" if self.split == "unseen-phrasing" else "train"
        generator = np.random.Generator(np.random.PCG64(np.random.SeedSequence(seeds)))
        return FAMILIES[family].make(self.picture(index), generator, phrasing)

    def samples(self, family: str) -> Iterator[tuple[int, Sample]]:
        """Yield one question each about the first pictures that offer one, with the number of the picture."""
        asked = 0
        for index in range(self.limit):
            sample = self.sample(index, family)
            if sample is not None:
                yield index, sample
                asked += 1
            if asked == self.pictures:
                return

    def score(self, statistic: Statistic) -> Score:
        """Return a score with its confidence interval."""
        return bootstrap(statistic, self.resamples)


@lru_cache(maxsize=64)
def _drawn(seed: int, split: str) -> WorldPicture:
    return draw_picture(seed, split=split)


@dataclass(frozen=True, kw_only=True, eq=False)
class Asked:
    """A free question with its picture's number: the truth that world benchmarks judge answers by."""

    picture: int
    sample: Sample


class WorldBenchmark(Benchmark):
    """A benchmark of the picture world."""

    group: ClassVar[str]

    def __init__(self, setting: WorldSetting) -> None:
        """Keep the setting; nothing is drawn yet."""
        self.setting = setting

    def ask(self, family: str) -> Iterator[Question]:
        """Yield the free questions of a family, the same for every benchmark that asks for them."""
        for index, sample in self.setting.samples(family):
            yield Question(picture=index, sort=f"ask {family}", call=Ask(sample.request), truth=Asked(picture=index, sample=sample))


def families_of(*groups: str) -> tuple[str, ...]:
    """Return the names of the families of some groups, in the order of the world's list."""
    return tuple(name for name, family in FAMILIES.items() if family.group in groups)


def scored(setting: WorldSetting, statistics: Mapping[str, Mapping[str, Statistic]]) -> dict[str, dict[str, Score]]:
    """Turn statistics by name by family into scores."""
    return {family: {name: setting.score(s) for name, s in some.items()} for family, some in statistics.items()}
