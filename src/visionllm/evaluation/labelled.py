"""Boxes that carry words: judged phrase by phrase, as pairs of a picture and what was asked for."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from visionllm.data.world.captions import normalise_answer
from visionllm.data.world.families.base import truth_of
from visionllm.evaluation.coco import CocoScorer
from visionllm.types import Detections, DetectionTruth


def labels_of(found: Detections) -> tuple[str, ...]:
    """Return the normalised label of every instance."""
    names = [normalise_answer(name) for name in found.class_names]
    return tuple(names[group] for group in found.class_ids)


def add_pairs(
    scorer: CocoScorer, picture: int, labels: Sequence[str], truth: DetectionTruth | None, found: Detections
) -> None:
    """Add one entry for every label that should be found or was: class-agnostic, with boxes of other labels unseen.

    Args:
        scorer: A scorer of one class.
        picture: Number of the picture.
        labels: Normalised words of every routed span, which `truth.class_ids` index.
        truth: What should be found, or None where nothing should.
        found: What was found.
    """
    told = np.array(labels_of(found), dtype=str)
    true = np.array([labels[span] for span in truth.class_ids] if truth is not None else [], dtype=str)
    for label in dict.fromkeys((*labels, *told.tolist())):
        there = _of_label(truth, true == label, found.size_hw)
        some = found.select(told == label)
        scorer.add(picture, there, replace(some, class_ids=np.zeros(len(some), np.int64)))


def _of_label(truth: DetectionTruth | None, keep: NDArray[np.bool_], size_hw: tuple[int, int]) -> DetectionTruth:
    if truth is None:
        return truth_of((), size_hw)
    masks = None if truth.masks is None else truth.masks[keep]
    return DetectionTruth(boxes=truth.boxes[keep], class_ids=np.zeros(int(keep.sum()), np.int64), masks=masks)
