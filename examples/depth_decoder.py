"""A decoder of one's own, in one file: `[DEPTH]` asks how far away everything in a picture is.

`docs/decoders.md` explains it. A package would offer it through the entry point `visionllm.decoders`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from visionllm.config import Quirks
from visionllm.decoders import Decoder
from visionllm.types import Options, Route
from visionllm.types.tensors import Batch, ImageBatch, Queries


@dataclass(frozen=True, kw_only=True)
class DepthConfig:
    """Sizes of the decoder.

    Attributes:
        width: Channels inside.
    """

    width: int = 16

    def __post_init__(self) -> None:
        if self.width < 1:
            raise ValueError(f"expected a width of at least 1, got {self.width}")


@dataclass(frozen=True, kw_only=True, eq=False)
class DepthTargets(Batch):
    """The truth of one unit: float[h, w] in [0, 1] at the size of its resized picture, 1 for the farthest."""

    depth: Tensor


@dataclass(frozen=True, kw_only=True, eq=False)
class Depth:
    """How far away each pixel is: float32[H, W] of the original image, in [0, 1], 1 for the farthest."""

    depth: NDArray[np.float32]

    def to_dict(self) -> dict[str, Any]:
        """Return plain data that states its space."""
        height, width = self.depth.shape
        near = tuple(int(i) for i in np.unravel_index(self.depth.argmin(), self.depth.shape))
        box = [near[1], near[0], near[1] + 1, near[0] + 1]
        return {
            "type": "depth",
            "space": "pixels of the original image; 0 is near, 1 is far",
            "size_hw": [height, width],
            "instances": [{"label": "nearest", "score": float(1 - self.depth.min()), "box": box}],
        }


class DepthDecoder(Decoder[DepthTargets]):
    """Reads the depth of a picture; the slots say what is asked for, in a vector that scales the features.

    Args:
        config: Sizes.
        query_width: Width of the super-link queries.
        quirks: Published faults to reproduce; there are none here.
    """

    routes: ClassVar[tuple[Route, ...]] = (Route(token="[DEPTH]", table="depth", decoder="depth"),)

    def __init__(self, config: DepthConfig, query_width: int, quirks: Quirks | None = None) -> None:
        super().__init__()
        self.ask = nn.Linear(query_width, config.width)
        self.see = nn.Conv2d(3, config.width, 7, stride=4, padding=3)
        self.tell = nn.Conv2d(config.width, 1, 3, padding=1)

    def forward(self, queries: Queries, images: ImageBatch) -> Tensor:
        """Return float[U, h, w] in (0, 1), the depth of each unit's padded picture."""
        wish = self.ask(queries.states.mean(2)[:, 0])
        seen = self.see(images.pixel_values[queries.images]) * wish[..., None, None]
        size = images.pixel_values.shape[-2:]
        return F.interpolate(self.tell(seen.relu()), size, mode="bilinear", align_corners=False)[:, 0].sigmoid()

    def loss(
        self,
        queries: Queries,
        images: ImageBatch,
        targets: Sequence[DepthTargets],
        generator: torch.Generator | None = None,
    ) -> dict[str, Tensor]:
        """Return `"depth"`, the mean absolute error."""
        if len(targets) != len(queries):
            raise ValueError(f"expected {len(queries)} targets, one per unit, got {len(targets)}")
        if not targets:
            return {}
        told = self(queries, images)
        errors = [
            (t[: w.depth.shape[0], : w.depth.shape[1]] - w.depth).abs().mean()
            for t, w in zip(told, targets, strict=True)
        ]
        return {"depth": torch.stack(errors).mean()}

    @torch.no_grad()
    def decode(self, queries: Queries, images: ImageBatch, options: Options) -> list[Depth]:
        """Return one depth map a unit, at the size of the original picture."""
        results = []
        for unit, depth in enumerate(self(queries, images) if len(queries) else ()):
            place = int(queries.images[unit])
            height, width = images.resized_hw[place].tolist()
            size = tuple(images.sizes_hw[place].tolist())
            real = F.interpolate(depth[None, None, :height, :width], size, mode="bilinear", align_corners=False)
            results.append(Depth(depth=real[0, 0].numpy()))
        return results

    @classmethod
    def example(cls) -> tuple[Self, Queries, ImageBatch, list[DepthTargets]]:
        """Return a tiny decoder with two units about two pictures of different sizes."""
        noise = torch.Generator().manual_seed(0)
        real = torch.tensor([[32, 48], [24, 48]])
        mask = torch.zeros(2, 32, 48, dtype=torch.bool)
        for row, (height, width) in zip(mask, real.tolist(), strict=True):
            row[:height, :width] = True
        images = ImageBatch(
            pixel_values=torch.randn(2, 3, 32, 48, generator=noise) * mask[:, None],
            pixel_mask=mask,
            sizes_hw=2 * real,
            resized_hw=real,
        )
        queries = Queries(
            states=torch.randn(2, 1, 4, 16, generator=noise),
            mask=torch.ones(2, 1, dtype=torch.bool),
            images=torch.tensor([0, 1]),
            rows=torch.tensor([0, 1]),
            turns=torch.ones(2, dtype=torch.long),
            positions=torch.tensor([[5], [7]]),
            routes=(("[DEPTH]",), ("[DEPTH]",)),
        )
        targets = [DepthTargets(depth=torch.linspace(0, 1, h)[:, None].expand(h, w)) for h, w in real.tolist()]
        return cls(DepthConfig(), 16), queries, images, targets
