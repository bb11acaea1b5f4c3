"""One vector for a region of a picture."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from visionllm.config.quirks import Quirks
from visionllm.nn.norms import ChannelNorm

QUERY_HEADS = 8


@dataclass(frozen=True, kw_only=True)
class RegionEncoderConfig:
    """Sizes of a region encoder; the defaults are the published ones.

    Attributes:
        patch_size: Pixels a side of a cell of the vision encoder; even.
        hidden_width: Width of the stem.
        points: At most so many pixels of a region are read.
        pooling: `"sample"` reads the features at pixels of the region; `"mean"` sums the cells more than half covered;
            `"cross_attn"` attends to all cells with one learned query.
    """

    patch_size: int = 14
    hidden_width: int = 256
    points: int = 2304
    pooling: Literal["sample", "mean", "cross_attn"] = "sample"

    def __post_init__(self) -> None:
        if self.patch_size < 2 or self.patch_size % 2:
            raise ValueError(f"expected an even patch_size, got {self.patch_size}")
        if self.hidden_width < 4 or self.hidden_width % 4:
            raise ValueError(f"expected hidden_width to be a multiple of 4, got {self.hidden_width}")
        if self.points < 1:
            raise ValueError(f"expected points >= 1, got {self.points}")
        if self.pooling not in ("sample", "mean", "cross_attn"):
            raise ValueError(f"expected pooling to be sample, mean or cross_attn, got {self.pooling!r}")


class RegionEncoder(nn.Module):
    """Looks at a picture and a mask together, and pools features of the vision encoder inside the mask.

    Args:
        config: Sizes and choices.
        vision_width: Width C of the vision encoder.
        output_width: Width D of the result.
        quirks: Published faults to reproduce.

    Source: VisionLLM v2, arXiv:2406.08394, section 3.1.

    >>> encoder = RegionEncoder(RegionEncoderConfig(patch_size=8, hidden_width=16), 32, 24)
    >>> level = torch.zeros(1, 16, 32)
    >>> encoder(torch.zeros(1, 3, 32, 32), torch.ones(1, 32, 32), [level]).shape
    torch.Size([1, 24])
    """

    def __init__(
        self, config: RegionEncoderConfig, vision_width: int, output_width: int, quirks: Quirks | None = None
    ) -> None:
        super().__init__()
        self.config = config
        self.quirks = quirks or Quirks()
        hidden, stride = config.hidden_width, config.patch_size // 2
        self.mask_embedding = nn.Sequential(
            nn.Conv2d(4, hidden // 4, stride, stride=stride),
            ChannelNorm(hidden // 4, eps=1e-6),
            nn.GELU(),
            nn.Conv2d(hidden // 4, hidden, 2, stride=2),
            ChannelNorm(hidden, eps=1e-6),
            nn.GELU(),
            nn.Conv2d(hidden, vision_width, 1),
        )
        self.up_dim = nn.Linear(vision_width, output_width)
        if config.pooling == "cross_attn":
            self.region_query = nn.Embedding(1, vision_width)
            self.region_attn = nn.MultiheadAttention(vision_width, QUERY_HEADS, batch_first=True)

    def forward(
        self, images: Tensor, masks: Tensor, levels: Sequence[Tensor], generator: torch.Generator | None = None
    ) -> Tensor:
        """Embed R regions; no region depends on another.

        Args:
            images: float[R, 3, H, W]. The picture of each region, normalised.
            masks: float or bool[R, H, W] or [R, 1, H, W]. 1 inside. An empty mask gives the bias of the last layer.
            levels: float[R, h·w, C] or [R, C, h, w] of each level of the vision encoder, the deepest last.
            generator: Of the published random choice of points; None means torch's global one.

        Returns:
            float[R, D].

        Raises:
            ValueError: If images, masks and levels don't fit together.
        """
        masks = masks.to(images.dtype).view(len(masks), 1, *masks.shape[-2:])
        if len(images) != len(masks) or images.shape[2:] != masks.shape[2:]:
            raise ValueError(f"expected one mask per image, of its size, got {images.shape} and {masks.shape}")
        if not levels:
            raise ValueError("expected at least one level of features, got none")
        state = self.mask_embedding(torch.cat([images, masks], dim=1))
        h, w = state.shape[2:]
        total = state.new_zeros(len(images), self.up_dim.in_features)
        weights: Tensor | None = None
        for level in levels:
            features = level.transpose(1, 2) if level.dim() == 3 else level.flatten(2)
            if features.shape != (len(state), state.shape[1], h * w):
                raise ValueError(f"expected features of {len(state)} regions, {h}×{w} cells, got {tuple(level.shape)}")
            state = state + features.unflatten(2, (h, w)).to(state.dtype)
            if self.config.pooling == "cross_attn":
                total = total + self._attend(state)
                continue
            if weights is None or self.quirks.random_region_points:
                weights = self._weights(masks, h, w, generator)
            total = total + torch.einsum("rchw,rhw->rc", state.float(), weights).to(state.dtype)
        return self.up_dim(total / len(levels))

    def _attend(self, state: Tensor) -> Tensor:
        """Return float[R, C], what the learned query finds in float[R, C, h, w]."""
        cells = state.flatten(2).transpose(1, 2)
        query = self.region_query.weight.expand(len(cells), 1, -1)
        return self.region_attn(query, cells, cells, need_weights=False)[0].squeeze(1)

    def _weights(self, masks: Tensor, h: int, w: int, generator: torch.Generator | None) -> Tensor:
        """Return float[R, h, w], how much each cell counts for each region."""
        if self.config.pooling == "mean":
            covered = F.interpolate(masks.float(), size=(h, w), mode="bilinear", align_corners=False) > 0.5
            return covered.squeeze(1).float() / (h * w)
        inside = masks.squeeze(1) != 0
        if self.quirks.random_region_points:
            kept = random_pixels(inside, self.config.points, generator)
        else:
            kept = spread_pixels(inside, self.config.points)
        return cell_weights(kept, h, w)


def spread_pixels(masks: Tensor, limit: int) -> Tensor:
    """Keep at most `limit` pixels of each mask, evenly spread in reading order.

    Args:
        masks: bool[R, H, W].
        limit: How many pixels a mask may keep.

    Returns:
        bool[R, H, W].

    >>> spread_pixels(torch.ones(1, 1, 6, dtype=torch.bool), 3)
    tensor([[[False,  True, False,  True, False,  True]]])
    """
    rank = masks.flatten(1).cumsum(1)
    steps = limit / rank[:, -1:].clamp(min=limit).double()
    chosen = (rank * steps + 1e-9).floor() > ((rank - 1) * steps + 1e-9).floor()
    return masks & chosen.view_as(masks)


def random_pixels(masks: Tensor, limit: int, generator: torch.Generator | None = None) -> Tensor:
    """Keep at most `limit` random pixels of each mask.

    Args:
        masks: bool[R, H, W].
        limit: How many pixels a mask may keep.
        generator: Source of the choice; None means torch's global one.

    Returns:
        bool[R, H, W].

    >>> random_pixels(torch.ones(1, 2, 3, dtype=torch.bool), 4).sum()
    tensor(4)
    """
    kept = masks.flatten(1).clone()
    for row in kept:
        inside = row.nonzero().squeeze(1)
        if len(inside) > limit:
            chosen = torch.multinomial(torch.ones(len(inside), device=row.device), limit, generator=generator)
            row.zero_()
            row[inside[chosen]] = True
    return kept.view_as(masks)


def cell_weights(pixels: Tensor, h: int, w: int) -> Tensor:
    """Return how much each cell counts when features are read at pixels, bilinearly, and averaged.

    A pixel is read at its index divided by the side, without the half-pixel offset, as the published code does.

    Args:
        pixels: bool[R, H, W]. The pixels to read at.
        h: Rows of cells.
        w: Columns of cells.

    Returns:
        float[R, h, w]; zero for a mask without pixels.

    >>> cell_weights(torch.tensor([[[False, False], [False, True]]]), 1, 2)
    tensor([[[0.5000, 0.5000]]])
    """
    height, width = pixels.shape[1:]
    region, row, column = pixels.nonzero().unbind(1)
    y, x = row * (h / height) - 0.5, column * (w / width) - 0.5
    top, left = y.floor(), x.floor()
    weights = torch.zeros(len(pixels), h, w, device=pixels.device)
    for i, down in ((top, top + 1 - y), (top + 1, y - top)):
        for j, across in ((left, left + 1 - x), (left + 1, x - left)):
            seen = (i >= 0) & (i < h) & (j >= 0) & (j < w)
            index = (region[seen], i[seen].long(), j[seen].long())
            weights.index_put_(index, (down * across)[seen].float(), accumulate=True)
    return weights / pixels.flatten(1).sum(1).clamp(min=1)[:, None, None]
