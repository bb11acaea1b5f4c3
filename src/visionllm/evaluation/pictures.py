"""Pictures that a model made: taken out of its answer, and compared at the size they were made at."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray

from visionllm.data.world.scene import WorldThing
from visionllm.data.world.stacking import box_of
from visionllm.ops.area import resize_by_area
from visionllm.types import Answer, GeneratedImages, Mark, Request

Pixels = NDArray[np.uint8]


def made_in(result: Answer | GeneratedImages) -> Pixels | None:
    """Return the one picture that was made, uint8[h, w, 3], or None where there is none or more than one."""
    made = result.pictures if isinstance(result, Answer) else (result,)
    pictures = [picture for images in made for picture in images.pictures]
    return pictures[0] if len(pictures) == 1 else None


def nothing_made(result: Answer) -> bool:
    """Tell whether an answer makes no picture."""
    return not any(len(images) for images in result.pictures)


def check_unmarked(request: Request) -> None:
    """Refuse a request to edit what is marked: old pixels are pasted back there, which hides what the decoder did.

    Raises:
        ValueError: If the request has a mark.
    """
    if any(isinstance(part, Mark) for message in request.messages for part in message.parts):
        raise ValueError("expected an edit of the whole picture, got one with marks, outside which nothing is changed")


def at_size(pixels: Pixels, size_hw: tuple[int, int]) -> Pixels:
    """Return uint8[H, W, 3] pixels resized by area.

    >>> at_size(np.array([[[0, 0, 0], [9, 9, 9], [30, 30, 30]]], dtype=np.uint8), (1, 1))[0, 0].tolist()
    [13, 13, 13]
    """
    if pixels.shape[:2] == size_hw:
        return pixels
    channels = torch.from_numpy(np.array(pixels)).permute(2, 0, 1).double()
    return resize_by_area(channels, size_hw).round().to(torch.uint8).permute(1, 2, 0).numpy()


def shares_at_size(mask: NDArray[np.bool_], size_hw: tuple[int, int]) -> NDArray[np.float64]:
    """Return float[h, w], how much of each pixel of another size a mask bool[H, W] covers."""
    return resize_by_area(torch.from_numpy(mask.astype(np.float64)), size_hw).numpy()


def things_at_size(things: Sequence[WorldThing], size_hw: tuple[int, int]) -> tuple[WorldThing, ...]:
    """Return things as they stand in a picture of another size; one that keeps less than half a pixel is left out."""
    masks = [shares_at_size(thing.mask, size_hw) >= 0.5 for thing in things]
    return tuple(
        replace(thing, mask=mask, box=box_of(mask)) for thing, mask in zip(things, masks, strict=True) if mask.any()
    )
