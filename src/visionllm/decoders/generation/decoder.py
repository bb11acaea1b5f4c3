"""The generation decoder: query groups to new pictures."""

from collections.abc import Mapping
from typing import ClassVar, Self

import torch
from torch import Tensor

from visionllm.config.diffusion import DiffusionConfig
from visionllm.config.quirks import Quirks
from visionllm.decoders.base.diffusing import DiffusionDecoder
from visionllm.decoders.base.example import picture_example, tiny_diffusion
from visionllm.decoders.base.sampling import Guide
from visionllm.types.requests import Options
from visionllm.types.tensors import ImageBatch, PictureTargets, Queries, Route


class GenerationDecoder(DiffusionDecoder[DiffusionConfig]):
    """Makes the pictures that `[GEN]` groups ask for: a Stable Diffusion U-Net and VAE behind a mapper.

    Args:
        config: Sizes and choices.
        query_width: Width of the super-link queries.
        quirks: Published faults to reproduce; there are none here.
        stored: Shapes of the weights that a file holds; see `DiffusionDecoder`.

    Source: VisionLLM v2, arXiv:2406.08394, section 3.2; latent diffusion, arXiv:2112.10752.
    """

    routes: ClassVar[tuple[Route, ...]] = (Route(token="[GEN]", table="gen", decoder="generation", picture=False),)

    def __init__(
        self,
        config: DiffusionConfig,
        query_width: int,
        quirks: Quirks | None = None,
        stored: Mapping[str, torch.Size] | None = None,
    ) -> None:
        super().__init__(config, query_width, stored)

    def _guides(self, states: Tensor, context: Tensor, options: Options) -> list[Guide]:
        """Return how the U-Net looks at the pictures, with and without words."""
        words = self._guidance(options)
        return [
            Guide(weight=1 - words, states=self.no_words().expand_as(states), context=context),
            Guide(weight=words, states=states, context=context),
        ]

    def _context(
        self, queries: Queries, images: ImageBatch, size_hw: tuple[int, int], numbers: Tensor | None = None
    ) -> Tensor:
        """Return float[M, 0, h, w]: the U-Net sees nothing beside the noisy latents."""
        height, width = (side // self.config.factor for side in size_hw)
        return torch.zeros(int(queries.mask.sum()), 0, height, width, device=self.device, dtype=self.dtype)

    def _sizes(self, queries: Queries, images: ImageBatch, options: Options) -> list[tuple[int, int]]:
        """Return (height, width) of each unit's new pictures, in pixels."""
        return [options.size_hw or self.config.picture_hw] * len(queries)

    @classmethod
    def example(cls) -> tuple[Self, Queries, ImageBatch, list[PictureTargets]]:
        """Return a tiny decoder with three units, one of them with two query groups."""
        return cls(tiny_diffusion(), 16), *picture_example("[GEN]")
