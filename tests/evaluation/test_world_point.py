"""Masks of what is pointed at."""

import pytest

from visionllm.evaluation.base import SegmentRegions
from visionllm.evaluation.world import WorldSetting, families_of
from visionllm.evaluation.world_point import PointBenchmark
from visionllm.types import Answer, Mark

SIZE = (128, 128)


def values(benchmark):
    return {name: score.value for name, score in benchmark.compute()["point"].items()}


@pytest.fixture
def known():
    return PointBenchmark(WorldSetting(seed=3, pictures=12, mode="known", draws=0))


@pytest.fixture
def free():
    return PointBenchmark(WorldSetting(seed=3, pictures=12, mode="free", draws=0))


def test_known_classes_get_every_region_of_the_question(known):
    for question in known.requests():
        marks = [part for part in question.truth.sample.request.messages[-1].parts if isinstance(part, Mark)]
        assert isinstance(question.call, SegmentRegions)
        assert question.call.regions == tuple(mark.region for mark in marks)
        assert len(question.truth.masks) == len(marks)


def test_half_a_mask_scores_its_share_picture_by_picture_and_in_all(known, detections_of):
    shares, inside, union = [], 0, 0
    for question in known.requests():
        truth, labels = question.truth.truth, question.truth.labels
        masks = truth.masks.copy()
        masks[:, 64:] = False
        known.update(question.truth, detections_of(SIZE, labels, truth.boxes, masks, truth.class_ids))
        if question.truth.sample.family == "segment-box":
            shares.append(masks.sum() / truth.masks.sum())
            inside, union = inside + int(masks.sum()), union + int(truth.masks.sum())
    scores = values(known)
    assert scores["miou_box_known"] == pytest.approx(sum(shares) / len(shares))
    assert scores["ciou_box_known"] == pytest.approx(inside / union)
    assert scores["miou_several_known"] < 1
    assert not any(name.endswith("_free") for name in scores)


def test_one_instance_a_region_is_expected(known, detections_of):
    question = next(q for q in known.requests() if q.truth.sample.family == "segment-several")
    count = len(question.truth.labels)
    with pytest.raises(ValueError, match=f"expected {count} instances, one per region, got 0"):
        known.update(question.truth, detections_of(SIZE, question.truth.labels))


def test_free_masks_are_matched_by_their_region_s_name(free, detections_of):
    for question in free.requests():
        asked, truth = question.truth, question.truth.truth
        if asked.sample.family == "segment-several":
            order = list(reversed(range(len(asked.labels))))
            names = [asked.labels[i] for i in order]
            found = detections_of(SIZE, names, truth.boxes[order], truth.masks[order], range(len(order)))
            free.update(asked, Answer(text="", detections=found))
    assert values(free) == {"miou_several_free": 1.0, "ciou_several_free": 1.0}


def test_the_better_of_two_instances_of_a_region_counts(free, detections_of):
    for question in free.requests():
        asked, truth = question.truth, question.truth.truth
        if asked.sample.family == "segment-point" and truth is not None:
            masks = [truth.masks[0], ~truth.masks[0]]
            found = detections_of(SIZE, ["region1"], [truth.boxes[0]] * 2, masks, [0, 0], scores=[0.9, 0.2])
            free.update(asked, Answer(text="", detections=found))
    assert values(free)["miou_point_free"] == 1.0


def test_a_free_answer_without_masks_or_with_another_name_shares_nothing(free, detections_of):
    for question in free.requests():
        asked, truth = question.truth, question.truth.truth
        if truth is not None:
            found = detections_of(SIZE, ["comet"], truth.boxes[:1], truth.masks[:1], [0])
            free.update(asked, Answer(text="", detections=found))
    assert set(values(free).values()) == {0.0}


def test_regions_on_nothing_should_route_nothing(free, detections_of):
    nothing = [q for q in free.requests() if q.truth.truth is None]
    assert len(nothing) >= 2
    for index, question in enumerate(nothing):
        found = detections_of(SIZE, ["region1"]) if index == 0 else None
        free.update(question.truth, Answer(text="", detections=found))
    assert values(free) == {"refusal_free": pytest.approx(1 - 1 / len(nothing))}


def test_nothing_asked_has_no_scores(free):
    assert free.compute() == {}
    assert families_of("point")[0].startswith("segment-")
