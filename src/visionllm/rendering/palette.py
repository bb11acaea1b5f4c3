"""Colours that tell things apart, and that stand out from the picture under them."""

from collections.abc import Sequence

import numpy as np
from PIL import Image

Colour = tuple[int, int, int]

PALETTE: tuple[Colour, ...] = (
    (230, 25, 75),
    (0, 110, 240),
    (20, 150, 60),
    (245, 130, 30),
    (150, 40, 200),
    (0, 160, 175),
    (225, 170, 0),
    (130, 80, 20),
    (90, 120, 0),
    (30, 40, 120),
)
REGION_COLOUR: Colour = (255, 0, 170)
INK: Colour = (28, 30, 36)
PAPER: Colour = (255, 255, 255)
QUIET: Colour = (112, 117, 128)
AMBER: Colour = (176, 98, 0)


def text_colour(background: Colour) -> Colour:
    """Return black or white, whichever is easier to read on `background`.

    >>> text_colour((255, 240, 200)), text_colour((0, 0, 120))
    ((28, 30, 36), (255, 255, 255))
    """
    red, green, blue = background
    return INK if 0.299 * red + 0.587 * green + 0.114 * blue > 150 else PAPER


def group_colours(image: Image.Image, boxes: Sequence[Sequence[tuple[float, float, float, float]]]) -> list[Colour]:
    """Choose a colour for every group of boxes: all different while there are enough, and unlike what the boxes hold.

    Args:
        image: The picture, RGB.
        boxes: For each group, its (x0, y0, x1, y1) in pixels of the picture; may be empty.
    """
    pixels = np.asarray(image.convert("RGB"), dtype=np.float32)
    palette = np.array(PALETTE, dtype=np.float32)
    free = list(range(len(PALETTE)))
    chosen = []
    for group in boxes:
        free = free or list(range(len(PALETTE)))
        contents = [_typical_colours(pixels, box) for box in group]
        if contents:
            seen = np.concatenate(contents)
            distances = np.linalg.norm(palette[free][:, None] - seen[None], axis=-1).min(axis=1)
            # A palette colour that is far enough serves; beyond that the palette's own order keeps groups apart.
            best = int(np.argmax(distances > 140) if (distances > 140).any() else np.argmax(distances))
        else:
            best = 0
        chosen.append(PALETTE[free.pop(best)])
    return chosen


def _typical_colours(pixels: np.ndarray, box: tuple[float, float, float, float]) -> np.ndarray:
    """float[2, 3]: the middle colour of the box, and that of its outermost pixels."""
    height, width = pixels.shape[:2]
    x0, y0 = min(max(int(box[0]), 0), width - 1), min(max(int(box[1]), 0), height - 1)
    x1, y1 = min(max(int(box[2]), x0 + 1), width), min(max(int(box[3]), y0 + 1), height)
    crop = pixels[y0:y1, x0:x1]
    rim = np.concatenate([crop[0], crop[-1], crop[:, 0], crop[:, -1]])
    return np.stack([np.median(crop.reshape(-1, 3), axis=0), np.median(rim, axis=0)])
