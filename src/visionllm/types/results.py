"""What is found in a picture: boxes and masks with scores, in pixels of the original picture."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from visionllm.types.regions import Box, Mask, Region

if TYPE_CHECKING:
    from PIL import Image

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

    @property
    def region(self) -> Region:
        """Where it is, as a region for the next question: its mask, or its box where it has none or an empty one."""
        return Mask(self.mask) if self.mask is not None and self.mask.any() else Box(*self.box)

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
