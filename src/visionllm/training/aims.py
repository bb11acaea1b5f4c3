"""A stand-in for the language model while the detector learns: what is asked for, as slot states.

Published detectors come pretrained with a text tower of their own. The embedded one learns from `AimEncoder`, which
knows only the attributes of the world and boxes; later the language model learns to write
the same states into its slots.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from visionllm.data.world.phrases import ATTRIBUTES, Phrase
from visionllm.training.readings import JOINTS, SAID
from visionllm.types.tensors import ImageBatch, Queries

Place = tuple[float, float, float, float]
TABLES: tuple[tuple[str, ...], ...] = (JOINTS, *SAID.values())
"""The words that an aim can say: the keypoint, and each attribute."""
_OCTAVES = 6


@dataclass(frozen=True)
class Aim:
    """What one query group asks for.

    Attributes:
        phrase: The attributes that are said; those left out may be anything.
        place: (cx, cy, w, h), each in [0, 1] of the picture, when one thing is meant; else None.
        joint: Name of the keypoint that is asked for, where it is one.
    """

    phrase: Phrase = field(default_factory=Phrase)
    place: Place | None = None
    joint: str | None = None


def aim_codes(
    units: Sequence[Sequence[Aim | None]],
) -> tuple[NDArray[np.int64], NDArray[np.float32], NDArray[np.bool_]]:
    """Return codes int64[U, K, 5] (0 = unsaid), places float32[U, K, 4] (NaN = unsaid) and mask bool[U, K].

    The mask is False where no aim is known.
    """
    longest = max(map(len, units), default=0)
    codes = np.zeros((len(units), longest, len(TABLES)), np.int64)
    places = np.full((len(units), longest, 4), np.nan, np.float32)
    mask = np.zeros((len(units), longest), np.bool_)
    for u, aims in enumerate(units):
        for k, aim in enumerate(aims):
            if aim is None:
                continue
            mask[u, k] = True
            said = [aim.joint, *(getattr(aim.phrase, name) for name in ATTRIBUTES)]
            codes[u, k] = [0 if w is None else words.index(w) + 1 for w, words in zip(said, TABLES, strict=True)]
            if aim.place is not None:
                places[u, k] = aim.place
    return codes, places, mask


@dataclass(frozen=True, kw_only=True, eq=False)
class AskedBatch:
    """Pictures, and what is asked about them.

    Attributes:
        images: The pictures.
        images_of: int[U]. The picture of each unit.
        codes: int[U, K, 5], places: float[U, K, 4], mask: bool[U, K]. See `aim_codes`.
        routes: The routing tokens of each unit.
    """

    images: ImageBatch
    images_of: Tensor
    codes: Tensor
    places: Tensor
    mask: Tensor
    routes: tuple[tuple[str, ...], ...]


class AimEncoder(nn.Module):
    """Codes of aims → slot states.

    Args:
        width: Width D of the states.
        slots: Slots Q of one query group.
    """

    def __init__(self, width: int, slots: int) -> None:
        super().__init__()
        self.words = nn.ModuleList(nn.Embedding(len(words) + 1, width) for words in TABLES)
        self.place = nn.Sequential(nn.Linear(8 * _OCTAVES, width), nn.ReLU(), nn.Linear(width, width))
        self.nowhere = nn.Parameter(torch.zeros(width))
        self.slots = nn.Embedding(slots, width)

    def forward(self, codes: Tensor, places: Tensor) -> Tensor:
        """Return float[U, K, Q, D] for codes int[U, K, 5] and places float[U, K, 4]."""
        said = ~places.isnan().any(-1, keepdim=True)
        octaves = math.pi * 2.0 ** torch.arange(_OCTAVES, device=places.device)
        angles = places.nan_to_num()[..., None] * octaves
        waves = torch.cat([angles.sin(), angles.cos()], dim=-1).flatten(-2)
        group = torch.where(said, self.place(waves), self.nowhere)
        for column, table in enumerate(self.words):
            group = group + table(codes[..., column])
        return group[..., None, :] + self.slots.weight

    def queries(self, batch: AskedBatch) -> Queries:
        """Return what a decoder is asked, as query groups."""
        units, groups = batch.mask.shape
        return Queries(
            states=self(batch.codes, batch.places) * batch.mask[..., None, None],
            mask=batch.mask,
            images=batch.images_of,
            rows=torch.arange(units),
            turns=torch.ones(units, dtype=torch.int64),
            positions=torch.arange(groups).expand(units, groups),
            routes=batch.routes,
        )
