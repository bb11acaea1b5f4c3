"""Pictures as tokens of several feature levels."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from visionllm.nn.backbone import Backbone
from visionllm.nn.canvases import canvas_groups, paste
from visionllm.nn.norms import MapNorm
from visionllm.nn.position import grid_embedding
from visionllm.types.tensors import Batch, ImageBatch


@dataclass(frozen=True, kw_only=True, eq=False)
class Pyramid(Batch):
    """Pictures as tokens of several levels, the finest level first, each level row by row.

    Attributes:
        tokens: float[B, S, D].
        mask: bool[B, S]. True on real cells.
        positions: float[B, S, D]. Sine embedding of the place plus the level's embedding.
        shapes: (height, width) of each level.
        real_wh: float32[B, L, 2]. (width, height) of the real cells of each level.
        finest_hw: int[B, 2]. (height, width) of the finest level on each picture's own canvas.
        pixels: float[B, C, h, w]. The map for the pixel decoder.
        pixels_hw: int[B, 2]. (height, width) of that map on each picture's own canvas.
        stride: Pixels of the picture a cell of `pixels`.
    """

    tokens: Tensor
    mask: Tensor
    positions: Tensor
    shapes: tuple[tuple[int, int], ...]
    real_wh: Tensor
    finest_hw: Tensor
    pixels: Tensor
    pixels_hw: Tensor
    stride: int

    def select(self, index: Tensor) -> Self:
        """Return the pictures int[M] names, in its order; a picture may be named more than once."""
        return type(self)(
            tokens=self.tokens[index],
            mask=self.mask[index],
            positions=self.positions[index],
            shapes=self.shapes,
            real_wh=self.real_wh[index],
            finest_hw=self.finest_hw[index],
            pixels=self.pixels[index],
            pixels_hw=self.pixels_hw[index],
            stride=self.stride,
        )

    @property
    def real_share(self) -> Tensor:
        """float[B, L, 2]. Share of each level's (width, height) that is real."""
        sizes_wh = [(w, h) for h, w in self.shapes]
        return self.real_wh / torch.tensor(sizes_wh, dtype=self.real_wh.dtype, device=self.real_wh.device)

    @property
    def centres(self) -> Tensor:
        """float[B, S, 2]. (x, y) of each cell's centre, in [0, 1] of the real picture."""
        kind = {"dtype": self.real_wh.dtype, "device": self.real_wh.device}
        centres = []
        for (h, w), real in zip(self.shapes, self.real_wh.unbind(1), strict=True):
            y, x = torch.meshgrid(torch.arange(h, **kind), torch.arange(w, **kind), indexing="ij")
            centres.append((torch.stack([x, y], dim=-1).view(1, h * w, 2) + 0.5) / real.unsqueeze(1))
        return torch.cat(centres, dim=1)


@dataclass(frozen=True, kw_only=True, eq=False)
class _Maps:
    """What the networks say about the pictures of one canvas size: maps [b, D, h, w] and bool[b, 1, h, w] masks."""

    levels: list[Tensor]
    masks: list[Tensor]
    pixels: Tensor


class FeaturePyramid(nn.Module):
    """A backbone and the projections that bring its maps to one width.

    Args:
        backbone: Configuration of the backbone.
        pixel_stage: The stage that feeds only the pixel decoder; None where all stages feed the encoder, and the finest
            one is kept for a pixel decoder too.
        width: Width D of the tokens.
        levels: Number of levels; those beyond the backbone's stages are stride-2 convolutions.
        size_divisor: A picture's own canvas is its size, rounded up to a multiple of this.
        temperature: Of the sine embedding of places.
        freeze_norm: Keep batch norms on their running statistics during training.
        share_canvas: Run every picture on the largest canvas of the batch, as the published code does.
    """

    def __init__(
        self,
        backbone: Mapping[str, Any],
        *,
        pixel_stage: str | None,
        width: int,
        levels: int,
        size_divisor: int = 32,
        temperature: float = 20.0,
        freeze_norm: bool = True,
        share_canvas: bool = False,
    ) -> None:
        super().__init__()
        self.backbone = Backbone(backbone, freeze_norm=freeze_norm)
        self.pixel_stage = pixel_stage or self.backbone.stages[0]
        self.stages = [stage for stage in self.backbone.stages if stage != pixel_stage]
        widths = [self.backbone.channels[stage] for stage in self.stages]
        self.projections = nn.ModuleList(self._projection(nn.Conv2d(c, width, 1)) for c in widths)
        for previous in [widths[-1], *[width] * levels][: levels - len(widths)]:
            self.projections.append(self._projection(nn.Conv2d(previous, width, 3, stride=2, padding=1)))
        self.level_embedding = nn.Parameter(torch.randn(levels, width))
        self.size_divisor = size_divisor
        self.temperature = temperature
        self.share_canvas = share_canvas

    @staticmethod
    def _projection(conv: nn.Conv2d) -> nn.Sequential:
        nn.init.xavier_uniform_(conv.weight)
        return nn.Sequential(conv, MapNorm(conv.out_channels))

    def forward(self, images: ImageBatch) -> Pyramid:
        """Return the tokens of B pictures."""
        canvas_hw = self._canvas_sizes(images)
        groups = canvas_groups(canvas_hw)
        height, width = (int(side) for side in canvas_hw.amax(0))
        extra_h, extra_w = (
            max(0, side - old) for side, old in zip((height, width), images.pixel_mask.shape[1:], strict=True)
        )
        pixels = F.pad(images.pixel_values, (0, extra_w, 0, extra_h))
        masks = F.pad(images.pixel_mask, (0, extra_w, 0, extra_h))
        if len(groups) == 1:
            parts = [self._maps(pixels[:, :, :height, :width], masks[:, :height, :width])]
        else:
            parts = [self._maps(pixels[rows, :, :h, :w], masks[rows, :h, :w]) for rows, (h, w) in groups]
        return self._join(parts, groups)

    def _canvas_sizes(self, images: ImageBatch) -> Tensor:
        """Return int[B, 2], the canvas of each picture."""
        if self.share_canvas:
            size = torch.tensor(images.pixel_mask.shape[1:], device=images.pixel_mask.device)
            return size.expand(len(images), 2)
        return -(-images.resized_hw // self.size_divisor) * self.size_divisor

    def _maps(self, pixels: Tensor, mask: Tensor) -> _Maps:
        """Run the networks on pictures of one canvas size."""
        features = self.backbone(pixels)
        levels: list[Tensor] = []
        for i, projection in enumerate(self.projections):
            if i < len(self.stages):
                source = features[self.stages[i]]
            else:
                source = features[self.stages[-1]] if i == len(self.stages) else levels[-1]
            levels.append(projection(source))
        cells = mask.unsqueeze(1).float()
        masks = [F.interpolate(cells, size=level.shape[2:]).bool() for level in levels]
        return _Maps(levels=levels, masks=masks, pixels=features[self.pixel_stage])

    def _join(self, parts: list[_Maps], groups: list[tuple[Tensor, tuple[int, int]]]) -> Pyramid:
        """Put all canvas sizes back into one batch."""
        device = parts[0].pixels.device
        order = torch.cat([rows for rows, _ in groups]).argsort()

        def sizes(maps: list[Tensor]) -> Tensor:
            own = [torch.tensor(m.shape[2:], device=device).expand(len(m), 2) for m in maps]
            return torch.cat(own)[order]

        tokens, masks, positions, shapes, real = [], [], [], [], []
        for i, embedding in enumerate(self.level_embedding):
            level = paste([p.levels[i] for p in parts], groups)
            mask = paste([p.masks[i] for p in parts], groups).squeeze(1)
            place = grid_embedding(mask, level.shape[1], temperature=self.temperature) + embedding
            tokens.append(level.flatten(2).transpose(1, 2))
            masks.append(mask.flatten(1))
            positions.append(place.flatten(1, 2).to(level.dtype))
            shapes.append((level.shape[2], level.shape[3]))
            real.append(torch.stack([mask[:, 0].sum(1), mask[:, :, 0].sum(1)], dim=-1))
        return Pyramid(
            tokens=torch.cat(tokens, dim=1),
            mask=torch.cat(masks, dim=1),
            positions=torch.cat(positions, dim=1),
            shapes=tuple(shapes),
            real_wh=torch.stack(real, dim=1).float(),
            finest_hw=sizes([p.levels[0] for p in parts]),
            pixels=paste([p.pixels for p in parts], groups),
            pixels_hw=sizes([p.pixels for p in parts]),
            stride=groups[0][1][0] // parts[0].pixels.shape[2],
        )
