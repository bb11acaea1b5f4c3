"""Colours of the world: what shades a colour word covers, and how far apart two shades look."""

import colorsys
from collections.abc import Sequence

from visionllm.data.world.splits import Dice

Shade = tuple[int, int, int]
# Distance in CIE Lab that a shade should keep from what lies behind it.
_CONTRAST = 34.0

# Hue in degrees, saturation and value in [0, 1]. The ranges leave gaps, so that a shade has one name.
SHADES: dict[str, tuple[tuple[float, float], tuple[float, float], tuple[float, float]]] = {
    "red": ((-6, 4), (0.82, 1.0), (0.74, 0.93)),
    "orange": ((24, 33), (0.88, 1.0), (0.94, 1.0)),
    "yellow": ((50, 57), (0.84, 1.0), (0.94, 1.0)),
    "green": ((105, 150), (0.58, 0.95), (0.48, 0.78)),
    "blue": ((206, 230), (0.7, 0.95), (0.65, 0.95)),
    "purple": ((268, 284), (0.55, 0.85), (0.52, 0.75)),
    "pink": ((320, 338), (0.36, 0.6), (0.96, 1.0)),
    "brown": ((18, 28), (0.62, 0.82), (0.36, 0.5)),
}


def shade_of(hue: float, saturation: float, value: float) -> Shade:
    """Convert hue (degrees), saturation and value (both in [0, 1]) to RGB bytes."""
    red, green, blue = colorsys.hsv_to_rgb((hue % 360) / 360, saturation, value)
    return round(red * 255), round(green * 255), round(blue * 255)


def sample_shade(dice: Dice, colour: str) -> Shade:
    """Draw one of the shades that a colour word covers."""
    hue, saturation, value = SHADES[colour]
    return shade_of(dice.uniform(*hue), dice.uniform(*saturation), dice.uniform(*value))


def mixed(shade: Sequence[int], other: Sequence[int], share: float) -> Shade:
    """Return `shade` with a `share` in [0, 1] of `other` stirred in."""
    red, green, blue = (round(one + (two - one) * share) for one, two in zip(shade, other, strict=True))
    return red, green, blue


def _lab(shade: Sequence[int]) -> tuple[float, float, float]:
    linear = [(byte / 255) ** 2.2 for byte in shade]
    x = (0.4124 * linear[0] + 0.3576 * linear[1] + 0.1805 * linear[2]) / 0.9505
    y = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    z = (0.0193 * linear[0] + 0.1192 * linear[1] + 0.9505 * linear[2]) / 1.089
    fx, fy, fz = (part ** (1 / 3) if part > 0.008856 else 7.787 * part + 16 / 116 for part in (x, y, z))
    return 116 * fy - 16, 500 * (fx - fy), 200 * (fy - fz)


def contrast(shade: Sequence[int], other: Sequence[int]) -> float:
    """Return how different two shades look: their distance in CIE Lab (0 the same, about 100 black and white)."""
    return sum((one - two) ** 2 for one, two in zip(_lab(shade), _lab(other), strict=True)) ** 0.5


def standing_out(dice: Dice, colour: str, behind: Sequence[Sequence[int]]) -> Shade:
    """Draw a shade of a colour word that can be told from all the shades behind it, or the best of eight."""
    best, best_contrast = (0, 0, 0), -1.0
    for _ in range(8):
        shade = sample_shade(dice, colour)
        least = min((contrast(shade, other) for other in behind), default=_CONTRAST)
        if least > best_contrast:
            best, best_contrast = shade, least
        if least >= _CONTRAST:
            break
    return best
