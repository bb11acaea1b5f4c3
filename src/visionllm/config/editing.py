"""Sizes, loss weights and choices of the editing decoder."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from visionllm.config.diffusion import DiffusionConfig, published_unet
from visionllm.config.pixels import IMAGENET_MEAN, IMAGENET_STD
from visionllm.config.ranges import Ranges

RANGES: Ranges = ((("image_guidance",), 0, math.inf),)


@dataclass(frozen=True, kw_only=True)
class EditingConfig(DiffusionConfig):
    """What the editing decoder is made of; the defaults are the published 7B release's.

    Attributes:
        unet: Its input channels are the noisy latents and those of the picture to edit.
        drop_rate: Share of the training pictures that lose their words only; as many lose words and picture, and as
            many the picture only.
        picture_hw: An edited picture has the ratio of the original and about this area, when a request names no size.
        image_guidance: How strongly the picture to edit guides when a request says nothing; 1 switches it off.
        pixel_mean: Mean of each channel that the decoder images are normalised with.
        pixel_std: Standard deviation of each channel that they are normalised with.
    """

    unet: Mapping[str, Any] = field(default_factory=lambda: published_unet(8))
    scheduler: str = "EulerAncestralDiscreteScheduler"
    frozen: tuple[str, ...] = ("vae.*", "text_encoder.*")
    drop_rate: float = 0.05
    picture_hw: tuple[int, int] = (256, 256)
    image_guidance: float = 1.5
    pixel_mean: tuple[float, float, float] = IMAGENET_MEAN
    pixel_std: tuple[float, float, float] = IMAGENET_STD

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check_ranges(RANGES)
        if min(self.pixel_std) <= 0:
            raise ValueError(f"expected pixel_std above 0, got {self.pixel_std}")

    def edited_hw(self, size_hw: tuple[int, int]) -> tuple[int, int]:
        """Return (height, width) of an edited picture whose original has this size; see `edited_hw`."""
        return edited_hw(size_hw, self.picture_hw, self.factor)

    @property
    def _unet_channels(self) -> int:
        """Channels that the U-Net must take."""
        return 2 * self.latent_channels

    @property
    def _kinds_dropped(self) -> int:
        """How many times `drop_rate` the numbers reach at which something is dropped."""
        return 3


def edited_hw(size_hw: tuple[int, int], picture_hw: tuple[int, int], step: int) -> tuple[int, int]:
    """Return (height, width) of an edited picture: the original's ratio, the usual area.

    Args:
        size_hw: Of the original.
        picture_hw: Gives the area.
        step: Both sides are multiples of so many pixels.

    >>> edited_hw((480, 640), (256, 256), 8)
    (224, 296)
    """
    scale = math.sqrt(math.prod(picture_hw) / math.prod(size_hw))
    height, width = (max(1, round(side * scale / step)) * step for side in size_hw)
    return height, width
