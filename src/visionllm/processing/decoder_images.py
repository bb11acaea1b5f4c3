"""Pictures → what the decoders see: resized with their ratio kept, padded to one size with a true mask."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torch.nn import functional

from visionllm.config.pixels import IMAGENET_MEAN, IMAGENET_STD
from visionllm.processing.tiles import to_pixels
from visionllm.types.tensors import ImageBatch


@dataclass(frozen=True, kw_only=True)
class DecoderImageConfig:
    """How the decoders see a picture.

    Attributes:
        short_side: Length of the short side, unless the long side would exceed its limit; None for no such wish.
        long_side: Limit of the long side, or its length if `short_side` is None.
        mean: Mean of each channel, of values in [0, 1].
        std: Standard deviation of each channel.
        size_divisor: A batch is padded to multiples of this many pixels.
        antialias: Filter before shrinking, as Pillow does. The published detector learned without, the pose estimator
            with it.
        rounding: `round`: both sides go to the nearest pixel (published detector); `truncate`: the long side is cut off
            (published pose estimator).

    Raises:
        ValueError: If a value is out of its range.
    """

    short_side: int | None = 800
    long_side: int = 1333
    mean: tuple[float, float, float] = IMAGENET_MEAN
    std: tuple[float, float, float] = IMAGENET_STD
    size_divisor: int = 32
    antialias: bool = False
    rounding: Literal["round", "truncate"] = "round"

    def __post_init__(self) -> None:
        if self.rounding not in ("round", "truncate"):
            raise ValueError(f"expected rounding to be 'round' or 'truncate', got {self.rounding!r}")
        if self.rounding == "truncate" and self.short_side is None:
            raise ValueError("expected a short_side with rounding 'truncate', got None")
        lengths = (self.long_side if self.short_side is None else self.short_side, self.long_side, self.size_divisor)
        if min(lengths) < 1:
            raise ValueError(f"expected short_side, long_side and size_divisor of at least 1, got {lengths}")
        if min(self.std) <= 0:
            raise ValueError(f"expected std above 0, got {self.std}")

    @classmethod
    def published_pose(cls) -> "DecoderImageConfig":
        """Return how the published pose estimator sees a picture; the defaults are the published detector's."""
        return cls(antialias=True, rounding="truncate")


@dataclass(frozen=True, kw_only=True)
class MadePictureConfig:
    """What pictures a decoder makes, and so learns from.

    Attributes:
        size_hw: (height, width) in pixels, `picture_hw` of the decoder's configuration. Where a picture is made from
            another, it has the ratio of that one and about this area.
        step: Both sides are multiples of so many pixels, `factor` of the decoder's configuration.

    Raises:
        ValueError: If a side is no multiple of the step.
    """

    size_hw: tuple[int, int]
    step: int = 8

    def __post_init__(self) -> None:
        if self.step < 1 or min(self.size_hw) < 1 or any(side % self.step for side in self.size_hw):
            raise ValueError(f"expected a size of multiples of {self.step} pixels, the step, got {self.size_hw}")


def resized_hw(size_hw: tuple[int, int], config: DecoderImageConfig) -> tuple[int, int]:
    """Return (height, width) after resizing.

    >>> resized_hw((480, 640), DecoderImageConfig()), resized_hw((480, 640), DecoderImageConfig(rounding="truncate"))
    ((800, 1067), (800, 1066))
    """
    height, width = size_hw
    short, long = min(size_hw), max(size_hw)
    if config.rounding == "round" or config.short_side is None:
        factor = config.long_side / long
        if config.short_side is not None:
            factor = min(factor, config.short_side / short)
        return max(1, int(height * factor + 0.5)), max(1, int(width * factor + 0.5))
    target = config.short_side
    if long / short * target > config.long_side:
        target = round(config.long_side * short / long)
    target = max(1, target)
    if short == target:
        return height, width
    other = int(target * long / short)
    return (target, other) if height < width else (other, target)


def resize_picture(image: Image.Image, size_hw: tuple[int, int], *, antialias: bool = False) -> Image.Image:
    """Resize bilinearly, with or without a filter against aliasing."""
    height, width = size_hw
    if image.size == (width, height):
        return image
    if antialias:
        return image.resize((width, height), Image.Resampling.BILINEAR)
    pixels = torch.from_numpy(np.asarray(image).transpose(2, 0, 1).copy()).float()[None]
    resized = functional.interpolate(pixels, size_hw, mode="bilinear", align_corners=False)[0]
    return Image.fromarray((resized + 0.5).to(torch.uint8).permute(1, 2, 0).contiguous().numpy())


def resize_masks(masks: NDArray[np.bool_], size_hw: tuple[int, int], *, published: bool = False) -> NDArray[np.bool_]:
    """Resize masks by taking the nearest pixel.

    Args:
        masks: bool[N, H, W].
        size_hw: The new (height, width).
        published: Take pixel ⌊x · W / w⌋, as the published code does, instead of the one at the new pixel's centre.

    Returns:
        bool[N, h, w].
    """
    if masks.shape[1:] == size_hw:
        return masks
    centre = 0.0 if published else 0.5
    rows, columns = (
        np.minimum(((np.arange(new) + centre) * (1 / (new / old))).astype(np.int64), old - 1)
        for old, new in zip(masks.shape[1:], size_hw, strict=True)
    )
    return masks[:, rows[:, None], columns]


def decoder_pixels(image: Image.Image, config: DecoderImageConfig) -> Tensor:
    """Return float[3, h, w]: one picture, resized and normalised."""
    size_hw = resized_hw((image.height, image.width), config)
    return to_pixels(resize_picture(image, size_hw, antialias=config.antialias), config.mean, config.std)


def decoder_batch(images: Sequence[Image.Image], config: DecoderImageConfig) -> ImageBatch:
    """Prepare pictures for the decoders, padded on the right and at the bottom to one size.

    Raises:
        ValueError: If there is no picture.
    """
    if not images:
        raise ValueError("expected at least one picture, got none")
    pixels = [decoder_pixels(image, config) for image in images]
    step = config.size_divisor
    height, width = (-(-max(p.shape[axis] for p in pixels) // step) * step for axis in (1, 2))
    values = torch.zeros(len(pixels), 3, height, width)
    mask = torch.zeros(len(pixels), height, width, dtype=torch.bool)
    for i, picture in enumerate(pixels):
        values[i, :, : picture.shape[1], : picture.shape[2]] = picture
        mask[i, : picture.shape[1], : picture.shape[2]] = True
    return ImageBatch(
        pixel_values=values,
        pixel_mask=mask,
        sizes_hw=torch.tensor([(image.height, image.width) for image in images]),
        resized_hw=torch.tensor([tuple(p.shape[1:]) for p in pixels]),
    )
