"""Every word for what the picture world shows, in a fixed order: heads and tables of the experts are made from it."""

from collections.abc import Mapping

from visionllm.data.world.figures import FIGURES
from visionllm.data.world.figures.plans import COATS, skeleton_of
from visionllm.data.world.phrases import ATTRIBUTES
from visionllm.data.world.scene import KINDS
from visionllm.data.world.signs import BOARDS
from visionllm.data.world.staging.stamps import DOMAINS

_FOUND = (*KINDS, *FIGURES, "sign", *(kind for kinds in DOMAINS.values() for kind in kinds))
_COLOURS = (*ATTRIBUTES["colour"], *(colour for coats in COATS.values() for colour in coats), *BOARDS)

THINGS: tuple[str, ...] = tuple(dict.fromkeys(_FOUND))
"""Kinds of both versions: objects, figures, signs and things of other domains."""
ALL_COLOURS: tuple[str, ...] = tuple(dict.fromkeys(_COLOURS))
"""Colours of objects, coats and boards."""
JOINTS: tuple[str, ...] = tuple(dict.fromkeys(name for kind in FIGURES for name in skeleton_of(kind).names))
"""Names of all keypoints."""
SAID: Mapping[str, tuple[str, ...]] = {**ATTRIBUTES, "colour": ALL_COLOURS, "kind": THINGS}
"""Attributes with all their words; those of version 1 come first."""
