"""Average precision: hand-computed cases, both COCO libraries, and the weights of the bootstrap."""

import contextlib
import io

import numpy as np
import pytest

from visionllm.evaluation.coco import CocoScorer, library
from visionllm.types import Detections, DetectionTruth

SIZE = (40, 60)


def masks_of(boxes):
    masks = np.zeros((len(boxes), *SIZE), dtype=bool)
    for mask, (x0, y0, x1, y1) in zip(masks, boxes, strict=True):
        mask[int(y0) : int(y1), int(x0) : int(x1)] = True
    return masks


def truth(boxes, ids=None, *, masks=True):
    boxes = np.asarray(boxes, dtype=np.float32).reshape(-1, 4)
    ids = np.zeros(len(boxes), dtype=np.int64) if ids is None else np.asarray(ids, dtype=np.int64)
    return DetectionTruth(boxes=boxes, class_ids=ids, masks=masks_of(boxes) if masks else None)


def found(boxes, scores, ids=None, *, masks=True):
    boxes = np.asarray(boxes, dtype=np.float32).reshape(-1, 4)
    ids = np.zeros(len(boxes), dtype=np.int64) if ids is None else np.asarray(ids, dtype=np.int64)
    return Detections(
        boxes=boxes,
        scores=np.asarray(scores, dtype=np.float32),
        class_ids=ids,
        size_hw=SIZE,
        masks=masks_of(boxes) if masks else None,
    )


A, B, C = (0, 0, 10, 10), (20, 10, 40, 30), (45, 5, 55, 35)


def noisy_scorer(pictures=30, classes=4, seed=0):
    rng = np.random.default_rng(seed)
    scorer = CocoScorer(classes, pictures, masks=True)
    for picture in range(pictures):
        corners = rng.integers((0, 0), (40, 20), (rng.integers(0, 4), 2))
        boxes = np.concatenate([corners, corners + rng.integers(6, 20, corners.shape)], axis=1)
        ids = rng.integers(0, classes, len(boxes))
        guesses = np.clip(boxes + rng.integers(-2, 3, boxes.shape), 0, 60)
        guesses = np.concatenate([guesses, [[5, 5, 20, 20]]])
        wrong = rng.random(len(boxes)) > 0.8
        guess_ids = np.append(np.where(wrong, (ids + 1) % classes, ids), rng.integers(classes))
        scorer.add(picture, truth(boxes, ids), found(guesses, rng.random(len(guesses)), guess_ids))
    return scorer


@pytest.mark.parametrize("kind", ["bbox", "segm"])
def test_finding_everything_exactly_scores_one(kind):
    scorer = CocoScorer(2, 1, masks=True)
    scorer.add(0, truth([A, B], [0, 1]), found([A, B], [0.9, 0.1], [0, 1]))
    matches = scorer.matches(kind)
    assert [matches.ap, matches.ap50] == pytest.approx([1.0, 1.0])


def test_finding_nothing_scores_zero():
    scorer = CocoScorer(1, 1)
    scorer.add(0, truth([A]), found([], []))
    matches = scorer.matches()
    assert (matches.ap, matches.recall(np.ones(1)), matches.average_precision(np.ones(1))) == (0.0, 0.0, 0.0)


def test_one_hit_below_one_miss_has_half_precision_at_every_recall():
    scorer = CocoScorer(1, 1)
    scorer.add(0, truth([A]), found([B, A], [0.9, 0.8]))
    assert scorer.matches().ap == pytest.approx(0.5)


def test_a_box_with_iou_three_quarters_counts_at_six_of_ten_steps():
    scorer = CocoScorer(1, 1)
    scorer.add(0, truth([(0, 0, 16, 10)]), found([(0, 0, 12, 10)], [0.9]))
    matches = scorer.matches()
    assert matches.ap == pytest.approx(0.6)
    assert matches.ap50 == pytest.approx(1.0)


def test_pairs_of_picture_and_phrase_count_misses_of_phrases_that_fit_nothing():
    scorer = CocoScorer(1, 1)
    scorer.add(0, truth([A]), found([A], [0.5]))
    scorer.add(0, truth([]), found([B], [0.9]))
    assert scorer.matches().ap == pytest.approx(0.5)


@pytest.mark.parametrize("kind", ["bbox", "segm"])
def test_weights_of_one_reproduce_the_library(kind):
    matches = noisy_scorer().matches(kind)
    assert 0.05 < matches.ap < 0.95
    assert matches.average_precision(np.ones(30)) == pytest.approx(matches.ap, abs=1e-12)
    assert matches.ap50_score(np.ones((1, 30))).low == pytest.approx(matches.ap50, abs=1e-12)


def test_a_picture_that_counts_twice_is_a_picture_that_was_added_twice():
    doubled = CocoScorer(1, 3)
    once = CocoScorer(1, 2)
    entries = [(truth([A, B]), found([A, C], [0.9, 0.7])), (truth([C]), found([C, A], [0.6, 0.8]))]
    for p, entry in enumerate(entries):
        once.add(p, *entry)
    for p, entry in enumerate([entries[0], *entries]):
        doubled.add(p, *entry)
    assert once.matches().average_precision(np.array([2.0, 1.0])) == pytest.approx(doubled.matches().ap, abs=1e-12)


@pytest.mark.parametrize("kind", ["bbox", "segm"])
def test_both_coco_libraries_agree(kind):
    faster = pytest.importorskip("faster_coco_eval")
    scorer = noisy_scorer()
    data = [faster.COCO() for _ in range(2)]
    for one, annotations in zip(data, (scorer._truth, scorer._found), strict=True):
        one.dataset = scorer._dataset(annotations).dataset
        one.createIndex()
    with contextlib.redirect_stdout(io.StringIO()):
        judge = faster.COCOeval_faster(*data, kind)
        judge.evaluate()
        judge.accumulate()
        judge.summarize()
    matches = scorer.matches(kind)
    assert [matches.ap, matches.ap50] == pytest.approx(list(judge.stats[:2]), abs=1e-9)


def test_false_positives_are_counted_where_the_recall_is_reached():
    scorer = CocoScorer(2, 2)
    scorer.add(0, truth([A, B], [0, 0]), found([A, B, C, C], [0.9, 0.7, 0.8, 0.1], [0, 0, 1, 1]))
    scorer.add(1, truth([A, B, C], [1, 1, 1]), found([A, B, C, A], [0.6, 0.5, 0.3, 0.5], [1, 1, 1, 0]))
    matches = scorer.matches()
    assert matches.false_positives(np.ones(2), recall=0.8) == 1.0
    assert matches.false_positives(np.ones(2), recall=0.6) == 0.5
    assert matches.false_positives(np.array([1.0, 0.0]), recall=0.8) == 1.0
    assert matches.recall(np.ones(2)) == 0.8
    assert matches.recall(np.ones(2), recall=0.6) == 0.6


def test_instances_of_one_score_are_counted_together():
    scorer = CocoScorer(2, 1)
    scorer.add(0, truth([A, B], [0, 0]), found([A, B, C], [0.5, 0.5, 0.5], [0, 0, 1]))
    matches = scorer.matches()
    assert matches.false_positives(np.ones(1), recall=0.4) == 1.0
    assert matches.recall(np.ones(1), recall=0.4) == 1.0


def test_false_positives_are_undefined_where_the_recall_is_never_reached():
    scorer = CocoScorer(1, 1)
    scorer.add(0, truth([A, B]), found([A], [0.9]))
    matches = scorer.matches()
    assert np.isnan(matches.false_positives(np.ones(1)))
    assert matches.recall(np.ones(1)) == 0.5


def test_nothing_to_find_is_undefined_rather_than_zero():
    scorer = CocoScorer(1, 1)
    scorer.add(0, truth([]), found([A], [0.9]))
    matches = scorer.matches()
    assert np.isnan(matches.ap)
    assert np.isnan(matches.average_precision(np.ones(1)))
    assert np.isnan(matches.recall(np.ones(1)))


def test_no_entries_at_all_is_undefined():
    matches = CocoScorer(3, 1, masks=True).matches("segm")
    assert np.isnan(matches.ap)
    assert np.isnan(matches.average_precision(np.ones(1)))


@pytest.mark.parametrize("missing", ["truth", "found"])
def test_masks_cannot_be_judged_where_some_are_missing(missing):
    scorer = CocoScorer(1, 1, masks=True)
    with pytest.raises(ValueError, match="expected masks beside all boxes, got boxes alone"):
        scorer.add(0, truth([A], masks=missing != "truth"), found([A], [0.9], masks=missing != "found"))


def test_masks_cannot_be_judged_where_they_were_not_kept():
    with pytest.raises(ValueError, match="expected a scorer with masks=True"):
        CocoScorer(1, 1).matches("segm")


def test_the_library_prints_nothing_on_standard_output(capsys):
    noisy_scorer(3).matches()
    assert capsys.readouterr().out == ""


def test_the_library_is_named_with_its_version():
    assert library().startswith("pycocotools 2.")
