"""Figures of the picture world: jointed bodies of people and animals, posed in space and seen from any side."""

from visionllm.data.world.figures.animals import build_quadruped
from visionllm.data.world.figures.bird import build_bird
from visionllm.data.world.figures.body import Body, Piece, View
from visionllm.data.world.figures.brush import FigureLayers, draw_body
from visionllm.data.world.figures.person import build_person
from visionllm.data.world.figures.plans import FIGURES, FigurePlan, draw_figure, sample_figure, skeleton_of

__all__ = [
    "FIGURES",
    "Body",
    "FigureLayers",
    "FigurePlan",
    "Piece",
    "View",
    "build_bird",
    "build_person",
    "build_quadruped",
    "draw_body",
    "draw_figure",
    "sample_figure",
    "skeleton_of",
]
