"""Version 2 of the picture world: pictures made of items that can be moved, changed and drawn again bit by bit."""

from visionllm.data.world.staging.items import FigureItem, Item, ObjectItem, SignItem
from visionllm.data.world.staging.painting import Stage, StagedPicture, show
from visionllm.data.world.staging.themes import THEMES, draw_stage

__all__ = ["THEMES", "FigureItem", "Item", "ObjectItem", "SignItem", "Stage", "StagedPicture", "draw_stage", "show"]
