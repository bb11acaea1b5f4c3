"""Pictures of other domains: land and water from above, a grey noisy scan, a piece of metal."""

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from visionllm.data.world.palette import Shade, mixed, shade_of
from visionllm.data.world.splits import Dice
from visionllm.data.world.staging.painting import Placer
from visionllm.data.world.staging.stamps import DOMAINS, stamp_item

_ON_WATER = ("ship",)
_FIRST = ("road", "pond", "vessel")


def _grainy(dice: Dice, image: Image.Image, strength: int) -> Image.Image:
    noise = dice.bytes(image.height, image.width).astype(np.int16) - 128
    pixels = np.asarray(image).astype(np.int16) + (noise * strength // 128)[..., None]
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))


def _land(dice: Dice, size_hw: tuple[int, int]) -> Image.Image:
    height, width = size_hw
    base = shade_of(dice.uniform(70, 110), dice.uniform(0.2, 0.4), dice.uniform(0.5, 0.68))
    image = Image.new("RGB", (width, height), base)
    pencil = ImageDraw.Draw(image)
    for _ in range(dice.integer(1, 4)):
        x, y = dice.integer(-20, width), dice.integer(-20, height)
        field = shade_of(dice.uniform(35, 105), dice.uniform(0.15, 0.4), dice.uniform(0.55, 0.75))
        pencil.rectangle((x, y, x + dice.integer(30, width), y + dice.integer(30, height)), fill=field)
    return _grainy(dice, image.rotate(dice.uniform(-8, 8), fillcolor=base), 10)


def _water(dice: Dice, size_hw: tuple[int, int]) -> Image.Image:
    sea = shade_of(dice.uniform(195, 220), dice.uniform(0.45, 0.7), dice.uniform(0.35, 0.6))
    return _grainy(dice, Image.new("RGB", (size_hw[1], size_hw[0]), sea), 9)


def _tissue(dice: Dice, size_hw: tuple[int, int]) -> Image.Image:
    height, width = size_hw
    dark, grey = dice.integer(8, 30), dice.integer(70, 105)
    image = Image.new("RGB", (width, height), (dark,) * 3)
    inset = dice.uniform(0.0, 0.08)
    box = (width * inset, height * inset, width * (1 - inset), height * (1 - inset))
    ImageDraw.Draw(image).ellipse(box, fill=(grey,) * 3)
    return _grainy(dice, image.filter(ImageFilter.GaussianBlur(2)), dice.integer(16, 34))


def _metal(dice: Dice, size_hw: tuple[int, int]) -> Image.Image:
    height, width = size_hw
    base = dice.uniform(0.6, 0.74)
    steel: Shade = shade_of(dice.uniform(200, 240), dice.uniform(0.0, 0.08), base)
    image = Image.new("RGB", (width, height), steel)
    rows = dice.bytes(height, 1).astype(np.int16) - 128
    brushed = np.asarray(image).astype(np.int16) + (rows * dice.integer(6, 14) // 128)[..., None]
    picture = _grainy(dice, Image.fromarray(np.clip(brushed, 0, 255).astype(np.uint8)), 7)
    edge = mixed(steel, (0, 0, 0), 0.3)
    ImageDraw.Draw(picture).rectangle((0, 0, width - 1, height - 1), outline=edge, width=2)
    return picture


def fill_domain(dice: Dice, domain: str, size_hw: tuple[int, int], *, crowded: bool) -> tuple[Image.Image, Placer]:
    """Draw a ground of a domain and put its things on it.

    Args:
        dice: Random stream of the picture.
        domain: One of `DOMAINS`.
        size_hw: (height, width) in pixels.
        crowded: Whether eight things or more are wanted.

    Returns:
        The ground, and a placer that holds the things.
    """
    kinds = DOMAINS[domain]
    if domain == "aerial":
        sea = dice.chance(0.25)
        ground = (_water if sea else _land)(dice, size_hw)
        kinds = tuple(kind for kind in kinds if (kind in _ON_WATER) == sea)
    else:
        ground = (_tissue if domain == "scan" else _metal)(dice, size_hw)
    count = dice.integer(8, 11) if crowded else dice.choose(range(9), (0.06, *((0.1175,) * 8)))
    chosen = dice.sample(kinds, min(len(kinds), dice.integer(1, 3 if count < 6 else 4)))
    wanted = [dice.choose(chosen) for _ in range(count)]
    placer = Placer(dice, ground, spacing=2, overlap=False)
    for kind in sorted(wanted, key=lambda name: name not in _FIRST):
        placer.put(stamp_item(dice, kind, min(size_hw)))
    return ground, placer
