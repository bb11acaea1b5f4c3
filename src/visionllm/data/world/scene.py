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
class WorldThing:
    """Anything that a picture shows, with the truth that stays visible.

    Attributes:
        kind: One of `KINDS`, a figure such as "dog", "sign", or a kind of another domain.
        colour: The word for its colour.
        rgb: The shade that was drawn, each channel in [0, 255].
        depth: Drawing order; a thing with a higher depth covers one with a lower.
        mask: bool[H, W]. True where the thing can be seen. An outline or dotted object covers its whole silhouette.
        box: (x0, y0, x1, y1) of `mask` in pixels; x1 and y1 are exclusive.
        visible: Share of the silhouette inside the canvas that is not covered, in [0, 1].
    """

    kind: str
    colour: str
    rgb: tuple[int, int, int]
    depth: int
    mask: NDArray[np.bool_]
    box: tuple[int, int, int, int]
    visible: float

    @property
    def area(self) -> int:
        """Number of visible pixels."""
        return int(self.mask.sum())


@dataclass(frozen=True, kw_only=True, eq=False)
class WorldObject(WorldThing):
    """One object of a picture: its kind is one of `KINDS`, its colour one of `COLOURS`.

    Attributes:
        size: One of `SIZES`, relative to the picture's shorter side.
        fill: One of `FILLS`.
        centre: (x, y) of the whole silhouette's bounding circle, in pixels.
        radius: Radius of that circle, in pixels.
        angle: Rotation in degrees, clockwise as seen.
    """

    size: str
    fill: str
    centre: tuple[float, float]
    radius: float
    angle: float


@dataclass(frozen=True, kw_only=True, eq=False)
class WorldFigure(WorldThing):
    """A person or an animal; the colour is that of clothes or coat.

    Attributes:
        posture: What it does, such as "walking".
        facing: Where it looks: "front", "right", "back" or "left" as seen in the picture.
        keypoints: float32[P, 2]. (x, y) of each joint in pixels, in the order of the kind's skeleton.
        visibility: int64[P]. 0 for joints outside the canvas, 1 for hidden and 2 for visible ones.
    """

    posture: str
    facing: str
    keypoints: NDArray[np.float32]
    visibility: NDArray[np.int64]


@dataclass(frozen=True, kw_only=True, eq=False)
class WorldSign(WorldThing):
    """A board with words on it; the colour is that of the board.

    Attributes:
        text: What it says.
        letters: Each letter with its middle (x, y) in pixels, whether it can be seen or not.
    """

    text: str
    letters: tuple[tuple[str, float, float], ...] = ()


@dataclass(frozen=True, kw_only=True, eq=False)
class Scene:
    """Everything that is true about one picture.

    Attributes:
        seed: The number the picture was drawn from.
        split: Name of the split it belongs to.
        size_hw: (height, width) in pixels.
        background: One of `BACKGROUNDS`, or the ground of another domain.
        pen: One of `PENS`.
        objects: Objects that count (at least 25 % visible), lowest depth first.
        version: Version of the world; 2 knows figures, signs, themes and domains.
        theme: What the picture is for; see `visionllm.data.world.staging`.
        figures: People and animals, lowest depth first.
        signs: Boards with words, lowest depth first.
        finds: Things of another domain, such as the holes of a workpiece, lowest depth first.
    """

    seed: int
    split: str
    size_hw: tuple[int, int]
    background: str
    pen: str
    objects: tuple[WorldObject, ...]
    version: int = 1
    theme: str = "mixed"
    figures: tuple[WorldFigure, ...] = ()
    signs: tuple[WorldSign, ...] = ()
    finds: tuple[WorldThing, ...] = ()

    @property
    def things(self) -> tuple[WorldThing, ...]:
        """Objects, figures, signs and finds, lowest depth first."""
        every = (*self.objects, *self.figures, *self.signs, *self.finds)
        return tuple(sorted(every, key=lambda thing: thing.depth))


@dataclass(frozen=True, kw_only=True, eq=False)
class WorldPicture:
    """A drawn picture with its truth: uint8[H, W, 3] RGB pixels and the scene graph."""

    pixels: NDArray[np.uint8]
    scene: Scene
