"""Keypoints of people and animals."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from visionllm.evaluation.base import FindPoses
from visionllm.evaluation.world import WorldSetting
from visionllm.evaluation.world_pose import SIGMAS, PoseBenchmark
from visionllm.types import Answer, Poses, Routed

SIZE = (128, 128)


def poses(truth, names, labels, *, shift=(0.0, 0.0)):
    n = len(truth.boxes)
    return Poses(
        boxes=truth.boxes,
        scores=np.full(n, 0.9, np.float32),
        class_ids=truth.class_ids,
        keypoints=truth.keypoints + np.asarray(shift, np.float32).reshape(-1, 1, 2),
        keypoint_scores=np.ones(truth.visibility.shape, np.float32),
        size_hw=SIZE,
        class_names=labels,
        keypoint_names=names,
    )


def answered(question: Any, *, rename=None) -> Any:
    """Answer a question rightly, or with other labels."""
    if isinstance(question.call, FindPoses):
        known = question.truth
        return poses(known.truth, known.names, question.call.classes)
    sample = question.truth.sample
    truth = sample.truth.get("pose")
    if truth is None:
        return Answer(text=sample.answer.text)
    routed = [part for part in sample.answer.parts if isinstance(part, Routed)]
    names = tuple(part.text for part in routed if part.token == "[POSE]")
    labels = tuple(rename or part.text for part in routed if part.token == "[DET]")
    return Answer(text=sample.answer.text, poses=(poses(truth, names, labels),))


def scores(mode: Any, answer=answered, pictures=8, draws=0):
    benchmark = PoseBenchmark(WorldSetting(seed=3, pictures=pictures, mode=mode, draws=draws))
    for question in benchmark.requests():
        benchmark.update(question.truth, answer(question))
    return benchmark.compute()


def values(found) -> dict[str, Any]:
    return {f"{family}/{name}": score.value for family, some in found.items() for name, score in some.items()}


def test_the_truth_scores_one_in_both_modes():
    found = values(scores("both", draws=4))
    assert len(found) == 26
    assert {name: value for name, value in found.items() if not np.isclose(value, 1)} == {}


def test_silence_finds_no_one():
    def silent(question):
        if isinstance(question.call, FindPoses):
            blank = replace(answered(question)).select(np.zeros(len(question.truth.truth.boxes), dtype=bool))
            return blank
        return Answer(text="")

    found = values(scores("both", silent))
    assert found.pop("pose-nothing/refusal_free") == 1.0
    assert {value for name, value in found.items() if "oks" in name or "matched" in name} == {0.0}
    assert {value for name, value in found.items() if "pck" in name} == {None}


def test_known_classes_list_every_kind_and_all_its_joints():
    benchmark = PoseBenchmark(WorldSetting(seed=3, pictures=2, mode="known"))
    questions: Any = list(benchmark.requests())
    asked = {question.call.classes: len(question.truth.names) for question in questions}
    assert asked == {("person",): 17, ("dog", "horse", "bird"): 17}
    assert set(SIGMAS) == {name for question in questions for name in question.truth.names}


@pytest.mark.parametrize(("share", "expected"), [(0.19, 1.0), (0.21, 0.0)])
def test_keypoints_off_by_a_share_of_the_longer_side_are_right_up_to_a_fifth(share, expected):
    def shifted(question):
        known = question.truth
        sides = (known.truth.boxes[:, 2:] - known.truth.boxes[:, :2]).max(axis=1)
        shift = np.stack([sides * share, np.zeros_like(sides)], axis=1)
        return poses(known.truth, known.names, question.call.classes, shift=shift)

    found = values(scores("known", shifted))
    assert found["pose/pck_known"] == found["pose-person/pck_known"] == expected
    assert found["pose-person/matched_known"] == 1.0


def test_a_shift_of_known_likeness_scores_the_steps_below_it():
    def shifted(question):
        known = question.truth
        sigma = np.array([SIGMAS[name] for name in known.names])
        reach = np.sqrt(-2 * known.truth.areas[:, None] * (2 * sigma) ** 2 * np.log(0.77))
        keypoints = known.truth.keypoints + np.stack([reach, np.zeros_like(reach)], axis=2).astype(np.float32)
        return replace(poses(known.truth, known.names, question.call.classes), keypoints=keypoints)

    found = values(scores("known", shifted))
    assert found["pose-person/oks_ap_known"] == pytest.approx(0.6)
    assert found["pose-animals/oks_ap50_known"] == pytest.approx(1.0)


def test_free_figures_under_another_label_are_not_found():
    found = values(scores("free", lambda question: answered(question, rename="ghost")))
    assert found["pose-person/oks_ap_free"] == found["pose-some/oks_ap_free"] == 0.0


def test_one_mode_leaves_the_scores_of_the_other_out():
    assert all(name.endswith("_known") for name in values(scores("known", pictures=2)))
    assert all(name.endswith("_free") for name in values(scores("free", pictures=2)))
