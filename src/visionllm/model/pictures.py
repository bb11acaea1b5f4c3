"""Pictures on their way into the language model: features, regions, and the places they are written to."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import torch
from torch import Tensor

from visionllm.types.tensors import Batch


@dataclass(frozen=True, kw_only=True, eq=False)
class EncodedPictures(Batch):
    """What the vision encoder made of a batch of pictures, so that an opened picture is encoded once.

    Attributes:
        tokens: float[S, N, D]. Projected features of every split, as the language model reads them.
        splits: int[P]. Number of splits of each picture; the last one shows the whole picture.
        pixel_values: float[P, 3, h, w]. The last split of each picture.
        levels: float[P, N, C] or float[P, C, h, w], one for each level that the region encoder reads.
    """

    tokens: Tensor
    splits: Tensor
    pixel_values: Tensor
    levels: tuple[Tensor, ...] = ()

    def to(self, device: torch.device | str) -> Self:
        """Return a copy with every tensor on `device`."""
        return replace(super().to(device), levels=tuple(level.to(device) for level in self.levels))

    def __len__(self) -> int:
        return len(self.splits)

    def select(self, kept: Sequence[int]) -> Self:
        """Return some of the pictures, in this order."""
        index = list(kept)
        ends = self.splits.cumsum(0).tolist()
        starts = [0, *ends]
        splits = [place for picture in index for place in range(starts[picture], ends[picture])]
        return replace(
            self,
            tokens=self.tokens[splits],
            splits=self.splits[index],
            pixel_values=self.pixel_values[index],
            levels=tuple(level[index] for level in self.levels),
        )


def join_encoded(parts: Sequence[EncodedPictures]) -> EncodedPictures:
    """Join pictures that were encoded apart, in their order.

    Raises:
        ValueError: If there are none.
    """
    if not parts:
        raise ValueError("expected one encoded picture or more, got none")
    return EncodedPictures(
        tokens=torch.cat([p.tokens for p in parts]),
        splits=torch.cat([p.splits for p in parts]),
        pixel_values=torch.cat([p.pixel_values for p in parts]),
        levels=tuple(torch.cat(level) for level in zip(*(p.levels for p in parts), strict=True)),
    )


def drop_prefix(hidden: Tensor, prefix: int) -> Tensor:
    """Return the patches of float[S, prefix + N, C]; a map float[S, C, h, w] has no prefix and stays as it is."""
    return hidden if hidden.ndim == 4 else hidden[:, prefix:]


def as_map(features: Tensor) -> Tensor:
    """Return float[S, h, w, C] from a map float[S, C, h, w] or from patches float[S, h·w, C] of a square.

    Raises:
        ValueError: If the patches form no square.
    """
    if features.ndim == 4:
        return features.permute(0, 2, 3, 1)
    side = round(features.shape[1] ** 0.5)
    if side * side != features.shape[1]:
        raise ValueError(f"expected a square number of patches, got {features.shape[1]}")
    return features.unflatten(1, (side, side))


def write_over(embeds: Tensor, input_ids: Tensor, token_id: int, features: Tensor, name: str, group: int = 1) -> Tensor:
    """Write features over the places of a token, row by row in their order.

    Args:
        embeds: float[B, T, D].
        input_ids: int[B, T].
        token_id: Whose places are written over.
        features: float[M, D].
        name: What the features are, for the message.
        group: Features that belong to one split and must stand in one row.

    Returns:
        float[B, T, D].

    Raises:
        ValueError: If the places and the features differ in number.
    """
    places = input_ids == token_id
    counts = places.sum(dim=-1)
    wanted = int(counts.sum())
    if wanted != len(features):
        raise ValueError(f"expected {wanted} {name}, one for each of their tokens, got {len(features)}")
    if group > 1 and bool((counts % group).any()):
        raise ValueError(f"expected a multiple of {group} {name} in each row, got {counts.tolist()}")
    return embeds.masked_scatter(places[..., None], features.to(embeds.dtype)) if wanted else embeds
