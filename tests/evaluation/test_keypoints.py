"""Keypoints beside the true ones, against values worked out by hand."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from visionllm.evaluation.intervals import resamples
from visionllm.evaluation.keypoints import PoseScorer, aligned, matched_pairs, right_keypoints
from visionllm.types import Poses, PoseTruth

SIGMAS = {"nose": 0.05, "left eye": 0.05, "right eye": 0.05}
NAMES = ("nose", "left eye")


def truth_of(*figures: Any, names=NAMES, visibility=None, areas=None):
    """Figures are (class id, x of the box's left edge)."""
    n = len(figures)
    boxes = np.array([[x, 10, x + 20, 50] for _, x in figures], dtype=np.float32).reshape(-1, 4)
    keypoints = np.repeat(boxes[:, None, :2] + 5, len(names), axis=1)
    return PoseTruth(
        boxes=boxes,
        class_ids=np.array([c for c, _ in figures], dtype=np.int64),
        keypoints=keypoints,
        visibility=np.full((n, len(names)), 2) if visibility is None else np.array(visibility, dtype=np.int64),
        sigmas=np.full(len(names), 0.05, np.float32),
        areas=None if areas is None else np.array(areas, dtype=np.float32),
    )


def found_of(truth, *, shift=0.0, names=NAMES, scores=None):
    n = len(truth.boxes)
    return Poses(
        boxes=truth.boxes,
        scores=np.full(n, 0.9, np.float32) if scores is None else np.array(scores, dtype=np.float32),
        class_ids=truth.class_ids,
        keypoints=truth.keypoints + np.array([shift, 0], dtype=np.float32),
        keypoint_scores=np.ones(truth.visibility.shape, np.float32),
        size_hw=(64, 96),
        class_names=("person", "dog"),
        keypoint_names=names,
    )


def ap(*entries, classes=2, names=NAMES):
    scorer = PoseScorer(classes, len(entries), SIGMAS)
    for picture, (truth, found) in enumerate(entries):
        scorer.add(picture, truth, names, found)
    matches = scorer.matches()
    draws = resamples(len(entries), draws=8)
    assert matches.average_precision(np.ones(len(entries))) == pytest.approx(matches.ap)
    return matches.ap, matches.ap_score(draws)


def test_the_truth_scores_one():
    truth = truth_of((0, 10), (1, 60))
    value, score = ap((truth, found_of(truth)))
    assert (value, score.low, score.high) == pytest.approx((1.0, 1.0, 1.0))


@pytest.mark.parametrize(
    ("likeness", "expected"), [(0.99, 1.0), (0.88, 0.8), (0.72, 0.5), (0.51, 0.1), (0.49, 0.0)], ids=str
)
def test_a_shift_costs_the_steps_above_its_likeness(likeness, expected):
    area = 400.0
    shift = np.sqrt(-2 * area * (2 * 0.05) ** 2 * np.log(likeness))
    truth = truth_of((0, 10), areas=[area])
    assert ap((truth, found_of(truth, shift=shift)))[0] == pytest.approx(expected)


def test_hidden_keypoints_count_and_unlabelled_ones_do_not():
    hidden, unlabelled = (truth_of((0, 10), visibility=[[2, v]]) for v in (1, 0))
    keypoints = found_of(hidden).keypoints.copy()
    keypoints[0, 1] += 500
    wrong = replace(found_of(hidden), keypoints=keypoints)
    assert ap((hidden, wrong))[0] == pytest.approx(0.1)  # a likeness of one half
    assert ap((unlabelled, wrong))[0] == pytest.approx(1.0)


def test_another_class_finds_nothing():
    truth = truth_of((0, 10))
    assert ap((truth, found_of(truth_of((1, 10)))))[0] == 0.0


def test_a_figure_without_a_labelled_keypoint_is_passed_over_with_what_was_found_there():
    truth = truth_of((0, 10), (0, 60), visibility=[[0, 0], [2, 2]])
    assert ap((truth, found_of(truth, scores=[0.9, 0.5])))[0] == pytest.approx(1.0)
    elsewhere = found_of(truth_of((0, 35), (0, 60)), scores=[0.9, 0.5])
    assert ap((truth, elsewhere))[0] == pytest.approx(0.5)


def test_keypoints_are_told_apart_by_name_and_missing_ones_are_far_away():
    truth = truth_of((0, 10))
    found = found_of(truth, names=("left eye", "nose"))
    found.keypoints[0, 0] = (1, 2)
    assert aligned(found, ("nose", "left eye"))[0].tolist() == [[15, 15], [1, 2]]
    assert (aligned(found, ("right eye",)) < -1000).all()
    assert ap((truth, found_of(truth, names=("nose", "right eye"))))[0] == pytest.approx(0.1)


def test_nothing_to_find_is_undefined_and_nothing_found_is_zero():
    none, some = truth_of(), truth_of((0, 10))
    assert np.isnan(PoseScorer(1, 1, SIGMAS).matches().ap)
    scorer = PoseScorer(1, 1, SIGMAS)
    scorer.add(0, none, NAMES, found_of(none))
    assert scorer.matches().ap_score(resamples(1, draws=2)).value is None
    assert ap((some, found_of(none)))[0] == 0.0


def test_pairs_share_class_and_half_of_their_boxes():
    truth = truth_of((0, 10), (1, 60))
    assert matched_pairs(found_of(truth_of((1, 61), (0, 11))), truth) == [(0, 1), (1, 0)]
    assert matched_pairs(found_of(truth_of((0, 60), (1, 80))), truth) == []
    assert matched_pairs(found_of(truth_of()), truth) == []


def test_a_keypoint_is_right_up_to_a_fifth_of_the_longer_side():
    found = np.array([[18.0, 0], [18.2, 0], [0, -18]])
    box = np.array([0, 0, 30, 90])
    assert right_keypoints(found, np.zeros((3, 2)), box).tolist() == [True, False, True]
