"""What a figure is to be, drawn from dice, and its picture."""

from dataclasses import dataclass

import numpy as np

from visionllm.data.world.figures import animals, bird, person
from visionllm.data.world.figures.body import View
from visionllm.data.world.figures.brush import FigureLayers, draw_body
from visionllm.data.world.palette import Shade, mixed, sample_shade, shade_of
from visionllm.data.world.scene import COLOURS
from visionllm.data.world.splits import Dice
from visionllm.types.skeletons import AP10K_ANIMAL, COCO_PERSON, Skeleton

FIGURES: tuple[str, ...] = ("person", "dog", "horse", "bird")
COATS: dict[str, tuple[str, ...]] = {
    "person": COLOURS,
    "dog": ("brown", "black", "white", "grey"),
    "horse": ("brown", "black", "white", "grey"),
    "bird": ("black", "white", "grey", "red", "yellow", "green", "blue"),
}
"""The colours of each figure: what a person wears above the waist, what an animal is covered with."""
POSTURES: dict[str, tuple[str, ...]] = {"person": person.POSTURES, **animals.POSTURES, "bird": bird.POSTURES}
_GREYS: dict[str, tuple[float, float]] = {"black": (0.13, 0.22), "white": (0.92, 0.98), "grey": (0.5, 0.66)}


@dataclass(frozen=True, kw_only=True)
class FigurePlan:
    """What one figure is to be.

    Attributes:
        kind: One of `FIGURES`.
        colour: One of `COATS[kind]`.
        posture: One of `POSTURES[kind]`.
        view: From where it is seen.
        seed: Everything else, such as proportions and clothes.
    """

    kind: str
    colour: str
    posture: str
    view: View
    seed: int


def skeleton_of(kind: str) -> Skeleton:
    """Return the joints of one of `FIGURES` with their order."""
    return COCO_PERSON if kind == "person" else AP10K_ANIMAL


def sample_figure(dice: Dice, kind: str | None = None) -> FigurePlan:
    """Draw what a figure is to be.

    Args:
        dice: Random stream of the picture.
        kind: One of `FIGURES`; by default mostly a person.
    """
    kind = kind or dice.choose(FIGURES, (0.34, 0.23, 0.22, 0.21))
    posture = dice.choose(POSTURES[kind])
    side = dice.choose((90.0, 270.0))
    if kind == "person":
        straight = dice.choose((0.0, 180.0, side), (0.5, 0.16, 0.34))
        if posture in ("sitting", "running", "kneeling"):
            straight = side
        yaw, roll = straight + dice.uniform(-32, 32), dice.uniform(-6, 6)
        if dice.chance(0.06):
            roll = dice.uniform(-80, 80)
    else:
        across = dice.chance(0.88) or posture == "flying"
        yaw = side + dice.uniform(-28, 28) if across else dice.uniform(0, 360)
        roll = dice.uniform(-5, 5) if posture != "flying" else dice.uniform(-18, 18)
    view = View(yaw=yaw % 360, roll=roll)
    colour = dice.choose(COATS[kind])
    return FigurePlan(kind=kind, colour=colour, posture=posture, view=view, seed=dice.integer(0, 2**31))


def coat_shade(dice: Dice, colour: str) -> Shade:
    """Draw a shade of one of the colours of `COATS`."""
    if colour in _GREYS:
        return shade_of(dice.uniform(20, 50), dice.uniform(0.0, 0.1), dice.uniform(*_GREYS[colour]))
    return sample_shade(dice, colour)


def draw_figure(plan: FigurePlan, height: float, pen: str = "clean") -> tuple[FigureLayers, Shade]:
    """Draw a figure; the same plan always gives the same bytes.

    Args:
        plan: What it is to be.
        height: Extent of its longer side in canvas pixels.
        pen: One of `PENS`.

    Returns:
        Its layers, and the shade of its clothes or coat.
    """
    dice = Dice(np.random.Generator(np.random.PCG64(np.random.SeedSequence([2, plan.seed]))))
    shade = coat_shade(dice, plan.colour)
    if plan.kind == "person":
        body = person.build_person(dice, plan.posture, shade)
    elif plan.kind == "bird":
        body = bird.build_bird(dice, plan.posture, shade)
    else:
        body = animals.build_quadruped(dice, plan.kind, plan.posture, mixed(shade, (255, 235, 200), 0.12))
    names = skeleton_of(plan.kind).names
    return draw_body(dice, body, names, plan.view, height, by_hand=pen == "hand-drawn"), shade
