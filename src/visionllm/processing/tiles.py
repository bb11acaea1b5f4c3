"""Pictures → the splits that the vision encoder sees."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional

CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)
CLIP_STD = (0.26862954, 0.26130258, 0.27577711)
Mode = Literal["square", "pad", "tiles", "stretch", "two-step-stretch"]
MODES: tuple[str, ...] = ("square", "pad", "tiles", "stretch", "two-step-stretch")


@dataclass(frozen=True, kw_only=True)
class VisionImageConfig:
    """How the vision encoder sees a picture.

    Attributes:
        image_size: Side S of a split in pixels.
        mode: `square`: the shortest side becomes S and the centre is cut out; `pad`: the picture is centred on a square
            of the mean colour first; `tiles`: a grid of splits and the whole picture as the last one; `stretch`: the
            whole picture becomes S×S; `two-step-stretch`: the same as the published code does it for pictures with
            regions (the shortest side becomes S, the longer one is then squeezed without antialiasing).
        max_tiles: Most tiles of the grid in mode `tiles`.
        mean: Mean of each channel, of values in [0, 1].
        std: Standard deviation of each channel.

    Raises:
        ValueError: If a value is out of its range.
    """

    image_size: int = 336
    mode: Mode = "tiles"
    max_tiles: int = 4
    mean: tuple[float, float, float] = CLIP_MEAN
    std: tuple[float, float, float] = CLIP_STD

    def __post_init__(self) -> None:
        if self.mode not in MODES:
            raise ValueError(f"expected mode to be one of {', '.join(MODES)}, got {self.mode!r}")
        if self.image_size < 1 or self.max_tiles < 1:
            raise ValueError(
                f"expected image_size and max_tiles of at least 1, got {self.image_size} and {self.max_tiles}"
            )
        if min(self.std) <= 0:
            raise ValueError(f"expected std above 0, got {self.std}")


@lru_cache
def grids(max_tiles: int, min_tiles: int = 1) -> tuple[tuple[int, int], ...]:
    """Return every (columns, rows) of `min_tiles` to `max_tiles` tiles, in the order in which ties are settled.

    Source: The published order inside equal products is that of a Python set; it only matters for exact ties.

    >>> grids(4)
    ((1, 1), (1, 2), (2, 1), (3, 1), (1, 3), (4, 1), (1, 4), (2, 2))
    """
    found = {
        (i, j)
        for n in range(min_tiles, max_tiles + 1)
        for i in range(1, n + 1)
        for j in range(1, n + 1)
        if min_tiles <= i * j <= max_tiles
    }
    return tuple(sorted(found, key=lambda grid: grid[0] * grid[1]))


def choose_grid(width: int, height: int, image_size: int, max_tiles: int, min_tiles: int = 1) -> tuple[int, int]:
    """Return the (columns, rows) whose aspect ratio is nearest to the picture's.

    On an exact tie the later candidate wins if the picture has more than half of the pixels the grid would hold.

    >>> choose_grid(640, 480, 336, 4), choose_grid(1280, 720, 336, 4)
    ((2, 2), (2, 1))
    """
    best, nearest = (1, 1), float("inf")
    for columns, rows in grids(max_tiles, min_tiles):
        distance = abs(width / height - columns / rows)
        if distance < nearest:
            best, nearest = (columns, rows), distance
        elif distance == nearest and width * height > 0.5 * image_size * image_size * columns * rows:
            best = (columns, rows)
    return best


def cut_tiles(
    image: Image.Image, image_size: int, max_tiles: int, *, min_tiles: int = 1, thumbnail: bool = True
) -> list[Image.Image]:
    """Cut a picture into the tiles of its grid, row by row; after several tiles comes the whole picture."""
    columns, rows = choose_grid(image.width, image.height, image_size, max_tiles, min_tiles)
    sheet = image.resize((image_size * columns, image_size * rows))
    tiles = [
        sheet.crop((x, y, x + image_size, y + image_size))
        for y in range(0, sheet.height, image_size)
        for x in range(0, sheet.width, image_size)
    ]
    if thumbnail and len(tiles) > 1:
        tiles.append(image.resize((image_size, image_size)))
    return tiles


def pad_to_square(image: Image.Image, colour: tuple[int, int, int]) -> Image.Image:
    """Centre a picture on a square canvas of one colour; an odd remainder goes to the right or the bottom."""
    if image.width == image.height:
        return image
    side = max(image.size)
    canvas = Image.new("RGB", (side, side), colour)
    canvas.paste(image, ((side - image.width) // 2, (side - image.height) // 2))
    return canvas


def mean_colour(mean: tuple[float, float, float]) -> tuple[int, int, int]:
    """Return the 8-bit colour of a channel mean, truncated.

    >>> mean_colour(CLIP_MEAN)
    (122, 116, 104)
    """
    red, green, blue = (int(m * 255) for m in mean)
    return red, green, blue


def resize_shortest(image: Image.Image, image_size: int) -> Image.Image:
    """Resize a picture until its shortest side is `image_size`; the other side is truncated."""
    width, height = image.size
    short, long = min(width, height), max(width, height)
    other = int(image_size * long / short)
    size = (image_size, other) if width <= height else (other, image_size)
    return image if image.size == size else image.resize(size, Image.Resampling.BICUBIC)


def crop_centre(image: Image.Image, image_size: int) -> Image.Image:
    """Cut the central square out of a picture that is at least that large."""
    left, top = (image.width - image_size) // 2, (image.height - image_size) // 2
    return image.crop((left, top, left + image_size, top + image_size))


def to_pixels(image: Image.Image, mean: tuple[float, float, float], std: tuple[float, float, float]) -> Tensor:
    """Return float[3, H, W]: channels scaled to [0, 1] and normalised."""
    values = torch.from_numpy(np.asarray(image).transpose(2, 0, 1).copy()).float()
    offset, scale = torch.tensor(mean)[:, None, None], torch.tensor(std)[:, None, None]
    return (values / 255 - offset) / scale


def vision_pixels(image: Image.Image, config: VisionImageConfig) -> Tensor:
    """Prepare one picture for the vision encoder.

    Args:
        image: Upright RGB picture.
        config: Size and mode.

    Returns:
        float[S, 3, h, w]. The splits of the picture; the last one is the whole picture.
    """
    size = config.image_size
    if config.mode == "tiles":
        views = cut_tiles(image, size, config.max_tiles)
    elif config.mode == "stretch":
        views = [image if image.size == (size, size) else image.resize((size, size), Image.Resampling.BICUBIC)]
    elif config.mode == "two-step-stretch":
        pixels = to_pixels(resize_shortest(image, size), config.mean, config.std)
        return functional.interpolate(pixels[None], (size, size), mode="bilinear", align_corners=False)
    else:
        if config.mode == "pad":
            image = pad_to_square(image, mean_colour(config.mean))
        views = [crop_centre(resize_shortest(image, size), size)]
    return torch.stack([to_pixels(view, config.mean, config.std) for view in views])


def split_count(width: int, height: int, config: VisionImageConfig) -> int:
    """Return the number of splits that `vision_pixels` gives a picture of this size."""
    if config.mode != "tiles":
        return 1
    columns, rows = choose_grid(width, height, config.image_size, config.max_tiles)
    return columns * rows + (columns * rows > 1)
