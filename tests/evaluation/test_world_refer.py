"""Phrases that single out one object, and phrases that fit nothing."""

import numpy as np
import pytest

from visionllm.evaluation.base import Refer
from visionllm.evaluation.world import WorldSetting, families_of
from visionllm.evaluation.world_refer import ReferBenchmark, choose_threshold
from visionllm.types import Answer

SIZE = (128, 128)


def values(benchmark):
    return {family: {name: s.value for name, s in some.items()} for family, some in benchmark.compute().items()}


def half(truth, detections_of, **more):
    """The left half of the box, with the mask of the left half of the box."""
    (x0, y0, x1, y1), masks = truth.boxes[0], truth.masks.copy()
    masks[:, :, round((x0 + x1) / 2) :] = False
    return detections_of(SIZE, ["it"], [(x0, y0, (x0 + x1) / 2, y1)], masks, [0], routes=["[GRD]"], **more)


@pytest.fixture
def known():
    return ReferBenchmark(WorldSetting(seed=3, pictures=5, mode="known", draws=0, threshold=0.4))


@pytest.fixture
def free():
    return ReferBenchmark(WorldSetting(seed=3, pictures=5, mode="free", draws=0))


def test_both_modes_hear_the_same_phrases():
    benchmark = ReferBenchmark(WorldSetting(seed=3, pictures=5, draws=0))
    questions = list(benchmark.requests())
    known = [q for q in questions if q.truth.known]
    free = [q for q in questions if not q.truth.known]
    assert len(known) == len(free) == 5 * len(families_of("refer"))
    said = {(q.picture, q.truth.sample.family): q.truth.sample.request.messages[-1].text.lower() for q in free}
    phrases = {(q.picture, q.truth.sample.family): q.call.phrase for q in known if isinstance(q.call, Refer)}
    assert said.keys() == phrases.keys()
    assert all(phrases[question] in said[question] for question in said)


def test_the_threshold_goes_with_the_phrase(known):
    calls = [question.call for question in known.requests()]
    assert all(isinstance(call, Refer) and call.options.threshold == 0.4 for call in calls)


def test_half_an_object_has_a_box_at_the_bound_and_the_mask_s_own_share(known, detections_of):
    inside = union = 0
    for question in known.requests():
        truth = question.truth.truth
        if truth is None:
            known.update(question.truth, detections_of(SIZE, ["it"]))
            continue
        found = half(truth, detections_of)
        known.update(question.truth, found)
        if question.truth.sample.family == "refer-attribute":
            inside, union = inside + int(found.masks.sum()), union + int(truth.masks.sum())
    scores = values(known)
    assert scores["refer"]["p50_known"] == 1.0
    assert scores["refer-attribute"]["ciou_known"] == pytest.approx(inside / union)
    assert scores["refer"]["refusal_known"] == 1.0
    assert scores["refer"]["giou_known"] == pytest.approx(0.8 * scores["refer"]["miou_known"] + 0.2)


def test_the_best_scored_instance_counts(free, detections_of):
    for question in free.requests():
        truth = question.truth.truth
        if truth is not None:
            boxes = [[0, 0, 1, 1], truth.boxes[0]]
            masks = np.concatenate([np.zeros_like(truth.masks), truth.masks])
            found = detections_of(SIZE, ["it"], boxes, masks, [0, 0], scores=[0.4, 0.6], routes=["[GRD]"])
            free.update(question.truth, Answer(text="", detections=found))
    scores = values(free)["refer"]
    assert scores["p50_free"] == scores["ciou_free"] == 1.0
    assert scores["refusal_free"] is None


def test_what_another_token_routed_does_not_count(free, detections_of):
    for question in free.requests():
        truth = question.truth.truth
        if truth is not None:
            found = detections_of(SIZE, ["it"], truth.boxes, truth.masks, truth.class_ids, routes=["[DET]"])
            free.update(question.truth, Answer(text="", detections=found))
    assert values(free)["refer"]["p50_free"] == 0.0


def test_free_refusals_are_answers_without_the_token(free, detections_of):
    routes = iter(["[GRD]", "[DET]", None, "[GRD]", None])
    for question in free.requests():
        if question.truth.truth is None:
            route = next(routes)
            found = None if route is None else detections_of(SIZE, ["it"], routes=[route])
            free.update(question.truth, Answer(text="", detections=found))
    assert values(free)["refer"]["refusal_free"] == 0.6


def test_missing_masks_share_nothing(known, detections_of):
    for question in known.requests():
        if (truth := question.truth.truth) is not None:
            full = detections_of(SIZE, ["it"], truth.boxes, truth.masks, truth.class_ids)
            known.update(
                question.truth, type(full)(boxes=full.boxes, scores=full.scores, class_ids=full.class_ids, size_hw=SIZE)
            )
    scores = values(known)["refer"]
    assert (scores["p50_known"], scores["ciou_known"]) == (1.0, 0.0)


def test_the_chosen_threshold_parts_the_scores_of_right_and_wrong_phrases(validation_oracle, detections_of):
    class Unsure(type(validation_oracle)):
        def refer(self, image, phrase, *, options=None):
            truth = self._phrases[image.tobytes(), phrase]
            if truth is None:
                return detections_of(SIZE, [phrase], [[0, 0, 9, 9]], np.zeros((1, *SIZE)), [0], scores=[0.3])
            return half(truth, detections_of, scores=[0.6])

    unsure = Unsure.__new__(Unsure)
    unsure.__dict__.update(validation_oracle.__dict__)
    assert 0.3 < choose_threshold(unsure, pictures=3, seed=7) <= 0.6


def test_a_model_that_always_refuses_gets_a_threshold_too(validation_oracle, detections_of):
    class Shy(type(validation_oracle)):
        def refer(self, image, phrase, *, options=None):
            return detections_of(SIZE, [phrase])

    shy = Shy.__new__(Shy)
    shy.__dict__.update(validation_oracle.__dict__)
    assert 0 < choose_threshold(shy, pictures=3, seed=7) < 1e-6
