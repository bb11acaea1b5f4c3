"""What can lie on a stage: objects, figures and signs, each with its layers and its place.

An item is a value: drawn again it gives the same bytes, and `dataclasses.replace` moves or recolours it.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from functools import cached_property
from typing import ClassVar, Self

import numpy as np
from PIL import Image

from visionllm.data.world.figures import FigureLayers, FigurePlan, draw_figure
from visionllm.data.world.palette import Shade, mixed, sample_shade, standing_out
from visionllm.data.world.pens import SCALE, Layers, Pose, draw_layers
from visionllm.data.world.sampling import ObjectPlan
from visionllm.data.world.scene import WorldFigure, WorldObject, WorldSign, WorldThing
from visionllm.data.world.signs import SignLayers, SignPlan, draw_sign
from visionllm.data.world.splits import Dice
from visionllm.data.world.stacking import Bits, box_of, covered, on_canvas


@dataclass(frozen=True, kw_only=True, eq=False)
class Item(ABC):
    """Something drawn that lies at a place.

    Attributes:
        drawn_once: Properties that don't depend on place and shade.
        corner: (x, y) of the upper left pixel of its patch, in canvas pixels; may lie outside.
    """

    drawn_once: ClassVar[tuple[str, ...]] = ("patch",)
    corner: tuple[int, int]

    @property
    @abstractmethod
    def layer(self) -> Image.Image:
        """The silhouette on the item's patch, greyscale at twice the canvas resolution."""

    @property
    @abstractmethod
    def shade(self) -> Shade:
        """The colour that names it."""

    @property
    @abstractmethod
    def colour(self) -> str:
        """The word for that colour."""

    @abstractmethod
    def paint(self, canvas: Image.Image, ground: Image.Image) -> None:
        """Paint it on a canvas of twice the resolution; `ground` is what lay behind everything."""

    @abstractmethod
    def truth(self, depth: int, mask: Bits) -> WorldThing:
        """Say what is true about it, given its depth and what can be seen of it."""

    @cached_property
    def patch(self) -> Bits:
        """bool[h, w]: the silhouette on the item's patch, in canvas pixels."""
        return covered(self.layer)

    def silhouette(self, size_hw: tuple[int, int]) -> Bits:
        """Return bool[H, W]: what it covers of a canvas."""
        return on_canvas(self.patch, self.corner, size_hw)

    def share_inside(self, size_hw: tuple[int, int]) -> float:
        """Return how much of the silhouette lies inside a canvas, in [0, 1]."""
        return np.count_nonzero(self.silhouette(size_hw)) / max(np.count_nonzero(self.patch), 1)

    def at(self, corner: tuple[int, int]) -> Self:
        """Return the same item at another place."""
        return self._kept(replace(self, corner=corner))

    def _kept(self, other: Self) -> Self:
        """Hand what was drawn on to an item that looks the same."""
        for name in self.drawn_once:
            object.__setattr__(other, name, getattr(self, name))
        return other

    def _visible(self, mask: Bits) -> float:
        height, width = mask.shape
        return np.count_nonzero(mask) / max(np.count_nonzero(self.silhouette((height, width))), 1)


@dataclass(frozen=True, kw_only=True, eq=False)
class ObjectItem(Item):
    """An object of one of the world's kinds.

    Attributes:
        plan: What it is.
        pose: Where its centre lies on its patch, and how it is turned.
        pen: One of `PENS`.
        seed: Its stripes, dots and wobble.
        rgb: Its shade.
        rim: Shade of its edge.
        inside: Shade of what its ink leaves open; None shows the ground.
    """

    drawn_once: ClassVar[tuple[str, ...]] = ("layers", "patch")
    plan: ObjectPlan
    pose: Pose
    pen: str
    seed: int
    rgb: Shade
    rim: Shade
    inside: Shade | None

    @cached_property
    def layers(self) -> Layers:
        """Its layers; the pose has its centre at the origin."""
        dice = Dice(np.random.Generator(np.random.PCG64(np.random.SeedSequence([2, self.seed]))))
        return draw_layers(dice, self.pen, self.plan.kind, self.plan.fill, self.pose)

    @property
    def layer(self) -> Image.Image:
        """The silhouette."""
        return self.layers.silhouette

    @property
    def shade(self) -> Shade:
        """The shade of its ink."""
        return self.rgb

    @property
    def colour(self) -> str:
        """One of `COLOURS`."""
        return self.plan.colour

    @property
    def centre(self) -> tuple[float, float]:
        """(x, y) of its centre in canvas pixels."""
        x, y = self.layers.origin
        return self.corner[0] - x + self.pose.centre[0], self.corner[1] - y + self.pose.centre[1]

    def paint(self, canvas: Image.Image, ground: Image.Image) -> None:
        """Paint inside, ink and rim."""
        layers, (x, y) = self.layers, (self.corner[0] * SCALE, self.corner[1] * SCALE)
        if self.inside is None:
            inside = ground.crop((x, y, x + layers.ink.width, y + layers.ink.height))
        else:
            inside = Image.new("RGB", layers.ink.size, self.inside)
        canvas.paste(inside, (x, y), layers.silhouette)
        canvas.paste(self.rgb, (x, y), layers.ink)
        if layers.rim is not None:
            canvas.paste(self.rim, (x, y), layers.rim)

    def painted(self, dice: Dice, colour: str, behind: list[Shade]) -> Self:
        """Return the same object in a shade of a colour that stands out from what lies behind it."""
        shade = standing_out(dice, colour, behind)
        rim = mixed(shade, (0, 0, 0), dice.uniform(0.1, 0.24))
        return self._kept(replace(self, plan=replace(self.plan, colour=colour), rgb=shade, rim=rim))

    def truth(self, depth: int, mask: Bits) -> WorldObject:
        """Say what is true about it."""
        return WorldObject(
            kind=self.plan.kind,
            colour=self.plan.colour,
            size=self.plan.size,
            fill=self.plan.fill,
            rgb=self.rgb,
            centre=self.centre,
            radius=self.pose.radius,
            angle=self.pose.angle,
            depth=depth,
            mask=mask,
            box=box_of(mask),
            visible=self._visible(mask),
        )


def object_item(
    dice: Dice, plan: ObjectPlan, radius: float, pen: str, *, upright: float = 0.45, hollow: bool = False
) -> ObjectItem:
    """Draw everything about an object but its place; its shade may be chosen anew when that is known.

    Args:
        dice: Random draws.
        plan: What it is.
        radius: Of its bounding circle, in pixels.
        pen: One of `PENS`.
        upright: How often it is hardly turned.
        hollow: Whether what the ink leaves open always shows the ground.
    """
    angle = dice.uniform(-20, 20) % 360 if dice.chance(upright) else dice.uniform(0, 360)
    pose = Pose(centre=(0.0, 0.0), radius=radius, angle=angle, mirrored=dice.chance(0.5))
    shade = sample_shade(dice, plan.colour)
    inside = None if dice.chance(0.5) or hollow else mixed(shade, (255, 255, 255), dice.uniform(0.88, 0.97))
    return ObjectItem(
        corner=(0, 0),
        plan=plan,
        pose=pose,
        pen=pen,
        seed=dice.integer(0, 2**31),
        rgb=shade,
        rim=mixed(shade, (0, 0, 0), dice.uniform(0.1, 0.24)),
        inside=inside,
    )


@dataclass(frozen=True, kw_only=True, eq=False)
class FigureItem(Item):
    """A person or an animal, so many canvas pixels high (or long) and drawn with one of `PENS`."""

    drawn_once: ClassVar[tuple[str, ...]] = ("drawn", "patch")
    plan: FigurePlan
    height: float
    pen: str

    @cached_property
    def drawn(self) -> tuple[FigureLayers, Shade]:
        """Its layers and the shade of its coat."""
        return draw_figure(self.plan, self.height, self.pen)

    @property
    def layer(self) -> Image.Image:
        """The silhouette."""
        return self.drawn[0].silhouette

    @property
    def shade(self) -> Shade:
        """The shade of clothes or coat."""
        return self.drawn[1]

    @property
    def colour(self) -> str:
        """The word for clothes or coat."""
        return self.plan.colour

    def paint(self, canvas: Image.Image, ground: Image.Image) -> None:
        """Paint the figure."""
        layers = self.drawn[0]
        canvas.paste(layers.colours, (self.corner[0] * SCALE, self.corner[1] * SCALE), layers.silhouette)

    def truth(self, depth: int, mask: Bits) -> WorldFigure:
        """Say what is true about it; joints count as hidden where something else or the figure itself covers them."""
        layers, shade = self.drawn
        height, width = mask.shape
        spots = layers.keypoints + np.array(self.corner)
        columns, rows = np.floor(spots).astype(np.int64).T
        outside = (columns < 0) | (rows < 0) | (columns >= width) | (rows >= height)
        thick = np.pad(mask, 1)
        around = sum(
            thick[np.clip(rows, 0, height - 1) + dy, np.clip(columns, 0, width - 1) + dx].astype(np.int64)
            for dy in range(3)
            for dx in range(3)
        )
        visibility = np.where(outside, 0, np.where(layers.in_sight & (np.asarray(around) >= 3), 2, 1))
        return WorldFigure(
            kind=self.plan.kind,
            colour=self.plan.colour,
            posture=self.plan.posture,
            facing=self.plan.view.facing,
            rgb=shade,
            keypoints=spots.astype(np.float32),
            visibility=visibility.astype(np.int64),
            depth=depth,
            mask=mask,
            box=box_of(mask),
            visible=self._visible(mask),
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class SignItem(Item):
    """A board with words."""

    drawn_once: ClassVar[tuple[str, ...]] = ("layers", "patch")
    plan: SignPlan

    @cached_property
    def layers(self) -> SignLayers:
        """Its layers."""
        return draw_sign(self.plan)

    @property
    def layer(self) -> Image.Image:
        """The silhouette."""
        return self.layers.silhouette

    @property
    def shade(self) -> Shade:
        """The shade of the board."""
        return self.plan.board

    @property
    def colour(self) -> str:
        """The word for the board."""
        return self.plan.colour

    def paint(self, canvas: Image.Image, ground: Image.Image) -> None:
        """Paint the sign."""
        canvas.paste(self.layers.colours, (self.corner[0] * SCALE, self.corner[1] * SCALE), self.layers.silhouette)

    def truth(self, depth: int, mask: Bits) -> WorldSign:
        """Say what is true about it."""
        return WorldSign(
            kind="sign",
            colour=self.plan.colour,
            rgb=self.plan.board,
            text=self.plan.text,
            letters=tuple(
                (letter, self.corner[0] + x / SCALE, self.corner[1] + y / SCALE) for letter, x, y in self.layers.letters
            ),
            depth=depth,
            mask=mask,
            box=box_of(mask),
            visible=self._visible(mask),
        )
