"""Boxes by name, with known classes and freely."""

from dataclasses import replace

import numpy as np
import pytest

from visionllm.data.world.scene import KINDS
from visionllm.evaluation.base import Ask, Detect
from visionllm.evaluation.world import WorldSetting
from visionllm.evaluation.world_detect import DetectBenchmark
from visionllm.types import Answer


def values(benchmark):
    return {family: {name: s.value for name, s in some.items()} for family, some in benchmark.compute().items()}


@pytest.fixture
def known():
    return DetectBenchmark(WorldSetting(seed=3, pictures=6, mode="known", draws=0))


@pytest.fixture
def free():
    return DetectBenchmark(WorldSetting(seed=3, pictures=6, mode="free", draws=0))


def right(detections_of, truth, names, size=(128, 128), **more):
    return detections_of(size, names, truth.boxes, truth.masks, truth.class_ids, **more)


def test_all_kinds_are_listed_in_one_pass_and_phrases_one_by_one(known):
    calls = [question.call for question in known.requests()]
    assert all(isinstance(call, Detect) for call in calls)
    lists = [call.classes for call in calls if isinstance(call, Detect)]
    assert lists.count(KINDS) == 6
    assert all(len(classes) == 1 for classes in lists if classes != KINDS)


def test_half_of_the_phrases_fit_nothing(known):
    phrases = [q for q in known.requests() if q.sort == "phrase"]
    absent = [q for q in phrases if len(q.truth.truth.boxes) == 0]
    assert len(absent) == 6
    assert len(phrases) - len(absent) == sum(len(known.setting.picture(i).scene.objects) > 0 for i in range(6))


def test_boxes_of_absent_kinds_count_as_false_positives_a_picture(known, detections_of):
    for question in known.requests():
        truth = question.truth.truth
        if question.sort == "kinds":
            absent = next(k for k in range(len(KINDS)) if k not in truth.class_ids)
            boxes = np.concatenate([truth.boxes, [[0, 0, 9, 9]] * 2])
            masks = np.concatenate([truth.masks, np.zeros((2, 128, 128), bool)])
            ids = np.concatenate([truth.class_ids, [absent] * 2])
            scores = [0.5] * len(truth.boxes) + [0.8, 0.1]
            known.update(question.truth, detections_of((128, 128), KINDS, boxes, masks, ids, scores=scores))
    assert values(known)["absent"] == {"false_positives_known": 1.0, "recall_known": 1.0}


def test_boxes_that_are_three_quarters_right_have_an_ap_of_six_tenths(known, detections_of):
    for question in known.requests():
        truth = question.truth.truth
        boxes = truth.boxes * [1, 1, 0.75, 1] + truth.boxes[:, [0] * 4] * [0, 0, 0.25, 0]
        names = KINDS if question.sort == "kinds" else question.call.classes
        known.update(question.truth, replace(right(detections_of, truth, names), boxes=boxes.astype(np.float32)))
    scores = values(known)
    assert scores["detect"]["box_ap_known"] == pytest.approx(0.6, abs=0.011)
    assert scores["detect"]["box_ap50_known"] == pytest.approx(1.0)
    assert scores["attribute"]["box_ap_known"] == pytest.approx(0.6, abs=0.011)


def test_better_scored_boxes_for_absent_phrases_lower_the_precision_of_the_others(known, detections_of):
    entries = [q for q in known.requests() if q.sort == "phrase"]
    there = next(q for q in entries if len(q.truth.truth.boxes) == 1)
    absent = next(q for q in entries if not len(q.truth.truth.boxes))
    known.update(there.truth, right(detections_of, there.truth.truth, there.call.classes, scores=[0.5]))
    wrong = detections_of((128, 128), absent.call.classes, [[0, 0, 9, 9]], np.zeros((1, 128, 128)), [0])
    known.update(absent.truth, wrong)
    assert values(known)["attribute"]["box_ap_known"] == pytest.approx(0.5)


def test_free_answers_are_judged_by_kind_and_by_label(free, detections_of):
    for question in free.requests():
        assert isinstance(question.call, Ask)
        asked = question.truth
        names = [label if asked.sample.family != "detect-attribute" else "comet" for label in asked.labels]
        found = right(detections_of, asked.truth, names) if asked.truth else None
        free.update(asked, Answer(text=asked.sample.answer.text, detections=found))
    scores = values(free)
    assert set(scores) == {"detect", "attribute", "detect-everything", "detect-nothing"}
    assert scores["detect"]["box_ap_free"] == scores["detect-everything"]["box_ap_free"] == pytest.approx(1.0)
    assert scores["attribute"]["box_ap_free"] == 0.0
    assert scores["detect-nothing"]["refusal_free"] == 1.0


def test_instances_that_are_labelled_with_no_kind_are_passed_over(free, detections_of):
    for question in free.requests():
        asked = question.truth
        if asked.sample.family == "detect-one":
            found = right(detections_of, asked.truth, ["comet"] * len(asked.labels))
            free.update(asked, Answer(text="", detections=found))
    assert values(free)["detect"]["box_ap_free"] == 0.0


def test_routing_where_nothing_is_there_is_no_refusal_even_without_boxes(free, detections_of):
    for question in free.requests():
        if question.truth.sample.family == "detect-nothing":
            free.update(question.truth, Answer(text="", detections=detections_of((128, 128), ["star"])))
    assert values(free)["detect-nothing"]["refusal_free"] == 0.0
