"""A class for every pixel of a picture."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from visionllm.types.results import Detections, run_lengths

if TYPE_CHECKING:
    from PIL import Image

SPACE = "one class a pixel of the original image"


@dataclass(frozen=True, kw_only=True, eq=False)
class SemanticMap:
    """What every pixel of a picture belongs to.

    Attributes:
        class_ids: int64[H, W]. Index of a class name.
        scores: float32[H, W]. How much speaks for that class, summed over all object queries: 0 or more, even above 1.
        class_names: The classes that were asked for.
        notices: Things the user should know about this result.

    Raises:
        ValueError: If the sizes differ, or a class id has no name.
    """

    class_ids: NDArray[np.int64]
    scores: NDArray[np.float32]
    class_names: tuple[str, ...]
    notices: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.class_ids.ndim != 2 or self.class_ids.shape != self.scores.shape:
            raise ValueError(
                f"expected class_ids [H, W] and scores [H, W], got {self.class_ids.shape} and {self.scores.shape}"
            )
        low, high = int(self.class_ids.min(initial=0)), int(self.class_ids.max(initial=0))
        if not 0 <= low <= high < len(self.class_names):
            raise ValueError(f"expected class_ids in [0, {len(self.class_names)}), got {low} to {high}")

    @property
    def size_hw(self) -> tuple[int, int]:
        """(height, width) of the original image."""
        height, width = self.class_ids.shape
        return height, width

    def mask(self, name: str) -> NDArray[np.bool_]:
        """Return bool[H, W], True on the pixels of a class.

        Raises:
            ValueError: If the class was not asked for.
        """
        if name not in self.class_names:
            raise ValueError(f"expected one of {', '.join(self.class_names)}, got {name!r}")
        return self.class_ids == self.class_names.index(name)

    @property
    def present(self) -> tuple[str, ...]:
        """The classes that some pixel belongs to, in their order."""
        return tuple(self.class_names[i] for i in np.unique(self.class_ids))

    def to_dict(self) -> dict[str, Any]:
        """Return plain data that states its space; masks as COCO's uncompressed run lengths."""
        return {
            "type": "semantic map",
            "space": SPACE,
            "size_hw": list(self.size_hw),
            "class_names": list(self.class_names),
            "classes": [
                {"label": name, "mask": {"size": list(self.size_hw), "counts": run_lengths(self.mask(name))}}
                for name in self.present
            ],
            "notices": list(self.notices),
        }

    def render(self, image: "Image.Image", **style: Any) -> "Image.Image":
        """Return a copy of the picture with each class tinted and named; see `visionllm.rendering`."""
        return self._areas().render(image, **({"scores": False} | style))

    def _areas(self) -> Detections:
        """Return one instance a class, around all of its pixels."""
        names = self.present
        masks = [self.mask(name) for name in names]
        return Detections(
            boxes=np.array([_box(mask) for mask in masks], dtype=np.float32).reshape(-1, 4),
            scores=np.ones(len(names), dtype=np.float32),
            class_ids=np.arange(len(names)),
            masks=np.array(masks, dtype=np.bool_).reshape(-1, *self.size_hw),
            size_hw=self.size_hw,
            class_names=names,
        )


def merge_maps(parts: Sequence[SemanticMap]) -> SemanticMap:
    """Join maps of one picture that were made apart, each of its own classes: the best score wins, the first if equal.

    Raises:
        ValueError: If there are none, or their pictures differ in size.
    """
    sizes = {part.size_hw for part in parts}
    if len(sizes) != 1:
        raise ValueError(f"expected maps of one picture, got sizes {sorted(sizes)}")
    offsets = np.cumsum([0, *(len(part.class_names) for part in parts[:-1])])
    scores = np.stack([part.scores for part in parts])
    ids = np.stack([part.class_ids + offset for part, offset in zip(parts, offsets, strict=True)])
    best = scores.argmax(axis=0)[None]
    return SemanticMap(
        class_ids=np.take_along_axis(ids, best, axis=0)[0],
        scores=np.take_along_axis(scores, best, axis=0)[0],
        class_names=tuple(name for part in parts for name in part.class_names),
        notices=tuple(dict.fromkeys(notice for part in parts for notice in part.notices)),
    )


def _box(mask: NDArray[np.bool_]) -> tuple[int, int, int, int]:
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1
