"""Objects with named keypoints, in pixels of the original picture."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from visionllm.types.regions import Box, Region
from visionllm.types.results import SPACE

if TYPE_CHECKING:
    from PIL import Image

    from visionllm.rendering import Canvas


@dataclass(frozen=True)
class Keypoint:
    """One named place on an object.

    Attributes:
        name: The words that name it.
        x: In pixels of the original image, from its left edge.
        y: In pixels of the original image, from its upper edge.
        score: In [0, 1].
    """

    name: str
    x: float
    y: float
    score: float


@dataclass(frozen=True, eq=False)
class Pose:
    """One object with its keypoints.

    Attributes:
        label: The words that name the object.
        score: In [0, 1].
        box: (x0, y0, x1, y1) in pixels of the original image; x1 and y1 are exclusive.
        keypoints: One a keypoint that was asked for, in the order of the question.
        span: (start, end) of the characters of the answer that routed to the object, or None.
    """

    label: str
    score: float
    box: tuple[float, float, float, float]
    keypoints: tuple[Keypoint, ...]
    span: tuple[int, int] | None = None

    @property
    def region(self) -> Region:
        """Where it is, as a region for the next question."""
        return Box(*self.box)

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        plain: dict[str, Any] = {"label": self.label, "score": self.score, "box": list(self.box)}
        if self.span is not None:
            plain["span"] = list(self.span)
        return plain | {"keypoints": [vars(keypoint) for keypoint in self.keypoints]}


@dataclass(frozen=True, kw_only=True, eq=False)
class Poses:
    """Objects of one picture with their keypoints, best score first.

    Attributes:
        boxes: float32[N, 4]. (x0, y0, x1, y1) in pixels of the original image; x1 and y1 are exclusive.
        scores: float32[N] in [0, 1].
        class_ids: int64[N]. Index, among the query groups that name objects, of the one that found each instance.
        keypoints: float32[N, P, 2]. (x, y) in pixels of the original image, one a keypoint that was asked for.
        keypoint_scores: float32[N, P] in [0, 1].
        size_hw: (height, width) of the original image.
        class_names: One name an object group; empty before names are known.
        keypoint_names: One name a keypoint; empty before names are known.
        bones: Pairs of keypoints to draw a line between, by index.
        spans: (start, end) in the answer's text, one an object group, or None where there is no text.
        notices: Things the user should know about these results.

    Raises:
        ValueError: If the lengths differ, a class id has no name or span, or a bone has no keypoint.
    """

    boxes: NDArray[np.float32]
    scores: NDArray[np.float32]
    class_ids: NDArray[np.int64]
    keypoints: NDArray[np.float32]
    keypoint_scores: NDArray[np.float32]
    size_hw: tuple[int, int]
    class_names: tuple[str, ...] = ()
    keypoint_names: tuple[str, ...] = ()
    bones: tuple[tuple[int, int], ...] = ()
    spans: tuple[tuple[int, int] | None, ...] = ()
    notices: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        n, p = self.keypoint_scores.shape
        shapes = [a.shape for a in (self.boxes, self.scores, self.class_ids, self.keypoints)]
        if shapes != [(n, 4), (n,), (n,), (n, p, 2)]:
            raise ValueError(
                "expected boxes [N, 4], scores [N], class_ids [N], keypoints [N, P, 2] and keypoint_scores [N, P], "
                f"got {', '.join(str(shape) for shape in shapes)} and {(n, p)}"
            )
        for name, values in (("class_names", self.class_names), ("spans", self.spans)):
            if values and n and not 0 <= int(self.class_ids.min()) <= int(self.class_ids.max()) < len(values):
                raise ValueError(
                    f"expected class_ids in [0, {len(values)}), one of the {name}, got {self.class_ids.tolist()}"
                )
        if self.keypoint_names and len(self.keypoint_names) != p:
            raise ValueError(f"expected {p} keypoint_names, one per keypoint, got {len(self.keypoint_names)}")
        if any(not 0 <= end < p for bone in self.bones for end in bone):
            raise ValueError(f"expected bones between keypoints in [0, {p}), got {list(self.bones)}")

    def __len__(self) -> int:
        return len(self.boxes)

    @property
    def instances(self) -> tuple[Pose, ...]:
        """The same, one value an instance."""
        names = self.keypoint_names or tuple(str(k) for k in range(self.keypoints.shape[1]))
        found = []
        for i, group in enumerate(self.class_ids.tolist()):
            x0, y0, x1, y1 = (float(side) for side in self.boxes[i])
            places = zip(names, self.keypoints[i].tolist(), self.keypoint_scores[i].tolist(), strict=True)
            found.append(
                Pose(
                    label=self.class_names[group] if self.class_names else str(group),
                    score=float(self.scores[i]),
                    box=(x0, y0, x1, y1),
                    keypoints=tuple(Keypoint(name, x, y, score) for name, (x, y), score in places),
                    span=self.spans[group] if self.spans else None,
                )
            )
        return tuple(found)

    def select(self, keep: NDArray[np.bool_] | NDArray[np.int64]) -> Self:
        """Return the instances that `keep` (a mask or indices) names, in its order."""
        names = ("boxes", "scores", "class_ids", "keypoints", "keypoint_scores")
        return replace(self, **{name: getattr(self, name)[keep] for name in names})

    def to_dict(self) -> dict[str, Any]:
        """Return plain data that states its space."""
        return {
            "type": "poses",
            "space": f"{SPACE}; keypoints x, y in the same pixels",
            "size_hw": list(self.size_hw),
            "class_names": list(self.class_names),
            "keypoint_names": list(self.keypoint_names),
            "bones": [list(bone) for bone in self.bones],
            "instances": [pose.to_dict() for pose in self.instances],
            "notices": list(self.notices),
        }

    def draw(self, canvas: "Canvas", **style: Any) -> None:
        """Draw the poses on a canvas of their picture; see `visionllm.rendering`."""
        from visionllm.rendering import paint_poses  # lazy: drawing is no part of the types

        paint_poses(canvas, self, **style)

    def render(self, image: "Image.Image", **style: Any) -> "Image.Image":
        """Return a copy of the picture with the poses drawn on it; see `visionllm.rendering`."""
        from visionllm.rendering import draw_poses  # lazy: drawing is no part of the types

        return draw_poses(image, self, **style)
