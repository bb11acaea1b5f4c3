"""The scene graph of a drawn picture: what is there, where, and what of it can be seen."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

KINDS: tuple[str, ...] = (
    "circle",
    "square",
    "triangle",
    "star",
    "heart",
    "ring",
    "cross",
    "crescent",
    "hexagon",
    "arrow",
    "drop",
    "tree",
    "house",
    "fish",
    "boat",
    "cup",
    "key",
    "flower",
    "umbrella",
    "car",
)
COLOURS: tuple[str, ...] = ("red", "orange", "yellow", "green", "blue", "purple", "pink", "brown")
SIZES: tuple[str, ...] = ("small", "medium", "large")
FILLS: tuple[str, ...] = ("solid", "striped", "dotted", "outline")
PENS: tuple[str, ...] = ("clean", "hand-drawn")
BACKGROUNDS: tuple[str, ...] = ("plain", "gradient", "paper", "noise", "photo")


@dataclass(frozen=True, kw_only=True, eq=False)
class WorldObject:
    """One object of a picture, with the truth that stays visible.

    Attributes:
        kind: One of `KINDS`.
        colour: One of `COLOURS`.
        size: One of `SIZES`, relative to the picture's shorter side.
        fill: One of `FILLS`.
        rgb: The shade that was drawn, each channel in [0, 255].
        centre: (x, y) of the whole silhouette's bounding circle, in pixels.
        radius: Radius of that circle, in pixels.
        angle: Rotation in degrees, clockwise as seen.
        depth: Drawing order; an object with a higher depth covers one with a lower.
        mask: bool[H, W]. True where the object can be seen. An outline or dotted object covers its whole silhouette.
        box: (x0, y0, x1, y1) of `mask` in pixels; x1 and y1 are exclusive.
        visible: Share of the silhouette inside the canvas that is not covered, in [0, 1].
    """

    kind: str
    colour: str
    size: str
    fill: str
    rgb: tuple[int, int, int]
    centre: tuple[float, float]
    radius: float
    angle: float
    depth: int
    mask: NDArray[np.bool_]
    box: tuple[int, int, int, int]
    visible: float

    @property
    def area(self) -> int:
        """Number of visible pixels."""
        return int(self.mask.sum())


@dataclass(frozen=True, kw_only=True, eq=False)
class Scene:
    """Everything that is true about one picture.

    Attributes:
        seed: The number the picture was drawn from.
        split: Name of the split it belongs to.
        size_hw: (height, width) in pixels.
        background: One of `BACKGROUNDS`.
        pen: One of `PENS`.
        objects: Objects that count (at least 25 % visible), lowest depth first.
    """

    seed: int
    split: str
    size_hw: tuple[int, int]
    background: str
    pen: str
    objects: tuple[WorldObject, ...]


@dataclass(frozen=True, kw_only=True, eq=False)
class WorldPicture:
    """A drawn picture with its truth: uint8[H, W, 3] RGB pixels and the scene graph."""

    pixels: NDArray[np.uint8]
    scene: Scene
