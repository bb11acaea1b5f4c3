"""The editing decoder: query groups and a picture to an edited picture."""

from collections.abc import Mapping
from typing import ClassVar, Self

import torch
import torch.nn.functional as F
from torch import Tensor

from visionllm.config.editing import EditingConfig
from visionllm.config.quirks import Quirks
from visionllm.decoders.base.checks import check_pictures
from visionllm.decoders.base.diffusing import DiffusionDecoder
from visionllm.decoders.base.example import picture_example, tiny_diffusion
from visionllm.decoders.base.sampling import Guide
from visionllm.nn.diffusion import encode
from visionllm.types.requests import Options
from visionllm.types.tensors import ImageBatch, PictureTargets, Queries, Route


class EditingDecoder(DiffusionDecoder[EditingConfig]):
    """Edits a picture as `[EDIT]` groups ask: an InstructPix2Pix U-Net and VAE behind a mapper.

    The U-Net sees the latents of the picture beside the noisy ones, and two guidances pull: words and picture.

    Args:
        config: Sizes and choices.
        query_width: Width of the super-link queries.
        quirks: Published faults to reproduce; there are none here.
        stored: Shapes of the weights that a file holds; see `DiffusionDecoder`.

    Differs: the whole picture is edited, at its own ratio, because a user's picture is seldom square; the published
    code cuts out the square in the middle.

    Source: VisionLLM v2, arXiv:2406.08394, section 3.2; InstructPix2Pix, arXiv:2211.09800.
    """

    routes: ClassVar[tuple[Route, ...]] = (Route(token="[EDIT]", table="edit", decoder="editing"),)

    def __init__(
        self,
        config: EditingConfig,
        query_width: int,
        quirks: Quirks | None = None,
        stored: Mapping[str, torch.Size] | None = None,
    ) -> None:
        super().__init__(config, query_width, stored)

    def _guides(self, states: Tensor, context: Tensor, options: Options) -> list[Guide]:
        """Return how the U-Net looks at the pictures: with neither words nor picture, with the picture, with both."""
        words = self._guidance(options)
        picture = self.config.image_guidance if options.image_guidance is None else options.image_guidance
        wordless = self.no_words().expand_as(states)
        return [
            Guide(weight=words, states=states, context=context),
            Guide(weight=picture - words, states=wordless, context=context),
            Guide(weight=1 - picture, states=wordless, context=torch.zeros_like(context)),
        ]

    def _context(
        self, queries: Queries, images: ImageBatch, size_hw: tuple[int, int], numbers: Tensor | None = None
    ) -> Tensor:
        """Return float[M, latent channels, h, w], the means of the latents of each query group's picture, unscaled."""
        check_pictures(queries.images, images)
        named, place = torch.unique(queries.images, return_inverse=True)
        pixels = torch.cat([self._pixels(images, int(i), size_hw) for i in named])
        latents = encode(self.vae, pixels).mean[place[queries.mask.nonzero()[:, 0]]]
        if numbers is None:
            return latents
        rate = self.config.drop_rate
        blank = (rate <= numbers) & (numbers < 3 * rate)
        return latents.masked_fill(blank[:, None, None, None], 0)

    def _pixels(self, images: ImageBatch, index: int, size_hw: tuple[int, int]) -> Tensor:
        """Return float[1, 3, H, W] in [−1, 1], a picture without its padding, resized."""
        height, width = images.resized_hw[index].tolist()
        pixels = images.pixel_values[index : index + 1, :, :height, :width].to(self.device).float()
        mean, std = (pixels.new_tensor(v)[:, None, None] for v in (self.config.pixel_mean, self.config.pixel_std))
        pixels = pixels * (2 * std) + (2 * mean - 1)
        if (height, width) != size_hw:
            pixels = F.interpolate(pixels, size_hw, mode="bilinear", antialias=True, align_corners=False)
        return pixels.to(self.dtype)

    def _sizes(self, queries: Queries, images: ImageBatch, options: Options) -> list[tuple[int, int]]:
        """Return (height, width) of each unit's new pictures, in pixels: the picture's ratio, the usual area."""
        check_pictures(queries.images, images)
        if options.size_hw is not None:
            return [options.size_hw] * len(queries)
        sizes = [(height, width) for height, width in images.sizes_hw[queries.images].tolist()]
        return [self.config.edited_hw(size) for size in sizes]

    def _original_hw(self, queries: Queries, images: ImageBatch, unit: int) -> tuple[int, int] | None:
        """Return (height, width) of the picture that a unit's are made from."""
        height, width = images.sizes_hw[queries.images[unit]].tolist()
        return height, width

    @classmethod
    def example(cls) -> tuple[Self, Queries, ImageBatch, list[PictureTargets]]:
        """Return a tiny decoder with three units about two pictures, one of them with two query groups."""
        shared = vars(tiny_diffusion())
        config = EditingConfig(**shared | {"unet": {**shared["unet"], "in_channels": 8}, "frozen": ("vae.*",)})
        return cls(config, 16), *picture_example("[EDIT]")
