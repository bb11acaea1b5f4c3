"""A request with its truth: what training and evaluation are made of."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from visionllm.types.requests import Message, Request


@dataclass(frozen=True, kw_only=True, eq=False)
class DetectionTruth:
    """Everything that should be found for one answer.

    Attributes:
        boxes: float32[N, 4]. (x0, y0, x1, y1) in pixels of the original picture; x1 and y1 are exclusive.
        class_ids: int64[N]. Index, among the routed spans of the answer, of the span each box belongs to.
        masks: bool[N, H, W] of the original picture, or None.

    Raises:
        ValueError: If the lengths differ.
    """

    boxes: NDArray[np.float32]
    class_ids: NDArray[np.int64]
    masks: NDArray[np.bool_] | None = None

    def __post_init__(self) -> None:
        n = len(self.boxes)
        if self.boxes.shape != (n, 4) or len(self.class_ids) != n or (self.masks is not None and len(self.masks) != n):
            masks = None if self.masks is None else self.masks.shape
            raise ValueError(
                "expected boxes [N, 4], class_ids [N] and masks [N, H, W], "
                f"got {self.boxes.shape}, {self.class_ids.shape} and {masks}"
            )


@dataclass(frozen=True, kw_only=True, eq=False)
class PoseTruth:
    """Every object with keypoints that should be found for one answer.

    Attributes:
        boxes: float32[N, 4]. (x0, y0, x1, y1) in pixels of the original picture; x1 and y1 are exclusive.
        class_ids: int64[N]. Index, among the routed spans of the answer, of the span that names each object.
        keypoints: float32[N, P, 2]. (x, y) in pixels of the original picture, one for each `[POSE]` span of the answer
            in their order; any number where not labelled.
        visibility: int64[N, P]. 0 for keypoints that are not labelled, 1 for hidden and 2 for visible ones, as in COCO.
        sigmas: float32[P]. How far off each keypoint may be, as a share of the object's size.
        areas: float32[N]. Area of each object in square pixels; None takes the areas of the boxes.

    Raises:
        ValueError: If the lengths differ.
    """

    boxes: NDArray[np.float32]
    class_ids: NDArray[np.int64]
    keypoints: NDArray[np.float32]
    visibility: NDArray[np.int64]
    sigmas: NDArray[np.float32]
    areas: NDArray[np.float32] | None = None

    def __post_init__(self) -> None:
        n, p = self.visibility.shape
        given = [a.shape for a in (self.boxes, self.class_ids, self.keypoints, self.sigmas)]
        areas = (n,) if self.areas is None else self.areas.shape
        if given != [(n, 4), (n,), (n, p, 2), (p,)] or areas != (n,):
            raise ValueError(
                "expected boxes [N, 4], class_ids [N], keypoints [N, P, 2], sigmas [P], areas [N] and visibility "
                f"[N, P], got {', '.join(str(shape) for shape in given)}, {areas} and {(n, p)}"
            )


@dataclass(frozen=True, kw_only=True, eq=False)
class PictureTruth:
    """A picture that should be made for one answer.

    Attributes:
        pixels: uint8[H, W, 3]. RGB. One right picture among many.
        caption: What it shows, as in "a red star and two blue fish"; empty where nothing was said.
        changed: bool[H, W]. Where an edited picture may differ from the one it was made from; None for a new picture.

    Raises:
        ValueError: If the picture is no RGB picture, or the mask has another size.
    """

    pixels: NDArray[np.uint8]
    caption: str = ""
    changed: NDArray[np.bool_] | None = None

    def __post_init__(self) -> None:
        shape = self.pixels.shape
        if self.pixels.dtype != np.uint8 or len(shape) != 3 or shape[2] != 3:
            raise ValueError(f"expected pixels uint8[H, W, 3], got {self.pixels.dtype}{list(shape)}")
        if self.changed is not None and self.changed.shape != shape[:2]:
            raise ValueError(f"expected a mask of the picture's size {shape[:2]}, got {self.changed.shape}")


Truth = DetectionTruth | PoseTruth | PictureTruth


@dataclass(frozen=True, kw_only=True, eq=False)
class Sample:
    """One question with its answer.

    Attributes:
        request: The question; its pictures are those of the sample.
        answer: The assistant message that should follow.
        truth: For the answer's routed spans, by decoder name: `"detection"` has a `DetectionTruth`, `"pose"` a
            `PoseTruth`, `"generation"` and `"editing"` a `PictureTruth`.
        learn_text: False where only decoders learn from the answer (known-class templates).
        learn_history: The earlier answers of the conversation are learned as well, as in published chat data.
        family: The task family, such as `"count"`.
    """

    request: Request
    answer: Message
    truth: Mapping[str, Truth] = field(default_factory=dict)
    learn_text: bool = True
    learn_history: bool = False
    family: str = ""

    @property
    def detection(self) -> DetectionTruth | None:
        """The truth of the detector, or None where the answer does not open it."""
        truth = self.truth.get("detection")
        return truth if isinstance(truth, DetectionTruth) else None
