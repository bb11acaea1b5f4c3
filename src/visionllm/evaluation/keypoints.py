"""Keypoints beside the true ones: average precision over object keypoint similarity, and the share of right ones."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from visionllm.evaluation.coco import Entries, Matches, annotations
from visionllm.evaluation.overlaps import box_ious
from visionllm.types import Poses, PoseTruth

# Where a keypoint counts as found that was not returned: nowhere near any picture.
_NOWHERE = -1e5


class PoseScorer(Entries):
    """Collects objects with keypoints, then computes average precision over object keypoint similarity.

    The similarity counts every labelled keypoint, hidden ones too, and takes the true object's area. Objects may have
    different keypoints of one vocabulary. A true object without a single labelled keypoint is passed over, together
    with what was found in its place (box IoU ≥ 0.5).

    Source: https://cocodataset.org/#keypoints-eval.
    """

    def __init__(self, classes: int, pictures: int, sigmas: Mapping[str, float]) -> None:
        """Start empty.

        Args:
            classes: Number of classes; class ids are below it.
            pictures: Number of pictures that the bootstrap draws from.
            sigmas: By name, how far off a keypoint may be, as a share of the object's size.
        """
        super().__init__(classes, pictures)
        self._sigmas = dict(sigmas)

    def add(self, picture: int, truth: PoseTruth, names: Sequence[str], found: Poses) -> None:
        """Add one entry; class ids of `truth` and `found` mean the same.

        Args:
            picture: Number of the picture.
            truth: What should be found.
            names: Names of its keypoints.
            found: What was found; other names than the truth's are passed over, missing ones count as far away.
        """
        truth, found = _with_keypoints(truth, found)
        n, areas = len(truth.boxes), truth.areas
        labelled = np.zeros((n, len(self._sigmas), 3))
        places = self._places(names)
        seen = truth.visibility > 0
        labelled[:, places, :2] = truth.keypoints * seen[..., None]
        labelled[:, places, 2] = truth.visibility
        told = np.full((len(found), len(self._sigmas), 3), _NOWHERE)
        told[..., 2] = 1
        told[:, places, :2] = aligned(found, names)
        true, given = annotations(truth.boxes, truth.class_ids), annotations(found.boxes, found.class_ids)
        for i, annotation in enumerate(true):
            annotation["keypoints"] = labelled[i].ravel().tolist()
            annotation["num_keypoints"] = int(seen[i].sum())
            annotation["area"] = annotation["area"] if areas is None else float(areas[i])
        for i, annotation in enumerate(given):
            annotation |= {"keypoints": told[i].ravel().tolist(), "score": float(found.scores[i])}
        self.put(picture, found.size_hw, true, given)

    def _places(self, names: Sequence[str]) -> list[int]:
        known = list(self._sigmas)
        return [known.index(name) for name in names]

    def matches(self) -> Matches:
        """Match everything that was found and compute the average precision."""
        return self.judge("keypoints", np.array(list(self._sigmas.values())))


def _with_keypoints(truth: PoseTruth, found: Poses) -> tuple[PoseTruth, Poses]:
    """Leave true objects out that have no labelled keypoint, and what was found in their places."""
    kept = np.asarray((truth.visibility > 0).any(axis=1))
    dropped = [one for one, other in matched_pairs(found, truth) if not kept[other]]
    return chosen_truth(truth, kept), found.select(~np.isin(np.arange(len(found)), dropped))


def chosen_truth(truth: PoseTruth, keep: NDArray[np.bool_]) -> PoseTruth:
    """Return some of the true objects: those where bool[N] `keep` is True."""
    return replace(
        truth,
        boxes=truth.boxes[keep],
        class_ids=truth.class_ids[keep],
        keypoints=truth.keypoints[keep],
        visibility=truth.visibility[keep],
        areas=None if truth.areas is None else truth.areas[keep],
    )


def aligned(found: Poses, names: Sequence[str]) -> NDArray[np.float64]:
    """Return float[N, P, 2], the found keypoints in the order of some names; far away where one was not returned."""
    places = {name: i for i, name in enumerate(found.keypoint_names)}
    keypoints = np.full((len(found), len(names), 2), _NOWHERE)
    for column, name in enumerate(names):
        if name in places:
            keypoints[:, column] = found.keypoints[:, places[name]]
    return keypoints


def matched_pairs(found: Poses, truth: PoseTruth, *, least: float = 0.5) -> list[tuple[int, int]]:
    """Pair found objects with true ones of their class whose boxes overlap by an IoU of `least`, most overlap in all.

    Returns:
        (index in `found`, index in `truth`), each at most once.
    """
    overlaps = box_ious(found.boxes, truth.boxes)
    overlaps[found.class_ids[:, None] != truth.class_ids[None]] = 0
    overlaps[overlaps < least] = 0
    rows, columns = linear_sum_assignment(overlaps, maximize=True)
    return [(int(i), int(j)) for i, j in zip(rows, columns, strict=True) if overlaps[i, j]]


def right_keypoints(
    found: NDArray[np.floating], truth: NDArray[np.floating], box: NDArray[np.floating], share: float = 0.2
) -> NDArray[np.bool_]:
    """Tell which keypoints are right: at most a share of the true box's longer side away.

    Args:
        found: float[P, 2]. (x, y) in pixels.
        truth: float[P, 2].
        box: float[4]. (x0, y0, x1, y1) of the true object.
        share: Of the longer side.

    Returns:
        bool[P].

    Source: Yang and Ramanan, Articulated human detection with flexible mixtures of parts, 2013, section 6.1 (PCK).

    >>> right_keypoints(np.array([[2.0, 0], [0, 3]]), np.zeros((2, 2)), np.array([0, 0, 10, 4])).tolist()
    [True, False]
    """
    reach = share * float(max(box[2] - box[0], box[3] - box[1]))
    return np.linalg.norm(found - truth, axis=-1) <= reach
