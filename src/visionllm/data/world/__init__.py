"""The picture world: drawn pictures whose truth is known exactly.

`draw_picture` turns a seed and a split into pixels and a scene graph; everything else in this package is there to make
that picture, or to say what is true about it. Version 1 is frozen: a seed gives the same bytes for good.
"""

from visionllm.data.world.contact_sheet import contact_sheet
from visionllm.data.world.drawing import draw_picture
from visionllm.data.world.relations import RELATIONS
from visionllm.data.world.scene import (
    BACKGROUNDS,
    COLOURS,
    FILLS,
    KINDS,
    PENS,
    SIZES,
    Scene,
    WorldObject,
    WorldPicture,
)
from visionllm.data.world.splits import SPLITS, UNSEEN_PAIRS, WORLD_VERSION

__all__ = [
    "BACKGROUNDS",
    "COLOURS",
    "FILLS",
    "KINDS",
    "PENS",
    "RELATIONS",
    "SIZES",
    "SPLITS",
    "UNSEEN_PAIRS",
    "WORLD_VERSION",
    "Scene",
    "WorldObject",
    "WorldPicture",
    "contact_sheet",
    "draw_picture",
]
