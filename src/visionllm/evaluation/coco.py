"""Average precision as COCO defines it, computed by pycocotools, with room for a bootstrap."""

import contextlib
import io
import math
from dataclasses import dataclass, replace
from functools import partial
from importlib.metadata import version
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as rle
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from visionllm.evaluation.intervals import Score, bootstrap
from visionllm.evaluation.overlaps import corners_to_extents
from visionllm.types import Detections, DetectionTruth

IOU_STEPS = np.linspace(0.5, 0.95, 10)
RECALL_STEPS = np.linspace(0.0, 1.0, 101)


def library() -> str:
    """Return which library computes the average precision, with its version."""
    return f"pycocotools {version('pycocotools')}"


@dataclass(frozen=True, kw_only=True, eq=False)
class ClassMatches:
    """What was found of one class, best score first.

    Attributes:
        scores: float[N].
        hits: bool[10, N]. Whether the instance was matched to a true one, at each of `IOU_STEPS`.
        pictures: int[N]. The picture of each instance.
        truths: float[P]. Number of true instances in each picture.
    """

    scores: NDArray[np.float64]
    hits: NDArray[np.bool_]
    pictures: NDArray[np.int64]
    truths: NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class Matches:
    """The outcome of one evaluation.

    Attributes:
        ap: Average precision over IoU 0.50 to 0.95, from the library; NaN if nothing was there to be found.
        ap50: The same at IoU 0.50.
        classes: What was found, class by class.
        entries: float[P]. Number of entries of each picture.
    """

    ap: float
    ap50: float
    classes: tuple[ClassMatches, ...]
    entries: NDArray[np.float64]

    def average_precision(self, weights: NDArray[np.float64], *, steps: slice = slice(None)) -> float:
        """Return the average precision when picture p counts weights[p] times.

        Args:
            weights: float[P].
            steps: Which of `IOU_STEPS` to average over.
        """
        values = [p for c in self.classes if not math.isnan(p := _weighted_precision(c, weights, steps))]
        return float(np.mean(values)) if values else math.nan

    def ap_score(self, draws: NDArray[np.float64]) -> Score:
        """Return the library's average precision with the interval over float[D, P] draws."""
        return replace(bootstrap(self.average_precision, draws), value=None if math.isnan(self.ap) else self.ap)

    def ap50_score(self, draws: NDArray[np.float64]) -> Score:
        """Return the same at IoU 0.50."""
        at_half = partial(self.average_precision, steps=slice(0, 1))
        return replace(bootstrap(at_half, draws), value=None if math.isnan(self.ap50) else self.ap50)

    def false_positives(self, weights: NDArray[np.float64], *, recall: float = 0.8) -> float:
        """Return how many instances of absent classes an entry gets, at the score where `recall` is reached.

        Args:
            weights: float[P]. How often each picture counts.
            recall: Share of the true instances that must be found at IoU 0.50.

        Returns:
            Instances an entry whose class is not in that picture; NaN if the recall is never reached.
        """
        gained, absent = self._at_recall(weights, recall)
        return absent / float(weights @ self.entries) if gained >= recall else math.nan

    def recall(self, weights: NDArray[np.float64], *, recall: float = 0.8) -> float:
        """Return the recall that `false_positives` stands beside: the first that reaches `recall`, else the highest.

        Args:
            weights: float[P]. How often each picture counts.
            recall: As in `false_positives`.
        """
        return self._at_recall(weights, recall)[0]

    def _at_recall(self, weights: NDArray[np.float64], recall: float) -> tuple[float, float]:
        """Return the recall at the score where it is reached, and how many finds of absent classes that brings."""
        total = float(sum(weights @ c.truths for c in self.classes))
        if not total:
            return math.nan, math.nan
        scores = np.concatenate([c.scores for c in self.classes])
        hits = np.concatenate([c.hits[0] * weights[c.pictures] for c in self.classes])
        absent = np.concatenate([(c.truths[c.pictures] == 0) * weights[c.pictures] for c in self.classes])
        order = np.argsort(-scores, kind="stable")
        reached = np.flatnonzero(np.cumsum(hits[order]) / total >= recall)
        kept = scores >= scores[order[reached[0]]] if len(reached) else np.ones(len(scores), dtype=bool)
        return float(hits[kept].sum()) / total, float(absent[kept].sum())


def _weighted_precision(found: ClassMatches, weights: NDArray[np.float64], steps: slice) -> float:
    truths = float(weights @ found.truths)
    if not truths:
        return math.nan
    shares = weights[found.pictures]
    returned = np.cumsum(shares)
    precision = np.zeros((len(found.hits[steps]), len(RECALL_STEPS)))
    for row, hits in zip(precision, found.hits[steps], strict=True):
        # Recall and the highest precision change at hits alone, so the many misses need not be gone through.
        right = np.cumsum(shares[hits])
        best = np.maximum.accumulate((right / np.maximum(returned[hits], np.spacing(1)))[::-1])[::-1]
        at = np.searchsorted(right / truths, RECALL_STEPS)
        row[at < len(best)] = best[at[at < len(best)]]
    return float(precision.mean())


class Entries:
    """What was found beside what is there, as the library takes it.

    One entry is what COCO calls an image: usually a picture, but a pair of picture and phrase where phrases are
    judged one by one.
    """

    def __init__(self, classes: int, pictures: int) -> None:
        """Start empty.

        Args:
            classes: Number of classes; class ids are below it.
            pictures: Number of pictures that the bootstrap draws from.
        """
        self._classes = classes
        self._pictures = pictures
        self._entries: list[dict[str, Any]] = []
        self._picture_of: list[int] = []
        self._truth: list[dict[str, Any]] = []
        self._found: list[dict[str, Any]] = []

    def put(
        self, picture: int, size_hw: tuple[int, int], truth: list[dict[str, Any]], found: list[dict[str, Any]]
    ) -> None:
        """Add one entry with its annotations; ids are given here."""
        entry = len(self._entries) + 1
        height, width = size_hw
        self._entries.append({"id": entry, "height": height, "width": width})
        self._picture_of.append(picture)
        for kept, new in ((self._truth, truth), (self._found, found)):
            kept += [a | {"id": len(kept) + i + 1, "image_id": entry, "iscrowd": 0} for i, a in enumerate(new)]

    def judge(self, kind: Literal["bbox", "segm", "keypoints"], sigmas: NDArray[np.float64] | None = None) -> Matches:
        """Match everything that was found and compute the average precision.

        Args:
            kind: What is compared.
            sigmas: float[P]. How far off each keypoint may be, as a share of the object's size.
        """
        if not self._entries:
            return Matches(ap=math.nan, ap50=math.nan, classes=(), entries=np.zeros(self._pictures))
        with contextlib.redirect_stdout(io.StringIO()):  # the library reports its progress on standard output
            judge = COCOeval(self._dataset(self._truth), self._dataset(self._found), kind)
            judge.params.areaRng, judge.params.areaRngLbl = [[0, 1e10]], ["all"]
            judge.params.maxDets = [100]
            if sigmas is not None:
                judge.params.kpt_oks_sigmas = sigmas
            judge.evaluate()
            judge.accumulate()
        precision = judge.eval["precision"][..., 0, 0]
        entries = np.bincount(self._picture_of, minlength=self._pictures).astype(np.float64)
        classes = tuple(self._by_class(judge))
        return Matches(ap=_mean(precision), ap50=_mean(precision[0]), classes=classes, entries=entries)

    def _dataset(self, annotations: list[dict[str, Any]]) -> COCO:
        contents: Any = {
            "images": self._entries,
            "categories": [{"id": c, "name": str(c)} for c in range(self._classes)],
            "annotations": [dict(a) for a in annotations],
        }
        data = COCO()
        data.dataset = contents
        data.createIndex()
        return data

    def _by_class(self, judge: COCOeval) -> list[ClassMatches]:
        entries, classes = len(self._entries), []
        for c in range(self._classes):
            truths, scores, pictures = np.zeros(self._pictures), [np.zeros(0)], [np.zeros(0, dtype=np.int64)]
            hits = [np.zeros((len(IOU_STEPS), 0), dtype=bool)]
            for picture, one in zip(self._picture_of, judge.evalImgs[c * entries : (c + 1) * entries], strict=True):
                if one is None:
                    continue
                truths[picture] += len(one["gtIds"])
                scores.append(np.asarray(one["dtScores"], dtype=np.float64))
                hits.append(np.asarray(one["dtMatches"]) > 0)
                pictures.append(np.full(len(one["dtIds"]), picture))
            joined = np.concatenate(scores)
            order = np.argsort(-joined, kind="stable")
            classes.append(
                ClassMatches(
                    scores=joined[order],
                    hits=np.concatenate(hits, axis=1)[:, order],
                    pictures=np.concatenate(pictures)[order],
                    truths=truths,
                )
            )
        return classes


class CocoScorer(Entries):
    """Collects boxes and masks, then computes average precision."""

    def __init__(self, classes: int, pictures: int, *, masks: bool = False) -> None:
        """Start empty.

        Args:
            classes: Number of classes; class ids are below it.
            pictures: Number of pictures that the bootstrap draws from.
            masks: Whether masks are judged too.
        """
        super().__init__(classes, pictures)
        self._masks = masks

    def add(self, picture: int, truth: DetectionTruth, found: Detections) -> None:
        """Add one entry; class ids of `truth` and `found` mean the same.

        Raises:
            ValueError: If masks are judged and one side has none.
        """
        if self._masks and (truth.masks is None or found.masks is None):
            raise ValueError("expected masks beside all boxes, got boxes alone")
        masks = (truth.masks, found.masks) if self._masks else (None, None)
        added = annotations(found.boxes, found.class_ids, masks[1])
        self.put(
            picture,
            found.size_hw,
            annotations(truth.boxes, truth.class_ids, masks[0]),
            [a | {"score": float(s)} for a, s in zip(added, found.scores, strict=True)],
        )

    def matches(self, kind: Literal["bbox", "segm"] = "bbox") -> Matches:
        """Match everything that was found and compute the average precision.

        Args:
            kind: Whether boxes or masks are compared.

        Raises:
            ValueError: If masks are to be compared and were not kept.
        """
        if kind == "segm" and not self._masks:
            raise ValueError("expected a scorer with masks=True for masks, got one for boxes alone")
        return self.judge(kind)


def _mean(precision: NDArray[np.float64]) -> float:
    """Average COCO's precision table, where −1 stands for classes that are nowhere to be found."""
    known = precision[precision > -1]
    return float(known.mean()) if known.size else math.nan


def annotations(
    boxes: NDArray[np.float32], class_ids: NDArray[np.int64], masks: NDArray[np.bool_] | None = None
) -> list[dict[str, Any]]:
    """Return boxes, and masks where there are any, as the library takes them."""
    extents = corners_to_extents(boxes).tolist()
    found: list[dict[str, Any]] = [
        {"category_id": int(c), "bbox": e, "area": e[2] * e[3]} for e, c in zip(extents, class_ids, strict=True)
    ]
    if masks is not None and len(masks):
        packed = rle.encode(np.asfortranarray(masks.transpose(1, 2, 0).astype(np.uint8)))
        found = [a | {"segmentation": m} for a, m in zip(found, packed, strict=True)]
    return found
