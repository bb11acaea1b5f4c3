"""What a picture shows before anything is drawn: canvas, background, pen, and how many objects of what sort."""

from dataclasses import dataclass, replace

from visionllm.data.world.scene import BACKGROUNDS, COLOURS, FILLS, KINDS, PENS, SIZES
from visionllm.data.world.splits import UNSEEN_PAIRS, Dice

DEFAULT_SIZE_HW = (128, 128)
SIDE_RANGE = (96, 224)
MAX_OBJECTS = 10
CROWD = 8

# Diameter of the bounding circle relative to the shorter side; the gaps keep the words apart.
DIAMETERS: dict[str, tuple[float, float]] = {"small": (0.145, 0.19), "medium": (0.25, 0.32), "large": (0.42, 0.54)}
_COUNT_WEIGHTS = (0.03, 0.12, 0.15, 0.16, 0.15, 0.12, 0.09, 0.07, 0.05, 0.035, 0.025)
_BACKGROUND_WEIGHTS = (0.36, 0.2, 0.18, 0.18)
# Stripes and dots need parts wider than their pitch, and an outline parts wider than two lines.
BROAD_KINDS = frozenset({"circle", "square", "triangle", "heart", "cross", "hexagon", "drop", "flower"})
_THIN_KINDS = frozenset({"key", "umbrella", "arrow"})


@dataclass(frozen=True, kw_only=True)
class ObjectPlan:
    """What one object is to be."""

    kind: str
    colour: str
    size: str
    fill: str

    @property
    def legible(self) -> bool:
        """Whether the fill can be told at this size."""
        if self.size != "small" or self.fill == "solid":
            return True
        return self.kind not in _THIN_KINDS if self.fill == "outline" else self.kind in BROAD_KINDS

    def shrunk(self) -> "ObjectPlan":
        """Return the same object small, and solid if its fill would be lost."""
        small = replace(self, size="small")
        return small if small.legible else replace(small, fill="solid")


@dataclass(frozen=True, kw_only=True)
class PicturePlan:
    """What a picture is to be: names as in `Scene`, and objects in drawing order.

    Attributes:
        spacing: Least distance of two objects in sums of their radii; below 1 they may overlap.
    """

    size_hw: tuple[int, int]
    background: str
    pen: str
    spacing: float
    objects: tuple[ObjectPlan, ...]


def sample_size(dice: Dice) -> tuple[int, int]:
    """Draw a canvas size: mostly the default, else uneven."""
    if dice.chance(0.7):
        return DEFAULT_SIZE_HW
    return dice.integer(*SIDE_RANGE), dice.integer(*SIDE_RANGE)


def sample_plan(dice: Dice, split: str, size_hw: tuple[int, int], *, photos: bool) -> PicturePlan:
    """Draw the plan of a picture.

    Args:
        dice: Random stream of the picture.
        split: One of `SPLITS`.
        size_hw: (height, width) in pixels.
        photos: Whether a training picture may have a photo behind it.
    """
    background = dice.choose(BACKGROUNDS[:4], _BACKGROUND_WEIGHTS)
    photo = dice.chance(0.08) and split == "train" and photos
    by_hand = dice.chance({"train": 0.3, "hand-drawn": 1.0}.get(split, 0.15))
    count = (
        dice.integer(CROWD, MAX_OBJECTS) if split == "crowded" else dice.choose(range(MAX_OBJECTS + 1), _COUNT_WEIGHTS)
    )
    return PicturePlan(
        size_hw=size_hw,
        background="photo" if photo or split == "photo-background" else background,
        pen=PENS[by_hand],
        spacing=1.0 if dice.chance(0.6) else dice.uniform(0.4, 0.8),
        objects=sample_objects(dice, count, unseen=split == "unseen-pairs"),
    )


def sample_objects(dice: Dice, count: int, *, unseen: bool) -> tuple[ObjectPlan, ...]:
    """Draw objects from a few kinds and colours, so that a picture often holds several of one sort."""
    kinds = dice.sample(KINDS, dice.integer(1, max(count, 1)))
    colours = dice.sample(COLOURS, dice.integer(1, min(max(count, 1) + 1, len(COLOURS))))
    held_out = dice.sample(sorted(UNSEEN_PAIRS), dice.integer(1, 4))
    return tuple(_sample_object(dice, count, kinds, colours, held_out if unseen else []) for _ in range(count))


def _sample_object(
    dice: Dice, count: int, kinds: list[str], colours: list[str], held_out: list[tuple[str, str]]
) -> ObjectPlan:
    if held_out and dice.chance(0.5):
        kind, colour = dice.choose(held_out)
    else:
        kind, colour = dice.choose(kinds), dice.choose(colours)
        while (kind, colour) in UNSEEN_PAIRS:
            colour = dice.choose(COLOURS)
    if count <= 2:
        weights = (0.28, 0.37, 0.35)
    elif count <= 5:
        weights = (0.36, 0.42, 0.22)
    else:
        weights = (0.55, 0.39, 0.06) if count <= 7 else (0.72, 0.27, 0.01)
    size, fill = dice.choose(SIZES, weights), dice.choose(FILLS, (0.4, 0.2, 0.2, 0.2))
    plan, grows = ObjectPlan(kind=kind, colour=colour, size=size, fill=fill), dice.chance(0.5)
    if plan.legible:
        return plan
    return replace(plan, size="medium") if grows else plan.shrunk()


def sample_radius(dice: Dice, size: str, size_hw: tuple[int, int]) -> float:
    """Draw the radius, in pixels, of an object of one of the `SIZES` on a canvas."""
    low, high = DIAMETERS[size]
    shorter = min(size_hw)
    if size == "small":
        low = min(max(low, 16 / shorter), 0.175)
    return dice.uniform(low, high) * shorter / 2
