"""Boxes with words, judged as pairs of a picture and a label."""

import numpy as np
import pytest

from visionllm.evaluation.coco import CocoScorer
from visionllm.evaluation.labelled import add_pairs, labels_of
from visionllm.types import DetectionTruth

A, B = (0, 0, 10, 10), (20, 10, 40, 30)
SIZE = (40, 60)


def truth(boxes, spans):
    boxes = np.asarray(boxes, dtype=np.float32).reshape(-1, 4)
    return DetectionTruth(boxes=boxes, class_ids=np.asarray(spans, dtype=np.int64))


def score(labels, there, found):
    scorer = CocoScorer(1, 1)
    add_pairs(scorer, 0, labels, there, found)
    return scorer.matches().ap


@pytest.fixture
def found(detections_of):
    return lambda names, boxes, ids, **more: detections_of(
        SIZE, names, boxes, np.zeros((len(boxes), *SIZE)), ids, **more
    )


def test_labels_are_normalised(found):
    assert labels_of(found(["Red star.", "fish"], [A, B], [1, 0])) == ("fish", "red star")
    assert labels_of(found([], [], [])) == ()


def test_the_order_of_labels_does_not_matter(found):
    assert score(["star", "fish"], truth([A, B], [0, 1]), found(["fish", "star"], [B, A], [0, 1])) == pytest.approx(1)


def test_a_right_box_under_a_wrong_label_is_a_miss_and_a_false_positive(found):
    assert score(["star"], truth([A], [0]), found(["fish"], [A], [0])) == 0


def test_a_label_that_should_not_be_there_counts_against_the_rest(found):
    both = found(["cup", "star"], [B, A], [0, 1], scores=[0.9, 0.5])
    assert score(["star"], truth([A], [0]), both) == pytest.approx(0.5)


def test_a_label_of_two_spans_is_judged_once(found):
    assert score(["star", "star"], truth([A, B], [0, 1]), found(["star"], [A, B], [0, 0])) == pytest.approx(1)


def test_nothing_found_where_nothing_is_adds_nothing(found):
    assert np.isnan(score([], None, found([], [], [])))


def test_what_is_found_where_nothing_is_lowers_the_precision_elsewhere(found):
    scorer = CocoScorer(1, 1)
    add_pairs(scorer, 0, ["star"], truth([A], [0]), found(["star"], [A], [0], scores=[0.5]))
    add_pairs(scorer, 0, [], None, found(["fish"], [B], [0], scores=[0.9]))
    assert scorer.matches().ap == pytest.approx(0.5)
