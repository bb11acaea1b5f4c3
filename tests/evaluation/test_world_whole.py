"""Semantic maps, salient and camouflaged objects."""

from typing import Any

import numpy as np
import pytest

from visionllm.evaluation.base import Detect
from visionllm.evaluation.world import WorldSetting
from visionllm.evaluation.world_whole import CLASSES, WholeBenchmark, class_map, saliency_map
from visionllm.types import Answer

SIZE = (4, 6)


def masks(*columns):
    found = np.zeros((len(columns), *SIZE), dtype=bool)
    for mask, (start, end) in zip(found, columns, strict=True):
        mask[:, start:end] = True
    return found


def scores(mode: Any, answer, pictures=6) -> dict[str, Any]:
    benchmark = WholeBenchmark(WorldSetting(seed=3, pictures=pictures, mode=mode, draws=0))
    for question in benchmark.requests():
        benchmark.update(question.truth, answer(question))
    found = benchmark.compute()
    return {f"{family}/{name}": score.value for family, some in found.items() for name, score in some.items()}


@pytest.fixture
def known_answer(detections_of):
    def answer(question):
        size = question.call.image.size[::-1]
        if not hasattr(question.truth, "classes"):
            truth = question.truth.truth
            return detections_of(size, question.call.classes, truth.boxes, truth.masks, truth.class_ids)
        there = [c for c in range(len(CLASSES)) if (question.truth.classes == c).any()]
        found = [question.truth.classes == c for c in there]
        return detections_of(size, CLASSES, np.zeros((len(there), 4)), found, there)

    return answer


def test_the_truth_scores_one_without_error_in_both_modes(known_answer, right_answer):
    found = scores("known", known_answer) | scores("free", lambda q: right_answer(q.truth.sample))
    errors = {name: value for name, value in found.items() if "mae" in name}
    assert set(errors.values()) == {0.0} and len(errors) == 4
    rest = {name: value for name, value in found.items() if name not in errors and value is not None}
    assert len(rest) >= 14
    assert all(value == pytest.approx(1.0) for value in rest.values())


def test_silence_finds_no_pixel_and_refuses_what_is_not_there():
    found = scores("free", lambda question: Answer(text=""), pictures=40)
    assert found["segment-semantic/miou_free"] == 0.0
    assert found["segment-salient/weighted_f_free"] < 0.01  # errors at the border of a picture weigh a little less
    assert found["segment-camouflaged/refusal_free"] == 1.0
    assert found["segment-salient/mae_free"] > 0


def test_maps_are_asked_with_all_kinds_from_the_threshold_on_and_objects_with_every_score():
    benchmark = WholeBenchmark(WorldSetting(seed=3, pictures=2, mode="known", threshold=0.3))
    calls = [question.call for question in benchmark.requests()]
    assert {(call.classes, call.options.threshold) for call in calls if isinstance(call, Detect)} == {
        (CLASSES, 0.3),
        (("salient object",), 0.0),
        (("camouflaged object",), 0.0),
    }
    assert len(CLASSES) == len(set(CLASSES)) == 25


def test_a_class_that_is_found_where_it_is_not_costs_a_share_of_the_mean(detections_of):
    benchmark = WholeBenchmark(WorldSetting(seed=3, pictures=1, mode="known", draws=0))
    (question,) = [q for q in benchmark.requests() if hasattr(q.truth, "classes")]
    there = [c for c in range(len(CLASSES)) if (question.truth.classes == c).any()]
    other = next(c for c in range(len(CLASSES)) if c not in there)
    size = question.truth.classes.shape
    found = [*(question.truth.classes == c for c in there), question.truth.classes == -1]
    boxes, ids = np.zeros((len(found), 4)), [*there, other]
    benchmark.update(question.truth, detections_of(size, CLASSES, boxes, found, ids))
    assert benchmark.compute()["segment-semantic"]["miou_known"].value == len(there) / (len(there) + 1)


def test_the_best_scored_instance_gives_a_pixel_its_class(detections_of):
    boxes = np.zeros((3, 4))
    found = detections_of(
        SIZE, ["star", "fish", "ghost"], boxes, masks((0, 3), (2, 5), (0, 6)), [0, 1, 2], scores=[0.9, 0.5, 1]
    )
    star, fish = CLASSES.index("star"), CLASSES.index("fish")
    assert class_map(found)[0].tolist() == [star, star, star, fish, fish, -1]


def test_saliency_is_relative_to_the_best_score(detections_of):
    found = detections_of(SIZE, ["it"], np.zeros((2, 4)), masks((0, 3), (2, 5)), [0, 0], scores=[0.8, 0.4])
    assert saliency_map(found)[0].tolist() == pytest.approx([1, 1, 1, 0.5, 0.5, 0])
    assert saliency_map(detections_of(SIZE)).tolist() == np.zeros(SIZE).tolist()
