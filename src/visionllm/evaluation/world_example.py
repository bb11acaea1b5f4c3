"""Questions by example: name it, describe it, count, mark it, by how many examples were shown."""

import re
from collections.abc import Iterator
from typing import Any, ClassVar

import numpy as np

from visionllm.data.world.families.example import MOST_EXAMPLES
from visionllm.evaluation.base import FindLike, Question, Scores
from visionllm.evaluation.exact import ExactMatch
from visionllm.evaluation.intervals import Statistic, Tally
from visionllm.evaluation.overlaps import mask_overlap
from visionllm.evaluation.world import Asked, WorldBenchmark, WorldSetting, by_picture, families_of, scored
from visionllm.types import Detections, Example, Mark, Picture, Request

MARK = "example-mark"
_CALLED = re.compile(r"is called (\w+)")
_MEANT = re.compile(r"(?:: |no )(\w+) one\b")


class ExampleBenchmark(WorldBenchmark):
    """Answers after one to five example pictures: exact words, and the IoU of what is marked.

    Free: the question as people put it. Known classes, for marking only: the examples by their names and the new
    picture; what comes back under the name that is asked for counts. The masks that come back are joined and compared
    with those of everything that should be marked, question by question; where nothing like the examples is in the new
    picture, nothing should be marked. Scores that end in a digit are those of the free questions with so many examples.
    """

    name: ClassVar[str] = "world_example"
    group: ClassVar[str] = "example"
    version: ClassVar[int] = 2

    def __init__(self, setting: WorldSetting) -> None:
        """Start with nothing asked."""
        super().__init__(setting)
        names = [name for name in families_of("example", version=2) if name != MARK]
        self._matches = {name: ExactMatch(setting.limit) for name in names}
        counts = range(1, MOST_EXAMPLES + 1)
        self._by_count = {name: {n: Tally(setting.limit) for n in counts} for name in (*names, MARK)}
        self._modes = [mode for mode, judged in (("known", setting.known), ("free", setting.free)) if judged]
        self._marked = {mode: Tally(setting.limit) for mode in self._modes}
        self._refusals = {mode: Tally(setting.limit) for mode in self._modes}

    def requests(self) -> Iterator[Question]:
        """Yield every free question, and what is to be marked once more as known classes."""
        known = (self._known(),) if self.setting.known else ()
        yield from by_picture((*known, *map(self.ask, self._by_count if self.setting.free else ())))

    def _known(self) -> Iterator[Question]:
        for index, sample in self.setting.samples(MARK):
            call = FindLike(shown_in(sample.request), sample.request.pictures[-1], self.setting.options)
            truth = Asked(picture=index, sample=sample, known=True)
            yield Question(picture=index, sort="known mark", call=call, truth=truth)

    def update(self, truth: Asked, result: Any) -> None:
        """Judge words or masks."""
        family, mode = truth.sample.family, "known" if truth.known else "free"
        by_count = self._by_count[family][len(truth.sample.request.pictures) - 1]
        if family != MARK:
            right = self._matches[family].add(truth.picture, truth.sample.answer.text, result.text)
            by_count.add(truth.picture, right)
            return
        found = _meant(truth, result) if truth.known else truth.found_in(result)
        if truth.truth is None:
            self._refusals[mode].add(truth.picture, len(found) == 0)
            return
        share = _overlap(truth, found)
        self._marked[mode].add(truth.picture, share)
        if not truth.known:
            by_count.add(truth.picture, share)

    def compute(self) -> Scores:
        """Return the scores by family and by number of examples."""
        statistics: dict[str, dict[str, Statistic]] = {}
        if self.setting.free:
            for name, match in self._matches.items():
                statistics[name] = match.statistics() | {f"exact_{n}": t for n, t in self._by_count[name].items()}
        marked: dict[str, Statistic] = {}
        for mode in self._modes:
            marked |= {f"miou_{mode}": self._marked[mode], f"refusal_{mode}": self._refusals[mode]}
        if self.setting.free:
            marked |= {f"miou_{n}_free": tally for n, tally in self._by_count[MARK].items()}
        return scored(self.setting, statistics | {MARK: marked})


def shown_in(request: Request) -> tuple[Example, ...]:
    """Return the examples of a question that gives each a name."""
    found: list[Example] = []
    image, region = None, None
    for part in request.messages[-1].parts:
        if isinstance(part, Picture):
            image = part.image
        elif isinstance(part, Mark):
            region = part.region
        elif isinstance(part, str) and image is not None and region is not None:
            called = _CALLED.search(part)
            if called:
                found.append(Example(image, region, called[1]))
                region = None
    return tuple(found)


def _meant(asked: Asked, found: Detections) -> Detections:
    """Return what was found under the name that the question asks for."""
    name = _MEANT.search(asked.sample.answer.text)
    wanted = [name is not None and label == name[1] for label in found.class_names]
    return found.select(np.array([wanted[group] for group in found.class_ids], dtype=bool))


def _overlap(asked: Asked, found: Detections) -> float:
    """Return the IoU of everything that was marked with everything that should be."""
    if found.masks is None:
        return 0.0
    inside, union = mask_overlap(np.asarray(found.masks.any(axis=0)), np.asarray(asked.masks.any(axis=0)))
    return inside / union
