"""Changes of a drawn picture that keep its truth exact; questions are asked afterwards, so that words stay true too."""

from dataclasses import replace

import numpy as np
from PIL import Image

from visionllm.data.world.scene import WorldObject, WorldPicture


def flipped(picture: WorldPicture) -> WorldPicture:
    """Return the mirror image: left becomes right."""
    width = picture.scene.size_hw[1]

    def mirrored(thing: WorldObject) -> WorldObject:
        x0, y0, x1, y1 = thing.box
        return replace(
            thing,
            mask=np.ascontiguousarray(thing.mask[:, ::-1]),
            box=(width - x1, y0, width - x0, y1),
            centre=(width - thing.centre[0], thing.centre[1]),
            angle=-thing.angle % 360,
        )

    scene = replace(picture.scene, objects=tuple(mirrored(thing) for thing in picture.scene.objects))
    return WorldPicture(pixels=np.ascontiguousarray(picture.pixels[:, ::-1]), scene=scene)


def rescaled(picture: WorldPicture, factor: float) -> WorldPicture:
    """Return the picture with both sides multiplied by `factor`.

    Sizes are relative to the picture and stay what they are.

    Raises:
        ValueError: If the factor is not above 0, or so small that an object has no pixel left.
    """
    if factor <= 0:
        raise ValueError(f"expected a factor above 0, got {factor}")
    height, width = (max(1, round(side * factor)) for side in picture.scene.size_hw)
    pixels = np.asarray(Image.fromarray(picture.pixels).resize((width, height), Image.Resampling.BICUBIC))
    objects = []
    for thing in picture.scene.objects:
        mask = np.asarray(Image.fromarray(thing.mask).resize((width, height), Image.Resampling.NEAREST))
        rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
        if not len(rows):
            raise ValueError(f"expected a factor that leaves every object visible, got {factor}")
        box = (int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1)
        x, y = thing.centre
        objects.append(
            replace(thing, mask=mask, box=box, centre=(x * factor, y * factor), radius=thing.radius * factor)
        )
    return WorldPicture(pixels=pixels, scene=replace(picture.scene, size_hw=(height, width), objects=tuple(objects)))


def varied(picture: WorldPicture, rng: np.random.Generator) -> WorldPicture:
    """Mirror half of the pictures, and change the resolution of a third by a factor of 0.8 to 1.25."""
    if rng.random() < 0.5:
        picture = flipped(picture)
    if rng.random() < 1 / 3:
        picture = rescaled(picture, float(np.exp(rng.uniform(np.log(0.8), np.log(1.25)))))
    return picture
