"""Things of other domains: seen from above, in a scan, on a workpiece. Each is a small painted patch."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from PIL import Image, ImageDraw

from visionllm.data.world.palette import Shade, mixed, shade_of
from visionllm.data.world.pens import SCALE
from visionllm.data.world.scene import WorldThing
from visionllm.data.world.splits import Dice
from visionllm.data.world.stacking import Bits, box_of
from visionllm.data.world.staging.items import Item

DOMAINS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "aerial": ("house", "car", "tree", "plane", "pond", "road", "ship"),
        "scan": ("cell", "lesion", "vessel", "calcification"),
        "workpiece": ("scratch", "dent", "hole", "screw", "missing screw"),
    }
)
"""The kinds of each domain."""

Stamp = tuple[Image.Image, Image.Image]
_Pens = tuple[ImageDraw.ImageDraw, ImageDraw.ImageDraw]


@dataclass(frozen=True, kw_only=True, eq=False)
class StampItem(Item):
    """A thing of another domain: its kind, its layers at twice the canvas resolution, and the shade that names it."""

    kind: str
    colours: Image.Image
    cover: Image.Image
    rgb: Shade

    @property
    def layer(self) -> Image.Image:
        """The silhouette."""
        return self.cover

    @property
    def shade(self) -> Shade:
        """Its main shade."""
        return self.rgb

    @property
    def colour(self) -> str:
        """Things of other domains have no colour word."""
        return ""

    def paint(self, canvas: Image.Image, ground: Image.Image) -> None:
        """Paint the patch."""
        canvas.paste(self.colours, (self.corner[0] * SCALE, self.corner[1] * SCALE), self.cover)

    def truth(self, depth: int, mask: Bits) -> WorldThing:
        """Say what is true about it."""
        return WorldThing(
            kind=self.kind,
            colour="",
            rgb=self.rgb,
            depth=depth,
            mask=mask,
            box=box_of(mask),
            visible=self._visible(mask),
        )


def _blank(width: float, height: float, shade: Shade) -> tuple[Stamp, _Pens]:
    size = max(4, round(width * SCALE)), max(4, round(height * SCALE))
    colours, cover = Image.new("RGB", size, shade), Image.new("L", size)
    return (colours, cover), (ImageDraw.Draw(colours), ImageDraw.Draw(cover))


def _rotated(stamp: Stamp, angle: float, shade: Shade) -> Stamp:
    turn = Image.Resampling.BILINEAR
    colours, cover = stamp
    return colours.rotate(angle, turn, expand=True, fillcolor=shade), cover.rotate(angle, turn, expand=True)


def _blob(dice: Dice, radius: float, rough: float) -> list[tuple[float, float]]:
    """Draw a closed uneven line around (radius, radius)."""
    waves = [(dice.uniform(0, rough / count), dice.uniform(0, 6.283), count) for count in (2, 3, 5)]
    points = []
    for step in range(36):
        turn = math.tau * step / 36
        reach = 1 - rough + sum(size * math.sin(count * turn + start) for size, start, count in waves)
        points.append(
            (round(radius * (1 + reach * math.cos(turn)), 2), round(radius * (1 + reach * math.sin(turn)), 2))
        )
    return points


def _house(dice: Dice, unit: float) -> tuple[Stamp, Shade]:
    roof = shade_of(dice.choose((8.0, 18.0, 210.0)), dice.uniform(0.25, 0.6), dice.uniform(0.45, 0.75))
    width, height = unit * dice.uniform(0.14, 0.24), unit * dice.uniform(0.12, 0.18)
    stamp, (ink, cover) = _blank(width, height, roof)
    w, h = stamp[0].size
    cover.rectangle((0, 0, w, h), fill=255)
    ink.rectangle((0, h // 2, w, h), fill=mixed(roof, (0, 0, 0), 0.25))
    ink.line((0, h // 2, w, h // 2), fill=mixed(roof, (255, 255, 255), 0.3), width=2)
    return _rotated(stamp, dice.uniform(0, 180), roof), roof


def _car(dice: Dice, unit: float) -> tuple[Stamp, Shade]:
    paint = shade_of(dice.uniform(0, 360), dice.uniform(0.0, 0.9), dice.uniform(0.5, 1.0))
    stamp, (ink, cover) = _blank(unit * 0.075, unit * 0.04, paint)
    w, h = stamp[0].size
    cover.rounded_rectangle((0, 0, w - 1, h - 1), radius=h // 3, fill=255)
    ink.rectangle((w * 0.58, h * 0.15, w * 0.74, h * 0.85), fill=(30, 36, 44))
    ink.rectangle((w * 0.14, h * 0.2, w * 0.24, h * 0.8), fill=(30, 36, 44))
    return _rotated(stamp, dice.uniform(0, 360), paint), paint


def _round(dice: Dice, unit: float, shade: Shade, low: float, high: float, rough: float) -> tuple[Stamp, Shade]:
    radius = unit * dice.uniform(low, high)
    stamp, (ink, cover) = _blank(2 * radius, 2 * radius, shade)
    line = _blob(dice, radius * SCALE, rough)
    cover.polygon(line, fill=255)
    ink.line([*line, line[0]], fill=mixed(shade, (0, 0, 0), 0.3), width=2)
    return stamp, shade


def _tree(dice: Dice, unit: float) -> tuple[Stamp, Shade]:
    leaves = shade_of(dice.uniform(90, 130), dice.uniform(0.5, 0.75), dice.uniform(0.25, 0.4))
    return _round(dice, unit, leaves, 0.035, 0.075, 0.2)


def _pond(dice: Dice, unit: float) -> tuple[Stamp, Shade]:
    water = shade_of(dice.uniform(195, 215), dice.uniform(0.4, 0.6), dice.uniform(0.45, 0.65))
    return _round(dice, unit, water, 0.09, 0.16, 0.3)


def _plane(dice: Dice, unit: float) -> tuple[Stamp, Shade]:
    body = shade_of(0, 0.0, dice.uniform(0.86, 0.97))
    side = unit * dice.uniform(0.2, 0.3)
    stamp, (ink, cover) = _blank(side, side, body)
    s = stamp[0].width
    outline = [(0.5, 0), (0.56, 0.12), (0.57, 0.36), (1, 0.56), (1, 0.64), (0.57, 0.54), (0.55, 0.82), (0.7, 0.94)]
    outline += [(0.7, 1), (0.5, 0.95)]
    points = [(x * s, y * s) for x, y in [*outline, *[(1 - x, y) for x, y in reversed(outline)]]]
    cover.polygon(points, fill=255)
    ink.line([*points, points[0]], fill=(120, 124, 130), width=2)
    return _rotated(stamp, dice.uniform(0, 360), body), body


def _road(dice: Dice, unit: float) -> tuple[Stamp, Shade]:
    tar = shade_of(30, 0.03, dice.uniform(0.38, 0.5))
    stamp, (ink, cover) = _blank(unit * dice.uniform(0.7, 0.95), unit * 0.085, tar)
    w, h = stamp[0].size
    cover.rectangle((0, 0, w, h), fill=255)
    for x in range(4, w, 16):
        ink.rectangle((x, h // 2 - 1, x + 7, h // 2), fill=(230, 230, 220))
    return _rotated(stamp, dice.choose((0.0, 90.0, 12.0, 78.0, 165.0)), tar), tar


def _ship(dice: Dice, unit: float) -> tuple[Stamp, Shade]:
    hull = shade_of(dice.choose((0.0, 210.0, 30.0)), dice.uniform(0.1, 0.5), dice.uniform(0.6, 0.9))
    stamp, (ink, cover) = _blank(unit * dice.uniform(0.18, 0.32), unit * dice.uniform(0.06, 0.08), hull)
    w, h = stamp[0].size
    cover.polygon([(0, h * 0.15), (w * 0.78, 0), (w, h / 2), (w * 0.78, h), (0, h * 0.85)], fill=255)
    ink.rectangle((w * 0.1, h * 0.25, w * 0.32, h * 0.75), fill=(248, 248, 248))
    ink.line((w * 0.4, h / 2, w * 0.85, h / 2), fill=mixed(hull, (0, 0, 0), 0.5), width=2)
    return _rotated(stamp, dice.uniform(0, 360), hull), hull


def _grey(dice: Dice, low: float, high: float) -> Shade:
    return shade_of(0, 0.0, dice.uniform(low, high))


def _cell(dice: Dice, unit: float) -> tuple[Stamp, Shade]:
    body = _grey(dice, 0.56, 0.7)
    stamp, shade = _round(dice, unit, body, 0.06, 0.1, 0.1)
    w, h = stamp[0].size
    core = w * dice.uniform(0.15, 0.22)
    spot = (w / 2 - core, h / 2 - core, w / 2 + core, h / 2 + core)
    ImageDraw.Draw(stamp[0]).ellipse(spot, fill=mixed(body, (0, 0, 0), 0.5))
    return stamp, shade


def _lesion(dice: Dice, unit: float) -> tuple[Stamp, Shade]:
    return _round(dice, unit, _grey(dice, 0.82, 0.95), 0.06, 0.13, 0.34)


def _vessel(dice: Dice, unit: float) -> tuple[Stamp, Shade]:
    shade = _grey(dice, 0.66, 0.78)
    side = unit * dice.uniform(0.4, 0.6)
    stamp, (_, cover) = _blank(side, side, shade)
    s, bend = stamp[0].width, dice.uniform(-0.25, 0.25)
    path = [(s * t / 20, s * (0.5 + bend * math.sin(math.pi * t / 10))) for t in range(1, 20)]
    cover.line([(round(x, 2), round(y, 2)) for x, y in path], fill=255, width=max(4, round(unit * 0.05)), joint="curve")
    return _rotated(stamp, dice.uniform(0, 360), shade), shade


def _calcification(dice: Dice, unit: float) -> tuple[Stamp, Shade]:
    return _round(dice, unit, _grey(dice, 0.96, 1.0), 0.022, 0.036, 0.2)


def _scratch(dice: Dice, unit: float) -> tuple[Stamp, Shade]:
    shade = _grey(dice, 0.9, 0.98)
    stamp, (_, cover) = _blank(unit * dice.uniform(0.25, 0.5), unit * 0.06, shade)
    w, h = stamp[0].size
    path = [(w * t / 6, h * dice.uniform(0.25, 0.75)) for t in range(7)]
    cover.line(path, fill=255, width=max(3, round(unit * 0.018)))
    return _rotated(stamp, dice.uniform(0, 180), shade), shade


def _dent(dice: Dice, unit: float) -> tuple[Stamp, Shade]:
    shade = _grey(dice, 0.4, 0.5)
    stamp, (ink, cover) = _blank(unit * dice.uniform(0.12, 0.2), unit * dice.uniform(0.09, 0.14), shade)
    w, h = stamp[0].size
    cover.ellipse((0, 0, w - 1, h - 1), fill=255)
    for step in range(6):
        inset = step / 14
        lit = mixed(shade, (255, 255, 255), 0.12 * step)
        ink.ellipse((w * inset * 1.6, h * inset * 1.8, w * (1 - inset * 0.4), h * (1 - inset * 0.3)), fill=lit)
    return _rotated(stamp, dice.uniform(0, 40), shade), shade


def _hole(dice: Dice, unit: float) -> tuple[Stamp, Shade]:
    radius = unit * dice.uniform(0.05, 0.09)
    stamp, (ink, cover) = _blank(2 * radius, 2 * radius, (26, 26, 30))
    s = stamp[0].width
    cover.ellipse((0, 0, s - 1, s - 1), fill=255)
    ink.arc((0, 0, s - 1, s - 1), 20, 200, fill=(225, 225, 230), width=2)
    return stamp, (26, 26, 30)


def _screw(dice: Dice, unit: float) -> tuple[Stamp, Shade]:
    head = _grey(dice, 0.8, 0.9)
    stamp, (ink, cover) = _blank(unit * 0.11, unit * 0.11, head)
    s, turn = stamp[0].width, dice.uniform(0, math.pi)
    cover.ellipse((0, 0, s - 1, s - 1), fill=255)
    ink.ellipse((0, 0, s - 1, s - 1), outline=(90, 90, 96), width=2)
    for angle in (turn, turn + math.pi / 2):
        x, y = s * 0.32 * math.cos(angle), s * 0.32 * math.sin(angle)
        ink.line((s / 2 - x, s / 2 - y, s / 2 + x, s / 2 + y), fill=(50, 50, 56), width=4)
    return stamp, head


def _missing_screw(dice: Dice, unit: float) -> tuple[Stamp, Shade]:
    ring = _grey(dice, 0.5, 0.6)
    stamp, (ink, cover) = _blank(unit * 0.11, unit * 0.11, ring)
    s = stamp[0].width
    cover.ellipse((0, 0, s - 1, s - 1), fill=255)
    ink.ellipse((0, 0, s - 1, s - 1), outline=(90, 90, 96), width=2)
    ink.ellipse((s * 0.3, s * 0.3, s * 0.7, s * 0.7), fill=(24, 24, 28))
    return stamp, ring


_MAKERS: Mapping[str, Callable[[Dice, float], tuple[Stamp, Shade]]] = MappingProxyType(
    {
        "house": _house,
        "car": _car,
        "tree": _tree,
        "plane": _plane,
        "pond": _pond,
        "road": _road,
        "ship": _ship,
        "cell": _cell,
        "lesion": _lesion,
        "vessel": _vessel,
        "calcification": _calcification,
        "scratch": _scratch,
        "dent": _dent,
        "hole": _hole,
        "screw": _screw,
        "missing screw": _missing_screw,
    }
)


def stamp_item(dice: Dice, kind: str, unit: float) -> StampItem:
    """Draw a thing of another domain.

    Args:
        dice: Random stream of the picture.
        kind: One of the kinds of `DOMAINS`.
        unit: Shorter side of the canvas, in pixels.

    Raises:
        ValueError: If no domain has such a kind.
    """
    if kind not in _MAKERS:
        raise ValueError(f"expected one of the kinds {', '.join(_MAKERS)}, got {kind!r}")
    (colours, cover), shade = _MAKERS[kind](dice, unit)
    return StampItem(corner=(0, 0), kind=kind, colours=colours, cover=cover, rgb=shade)
