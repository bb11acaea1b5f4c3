"""Changes of a drawn picture that keep its truth exact; questions are asked afterwards, so that words stay true too."""

from dataclasses import replace
from typing import Any, TypeVar

import numpy as np
from PIL import Image

from visionllm.data.world.scene import WorldFigure, WorldObject, WorldPicture, WorldSign, WorldThing
from visionllm.data.world.stacking import box_of

ThingT = TypeVar("ThingT", bound=WorldThing)
_LEAST_SIDE = 3  # pixels; thinner things may vanish between the pixels of a smaller picture


def flipped(picture: WorldPicture) -> WorldPicture:
    """Return the mirror image: left becomes right.

    Raises:
        ValueError: If there are signs, which could not be read, or figures, whose sides have names.
    """
    scene = picture.scene
    width = scene.size_hw[1]
    if scene.figures or scene.signs:
        raise ValueError(
            f"expected a picture without figures and signs, got {len(scene.figures)} figures, {len(scene.signs)} signs"
        )

    def mirrored(thing: ThingT) -> ThingT:
        x0, y0, x1, y1 = thing.box
        changes: dict[str, Any] = {
            "mask": np.ascontiguousarray(thing.mask[:, ::-1]),
            "box": (width - x1, y0, width - x0, y1),
        }
        if isinstance(thing, WorldObject):
            changes |= {"centre": (width - thing.centre[0], thing.centre[1]), "angle": -thing.angle % 360}
        return replace(thing, **changes)

    objects, finds = tuple(map(mirrored, scene.objects)), tuple(map(mirrored, scene.finds))
    return WorldPicture(
        pixels=np.ascontiguousarray(picture.pixels[:, ::-1]), scene=replace(scene, objects=objects, finds=finds)
    )


def rescaled(picture: WorldPicture, factor: float) -> WorldPicture:
    """Return the picture with both sides multiplied by `factor`.

    Sizes are relative to the picture and stay what they are.

    Raises:
        ValueError: If the factor is not above 0, or so small that an object has no pixel left.
    """
    if factor <= 0:
        raise ValueError(f"expected a factor above 0, got {factor}")
    scene = picture.scene
    height, width = (max(1, round(side * factor)) for side in scene.size_hw)
    pixels = np.asarray(Image.fromarray(picture.pixels).resize((width, height), Image.Resampling.BICUBIC))

    def grown(thing: ThingT) -> ThingT:
        mask = np.asarray(Image.fromarray(thing.mask).resize((width, height), Image.Resampling.NEAREST))
        if not mask.any():
            raise ValueError(f"expected a factor that leaves everything visible, got {factor}")
        changes: dict[str, Any] = {"mask": mask, "box": box_of(mask)}
        if isinstance(thing, WorldObject):
            x, y = thing.centre
            changes |= {"centre": (x * factor, y * factor), "radius": thing.radius * factor}
        if isinstance(thing, WorldSign):
            changes["letters"] = tuple((letter, x * factor, y * factor) for letter, x, y in thing.letters)
        if isinstance(thing, WorldFigure):
            stretch = np.array([width / scene.size_hw[1], height / scene.size_hw[0]], np.float32)
            changes["keypoints"] = thing.keypoints * stretch
        return replace(thing, **changes)

    grown_scene = replace(
        scene,
        size_hw=(height, width),
        objects=tuple(map(grown, scene.objects)),
        figures=tuple(map(grown, scene.figures)),
        signs=tuple(map(grown, scene.signs)),
        finds=tuple(map(grown, scene.finds)),
    )
    return WorldPicture(pixels=pixels, scene=grown_scene)


def varied(picture: WorldPicture, rng: np.random.Generator) -> WorldPicture:
    """Mirror half of the pictures, and change the resolution of a third by a factor of 0.8 to 1.25.

    Pictures of the studio stay what they are, for their stages know no other form; so do those with signs, whose
    letters have to be read. Those with figures are not mirrored, and those with tiny things not rescaled.
    """
    scene = picture.scene
    if scene.theme == "studio" or scene.signs:
        return picture
    if rng.random() < 0.5 and not scene.figures:
        picture = flipped(picture)
    if rng.random() < 1 / 3:
        factor = float(np.exp(rng.uniform(np.log(0.8), np.log(1.25))))
        boxes = [thing.box for thing in (*scene.figures, *scene.finds)]
        if all(min(x1 - x0, y1 - y0) >= _LEAST_SIDE for x0, y0, x1, y1 in boxes):
            picture = rescaled(picture, factor)
    return picture
