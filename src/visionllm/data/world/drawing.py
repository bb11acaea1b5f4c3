"""The picture world's painter: a seed and a split give one picture with everything that is true about it."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from visionllm.data.world.backgrounds import draw_background
from visionllm.data.world.palette import Shade, mixed, standing_out
from visionllm.data.world.pens import SCALE, Layers, Pose, draw_layers
from visionllm.data.world.photos import TEST_PHOTOS, TRAIN_PHOTOS
from visionllm.data.world.sampling import (
    CROWD,
    DEFAULT_SIZE_HW,
    ObjectPlan,
    PicturePlan,
    sample_plan,
    sample_radius,
    sample_size,
)
from visionllm.data.world.scene import Scene, WorldObject, WorldPicture
from visionllm.data.world.splits import VERSIONS, Dice, picture_dice
from visionllm.data.world.stacking import box_of, covered, on_canvas
from visionllm.data.world.staging.painting import show
from visionllm.data.world.staging.themes import draw_stage, stage_dice

SIDE_LIMITS = (64, 1024)
# An object counts from a quarter visible on. Placing keeps more than that, so nothing is shown that does not count.
_PLACED_VISIBLE = 0.32
_TRIES = 24


@dataclass(kw_only=True, eq=False)
class _Placed:
    """An object on the canvas while the picture grows; `silhouette` is bool[H, W], uncovered by anything."""

    plan: ObjectPlan
    pose: Pose
    layers: Layers
    silhouette: NDArray[np.bool_]
    area: int
    mask: NDArray[np.bool_]


def draw_picture(
    seed: int,
    *,
    split: str = "train",
    size_hw: tuple[int, int] | None = None,
    vary_size: bool | None = None,
    photos: bool = True,
    version: int = 1,
    theme: str = "mixed",
) -> WorldPicture:
    """Draw one picture of the world; the same arguments always give the same bytes.

    Args:
        seed: Index of the picture inside its split, in [0, 10**9). Splits never share a random stream.
        split: One of `SPLITS`.
        size_hw: (height, width) in pixels, each in [64, 1024]. By default 128x128, or varied sizes.
        vary_size: Whether three in ten pictures get another size (96 to 224 pixels a side) when `size_hw` is not
            given. By default only pictures of `train` do.
        photos: Whether training pictures may have photos behind them, which needs scikit-image.
        version: 1, or 2 for a world with figures, signs, themes and domains.
        theme: What a picture of version 2 is for, one of `visionllm.data.world.staging.THEMES`.

    Raises:
        ValueError: If the split, the version or the theme is unknown, the seed or a side is out of range, or `photos`
            is off in the `photo-background` split.
        ImportError: If a photo is wanted and scikit-image is not installed.
    """
    if version not in VERSIONS:
        raise ValueError(f"expected one of the versions {', '.join(map(str, VERSIONS))}, got {version}")
    if version == 1 and theme != "mixed":
        raise ValueError(f"expected version=2 for the theme {theme!r}, got version=1")
    dice = picture_dice(seed, split) if version == 1 else stage_dice(seed, split, theme)
    if split == "photo-background" and not photos:
        raise ValueError("expected photos=True for the split 'photo-background', got photos=False")
    varied = sample_size(dice)
    if size_hw is None:
        size_hw = varied if (split == "train" if vary_size is None else vary_size) else DEFAULT_SIZE_HW
    low, high = SIDE_LIMITS
    if not all(low <= side <= high for side in size_hw):
        raise ValueError(f"expected both sides in [{low}, {high}] pixels, got {size_hw}")
    if version == 2:
        return show(draw_stage(seed, split=split, theme=theme, size_hw=size_hw, photos=photos, dice=dice))
    return _first(dice, seed, split, size_hw, photos=photos)


def _first(dice: Dice, seed: int, split: str, size_hw: tuple[int, int], *, photos: bool) -> WorldPicture:
    """Draw a picture of version 1."""
    plan = sample_plan(dice, split, size_hw, photos=photos)
    names = TEST_PHOTOS if split == "photo-background" else TRAIN_PHOTOS
    dark = all(item.colour != "brown" for item in plan.objects)
    background = draw_background(dice, plan.background, size_hw, photos=names, dark=dark)
    placed = _place_all(dice, plan)
    while split == "crowded" and len(placed) < CROWD:
        placed = _place_all(dice, plan)
    pixels, objects = _paint(dice, background, placed)
    scene = Scene(
        seed=seed, split=split, size_hw=size_hw, background=plan.background, pen=plan.pen, objects=tuple(objects)
    )
    return WorldPicture(pixels=pixels, scene=scene)


def _place_all(dice: Dice, plan: PicturePlan) -> list[_Placed]:
    """Find room for the objects one after the other; one that finds none becomes small, then is left out."""
    placed: list[_Placed] = []
    for wanted in plan.objects:
        if not _place(dice, plan, wanted, placed):
            _place(dice, plan, wanted.shrunk(), placed)
    return placed


def _place(dice: Dice, plan: PicturePlan, wanted: ObjectPlan, placed: list[_Placed]) -> bool:
    """Try to put an object on top of the others without hiding one of them; extends `placed` if it can."""
    height, width = plan.size_hw
    radius = sample_radius(dice, wanted.size, plan.size_hw)
    angle = dice.uniform(-20, 20) % 360 if dice.chance(0.45) else dice.uniform(0, 360)
    inset = radius * (1.02 if plan.spacing >= 1 else dice.uniform(0.75, 1.02))
    for _ in range(_TRIES):
        x, y = dice.uniform(inset, width - inset), dice.uniform(inset, height - inset)
        if placed and plan.spacing < 1 and dice.chance(0.4):
            x, y = _beside(dice, dice.choose(placed).pose, radius, plan.spacing)
            x, y = min(max(x, inset), width - inset), min(max(y, inset), height - inset)
        if any(_too_close(x, y, radius, wanted, other, plan.spacing) for other in placed):
            continue
        pose = Pose(centre=(x, y), radius=radius, angle=angle, mirrored=dice.chance(0.5))
        layers = draw_layers(dice, plan.pen, wanted.kind, wanted.fill, pose)
        silhouette = on_canvas(covered(layers.silhouette), layers.origin, plan.size_hw)
        left = [other.mask & ~silhouette for other in placed]
        if any(mask.sum() < _PLACED_VISIBLE * other.area for mask, other in zip(left, placed, strict=True)):
            continue
        for other, mask in zip(placed, left, strict=True):
            other.mask = mask
        placed.append(
            _Placed(
                plan=wanted,
                pose=pose,
                layers=layers,
                silhouette=silhouette,
                area=int(silhouette.sum()),
                mask=silhouette,
            )
        )
        return True
    return False


def _beside(dice: Dice, other: Pose, radius: float, spacing: float) -> tuple[float, float]:
    """Return a point where an object would overlap another a little."""
    turn, distance = math.radians(dice.uniform(0, 360)), dice.uniform(spacing, 1.0) * (radius + other.radius)
    return other.centre[0] + distance * math.cos(turn), other.centre[1] + distance * math.sin(turn)


def _too_close(x: float, y: float, radius: float, wanted: ObjectPlan, other: _Placed, spacing: float) -> bool:
    """Tell whether two objects would be nearer than allowed; two of one colour would melt into each other."""
    least = 1.0 if wanted.colour == other.plan.colour else spacing
    return math.dist((x, y), other.pose.centre) < least * (radius + other.pose.radius)


def _shades(dice: Dice, background: Image.Image, placed: list[_Placed]) -> list[Shade]:
    """Choose shades that stand out from what lies behind them and from the objects they touch."""
    shades: list[Shade] = []
    for index, item in enumerate(placed):
        x, y, radius = *item.pose.centre, item.pose.radius
        around = (
            max(x - radius, 0),
            max(y - radius, 0),
            min(x + radius, background.width),
            min(y + radius, background.height),
        )
        behind = [np.asarray(background.resize((1, 1), Image.Resampling.BOX, around))[0, 0].tolist()]
        for other, shade in zip(placed[:index], shades, strict=True):
            reach = radius + other.pose.radius
            if math.dist((x, y), other.pose.centre) < reach:
                behind.append(shade)
        shades.append(standing_out(dice, item.plan.colour, behind))
    return shades


def _paint(dice: Dice, background: Image.Image, placed: list[_Placed]) -> tuple[NDArray[np.uint8], list[WorldObject]]:
    shades = _shades(dice, background, placed)
    ground = background.resize((background.width * SCALE, background.height * SCALE), Image.Resampling.NEAREST)
    canvas = ground.copy()
    objects = []
    for depth, (item, shade) in enumerate(zip(placed, shades, strict=True)):
        layers = item.layers
        x, y = corner = (layers.origin[0] * SCALE, layers.origin[1] * SCALE)
        if dice.chance(0.5):
            inside = ground.crop((x, y, x + layers.ink.width, y + layers.ink.height))
        else:
            inside = Image.new("RGB", layers.ink.size, mixed(shade, (255, 255, 255), dice.uniform(0.88, 0.97)))
        canvas.paste(inside, corner, layers.silhouette)
        canvas.paste(shade, corner, layers.ink)
        if layers.rim is not None:
            canvas.paste(mixed(shade, (0, 0, 0), dice.uniform(0.1, 0.24)), corner, layers.rim)
        objects.append(_truth(item, shade, depth))
    return np.array(canvas.reduce(SCALE)), objects


def _truth(item: _Placed, shade: Shade, depth: int) -> WorldObject:
    return WorldObject(
        kind=item.plan.kind,
        colour=item.plan.colour,
        size=item.plan.size,
        fill=item.plan.fill,
        rgb=shade,
        centre=item.pose.centre,
        radius=item.pose.radius,
        angle=item.pose.angle,
        depth=depth,
        mask=item.mask,
        box=box_of(item.mask),
        visible=int(item.mask.sum()) / item.area,
    )
