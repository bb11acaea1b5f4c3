"""A stage: a ground with items on it, drawn as a picture with its truth; and how items find their place."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from visionllm.data.world.palette import Shade
from visionllm.data.world.pens import SCALE
from visionllm.data.world.scene import Scene, WorldFigure, WorldObject, WorldPicture, WorldSign, WorldThing
from visionllm.data.world.splits import Dice
from visionllm.data.world.stacking import Bits, visible_parts
from visionllm.data.world.staging.items import FigureItem, Item, ObjectItem, SignItem

# What must stay in sight of an item when another is put on top of it.
_LEAST_VISIBLE: tuple[tuple[type[Item], float], ...] = ((ObjectItem, 0.34), (FigureItem, 0.55), (SignItem, 0.97))
_TRIES = 24
ItemT = TypeVar("ItemT", bound=Item)


@dataclass(frozen=True, kw_only=True, eq=False)
class Stage:
    """Everything that a picture is made of.

    Attributes:
        ground: What is behind the items, RGB of the canvas's size.
        items: Lowest depth first.
        scene: What the picture is: seed, split, names of background and pen. Its things are not filled in.
    """

    ground: Image.Image
    items: tuple[Item, ...]
    scene: Scene

    @property
    def size_hw(self) -> tuple[int, int]:
        """(height, width) of the canvas in pixels."""
        return self.ground.height, self.ground.width

    def masks(self) -> list[Bits]:
        """Return bool[H, W] of what can be seen of each item."""
        return visible_parts([item.silhouette(self.size_hw) for item in self.items])


@dataclass(frozen=True, kw_only=True, eq=False)
class StagedPicture(WorldPicture):
    """A drawn picture that still knows its stage."""

    stage: Stage


def show(stage: Stage) -> StagedPicture:
    """Draw a stage; things of which nothing can be seen are left out of the truth."""
    ground = stage.ground.resize((stage.ground.width * SCALE, stage.ground.height * SCALE), Image.Resampling.NEAREST)
    canvas = ground.copy()
    for item in stage.items:
        item.paint(canvas, ground)
    pairs = zip(stage.items, stage.masks(), strict=True)
    things = [item.truth(depth, mask) for depth, (item, mask) in enumerate(pairs) if mask.any()]
    scene = replace(
        stage.scene,
        objects=tuple(thing for thing in things if isinstance(thing, WorldObject)),
        figures=tuple(thing for thing in things if isinstance(thing, WorldFigure)),
        signs=tuple(thing for thing in things if isinstance(thing, WorldSign)),
        finds=tuple(thing for thing in things if type(thing) is WorldThing),
    )
    return StagedPicture(pixels=np.array(canvas.reduce(SCALE)), scene=scene, stage=stage)


class Placer:
    """Finds places for one item after the other."""

    def __init__(self, dice: Dice, ground: Image.Image, *, spacing: float, overlap: bool = True) -> None:
        """Begin with an empty ground.

        Args:
            dice: Random stream of the picture.
            ground: What is behind the items.
            spacing: Objects keep so many pixels from each other where they may not overlap.
            overlap: Whether items may cover parts of others.
        """
        self._dice, self._ground, self._overlap, self._spacing = dice, ground, overlap, round(spacing)
        self._size_hw = ground.height, ground.width
        self._seen: list[NDArray[np.bool_]] = []
        self._areas: list[int] = []
        self.items: list[Item] = []

    def put(self, item: Item, *, cut: float = 0.0, painted: bool = False) -> bool:
        """Try to put an item on top of the others without hiding one of them; return whether it found room.

        Args:
            item: What is to be put somewhere.
            cut: Share of it that may lie outside the canvas.
            painted: Whether it keeps its shade, however near that is to what lies behind.
        """
        for _ in range(_TRIES):
            placed = item.at(self._spot(item.patch, cut))
            if cut and placed.share_inside(self._size_hw) < 1 - cut:
                continue
            silhouette = placed.silhouette(self._size_hw)
            left = [mask & ~silhouette for mask in self._seen]
            if not self._room(placed, silhouette, left):
                continue
            self._seen = [*left, silhouette]
            self._areas.append(int(np.count_nonzero(silhouette)))
            self.items.append(placed if painted else self._coloured(placed))
            return True
        return False

    def _spot(self, patch: Bits, cut: float) -> tuple[int, int]:
        height, width = self._size_hw
        spare_x, spare_y = width - patch.shape[1], height - patch.shape[0]
        out_x, out_y = round(cut * patch.shape[1]), round(cut * patch.shape[0])
        low_x, high_x = sorted((-2 - out_x, spare_x + 2 + out_x))
        low_y, high_y = sorted((-2 - out_y, spare_y + 2 + out_y))
        return self._dice.integer(low_x, high_x), self._dice.integer(low_y, high_y)

    def _room(self, placed: Item, silhouette: Bits, left: Sequence[Bits]) -> bool:
        shown = np.count_nonzero(silhouette)
        if not shown or (not isinstance(placed, FigureItem) and shown < np.count_nonzero(placed.patch)):
            return False
        for other, mask, area, before in zip(self.items, left, self._areas, self._seen, strict=True):
            seen = np.count_nonzero(mask)
            if seen < np.count_nonzero(before) and (not self._overlap or _alike(placed, other)):
                return False
            if seen < _least_visible(other) * area:
                return False
        if self._overlap:
            return True
        wide = _grown(silhouette, self._spacing)
        return not any((wide & mask).any() for mask in self._seen)

    def _coloured(self, placed: Item) -> Item:
        if not isinstance(placed, ObjectItem):
            return placed
        behind = shades_behind(self._ground, placed, self.items)
        return placed.painted(self._dice, placed.plan.colour, behind)


def free_place(
    dice: Dice,
    stage: Stage,
    item: ItemT,
    others: Sequence[Item],
    accept: Callable[[float, float], bool],
    spacing: int = 3,
) -> ItemT | None:
    """Find a place on a stage where an item keeps its distance from others.

    Args:
        dice: Random draws.
        stage: Gives the canvas.
        item: What is to be put somewhere.
        others: What it must keep away from.
        accept: Whether a middle (x, y), in shares of the canvas, will do.
        spacing: Pixels between it and everything else.

    Returns:
        The item at its place, or None if none was found.
    """
    height, width = stage.size_hw
    taken = np.zeros(stage.size_hw, dtype=np.bool_)
    for other in others:
        taken |= other.silhouette(stage.size_hw)
    taken = _grown(taken, spacing)
    rows, columns = item.patch.shape
    for _ in range(120):
        corner = dice.integer(0, max(width - columns, 0)), dice.integer(0, max(height - rows, 0))
        if not accept((corner[0] + columns / 2) / width, (corner[1] + rows / 2) / height):
            continue
        placed = item.at(corner)
        silhouette = placed.silhouette(stage.size_hw)
        if np.count_nonzero(silhouette) == np.count_nonzero(item.patch) and not (silhouette & taken).any():
            return placed
    return None


def shades_behind(ground: Image.Image, item: Item, others: Sequence[Item]) -> list[Shade]:
    """Return the shades that an item must stand out from: the ground's around it, and those of what it touches."""
    height, width = ground.height, ground.width
    (x, y), (rows, columns) = item.corner, item.patch.shape
    around = (max(x, 0), max(y, 0), min(x + columns, width), min(y + rows, height))
    red, green, blue = np.asarray(ground.resize((1, 1), Image.Resampling.BOX, around))[0, 0].tolist()
    wide = _grown(item.silhouette((height, width)), 2)
    return [
        (red, green, blue),
        *(other.shade for other in others if other is not item and (wide & other.silhouette((height, width))).any()),
    ]


def _least_visible(item: Item) -> float:
    return next((share for sort, share in _LEAST_VISIBLE if isinstance(item, sort)), 1.0)


def _alike(one: Item, two: Item) -> bool:
    """Tell whether two objects of one colour would melt into each other."""
    return isinstance(one, ObjectItem) and isinstance(two, ObjectItem) and one.colour == two.colour


def _grown(mask: Bits, pixels: int) -> Bits:
    """Return a mask with so many pixels more on every side, by its rows and columns."""
    if not mask.any() or pixels <= 0:
        return mask
    grown = mask.copy()
    for _ in range(pixels):
        wide = np.pad(grown, 1)
        grown = wide[1:-1, 1:-1] | wide[:-2, 1:-1] | wide[2:, 1:-1] | wide[1:-1, :-2] | wide[1:-1, 2:]
    return grown
