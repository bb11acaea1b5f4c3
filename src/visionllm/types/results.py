"""What comes back: text with typed results, each in pixels of the original picture."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass, replace
from io import BytesIO
from typing import TYPE_CHECKING, Any, Literal, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from visionllm.types.requests import Message, Routed

if TYPE_CHECKING:
    from PIL import Image

    from visionllm.rendering import Canvas

SPACE = "xyxy pixels of the original image, x1 and y1 exclusive"


class Result(Protocol):
    """What a decoder returns for one (row, turn, image)."""

    def to_dict(self) -> dict[str, Any]:
        """Return plain data that states its space."""
        ...


@dataclass(frozen=True, eq=False)
class Instance:
    """One thing that was found.

    Attributes:
        label: The words that name it.
        score: In [0, 1].
        box: (x0, y0, x1, y1) in pixels of the original image; x1 and y1 are exclusive.
        mask: bool[H, W] of the original image, or None.
        span: (start, end) of the characters of the answer that routed to it, or None.
        route: The routing token.
    """

    label: str
    score: float
    box: tuple[float, float, float, float]
    mask: NDArray[np.bool_] | None = None
    span: tuple[int, int] | None = None
    route: str = "[DET]"

    def to_dict(self) -> dict[str, Any]:
        """Return plain data; the mask as COCO's uncompressed run lengths."""
        plain: dict[str, Any] = {"label": self.label, "score": self.score, "box": list(self.box), "route": self.route}
        if self.span is not None:
            plain["span"] = list(self.span)
        if self.mask is not None:
            plain["mask"] = {"size": list(self.mask.shape), "counts": run_lengths(self.mask)}
        return plain


def run_lengths(mask: NDArray[np.bool_]) -> list[int]:
    """Encode a mask as COCO's uncompressed run lengths: column-major, starting with the zeros.

    >>> run_lengths(np.array([[False, True], [False, True]]))
    [2, 2]
    """
    flat = mask.flatten(order="F")
    changes = np.flatnonzero(np.diff(flat)) + 1
    edges = np.concatenate([[0], changes, [flat.size]])
    counts = np.diff(edges).tolist()
    return [0, *counts] if flat.size and flat[0] else counts


@dataclass(frozen=True, kw_only=True, eq=False)
class Detections:
    """Boxes, masks and scores of one picture, best score first.

    Attributes:
        boxes: float32[N, 4]. (x0, y0, x1, y1) in pixels of the original image; x1 and y1 are exclusive.
        scores: float32[N] in [0, 1].
        class_ids: int64[N]. Index of the query group that found each instance.
        masks: bool[N, H, W] of the original image, or None.
        size_hw: (height, width) of the original image.
        class_names: One name a query group; empty before names are known.
        routes: One routing token a query group.
        spans: (start, end) in the answer's text, one a query group, or None where there is no text.
        notices: Things the user should know about these results.

    Raises:
        ValueError: If the lengths differ, or a class id has no name.
    """

    boxes: NDArray[np.float32]
    scores: NDArray[np.float32]
    class_ids: NDArray[np.int64]
    size_hw: tuple[int, int]
    masks: NDArray[np.bool_] | None = None
    class_names: tuple[str, ...] = ()
    routes: tuple[str, ...] = ()
    spans: tuple[tuple[int, int] | None, ...] = ()
    notices: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        n = len(self.boxes)
        if self.boxes.shape != (n, 4) or len(self.scores) != n or len(self.class_ids) != n:
            raise ValueError(
                f"expected boxes [N, 4], scores [N] and class_ids [N], got {self.boxes.shape}, {self.scores.shape} and "
                f"{self.class_ids.shape}"
            )
        if self.masks is not None and self.masks.shape != (n, *self.size_hw):
            raise ValueError(f"expected masks {(n, *self.size_hw)}, got {self.masks.shape}")
        for name, values in (("class_names", self.class_names), ("routes", self.routes), ("spans", self.spans)):
            if values and n and not 0 <= int(self.class_ids.min()) <= int(self.class_ids.max()) < len(values):
                raise ValueError(
                    f"expected class_ids in [0, {len(values)}), one of the {name}, got {self.class_ids.tolist()}"
                )

    def __len__(self) -> int:
        return len(self.boxes)

    @property
    def instances(self) -> tuple[Instance, ...]:
        """The same, one value an instance."""
        found = []
        for i, (box, score, group) in enumerate(zip(self.boxes, self.scores, self.class_ids, strict=True)):
            group = int(group)
            x0, y0, x1, y1 = (float(v) for v in box)
            found.append(
                Instance(
                    label=self.class_names[group] if self.class_names else str(group),
                    score=float(score),
                    box=(x0, y0, x1, y1),
                    mask=None if self.masks is None else self.masks[i],
                    span=self.spans[group] if self.spans else None,
                    route=self.routes[group] if self.routes else "[DET]",
                )
            )
        return tuple(found)

    def select(self, keep: NDArray[np.bool_] | NDArray[np.int64]) -> Self:
        """Return the instances that `keep` (a mask or indices) names, in its order."""
        return replace(
            self,
            boxes=self.boxes[keep],
            scores=self.scores[keep],
            class_ids=self.class_ids[keep],
            masks=None if self.masks is None else self.masks[keep],
        )

    def to_dict(self) -> dict[str, Any]:
        """Return plain data that states its space."""
        return {
            "type": "detections",
            "space": SPACE,
            "size_hw": list(self.size_hw),
            "class_names": list(self.class_names),
            "instances": [i.to_dict() for i in self.instances],
            "notices": list(self.notices),
        }

    def render(self, image: "Image.Image", **style: Any) -> "Image.Image":
        """Return a copy of the picture with the instances drawn on it; see `visionllm.rendering`."""
        from visionllm.rendering import draw_detections  # lazy: drawing is no part of the types

        return draw_detections(image, self, **style)


def merge_detections(parts: Sequence[Detections]) -> Detections:
    """Join detections of one picture that were decoded apart; query groups are renumbered, best score first.

    Raises:
        ValueError: If there are none, their pictures differ in size, or only some have masks, names, routes or spans.
    """
    sizes = {p.size_hw for p in parts}
    if len(sizes) != 1:
        raise ValueError(f"expected detections of one picture, got sizes {sorted(sizes)}")
    for name in ("masks", "class_names", "routes", "spans"):
        values = [getattr(p, name) for p in parts]
        if len({v is None or (isinstance(v, tuple) and not v) for v in values}) != 1:
            raise ValueError(f"expected {name} in all detections or in none, got a mixture")
    counts = [max(len(p.class_names), len(p.routes), len(p.spans), 1 + int(p.class_ids.max(initial=-1))) for p in parts]
    offsets = np.cumsum([0, *counts[:-1]])
    joined = Detections(
        boxes=np.concatenate([p.boxes for p in parts]),
        scores=np.concatenate([p.scores for p in parts]),
        class_ids=np.concatenate([p.class_ids + o for p, o in zip(parts, offsets, strict=True)]),
        masks=None if parts[0].masks is None else np.concatenate([p.masks for p in parts if p.masks is not None]),
        size_hw=parts[0].size_hw,
        class_names=tuple(n for p in parts for n in p.class_names),
        routes=tuple(r for p in parts for r in p.routes),
        spans=tuple(s for p in parts for s in p.spans),
        notices=tuple(dict.fromkeys(n for p in parts for n in p.notices)),
    )
    return joined.select(np.argsort(-joined.scores, kind="stable"))


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


@dataclass(frozen=True, kw_only=True, eq=False)
class GeneratedImages:
    """Pictures that were made for one answer, one a query group.

    Attributes:
        pictures: uint8[h, w, 3] each. RGB.
        seeds: The seed of each picture.
        original_hw: (height, width) of the picture they were made from, or None where they are new.
        labels: The words that name each picture; empty before words are known.
        spans: (start, end) in the answer's text, one a picture, or None where there is no text.
        notices: Things the user should know about these results.

    Raises:
        ValueError: If the lengths differ, or a picture is no RGB picture.
    """

    pictures: tuple[NDArray[np.uint8], ...]
    seeds: tuple[int, ...]
    original_hw: tuple[int, int] | None = None
    labels: tuple[str, ...] = ()
    spans: tuple[tuple[int, int] | None, ...] = ()
    notices: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for picture in self.pictures:
            if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] != 3:
                raise ValueError(f"expected pictures uint8[h, w, 3], got {picture.dtype}{list(picture.shape)}")
        for name, values in (("seeds", self.seeds), ("labels", self.labels), ("spans", self.spans)):
            if len(values) != len(self.pictures) and (values or name == "seeds"):
                raise ValueError(f"expected {len(self.pictures)} {name}, one per picture, got {len(values)}")

    def __len__(self) -> int:
        return len(self.pictures)

    @property
    def images(self) -> "tuple[Image.Image, ...]":
        """The pictures for Pillow."""
        from PIL import Image  # lazy: other results need no Pillow

        return tuple(Image.fromarray(picture) for picture in self.pictures)

    def to_dict(self) -> dict[str, Any]:
        """Return plain data that states its space; the pictures as PNG files in base 64."""
        found: list[dict[str, Any]] = []
        for i, image in enumerate(self.images):
            file = BytesIO()
            image.save(file, "PNG")
            plain = {"label": self.labels[i] if self.labels else str(i), "seed": self.seeds[i]}
            if self.spans and self.spans[i] is not None:
                plain["span"] = list(self.spans[i] or ())
            png = base64.b64encode(file.getvalue()).decode("ascii")
            found.append(plain | {"size_hw": [image.height, image.width], "png": png})
        edited = "; each shows the whole original image, resized" if self.original_hw is not None else ""
        return {
            "type": "generated_images",
            "space": f"RGB pictures with pixels of their own{edited}",
            "original_hw": None if self.original_hw is None else list(self.original_hw),
            "instances": found,
            "notices": list(self.notices),
        }

    def draw(self, canvas: "Canvas", **style: Any) -> None:
        """Put the pictures beside the one they were made from; see `visionllm.rendering`."""
        from visionllm.rendering import paint_generated  # lazy: drawing is no part of the types

        paint_generated(canvas, self, **style)

    def render(self, image: "Image.Image | None" = None, **style: Any) -> "Image.Image":
        """Return the pictures on one page, behind the one they were made from; see `visionllm.rendering`."""
        from visionllm.rendering import draw_generated  # lazy: drawing is no part of the types

        return draw_generated(image, self, **style)


FinishReason = Literal["stop", "length"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Answer:
    """What the model said, and what it routed.

    Attributes:
        text: The answer without structure.
        finish_reason: "stop" if the model ended its answer, "length" if the length limit did.
        parts: The answer as the parts of an assistant message, routed spans told apart; empty if nothing was routed.
        detections: Everything the detector found for this answer, or None if nothing was routed to it.
        notices: Things the user should know, such as "this model knows drawings only".
        tokens: Number of generated tokens; slots don't count.
    """

    text: str
    finish_reason: FinishReason = "stop"
    parts: tuple[str | Routed, ...] = ()
    detections: Detections | None = None
    notices: tuple[str, ...] = ()
    tokens: int = 0

    @property
    def message(self) -> Message:
        """The answer as a turn of a conversation, for the history of the next question."""
        return Message("assistant", self.parts or (self.text,))

    def to_dict(self) -> dict[str, Any]:
        """Return plain data that states its space."""
        return {
            "text": self.text,
            "finish_reason": self.finish_reason,
            "tokens": self.tokens,
            "detections": None if self.detections is None else self.detections.to_dict(),
            "notices": list(self.notices),
        }

    def render(self, image: "Image.Image", **style: Any) -> "Image.Image":
        """Return a copy of the picture with the results drawn on it."""
        return image.copy() if self.detections is None else self.detections.render(image, **style)
