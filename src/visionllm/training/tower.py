"""Dense supervision of the picture tower: which object covers each cell, and what it is.

A small encoder learns to recognise by being told, for every cell of its feature maps, the kind, colour, fill and size
of the object there and where its box lies. The heads are thrown away afterwards; the encoder is what the recipe keeps.
"""

from collections.abc import Sequence
from string import ascii_lowercase
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn

from visionllm.data.world.scene import WorldPicture, WorldSign, WorldThing
from visionllm.training.picture_cells import cell_owners, owner_map, squared
from visionllm.training.pictures import Pictures
from visionllm.training.readings import HEADS, IGNORED, READINGS, TEXT, Readings, codes_of

_OF_THINGS = {name: words for name, words in READINGS[2].items() if name != TEXT}
WIDE_HEADS: Readings = {**_OF_THINGS, "letter": tuple(ascii_lowercase)}
"""What is read of pictures of version 2; cells of signs read the letter that stands there."""


class DenseTower(nn.Module):
    """An encoder of feature maps with one linear reading of each cell.

    Args:
        encoder: Any Hugging Face backbone that returns `feature_maps`.
        channels: Width of each map.
        wide: Read pictures of version 2, too.
    """

    def __init__(self, encoder: nn.Module, channels: list[int], *, wide: bool = False) -> None:
        super().__init__()
        self.encoder = encoder
        sizes = {name: len(words) + (name == "kind") for name, words in (WIDE_HEADS if wide else HEADS).items()}
        self.names, self.widths = list(sizes), list(sizes.values())
        self.heads = nn.ModuleList(nn.Conv2d(c, sum(self.widths) + 4, 1) for c in channels)

    def forward(self, pixel_values: Tensor) -> list[dict[str, Tensor]]:
        """Read float[B, 3, H, W]; return, for each map, logits float[B, classes, h, w], and `box` float[B, 4, h, w]."""
        maps = self.encoder(pixel_values).feature_maps
        readings = []
        for features, head in zip(maps, self.heads, strict=True):
            parts = head(features).split([*self.widths, 4], dim=1)
            readings.append(dict(zip([*self.names, "box"], parts, strict=True)))
        return readings


def dense_targets(
    picture: WorldPicture, side: int, strides: tuple[int, ...], *, wide: bool = False
) -> list[dict[str, NDArray[Any]]]:
    """Return what each cell should read, one dictionary a stride.

    Kind is 0 for background and k + 1 for the k-th kind; the other readings and `box` (left, top, right, bottom
    distances from the cell's centre as shares of the side) count only on cells of a thing that has them; ignored cells
    are −100, or NaN in `box`.
    """
    things, readings = picture.scene.things, _OF_THINGS if wide else HEADS
    height, width = picture.scene.size_hw
    owners = owner_map(picture, side)
    longer = max(height, width)
    shift = np.array([(longer - width) // 2, (longer - height) // 2] * 2)
    boxes = np.array([(np.array(o.box) + shift) / longer for o in things], np.float32).reshape(-1, 4)
    told = codes_of(picture.scene, readings)
    codes = {name: np.array([code[name] for code in told], np.int64) for name in readings}
    letters = [
        (letter.lower(), (x + shift[0]) / longer * side, (y + shift[1]) / longer * side)
        for sign in (picture.scene.signs if wide else ())
        for letter, x, y in sign.letters
    ]
    targets = []
    for stride in strides:
        cells = cell_owners(owners, len(things), stride)
        thing = cells > 0
        index = np.maximum(cells - 1, 0)
        target: dict[str, NDArray[Any]] = {}
        for name, code in codes.items():
            values = code[index] if len(code) else np.zeros_like(index)
            shift_by = (name == "kind") & (values != IGNORED)
            background = np.where(cells == 0, 0, IGNORED) if name == "kind" else IGNORED
            target[name] = np.where(thing, values + shift_by, background)
        centres = (np.arange(side // stride, dtype=np.float32) + 0.5) * stride / side
        x, y = np.meshgrid(centres, centres)
        corners = boxes[index] if len(boxes) else np.zeros((*index.shape, 4), np.float32)
        edges = np.stack([x - corners[..., 0], y - corners[..., 1], corners[..., 2] - x, corners[..., 3] - y])
        target["box"] = np.where(thing, edges, np.float32("nan")).astype(np.float32)
        if wide:
            target["letter"] = _letter_cells(letters, owners, things, stride)
        targets.append(target)
    return targets


def _letter_cells(
    letters: Sequence[tuple[str, float, float]],
    owners: NDArray[np.uint8],
    things: Sequence[WorldThing],
    stride: int,
) -> NDArray[np.int64]:
    """Return int64[h, w]: the letter whose middle lies in a cell, the nearest to its centre of several.

    Letters that something else covers don't count.
    """
    side = owners.shape[0] // stride
    cells = np.full((side, side), IGNORED, np.int64)
    nearest = np.full((side, side), np.inf)
    for letter, x, y in letters:
        column, row = int(x // stride), int(y // stride)
        if not (0 <= column < side and 0 <= row < side):
            continue
        owner = int(owners[int(y), int(x)])
        if not owner or not isinstance(things[owner - 1], WorldSign):
            continue
        distance = (x / stride - column - 0.5) ** 2 + (y / stride - row - 0.5) ** 2
        if distance < nearest[row, column]:
            nearest[row, column], cells[row, column] = distance, ascii_lowercase.index(letter)
    return cells


class TowerObjective:
    """Learn to read every cell of drawn pictures.

    Args:
        side: Side of the square that pictures are fitted into, in pixels.
        strides: Pixels a cell, one a feature map.
        mean, std: Normalisation of RGB values in [0, 1].
        pictures: Pictures a batch.
        drawn: The pictures; with any theme, everything in pictures of version 2 is read, too.
    """

    def __init__(
        self,
        *,
        side: int,
        strides: tuple[int, ...],
        mean: tuple[float, float, float],
        std: tuple[float, float, float],
        pictures: int,
        drawn: Pictures,
    ) -> None:
        self.side, self.strides, self.pictures = side, strides, pictures
        self.drawn, self.wide = drawn, bool(drawn.themes)
        self.mean, self.std = np.array(mean, np.float32) * 255, np.array(std, np.float32) * 255

    def _batch(self, split: str, first: int) -> tuple[Tensor, list[dict[str, Tensor]]]:
        background = tuple(int(v) for v in self.mean)
        pixels, targets = [], []
        for number in range(first, first + self.pictures):
            picture = self.drawn.draw(number, split)
            square = squared(Image.fromarray(picture.pixels), self.side, Image.Resampling.BICUBIC, background)
            pixels.append((np.asarray(square, np.float32) - self.mean) / self.std)
            targets.append(dense_targets(picture, self.side, self.strides, wide=self.wide))
        stacked = torch.from_numpy(np.stack(pixels)).permute(0, 3, 1, 2)
        levels = [
            {name: torch.from_numpy(np.stack([t[level][name] for t in targets])) for name in targets[0][level]}
            for level in range(len(self.strides))
        ]
        return stacked, levels

    def batch(self, index: int) -> tuple[Tensor, list[dict[str, Tensor]]]:
        """Make the batch of step `index`."""
        return self._batch("train", self.drawn.first(index, self.pictures))

    def losses(self, module: nn.Module, batch: tuple[Tensor, list[dict[str, Tensor]]]) -> dict[str, Tensor]:
        """Return one loss per reading, averaged over the maps: objects and background weigh the same."""
        pixels, levels = batch
        readings = module(pixels.contiguous(memory_format=torch.channels_last))
        heads = WIDE_HEADS if self.wide else HEADS
        losses: dict[str, list[Tensor]] = {name: [] for name in (*heads, "box")}
        for reading, target in zip(readings, levels, strict=True):
            thing = target["kind"] > 0
            for name in heads:
                each = F.cross_entropy(reading[name], target[name], ignore_index=IGNORED, reduction="none")
                known = thing & (target[name] != IGNORED)
                loss = each[known].sum() / known.sum().clamp(min=1)
                if name == "kind":
                    empty = target["kind"] == 0
                    loss = loss + 0.5 * each[empty].sum() / empty.sum().clamp(min=1)
                losses[name].append(loss if name == "kind" else 0.5 * loss)
            where = thing[:, None].expand_as(reading["box"])
            losses["box"].append(5 * F.l1_loss(reading["box"][where], target["box"][where]))
        return {name: torch.stack(values).mean() for name, values in losses.items()}

    @torch.no_grad()
    def scores(self, module: nn.Module, pictures: int = 512) -> dict[str, float]:
        """Return the share of object cells read right, for each reading on each map, on the validation split."""
        right: dict[str, list[int]] = {}
        for first in range(0, pictures, self.pictures):
            pixels, levels = self._batch("validation", first)
            for level, (reading, target) in enumerate(zip(module(pixels), levels, strict=True)):
                thing = target["kind"] > 0
                right_of = {
                    name: reading[name].argmax(1) == target[name] for name in (WIDE_HEADS if self.wide else HEADS)
                }
                hits = {name: hit[thing & (target[name] != IGNORED)] for name, hit in right_of.items()}
                both = thing & (target["colour"] != IGNORED)
                hits["kind+colour"] = (right_of["kind"] & right_of["colour"])[both]
                for name, hit in hits.items():
                    tally = right.setdefault(f"{name}@{self.strides[level]}", [0, 0])
                    tally[0] += int(hit.sum())
                    tally[1] += hit.numel()
        return {name: hit / max(total, 1) for name, (hit, total) in right.items()}
