"""What is behind the objects: plain, gradient, paper, noise and softened photos, all paler than any object."""

import math

import numpy as np
from PIL import Image

from visionllm.data.world.palette import Shade, mixed, shade_of
from visionllm.data.world.photos import photo_crop
from visionllm.data.world.splits import Dice


def sample_ground(dice: Dice, *, dark: bool) -> Shade:
    """Draw a background colour: near white, pastel, grey or, if `dark`, sometimes nearly black."""
    kind = dice.choose(("white", "pastel", "grey", "dark"), (0.52, 0.22, 0.12, 0.14 if dark else 0.0))
    hue = dice.uniform(0, 360)
    if kind == "white":
        return shade_of(hue, dice.uniform(0, 0.05), dice.uniform(0.94, 1.0))
    if kind == "pastel":
        return shade_of(hue, dice.uniform(0.05, 0.12), dice.uniform(0.88, 1.0))
    if kind == "grey":
        return shade_of(hue, dice.uniform(0, 0.08), dice.uniform(0.68, 0.86))
    return shade_of(hue, dice.uniform(0, 0.3), dice.uniform(0.05, 0.15))


def draw_background(
    dice: Dice, kind: str, size_hw: tuple[int, int], *, photos: tuple[str, ...], dark: bool
) -> Image.Image:
    """Draw the background of a canvas.

    Args:
        dice: Random stream of the picture.
        kind: One of `BACKGROUNDS`.
        size_hw: (height, width) in pixels.
        photos: Names of the photos that `kind == "photo"` may cut from.
        dark: Whether it may be dark, which would swallow brown objects.

    Raises:
        ImportError: If a photo is wanted and scikit-image is not installed.
    """
    height, width = size_hw
    if kind == "photo":
        return photo_crop(dice, photos, size_hw, dark=dark)
    if kind == "plain":
        return Image.new("RGB", (width, height), sample_ground(dice, dark=dark))
    if kind == "gradient":
        return _gradient(dice, size_hw, dark=dark)
    return _paper(dice, size_hw) if kind == "paper" else _noise(dice, size_hw, dark=dark)


def _gradient(dice: Dice, size_hw: tuple[int, int], *, dark: bool) -> Image.Image:
    first, second = sample_ground(dice, dark=dark), sample_ground(dice, dark=dark)
    # A ramp between a dark and a pale colour would pass through the middle greys where dark shades drown.
    if abs(sum(first) - sum(second)) > 240:
        second = mixed(first, second, 0.15)
    angle = math.radians(dice.uniform(0, 360))
    along_x, along_y = math.cos(angle), math.sin(angle)
    x, y = np.arange(size_hw[1]) / size_hw[1] - 0.5, np.arange(size_hw[0]) / size_hw[0] - 0.5
    share = (along_x * x[None, :] + along_y * y[:, None]) / (abs(along_x) + abs(along_y)) + 0.5
    start, end = np.array(first, dtype=np.float64), np.array(second, dtype=np.float64)
    return Image.fromarray((start + share[..., None] * (end - start)).round().astype(np.uint8))


def _paper(dice: Dice, size_hw: tuple[int, int]) -> Image.Image:
    height, width = size_hw
    ground = np.array(
        shade_of(dice.uniform(30, 60), dice.uniform(0.02, 0.12), dice.uniform(0.92, 0.99)), dtype=np.int16
    )
    grain = dice.bytes(height, width).astype(np.int16) // 26 - 5
    sheet = ground + grain[..., None]
    ruling = dice.choose(("none", "lines", "squares"), (0.5, 0.25, 0.25))
    step, start = dice.integer(9, 16), dice.integer(0, 8)
    if ruling != "none":
        ink = np.array([46, 26, 6], dtype=np.int16)
        sheet[start::step] -= ink
        if ruling == "squares":
            sheet[:, start::step] -= ink
    return Image.fromarray(np.clip(sheet, 0, 255).astype(np.uint8))


def _noise(dice: Dice, size_hw: tuple[int, int], *, dark: bool) -> Image.Image:
    height, width = size_hw
    ground = np.array(sample_ground(dice, dark=dark), dtype=np.int16)
    channels, cell = (1 if dice.chance(0.5) else 3), dice.choose((1, 2, 3))
    strength = dice.integer(16, 44)
    speckle = dice.bytes(-(-height // cell), -(-width // cell), channels).astype(np.int16)
    speckle = (speckle - 128) * strength // 128
    if cell > 1:
        speckle = speckle.repeat(cell, axis=0)[:height].repeat(cell, axis=1)[:, :width]
    return Image.fromarray(np.clip(ground + speckle, 0, 255).astype(np.uint8))
