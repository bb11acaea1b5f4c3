"""Edits of a part of a picture: what was not pointed at stays as it was, pixel by pixel."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from PIL import Image

from visionllm.processing.regions import region_mask
from visionllm.types import GeneratedImages, Mark, Picture, Region, Request


def edited_there(made: GeneratedImages, request: Request) -> GeneratedImages:
    """Keep what the last question does not point at, where it points at parts of the picture that was edited.

    Args:
        made: New pictures, which stay as they are, or edited ones.
        request: What was asked; its last question means the picture that it marks last, else the last picture, and
            what is marked before a new picture is an example for it.

    Raises:
        ValueError: If a region is not on the picture.
    """
    if made.original_hw is None:
        return made
    seen, marks = 0, []
    for message in request.messages:
        marks = [] if message.role == "user" else marks
        for part in message.parts:
            if isinstance(part, Picture):
                seen, marks = seen + 1, []
            elif isinstance(part, Mark):
                marks.append((seen - 1 if part.picture is None else part.picture, part.region))
    edited = marks[-1][0] if marks else seen - 1
    return keep_outside(made, request.pictures[edited], [region for picture, region in marks if picture == edited])


def keep_outside(made: GeneratedImages, original: Image.Image, regions: Sequence[Region]) -> GeneratedImages:
    """Put back every pixel of the original that lies outside all regions; without regions nothing is put back.

    Args:
        made: Edited pictures of any size; each shows the whole original.
        original: The picture they were made from, upright RGB.
        regions: In pixels of the original.

    Returns:
        The pictures at the size of the original.

    Raises:
        ValueError: If a region is not on the picture.
    """
    if not regions:
        return made
    size_hw = (original.height, original.width)
    inside = np.logical_or.reduce([region_mask(r, size_hw, index=i) for i, r in enumerate(regions)])
    old = np.asarray(original)
    fitted = [np.asarray(image.resize(original.size, Image.Resampling.BICUBIC)) for image in made.images]
    return replace(made, pictures=tuple(np.where(inside[..., None], new, old) for new in fitted))
