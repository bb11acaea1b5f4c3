"""The tensors that travel between processing, model, super link and decoders."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any, Self

import torch
import torch.nn.functional as F
from torch import Tensor

from visionllm.types.routes import Route as Route


def _moved(value: Any, device: torch.device | str) -> Any:
    if isinstance(value, Mapping):
        return {key: _moved(item, device) for key, item in value.items()}
    return value.to(device) if isinstance(value, Tensor | Batch) else value


@dataclass(frozen=True, eq=False)
class Batch:
    """A value of tensors that can move to a device as one."""

    def to(self, device: torch.device | str) -> Self:
        """Return a copy with every tensor on `device`."""
        return replace(self, **{f.name: _moved(getattr(self, f.name), device) for f in fields(self)})


@dataclass(frozen=True, kw_only=True, eq=False)
class ImageBatch(Batch):
    """Pictures as the decoders see them, padded to one size on the right and at the bottom.

    Attributes:
        pixel_values: float[N, 3, H, W]. Normalised RGB, zero where padded.
        pixel_mask: bool[N, H, W]. True on real pixels.
        sizes_hw: int[N, 2]. (height, width) of each original picture, in pixels.
        resized_hw: int[N, 2]. (height, width) of each picture's real pixels in `pixel_values`.
        own: The same pictures as single decoders see them instead, by decoder name.
    """

    pixel_values: Tensor
    pixel_mask: Tensor
    sizes_hw: Tensor
    resized_hw: Tensor
    own: Mapping[str, "ImageBatch"] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.pixel_values)

    def seen_by(self, decoder: str) -> "ImageBatch":
        """Return the pictures as the decoder of a name sees them."""
        return self.own.get(decoder, self)

    def select(self, index: Tensor) -> Self:
        """Return the pictures int[M] names, in its order; a picture may be named more than once."""
        chosen = {f.name: getattr(self, f.name)[index] for f in fields(self) if f.name != "own"}
        return replace(self, **chosen, own={name: images.select(index) for name, images in self.own.items()})

    @classmethod
    def join(cls, batches: "Sequence[ImageBatch]") -> "ImageBatch":
        """Put batches behind one another, all padded to the largest one's size.

        Raises:
            ValueError: If there are none, or other decoders have pictures of their own in each.
        """
        if len({tuple(batch.own) for batch in batches}) != 1:
            raise ValueError(f"expected batches with the same decoders' own pictures, got {len(batches)} that differ")
        height, width = (max(batch.pixel_mask.shape[axis] for batch in batches) for axis in (1, 2))
        padding = [(0, width - b.pixel_mask.shape[2], 0, height - b.pixel_mask.shape[1]) for b in batches]
        padded = list(zip(batches, padding, strict=True))
        return ImageBatch(
            pixel_values=torch.cat([F.pad(batch.pixel_values, extra) for batch, extra in padded]),
            pixel_mask=torch.cat([F.pad(batch.pixel_mask, extra) for batch, extra in padded]),
            sizes_hw=torch.cat([batch.sizes_hw for batch in batches]),
            resized_hw=torch.cat([batch.resized_hw for batch in batches]),
            own={name: cls.join([batch.own[name] for batch in batches]) for name in batches[0].own},
        )

    @classmethod
    def empty(cls, device: torch.device | str = "cpu") -> Self:
        """Return a batch without pictures, for questions that come without any."""
        return cls(
            pixel_values=torch.zeros(0, 3, 1, 1, device=device),
            pixel_mask=torch.zeros(0, 1, 1, dtype=torch.bool, device=device),
            sizes_hw=torch.zeros(0, 2, dtype=torch.long, device=device),
            resized_hw=torch.zeros(0, 2, dtype=torch.long, device=device),
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class ModelInputs(Batch):
    """One batch for the model.

    Attributes:
        input_ids: int[B, T]. Text vocabulary first, then slot ids; see `visionllm.super_link`.
        attention_mask: bool[B, T]. True on real tokens; padded on the left for generation, on the right for training.
        turn_ids: int[B, T]. 0 before the first question (system words and shared pictures), k inside the k-th turn.
        turn_images: int[B, M]. Index in `images` of the picture that turn k decodes on, in column k; −1 for none.
        pixel_values: float[S, 3, h, w]. All splits of all pictures of the batch in the order of their tokens, or None.
        splits: int[P]. Number of splits of each picture; the last split of a picture is the whole picture.
        region_masks: float[R, h, w]. 1 inside each region, at the size of a split, in token order, or None.
        region_pictures: int[R]. Index into `splits` of the picture each region is on.
        images: Decoder images, or None when no decoder can be asked.
        labels: int[B, T]. Next-token targets, −100 where ignored, or None outside training.
        packed: Turns k ≥ 1 see turn 0 and themselves only: independent questions about one picture in one row.
    """

    input_ids: Tensor
    attention_mask: Tensor
    turn_ids: Tensor
    turn_images: Tensor
    pixel_values: Tensor | None = None
    splits: Tensor | None = None
    region_masks: Tensor | None = None
    region_pictures: Tensor | None = None
    images: ImageBatch | None = None
    labels: Tensor | None = None
    packed: bool = False


@dataclass(frozen=True, kw_only=True, eq=False)
class Queries(Batch):
    """The hidden states of super-link slots that one decoder receives.

    A unit u is what is decoded together: the query groups of one decoder in one sentence of one turn.

    Attributes:
        states: float[U, K, Q, D]. Last hidden states, after the final norm; zero where masked.
        mask: bool[U, K]. True on real query groups.
        images: int[U]. Index of each unit's picture in the `ImageBatch`, −1 where it needs none.
        rows: int[U]. Batch row of each unit.
        turns: int[U]. Turn of each unit.
        positions: int[U, K]. Index in the row of each group's routing token, −1 where masked.
        routes: The routing tokens, a tuple a unit.
    """

    states: Tensor
    mask: Tensor
    images: Tensor
    rows: Tensor
    turns: Tensor
    positions: Tensor
    routes: tuple[tuple[str, ...], ...]

    def __len__(self) -> int:
        return len(self.states)


@dataclass(frozen=True, kw_only=True, eq=False)
class BoxTargets(Batch):
    """The objects that should be found for one unit.

    Attributes:
        boxes: float[N, 4]. (cx, cy, w, h), each in [0, 1] of the unpadded picture.
        class_ids: int[N]. Index, among the query groups that name objects, of the one that each box belongs to.
    """

    boxes: Tensor
    class_ids: Tensor


@dataclass(frozen=True, kw_only=True, eq=False)
class DetectionTargets(BoxTargets):
    """What the detector should find for one unit.

    Attributes:
        masks: bool[N, h, w] at the size of the resized, unpadded picture, or None.
    """

    masks: Tensor | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class PoseTargets(BoxTargets):
    """What the pose decoder should find for one unit with P keypoint groups.

    Attributes:
        keypoints: float[N, P, 2]. (x, y), each in [0, 1] of the unpadded picture; any number where not visible.
        visible: bool[N, P]. True on keypoints that should be found.
        areas: float[N]. Area of each object, in [0, 1] of the unpadded picture.
        sigmas: float[P]. How far off each keypoint may be, as a share of the object's size.
    """

    keypoints: Tensor
    visible: Tensor
    areas: Tensor
    sigmas: Tensor


@dataclass(frozen=True, kw_only=True, eq=False)
class PictureTargets(Batch):
    """The pictures that should be made for one unit with K query groups.

    Attributes:
        pictures: float[K, 3, H, W]. RGB in [−1, 1]; an edited picture shows the whole picture it was made from.
        caption_ids: int[K, L]. The words of each picture in the vocabulary of the decoder's own text encoder, or None.
    """

    pictures: Tensor
    caption_ids: Tensor | None = None
