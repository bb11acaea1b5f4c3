"""Names of shades, by the ranges that the palette draws them from."""

import colorsys
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from visionllm.data.world.palette import SHADES

Shade3 = NDArray[np.float64]
_GREY_SATURATION = 0.22


def name_shade(shade: Sequence[float] | Shade3) -> str:
    """Return the colour word whose range of hue, saturation and value is nearest to a shade (RGB in [0, 255])."""
    hue, saturation, value = colorsys.rgb_to_hsv(*(float(part) / 255 for part in shade))
    hue *= 360

    def off(name: str) -> float:
        (h0, h1), saturations, values = SHADES[name]
        middle, half = (h0 + h1) / 2, (h1 - h0) / 2
        turn = abs((hue - middle + 180) % 360 - 180)
        return max(turn - half, 0.0) / 14 + _outside(saturation, saturations) / 0.22 + _outside(value, values) / 0.18

    return min(SHADES, key=off)


def _outside(value: float, bounds: tuple[float, float]) -> float:
    return max(bounds[0] - value, value - bounds[1], 0.0)


def names_of(pixels: NDArray[np.uint8], known: Sequence[str], *, person: bool) -> tuple[str, Shade3]:
    """Name the colour of a figure: the commonest among the colours that its kind may have.

    Args:
        pixels: uint8[N, 3] of the figure.
        known: Colour words that are possible.
        person: Whether skin, hair and trousers are to be passed over.

    Returns:
        The word and a shade of it.
    """
    found: dict[str, list[Shade3]] = {}
    for shade, count in _palette(pixels):
        name = _figure_name(shade, known)
        if name is not None and not (person and _plain(shade)):
            found.setdefault(name, []).append(np.append(shade, count * (_strength(shade) if person else 1.0)))
    if not found:
        middle = np.median(pixels, axis=0)
        return _figure_name(middle, known) or known[0], middle
    weights = {name: sum(float(row[3]) for row in rows) for name, rows in found.items()}
    best = max(weights, key=lambda name: weights[name])
    # Parts of a white animal lie in the shade, and a black one may have pale wings: both look grey.
    for name in ("white", "black") if best == "grey" else ():
        if weights.get(name, 0.0) > (0.2 if name == "white" else 0.3) * sum(weights.values()):
            best = name
            break
    return best, max(found[best], key=lambda row: float(row[3]))[:3]


def _palette(pixels: NDArray[np.uint8]) -> list[tuple[Shade3, int]]:
    """Return the shades of some pixels, roughly, with their numbers."""
    cells = (pixels // 12).astype(np.int64)
    keys = cells[:, 0] * 10000 + cells[:, 1] * 100 + cells[:, 2]
    unique, where, counts = np.unique(keys, return_inverse=True, return_counts=True)
    sums = np.stack([np.bincount(where, pixels[:, c].astype(np.float64), len(unique)) for c in range(3)], axis=1)
    return [(total / count, int(count)) for total, count in zip(sums, counts, strict=True)]


def _figure_name(shade: Sequence[float] | Shade3, known: Sequence[str]) -> str | None:
    _, saturation, value = colorsys.rgb_to_hsv(*(float(part) / 255 for part in shade))
    if saturation < _GREY_SATURATION or value < 0.27:
        grey = "black" if value < 0.36 else "white" if value > 0.8 else "grey"
        return grey if grey in known else None
    name = name_shade(shade)
    if name in known:
        return name
    return "brown" if "brown" in known and name in ("orange", "red") and value < 0.75 else None


def _strength(shade: Sequence[float] | Shade3) -> float:
    """Return how strong a shade is: shirts are stronger than trousers of the same hue."""
    _, saturation, value = colorsys.rgb_to_hsv(*(float(part) / 255 for part in shade))
    return saturation * value


def _plain(shade: Sequence[float] | Shade3) -> bool:
    """Tell whether a shade may be skin or hair rather than a shirt."""
    hue, saturation, value = colorsys.rgb_to_hsv(*(float(part) / 255 for part in shade))
    return 8 < hue * 360 < 46 and saturation < 0.62 and value > 0.2
