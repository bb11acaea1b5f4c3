"""What a picture shows, by colour and silhouette alone: nothing here was learned, and nothing looks at the truth."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from visionllm.data.world.figures.plans import COATS
from visionllm.data.world.judging.ground import fit_ground, foreground, patches
from visionllm.data.world.judging.hues import name_shade, names_of
from visionllm.data.world.judging.shapes import eroded, parts
from visionllm.data.world.judging.silhouettes import Match, body_of, match_figure, match_kind, radius_of
from visionllm.data.world.scene import WorldThing
from visionllm.data.world.stacking import Bits, box_of

# A silhouette that fits a kind less well than this may be a figure.
_SURE, _FIGURE_LEAD = 0.86, 0.02
# Shares of the body that are inked at least by dots or stripes, and at least by a solid filling.
_OPEN, _FULL = 0.1, 0.76
# Dots ink less than this.
_DOTTED = 0.45
# Dots are smaller than this, relative to the radius, and stripes longer.
_DOT = 0.47


@dataclass(frozen=True, kw_only=True, eq=False)
class Seen(WorldThing):
    """A thing that was recognised in a picture.

    Attributes:
        fill: One of `FILLS`; "solid" for figures.
        fit: How well its silhouette fits its kind, in [0, 1].
    """

    fill: str
    fit: float


def perceive(pixels: NDArray[np.uint8]) -> tuple[Seen, ...]:
    """Recognise the things of a picture on a plain or gradient ground that don't touch each other.

    Args:
        pixels: uint8[H, W, 3].

    Returns:
        The things, largest first.

    Raises:
        ValueError: If the picture is no RGB picture.
    """
    if pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.dtype != np.uint8:
        raise ValueError(f"expected pixels uint8[H, W, 3], got {pixels.dtype}{list(pixels.shape)}")
    ground = fit_ground(pixels)
    solid, away = foreground(pixels, ground)
    return tuple(_recognised(pixels, solid, away, part, depth) for depth, part in enumerate(patches(solid)))


def _recognised(pixels: NDArray[np.uint8], solid: Bits, away: NDArray[np.float64], filled: Bits, depth: int) -> Seen:
    match, fill, figure = match_kind(filled, solid), "solid", False
    if match.fit < _SURE:
        likeness = match_figure(filled)
        figure = likeness.fit > match.fit - _FIGURE_LEAD
        match = likeness if figure else match
    if figure:
        inside = eroded(filled, 1)
        known, person = COATS[match.kind], match.kind == "person"
        colour, shade = names_of(pixels[inside if inside.any() else filled], known, person=person)
    else:
        ink = _ink(away, filled)
        shade = np.median(pixels[ink], axis=0)
        colour, fill = name_shade(shade), _fill_of(match, ink, filled)
    red, green, blue = (int(value) for value in shade)
    return Seen(
        kind=match.kind,
        colour=colour,
        rgb=(red, green, blue),
        depth=depth,
        mask=filled,
        box=box_of(filled),
        visible=1.0,
        fill=fill,
        fit=match.fit,
    )


def _ink(away: NDArray[np.float64], filled: Bits) -> Bits:
    """Return the pixels of a thing that have its full colour: those far from the ground."""
    strong = np.quantile(away[filled], 0.97)
    return filled & (away > 0.56 * strong)


def _fill_of(match: Match, ink: Bits, filled: Bits) -> str:
    """Tell how a thing is filled by the share of its body that is inked."""
    for rim in (0.17, 0.12, 0.07, 0.03):
        body = body_of(match, filled, rim)
        if np.count_nonzero(body) >= 10:
            break
    else:
        return "solid"
    inked = ink & body
    share = np.count_nonzero(inked) / np.count_nonzero(body)
    if share < _OPEN:
        return "outline"
    if share > _FULL:
        return "solid"
    long = _length(inked) > _DOT * radius_of(match, filled)
    return "striped" if long or share > _DOTTED else "dotted"


def _length(inked: Bits) -> float:
    """Return the usual extent of the parts of a mask, in pixels; large parts count more."""
    found = parts(inked)
    areas = np.array([np.count_nonzero(part) for part in found])
    extents = np.array([math.hypot(x1 - x0, y1 - y0) for x0, y0, x1, y1 in map(box_of, found)])
    return float((extents * areas).sum() / areas.sum())
