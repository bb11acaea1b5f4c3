"""What pictures of version 2 are for: themes, each with its own mixture of objects, figures and signs."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from types import MappingProxyType

from visionllm.data.world.backgrounds import draw_background
from visionllm.data.world.figures import sample_figure
from visionllm.data.world.palette import mixed, shade_of
from visionllm.data.world.photos import TEST_PHOTOS, TRAIN_PHOTOS
from visionllm.data.world.sampling import BROAD_KINDS, CROWD, MAX_OBJECTS, ObjectPlan, sample_objects, sample_radius
from visionllm.data.world.scene import BACKGROUNDS, COLOURS, KINDS, PENS, Scene
from visionllm.data.world.signs import sample_sign
from visionllm.data.world.splits import UNSEEN_PAIRS, Dice, picture_dice
from visionllm.data.world.staging.camouflage import HiddenItem, hidden_shade, mottled
from visionllm.data.world.staging.domains import fill_domain
from visionllm.data.world.staging.items import FigureItem, Item, SignItem, object_item
from visionllm.data.world.staging.painting import Placer, Stage
from visionllm.data.world.staging.stamps import DOMAINS

_BACKGROUND_WEIGHTS = (0.36, 0.2, 0.18, 0.18)
# Extent of a figure relative to the shorter side, by how many there are.
_HEIGHTS = {1: (0.46, 0.9), 2: (0.4, 0.7), 3: (0.34, 0.56), 4: (0.3, 0.48)}

PATTERNED: frozenset[str] = BROAD_KINDS - {"flower"}
"""Kinds that wear stripes, dots or outlines where pictures are judged: the patterns of others can't be told."""


@dataclass(frozen=True, kw_only=True)
class _Mixture:
    """How many things of each sort, as weights of 0, 1, 2 …."""

    objects: tuple[float, ...]
    figures: tuple[float, ...] = (1.0,)
    signs: tuple[float, ...] = (1.0,)


_MIXTURES: Mapping[str, _Mixture] = MappingProxyType(
    {
        "mixed": _Mixture(
            objects=(0.06, 0.16, 0.18, 0.17, 0.14, 0.1, 0.08, 0.05, 0.03, 0.02, 0.01),
            figures=(0.3, 0.34, 0.2, 0.1, 0.06),
            signs=(0.7, 0.22, 0.08),
        ),
        "figures": _Mixture(
            objects=(0.3, 0.26, 0.2, 0.14, 0.1), figures=(0.06, 0.4, 0.28, 0.16, 0.1), signs=(0.9, 0.1)
        ),
        "signs": _Mixture(
            objects=(0.3, 0.3, 0.2, 0.12, 0.08), figures=(0.8, 0.2), signs=(0.06, 0.36, 0.32, 0.18, 0.08)
        ),
    }
)


@dataclass(frozen=True, kw_only=True)
class Order:
    """What is asked of a theme: random stream, seed, split, size, and whether photos may be used."""

    dice: Dice
    seed: int
    split: str
    theme: str
    size_hw: tuple[int, int]
    photos: bool

    def scene(self, background: str, pen: str) -> Scene:
        """Return a scene without things."""
        return Scene(
            seed=self.seed,
            split=self.split,
            size_hw=self.size_hw,
            background=background,
            pen=pen,
            objects=(),
            version=2,
            theme=self.theme,
        )


def _mixed(order: Order) -> Stage:
    """Draw objects, figures and signs that may cover each other."""
    dice, mixture = order.dice, _MIXTURES[order.theme]
    background = dice.choose(BACKGROUNDS[:4], _BACKGROUND_WEIGHTS)
    photo = dice.chance(0.08) and order.split == "train" and order.photos
    if photo or order.split == "photo-background":
        background = "photo"
    by_hand = dice.chance({"train": 0.3, "hand-drawn": 1.0}.get(order.split, 0.15))
    pen = PENS[by_hand]
    names = TEST_PHOTOS if order.split == "photo-background" else TRAIN_PHOTOS
    ground = draw_background(dice, background, order.size_hw, photos=names, dark=False)
    count = dice.choose(range(len(mixture.objects)), mixture.objects)
    if order.split == "crowded":
        count = dice.integer(CROWD, MAX_OBJECTS)
    figures = dice.choose(range(len(mixture.figures)), mixture.figures)
    signs = dice.choose(range(len(mixture.signs)), mixture.signs)
    plans = sample_objects(dice, count, unseen=order.split == "unseen-pairs")
    kinds = [sample_figure(dice) for _ in range(figures)]
    if figures > 1 and dice.chance(0.4):
        kinds = [replace(sample_figure(dice, kinds[0].kind)) for _ in range(figures)]
    shorter = min(order.size_hw)
    wanted: list[tuple[Callable[[], Item], float]] = [(_object(dice, plan, order.size_hw, pen), 0.0) for plan in plans]
    for plan in kinds:
        height = dice.uniform(*_HEIGHTS[figures]) * shorter
        item = FigureItem(corner=(0, 0), plan=plan, height=height, pen=pen)
        wanted.append((lambda item=item: item, 0.3 if dice.chance(0.22) else 0.0))
    # Large things first: what comes later lies on top.
    wanted = dice.sample(wanted, len(wanted))
    if figures and dice.chance(0.5):
        wanted.sort(key=lambda pair: pair[1] == 0.0)
    wanted += [(_sign(dice, shorter), 0.0) for _ in range(signs)]
    placer = Placer(dice, ground, spacing=2, overlap=not dice.chance(0.35))
    for make, cut in wanted:
        placer.put(make(), cut=cut)
    return Stage(ground=ground, items=tuple(placer.items), scene=order.scene(background, pen))


def _object(dice: Dice, plan: ObjectPlan, size_hw: tuple[int, int], pen: str) -> Callable[[], Item]:
    return lambda: object_item(dice, plan, sample_radius(dice, plan.size, size_hw), pen)


def _sign(dice: Dice, shorter: int) -> Callable[[], Item]:
    return lambda: SignItem(corner=(0, 0), plan=sample_sign(dice, shorter))


def _studio(order: Order) -> Stage:
    """Draw a few clean things that keep their distance, on a plain or gradient ground: what can be judged.

    Patterns are worn by broad kinds only, on which they can be told.
    """
    dice = order.dice
    background = "plain" if dice.chance(0.6) else "gradient"
    ground = draw_background(dice, background, order.size_hw, photos=(), dark=False)
    count = dice.choose((1, 2, 3, 4, 5), (0.24, 0.3, 0.24, 0.14, 0.08))
    figures = dice.choose((0, 1, 2), (0.55, 0.33, 0.12)) if count <= 3 else 0
    placer = Placer(dice, ground, spacing=3, overlap=False)
    shorter = min(order.size_hw)
    for _ in range(min(figures, count)):
        height = dice.uniform(0.5, 0.62) * shorter if count < 3 else dice.uniform(0.42, 0.5) * shorter
        placer.put(FigureItem(corner=(0, 0), plan=sample_figure(dice), height=height, pen="clean"))
    same = dice.chance(0.35)
    plans = sample_objects(dice, max(count - figures, 0), unseen=order.split == "unseen-pairs")
    for plan in plans:
        look = plans[0] if same else plan
        fill = look.fill if look.kind in PATTERNED else "solid"
        size = "large" if count <= 2 and dice.chance(0.35) else "medium"
        plan = replace(look, size=size, fill=fill)
        placer.put(object_item(dice, plan, sample_radius(dice, size, order.size_hw), "clean", upright=0.8, hollow=True))
    return Stage(ground=ground, items=tuple(placer.items), scene=order.scene(background, "clean"))


def _camouflage(order: Order) -> Stage:
    """Draw a mottled ground with one thing that wears it, or none."""
    dice = order.dice
    hue, strength = dice.uniform(0, 360), dice.uniform(0.15, 0.6)
    first = shade_of(hue, strength, dice.uniform(0.4, 0.6))
    second = shade_of(hue + dice.uniform(-30, 30), strength, dice.uniform(0.7, 0.9))
    ground = mottled(dice, order.size_hw, first, second)
    placer = Placer(dice, ground, spacing=2)
    if not dice.chance(0.1):
        colour = dice.choose(COLOURS)
        kind = dice.choose([name for name in KINDS if (name, colour) not in UNSEEN_PAIRS])
        size = dice.choose(("medium", "large"))
        plan = ObjectPlan(kind=kind, colour=colour, size=size, fill="solid")
        item = object_item(dice, plan, sample_radius(dice, size, order.size_hw), "clean")
        tint = hidden_shade(mixed(first, second, 0.5), lighter=dice.chance(0.5))
        shift = dice.integer(5, 40), dice.integer(5, 40)
        own = {field.name: getattr(item, field.name) for field in fields(item)}
        hidden = HiddenItem(**{**own, "rgb": tint}, veil=dice.uniform(0.3, 0.5), shift=shift)
        placer.put(hidden, painted=True)
    return Stage(ground=ground, items=tuple(placer.items), scene=order.scene("mottled", "clean"))


def _domain(order: Order) -> Stage:
    """Draw a picture of another domain."""
    ground, placer = fill_domain(order.dice, order.theme, order.size_hw, crowded=order.split == "crowded")
    return Stage(ground=ground, items=tuple(placer.items), scene=order.scene(order.theme, "clean"))


_MAKERS: Mapping[str, Callable[[Order], Stage]] = MappingProxyType(
    {
        **dict.fromkeys(_MIXTURES, _mixed),
        "studio": _studio,
        "camouflage": _camouflage,
        **dict.fromkeys(DOMAINS, _domain),
    }
)
THEMES: tuple[str, ...] = tuple(_MAKERS)


def draw_stage(
    seed: int, *, split: str, theme: str, size_hw: tuple[int, int], photos: bool = True, dice: Dice | None = None
) -> Stage:
    """Set up the stage of a picture of version 2.

    Args:
        seed: Index of the picture inside its split, in [0, 10**9).
        split: One of `SPLITS`.
        theme: One of `THEMES`. Pictures of different themes share no random stream.
        size_hw: (height, width) in pixels.
        photos: Whether training pictures may have photos behind them, which needs scikit-image.
        dice: Random stream; by default the one that the other arguments name.

    Raises:
        ValueError: If the split or the theme is unknown, or the seed is out of range.
    """
    dice = dice or stage_dice(seed, split, theme)
    return _MAKERS[theme](Order(dice=dice, seed=seed, split=split, theme=theme, size_hw=size_hw, photos=photos))


def stage_dice(seed: int, split: str, theme: str) -> Dice:
    """Open the random stream of one picture of version 2.

    Raises:
        ValueError: If the split or the theme is unknown, or the seed is out of range.
    """
    if theme not in THEMES:
        raise ValueError(f"expected one of the themes {', '.join(THEMES)}, got {theme!r}")
    return picture_dice(seed, split, 2, *theme.encode())
