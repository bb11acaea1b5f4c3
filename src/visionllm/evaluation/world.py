"""What the benchmarks of the picture world share: which pictures are drawn, and which questions they offer."""

import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from heapq import merge
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from visionllm.data.world import tasks
from visionllm.data.world.captions import normalise_answer
from visionllm.data.world.drawing import draw_picture
from visionllm.data.world.families.base import Desk
from visionllm.data.world.grammar import Filling, Grammar
from visionllm.data.world.scene import WorldPicture
from visionllm.data.world.splits import SPLITS, Dice
from visionllm.data.world.tasks import ALL_FAMILIES
from visionllm.evaluation.base import Ask, Benchmark, Question
from visionllm.evaluation.intervals import Score, Statistic, bootstrap, resamples
from visionllm.types import Answer, Detections, DetectionTruth, Options, Part, Routed, Sample

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
        threshold: Lowest score of an instance that counts as found; None takes the model's own. Average precision with
            known classes keeps every score.
        draws: Draws of the confidence intervals.
        steps: Steps of the decoders that make pictures; None takes their own.
        scheduler: Name of their scheduler; None takes their own.
        spread: One family asks about every so many-th picture, other families about others: few questions about many
            pictures.

    Raises:
        ValueError: If a value is out of its range.
    """

    split: str = "test"
    seed: int = 0
    pictures: int = 500
    mode: Mode = "both"
    threshold: float | None = None
    draws: int = 200
    steps: int | None = None
    scheduler: str | None = None
    spread: int = 1

    def __post_init__(self) -> None:
        most = SEED_STRIDE // _PATIENCE // max(self.spread, 1)
        ranges = {
            "split": (self.split in SPLITS, f"one of {', '.join(SPLITS)}"),
            "seed": (0 <= self.seed < SEEDS, f"a number in [0, {SEEDS})"),
            "pictures": (1 <= self.pictures <= most, f"a number in [1, {most}]"),
            "mode": (self.mode in MODES, f"one of {', '.join(MODES)}"),
            "threshold": (self.threshold is None or 0 <= self.threshold <= 1, "a number in [0, 1]"),
            "draws": (self.draws >= 0, "a number that is not negative"),
            "steps": (self.steps is None or self.steps >= 1, "a positive number"),
            "spread": (self.spread >= 1, "a positive number"),
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
    def options(self) -> Options:
        """How the predictor is asked."""
        return Options(threshold=self.threshold, steps=self.steps, scheduler=self.scheduler)

    @property
    def limit(self) -> int:
        """Number of pictures that may be drawn."""
        return self.pictures * _PATIENCE * self.spread

    @cached_property
    def resamples(self) -> NDArray[np.float64]:
        """The draws of the confidence intervals, the same for every score."""
        return resamples(self.limit, draws=self.draws, seed=self.seed)

    def picture(self, index: int, theme: str | None = None) -> WorldPicture:
        """Draw a picture of this run: of version 1, or of a theme of version 2."""
        return _drawn(self.seed * SEED_STRIDE + index, self.split, theme)

    def image(self, index: int, theme: str | None = None) -> Image.Image:
        """Return a picture of this run as the predictor takes it."""
        return Image.fromarray(self.picture(index, theme).pixels)

    def indices(self, name: str) -> range:
        """Return the numbers of the pictures that are asked about under a name, as many as may be drawn."""
        return range(zlib.crc32(name.encode()) % self.spread, self.limit, self.spread)

    def asked_about(self, name: str) -> range:
        """Return the numbers of the first pictures that are asked about under a name, where each offers a question."""
        return self.indices(name)[: self.pictures]

    def desk(self, index: int, name: str, *, plain: bool = False) -> Desk:
        """Open the desk at which questions about a picture are written.

        Args:
            index: Number of the picture.
            name: What is asked; each name has a random stream of its own.
            plain: Whether a question is to hold nothing but the phrase that it is about.
        """
        seeds = [self.seed, SPLITS.index(self.split), index, zlib.crc32(name.encode())]
        dice = Dice(np.random.Generator(np.random.PCG64(np.random.SeedSequence(seeds))))
        phrasing = "unseen" if self.split == "unseen-phrasing" else "train"
        picture = self.picture(index, theme_of(name))
        return (_PlainDesk if plain else Desk)(picture=picture, dice=dice, phrasing=phrasing)

    def sample(self, index: int, family: str, *, plain: bool = False) -> Sample | None:
        """Write a question of a family about a picture, or None if the picture offers none.

        Args:
            index: Number of the picture.
            family: One of `ALL_FAMILIES`; those of version 2 ask about pictures of their theme.
            plain: Whether the question is to hold nothing but the phrase that it is about, for known-class mode.
        """
        return _written(self, index, family, plain)

    def samples(self, family: str, *, plain: bool = False) -> Iterator[tuple[int, Sample]]:
        """Yield one question each about the first pictures that offer one, with the number of the picture."""
        asked = 0
        for index in self.indices(family):
            sample = self.sample(index, family, plain=plain)
            if sample is not None:
                yield index, sample
                asked += 1
            if asked == self.pictures:
                return

    def score(self, statistic: Statistic) -> Score:
        """Return a score with its confidence interval."""
        return bootstrap(statistic, self.resamples)


@dataclass(frozen=True, kw_only=True, eq=False)
class _PlainDesk(Desk):
    """A desk that leaves the phrasing out."""

    def words(self, grammar: Grammar, **fillings: Filling) -> tuple[Part, ...]:
        """Return the phrase with its article."""
        return (str(fillings["the"]),)


# Benchmarks go through the pictures side by side, so few pictures and their questions are wanted at a time.
@lru_cache(maxsize=192)
def _drawn(seed: int, split: str, theme: str | None) -> WorldPicture:
    if theme is None:
        return draw_picture(seed, split=split)
    return draw_picture(seed, split=split, version=2, theme=theme)


@lru_cache(maxsize=1024)
def _written(setting: WorldSetting, index: int, family: str, plain: bool) -> Sample | None:
    sample = ALL_FAMILIES[family].build(setting.desk(index, family, plain=plain))
    if sample is None:
        return None
    options = setting.options
    if ALL_FAMILIES[family].score == "judge":
        options = replace(options, seed=zlib.crc32(f"{setting.seed} {family} {index}".encode()))
    return replace(sample, family=family, request=replace(sample.request, options=options))


@dataclass(frozen=True, kw_only=True, eq=False)
class Asked:
    """The question of a sample: the truth that world benchmarks judge results by.

    Attributes:
        picture: Number of the picture.
        sample: The question with its answer.
        known: Whether it was asked in known-class mode.
    """

    picture: int
    sample: Sample
    known: bool = False

    @property
    def labels(self) -> tuple[str, ...]:
        """The words that the answer should route, normalised."""
        return tuple(normalise_answer(part.text) for part in self.sample.answer.parts if isinstance(part, Routed))

    @property
    def truth(self) -> DetectionTruth | None:
        """What should be found, or None where nothing should."""
        return self.sample.detection

    @property
    def masks(self) -> NDArray[np.bool_]:
        """bool[N, H, W] of what should be found; N is 0 where nothing should."""
        if self.truth is None or self.truth.masks is None:
            return np.zeros((0, *self.size_hw), dtype=bool)
        return self.truth.masks

    @property
    def size_hw(self) -> tuple[int, int]:
        """(height, width) of the picture that is asked about, which stands behind those of examples."""
        width, height = self.sample.request.pictures[-1].size
        return height, width

    def found_in(self, answer: Answer) -> Detections:
        """Return what an answer found in the picture; nothing if it routed nothing."""
        if answer.detections is not None:
            return answer.detections
        return Detections(
            boxes=np.zeros((0, 4), dtype=np.float32),
            scores=np.zeros(0, dtype=np.float32),
            class_ids=np.zeros(0, dtype=np.int64),
            masks=np.zeros((0, *self.size_hw), dtype=bool),
            size_hw=self.size_hw,
        )


class WorldBenchmark(Benchmark):
    """A benchmark of the picture world.

    Attributes:
        group: What it is chosen by; in version 1 mostly the group of its task families.
        version: Version of the world whose pictures it asks about.
        needs: Names of the decoders without which there is nothing to score.
    """

    group: ClassVar[str]
    version: ClassVar[int] = 1
    needs: ClassVar[tuple[str, ...]] = ()

    def __init__(self, setting: WorldSetting) -> None:
        """Keep the setting; nothing is drawn yet."""
        self.setting = setting

    def ask(self, family: str) -> Iterator[Question]:
        """Yield the free questions of a family, the same for every benchmark that asks for them."""
        for index, sample in self.setting.samples(family):
            truth = Asked(picture=index, sample=sample)
            yield Question(picture=index, sort=f"ask {family}", call=Ask(sample.request), truth=truth)


def by_picture(questions: Iterable[Iterator[Question]]) -> Iterator[Question]:
    """Merge streams of questions in the order of their pictures."""
    return merge(*questions, key=lambda question: question.picture)


def families_of(*groups: str, version: int = 1) -> tuple[str, ...]:
    """Return the names of the families of some groups, in the order of the world's list.

    The templates of known-class mode in version 2, which have no phrasings, are left out: nobody asks them freely.
    """
    families = tasks.families_of(version).items()
    return tuple(name for name, f in families if f.group in groups and (f.grammars or version == 1))


def theme_of(name: str) -> str | None:
    """Return the theme of the pictures that a family of version 2 asks about, None for everything of version 1."""
    family = ALL_FAMILIES.get(name)
    return None if family is None or family.version == 1 else family.theme


def scored(setting: WorldSetting, statistics: Mapping[str, Mapping[str, Statistic]]) -> dict[str, dict[str, Score]]:
    """Turn statistics by name by family into scores."""
    return {family: {name: setting.score(s) for name, s in some.items()} for family, some in statistics.items()}
