"""Pictures for tests: drawn ones, and small ones whose objects are put where a test wants them."""

from functools import cache

import numpy as np

from visionllm.data.world.drawing import draw_picture
from visionllm.data.world.families.base import Desk
from visionllm.data.world.grammar import Phrasing
from visionllm.data.world.scene import COLOURS, FILLS, KINDS, SIZES, Scene, WorldObject, WorldPicture
from visionllm.data.world.splits import Dice
from visionllm.data.world.words import fill_adjective, plural
from visionllm.types import Mark, Routed, Sample

RADII = {"small": 5, "medium": 9, "large": 16}


def thing(words: str, at: tuple[int, int], size_hw: tuple[int, int] = (100, 120)) -> WorldObject:
    """Put a disc at (x, y) that counts as, for example, a "small red striped star"."""
    size, colour, fill, kind = words.split()
    height, width = size_hw
    rows, columns = np.mgrid[:height, :width]
    mask = (columns - at[0]) ** 2 + (rows - at[1]) ** 2 <= RADII[size] ** 2
    ys, xs = np.nonzero(mask)
    box = (int(xs.min()), int(ys.min()), int(xs.max()) + 1, int(ys.max()) + 1)
    return WorldObject(
        kind=kind,
        colour=colour,
        size=size,
        fill=fill,
        rgb=(0, 0, 0),
        centre=at,
        radius=RADII[size],
        angle=0.0,
        depth=0,
        mask=mask,
        box=box,
        visible=1.0,
    )


def picture_of(*objects: WorldObject, split: str = "train", size_hw: tuple[int, int] = (100, 120)) -> WorldPicture:
    """Make a blank picture that holds these objects."""
    scene = Scene(seed=1, split=split, size_hw=size_hw, background="plain", pen="clean", objects=objects)
    return WorldPicture(pixels=np.zeros((*size_hw, 3), dtype=np.uint8), scene=scene)


def desk_for(picture: WorldPicture, seed: int = 0, phrasing: Phrasing = "train") -> Desk:
    """Open a desk for a picture."""
    return Desk(picture=picture, dice=Dice(np.random.default_rng(seed)), phrasing=phrasing)


@cache
def drawn(count: int, split: str = "train") -> tuple[WorldPicture, ...]:
    """Draw the first pictures of a split."""
    return tuple(draw_picture(seed, split=split, photos=split == "photo-background") for seed in range(count))


def described(text: str, objects: tuple[WorldObject, ...]) -> list[WorldObject]:
    """Return the objects that fit every word for a size, colour, fill or kind in a text."""
    words = set(text.lower().replace("?", " ").replace(".", " ").replace(",", " ").replace(":", " ").split())

    def fits(item: WorldObject) -> bool:
        own = {item.size, item.colour, fill_adjective(item.fill), item.kind, plural(item.kind)}
        return not (words & WORLD_WORDS) - own

    return [item for item in objects if fits(item)]


WORLD_WORDS = frozenset(
    word
    for one in (*SIZES, *COLOURS, *map(fill_adjective, FILLS), *KINDS)
    for word in ((one, plural(one)) if one in KINDS else (one,))
)


def question(sample: Sample) -> str:
    """Return the words of the last question."""
    return sample.request.messages[-1].text


def marks(sample: Sample) -> list[Mark]:
    """Return the marks of a sample's last question."""
    return [part for part in sample.request.messages[-1].parts if isinstance(part, Mark)]


def labels(sample: Sample) -> list[str]:
    """Return the routed spans of a sample's answer."""
    return [part.text for part in sample.answer.parts if isinstance(part, Routed)]


def boxes_of(sample: Sample, span: int) -> set[tuple[float, ...]]:
    """Return the true boxes of one routed span."""
    truth = sample.detection
    assert truth is not None
    return {tuple(box) for box in truth.boxes[truth.class_ids == span].tolist()}
