"""Keypoints of people and animals: all of a kind by name, and what free questions find."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from visionllm.data.world.captions import normalise_answer
from visionllm.data.world.families.pose import ANIMALS, joints_of, pose_truth_of
from visionllm.data.world.figures import FIGURES, skeleton_of
from visionllm.data.world.phrases import Phrase
from visionllm.evaluation.base import FindPoses, Question, Scores
from visionllm.evaluation.intervals import Score, Tally
from visionllm.evaluation.keypoints import PoseScorer, aligned, chosen_truth, matched_pairs, right_keypoints
from visionllm.evaluation.world import Asked, WorldBenchmark, WorldSetting, by_picture, families_of
from visionllm.types import Answer, Poses, PoseTruth, Routed

SIGMAS = {
    name: sigma
    for kind in FIGURES
    for name, sigma in zip(skeleton_of(kind).names, skeleton_of(kind).sigmas, strict=True)
}
"""By the name of a joint, how far off it may be, as a share of a figure's size; skeletons that share a name agree."""
_THEME = "figures"
_KNOWN = {"pose-person": ("person",), "pose-animals": ANIMALS}
_NOTHING = "pose-nothing"


@dataclass(frozen=True, kw_only=True, eq=False)
class _Known:
    """What a pass over known classes should find."""

    picture: int
    table: str
    truth: PoseTruth
    names: tuple[str, ...]


class _Sheet:
    """The scores of one row in one mode."""

    def __init__(self, classes: int, pictures: int) -> None:
        self.scorer = PoseScorer(classes, pictures, SIGMAS)
        self.right, self.matched = Tally(pictures), Tally(pictures)

    def add(self, picture: int, truth: PoseTruth, names: tuple[str, ...], found: Poses) -> None:
        """Judge one entry."""
        self.scorer.add(picture, truth, names, found)
        self.matched.add(picture, 0, len(truth.boxes))
        keypoints = aligned(found, names)
        for one, other in matched_pairs(found, truth):
            self.matched.add(picture, 1, 0)
            seen = truth.visibility[other] == 2
            right = right_keypoints(keypoints[one], truth.keypoints[other], truth.boxes[other])
            self.right.add(picture, float(right[seen].sum()), float(seen.sum()))

    def scores(self, setting: WorldSetting, mode: str) -> dict[str, Score]:
        """Return the scores of the row."""
        matches = self.scorer.matches()
        return {
            f"oks_ap_{mode}": matches.ap_score(setting.resamples),
            f"oks_ap50_{mode}": matches.ap50_score(setting.resamples),
            f"pck_{mode}": setting.score(self.right),
            f"matched_{mode}": setting.score(self.matched),
        }


class PoseBenchmark(WorldBenchmark):
    """Average precision over object keypoint similarity (OKS-AP), and PCK@0.2.

    Known classes: people in one pass, the three animals in another, each with all keypoints of its skeleton and every
    score kept. The sigmas are those of the skeletons; the area is the visible figure's. Free: class-agnostic OKS-AP
    over (picture, label) pairs of the keypoints that were asked for, by family; and how often an answer finds nothing
    where nothing fits.

    `pck` is the share of visible keypoints of matched figures that lie within 0.2 of the longer side of the true box;
    a figure is matched by a found one of its class whose box has IoU ≥ 0.5, and `matched` is the share of figures that
    are. With every score kept nearly all are, so that the two are to be read together.
    """

    name: ClassVar[str] = "world_pose"
    group: ClassVar[str] = "pose"
    version: ClassVar[int] = 2
    needs: ClassVar[tuple[str, ...]] = ("pose",)

    def __init__(self, setting: WorldSetting) -> None:
        """Start with nothing asked."""
        super().__init__(setting)
        self._known = {name: _Sheet(len(kinds), setting.limit) for name, kinds in _KNOWN.items()}
        rows = ("pose-person", "pose-animals", "pose-several", "pose-some")
        self._free = {name: _Sheet(1, setting.limit) for name in rows}
        self._refusals = Tally(setting.limit)

    def requests(self) -> Iterator[Question]:
        """Yield passes over known classes and free questions."""
        known = map(self._kinds, _KNOWN) if self.setting.known else ()
        families = families_of("pose", version=2) if self.setting.free else ()
        yield from by_picture((*known, *map(self.ask, families)))

    def _kinds(self, table: str) -> Iterator[Question]:
        kinds = _KNOWN[table]
        names = joints_of(kinds)
        for index in self.setting.asked_about(table):
            figures = self.setting.picture(index, _THEME).scene.figures
            truth = pose_truth_of([Phrase(kind=kind).among(figures) for kind in kinds], names)
            known = _Known(picture=index, table=table, truth=truth, names=names)
            call = FindPoses(self.setting.image(index, _THEME), kinds)
            yield Question(picture=index, sort=f"known {table}", call=call, truth=known)

    def update(self, truth: _Known | Asked, result: Any) -> None:
        """Judge what was found."""
        if isinstance(truth, _Known):
            self._known[truth.table].add(truth.picture, truth.truth, truth.names, result)
        else:
            self._update_free(truth, result)

    def _update_free(self, asked: Asked, answer: Answer) -> None:
        family, truth = asked.sample.family, asked.sample.truth.get("pose")
        if not isinstance(truth, PoseTruth):
            self._refusals.add(asked.picture, not answer.poses)
            return
        routed = [part for part in asked.sample.answer.parts if isinstance(part, Routed)]
        names = tuple(part.text for part in routed if part.token == "[POSE]")
        labels = [normalise_answer(part.text) for part in routed if part.token == "[DET]"]
        row = "pose-animals" if family.removeprefix("pose-") in ANIMALS else family
        told = [label for poses in answer.poses for label in _labels(poses)]
        for label in dict.fromkeys((*labels, *told)):
            there = _of_span(truth, labels.index(label) if label in labels else -1)
            found = _labelled(answer.poses, label, names, asked.size_hw)
            self._free[row].add(asked.picture, there, names, found)

    def compute(self) -> Scores:
        """Return the scores of people and of animals, then of the other free families."""
        scores: dict[str, dict[str, Score]] = {}
        for mode, sheets, judged in (
            ("known", self._known, self.setting.known),
            ("free", self._free, self.setting.free),
        ):
            for name, sheet in sheets.items() if judged else ():
                scores.setdefault(name, {}).update(sheet.scores(self.setting, mode))
        if self.setting.known:
            scores["pose"] = {"pck_known": self.setting.score(Tally.joined([s.right for s in self._known.values()]))}
        if self.setting.free:
            scores[_NOTHING] = {"refusal_free": self.setting.score(self._refusals)}
        return scores


def _labels(poses: Poses) -> list[str]:
    """Return the normalised label of every object."""
    return [normalise_answer(poses.class_names[group]) for group in poses.class_ids]


def _of_span(truth: PoseTruth, span: int) -> PoseTruth:
    """Return what one span of an answer stands for, as the objects of one class."""
    some = chosen_truth(truth, truth.class_ids == span)
    return replace(some, class_ids=np.zeros_like(some.class_ids))


def _labelled(found: Sequence[Poses], label: str, names: tuple[str, ...], size_hw: tuple[int, int]) -> Poses:
    """Join everything that was found under a label, as objects of one class with the named keypoints."""
    kept = [poses.select(np.array([told == label for told in _labels(poses)], dtype=bool)) for poses in found]
    count = sum(len(poses) for poses in kept)
    boxes, keypoints = np.zeros((0, 4), np.float32), np.zeros((0, len(names), 2))
    return Poses(
        boxes=np.concatenate([boxes, *(poses.boxes for poses in kept)]),
        scores=np.concatenate([boxes[:, 0], *(poses.scores for poses in kept)]),
        class_ids=np.zeros(count, dtype=np.int64),
        keypoints=np.concatenate([keypoints, *(aligned(poses, names) for poses in kept)]).astype(np.float32),
        keypoint_scores=np.ones((count, len(names)), dtype=np.float32),
        size_hw=size_hw,
        keypoint_names=names,
    )
