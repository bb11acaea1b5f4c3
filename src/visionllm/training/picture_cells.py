"""Which object each cell of a picture shows, on the grid that an encoder sees."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from visionllm.data.world.scene import WorldPicture


def squared(plane: Image.Image, side: int, resample: Image.Resampling, colour: Any) -> Image.Image:
    """Centre a picture on a square of `colour` and resize it to `side`."""
    longer = max(plane.size)
    if plane.size != (longer, longer):
        square = Image.new(plane.mode, (longer, longer), colour)
        square.paste(plane, ((longer - plane.width) // 2, (longer - plane.height) // 2))
        plane = square
    return plane if longer == side else plane.resize((side, side), resample)


def owner_map(picture: WorldPicture, side: int) -> NDArray[np.uint8]:
    """Return uint8[side, side]: i + 1 where thing i can be seen in the picture fitted into a square, else 0."""
    owners = np.zeros(picture.scene.size_hw, np.uint8)
    for number, thing in enumerate(picture.scene.things, 1):
        owners[thing.mask] = number
    return np.asarray(squared(Image.fromarray(owners), side, Image.Resampling.NEAREST, 0))


def cell_owners(owners: NDArray[np.uint8], count: int, stride: int) -> NDArray[np.int64]:
    """Return int64[h, w]: 0 for background, i + 1 where object i covers the cell, −1 where nothing clearly does."""
    side = owners.shape[0] // stride
    blocks = owners.reshape(side, stride, side, stride).swapaxes(1, 2).reshape(side, side, -1)
    shares = (blocks[..., None] == np.arange(count + 1, dtype=np.uint8)).mean(axis=2)
    best = shares.argmax(axis=-1)
    inside = shares[..., 1:].max(axis=-1, initial=0.0)
    covered = shares[..., 1:].argmax(axis=-1) + 1 if count else np.zeros_like(best)
    return np.where(inside >= 0.4, covered, np.where(inside <= 0.1, 0, -1))


def anchored(owners: NDArray[np.uint8], count: int, stride: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Give every object one cell of its own.

    Args:
        owners: uint8[side, side]. See `owner_map`.
        count: Number of objects.
        stride: Pixels a cell.

    Returns:
        The cells of `cell_owners`, where an object that covers no cell owns the one at its centre; and int64[count],
        for each object the index, row by row, of the cell of its own that is nearest to its centre, or −1 if it owns
        none.
    """
    cells = cell_owners(owners, count, stride)
    anchors = np.full(count, -1, np.int64)
    middles = {}
    for number in range(1, count + 1):
        rows, columns = np.nonzero(owners == number)
        if len(rows):
            middles[number] = np.array([(v.min() + v.max() + 1) / 2 / stride - 0.5 for v in (rows, columns)])
            if not (cells == number).any():
                cells[tuple(np.clip(middles[number].round().astype(int), 0, len(cells) - 1))] = number
    for number, middle in middles.items():
        own = np.argwhere(cells == number)
        if len(own):
            row, column = own[((own - middle) ** 2).sum(1).argmin()]
            anchors[number - 1] = row * cells.shape[1] + column
    return cells, anchors
