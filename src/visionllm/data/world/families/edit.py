"""Instructions that change a picture: the answer routes to the editing decoder; the truth is a changed picture."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np
from PIL import Image

from visionllm.data.world.families.base import Desk, Family
from visionllm.data.world.families.choosing import none_of, pick_unique
from visionllm.data.world.grammar import Filling, Grammar, told_to
from visionllm.data.world.judging.shapes import grown
from visionllm.data.world.palette import Shade, shade_of
from visionllm.data.world.phrases import Phrase, phrase_for
from visionllm.data.world.positions import DIRECTIONS, SIDES, in_order
from visionllm.data.world.sampling import ObjectPlan
from visionllm.data.world.scene import COLOURS, FILLS, KINDS, WorldObject, WorldThing
from visionllm.data.world.splits import Dice
from visionllm.data.world.staging.items import Item, ObjectItem, object_item
from visionllm.data.world.staging.painting import Stage, StagedPicture, free_place, shades_behind, show
from visionllm.data.world.staging.themes import PATTERNED
from visionllm.data.world.words import fill_adjective
from visionllm.types import PictureTruth, Routed, Sample

EDIT = "[EDIT]"
_NOTHING_SHARE = 0.1
# How far a thing is moved at least, as a share of the shorter side.
_FAR = 0.22
_PATTERNS = (("kind",), ("colour", "kind"), ("colour",), ("fill", "kind"))
TONES: dict[str, tuple[float, float, float]] = {
    "white": (0.0, 0.0, 0.99),
    "grey": (0.0, 0.0, 0.76),
    "light blue": (212.0, 0.2, 1.0),
    "light green": (118.0, 0.2, 0.96),
    "light yellow": (54.0, 0.24, 1.0),
    "light pink": (338.0, 0.17, 1.0),
    "light purple": (272.0, 0.17, 1.0),
}
"""Grounds that can be asked for: hue in degrees, saturation and value in [0, 1]."""
_CORNERS: dict[str, Callable[[float, float], bool]] = {
    "the top left corner": lambda x, y: x < 0.38 and y < 0.38,
    "the top right corner": lambda x, y: x > 0.62 and y < 0.38,
    "the bottom left corner": lambda x, y: x < 0.38 and y > 0.62,
    "the bottom right corner": lambda x, y: x > 0.62 and y > 0.62,
    "the left": lambda x, y: x < 0.3,
    "the right": lambda x, y: x > 0.7,
    "the top": lambda x, y: y < 0.3,
    "the bottom": lambda x, y: y > 0.7,
}

RECOLOUR = Grammar(
    ("make {the} {value}.", "paint {the} {value}.", "colour {the} {value}.", "turn {the} {value}."),
    (
        told_to("(make|paint|colour|turn) {the} {value}( <where>|)"),
        told_to("(change|set|switch) the <colour> of {the} to {value}"),
        "{the} (should|shall|must) be {value}.",
        "(I want|I would like) {the} to be {value}( <where>|).",
    ),
)
REMOVE = Grammar(
    ("remove {the}.", "delete {the}.", "erase {the}.", "take {the} away."),
    (
        told_to("(remove|delete|erase|wipe out|take out|get rid of) {the}( <where>|)"),
        told_to("(make|let) {the} (disappear|vanish)( <where>|)"),
        "(I want|I would like) {the} to be (removed|gone|erased)( <where>|).",
        "(the picture|it) (should|shall) be without {the}.",
    ),
)
ADD = Grammar(
    ("add {a}.", "draw {a} into the picture.", "put {a} there.", "add {a} to the picture."),
    (
        told_to("(add|put|place|insert|draw) {a}( <where>|)"),
        told_to("(add|draw) {a} (to|into) (this|the) <picture>"),
        "(I want|I would like) (to see |){a} (there|in it)( as well|).",
        "(there should|there must) be {a}( as well|)( <where>|).",
    ),
)
REPLACE = Grammar(
    ("replace {the} with {a}.", "turn {the} into {a}.", "change {the} to {a}.", "swap {the} for {a}."),
    (
        told_to("(replace|exchange) {the} (with|by) {a}( <where>|)"),
        told_to("(turn|change|transform) {the} into {a}( <where>|)"),
        told_to("(put|draw|place) {a} in the place of {the}"),
        "(I want|I would like) {a} instead of {the}( <where>|).",
    ),
)
FILL = Grammar(
    ("make {the} {value}.", "draw {the} {value}.", "{the} should be {value}."),
    (
        told_to("(make|draw) {the} {value}( <where>|)"),
        told_to("(change|set|switch) the (pattern|fill|filling) of {the} to {value}( <where>|)"),
        told_to("draw {the} {value} instead( <where>|)"),
        "{the} (should|shall|must) be {value}( <where>|).",
        "(I want|I would like) {the} to be {value}( <where>|).",
        "(I want|I would like|I need) the (pattern|fill|filling) of {the} to be {value}.",
    ),
)
MOVE = Grammar(
    ("move {the} to {place}.", "put {the} {at}.", "shift {the} to {place}."),
    (
        told_to("(move|shift|push|bring|drag) {the} to {place}( of the <picture>|)"),
        told_to("(put|place) {the} {at}( of the <picture>|)"),
        "{the} (should|shall|must) (be|stand) {at}( of the <picture>|).",
        "(I want|I would like) {the} {at}( of the <picture>|).",
    ),
)
BACKGROUND = Grammar(
    ("make the background {value}.", "change the background to {value}.", "paint the background {value}."),
    (
        told_to("(make|paint|colour|turn) the (background|ground|backdrop) {value}( <where>|)"),
        told_to("(change|set|switch) the (background|ground|backdrop|<colour> of the background) to {value}"),
        "the (background|backdrop) (should|shall|must) be {value}.",
        "(I want|I would like) (a {value} background|the background to be {value}).",
    ),
)

EDITS: Mapping[str, Grammar] = MappingProxyType(
    {
        "recolour": RECOLOUR,
        "remove": REMOVE,
        "add": ADD,
        "replace": REPLACE,
        "move": MOVE,
        "fill": FILL,
        "background": BACKGROUND,
    }
)
"""Every sort of edit with its phrasings."""


@dataclass(frozen=True, kw_only=True, eq=False)
class _Edit:
    """What is to be said, and the items afterwards; `ground` replaces the ground where it is given."""

    grammar: Grammar
    fillings: dict[str, Filling]
    items: tuple[Item, ...]
    ground: Image.Image | None = None


def _apart(item: Item, others: Sequence[Item], stage: Stage) -> bool:
    """Tell whether an item lies whole on the canvas and keeps off the others."""
    mine = item.silhouette(stage.size_hw)
    if np.count_nonzero(mine) < np.count_nonzero(item.patch):
        return False
    wide = grown(mine, 3)
    return not any((wide & other.silhouette(stage.size_hw)).any() for other in others)


@dataclass(frozen=True, kw_only=True, eq=False)
class EditedTruth(PictureTruth):
    """An edited picture that still knows what is in it, so that a judge needs not look.

    Attributes:
        things: What can be seen in it.
        told: What was to be done, such as "recolour", as `"edit"`, and the words for what, by their place in the
            instruction: `"the"` is what changes, `"value"`, `"a"` and `"place"` say into what and where.
    """

    things: tuple[WorldThing, ...]
    told: Mapping[str, str]


def edited(desk: Desk, stage: Stage, edit: _Edit) -> Sample:
    """Write the sample of an edit: the truth is the stage with other items, and where it may differ."""
    after = show(replace(stage, items=edit.items, ground=edit.ground or stage.ground))
    before, pixels = desk.picture.pixels, after.pixels
    changed = grown((before != pixels).any(axis=2), 2)
    gone = [item for item in stage.items if item not in edit.items]
    for item in (*gone, *(item for item in edit.items if item not in stage.items)):
        changed |= item.silhouette(stage.size_hw)
    question = desk.words(edit.grammar, **edit.fillings)
    caption = "".join(part for part in question if isinstance(part, str))
    return desk.sample(
        question,
        ("Here it is ", Routed("", EDIT), "."),
        truth={
            "editing": EditedTruth(
                pixels=pixels, caption=caption, changed=changed, things=after.scene.things, told=_told(edit)
            )
        },
    )


def _told(edit: _Edit) -> dict[str, str]:
    """Return what an edit does in words that no phrasing changes."""
    words = {name: value for name, value in edit.fillings.items() if isinstance(value, str) and name != "at"}
    return {"edit": next(name for name, grammar in EDITS.items() if grammar is edit.grammar), **words}


def _swapped(stage: Stage, thing: WorldObject, item: Item | None) -> tuple[Item, ...]:
    """Return the items of a stage with another one, or none, in the place of a thing's."""
    items = [*stage.items[: thing.depth], *([] if item is None else [item]), *stage.items[thing.depth + 1 :]]
    return tuple(items)


def _item_of(stage: Stage, thing: WorldObject) -> ObjectItem:
    item = stage.items[thing.depth]
    if not isinstance(item, ObjectItem):
        raise TypeError(f"expected an ObjectItem at depth {thing.depth}, got {type(item).__name__}")
    return item


def _other_colour(desk: Desk, thing: WorldObject) -> str:
    return desk.dice.choose([c for c in COLOURS if c != thing.colour and desk.speakable(thing.kind, c)])


def _painted(desk: Desk, stage: Stage, thing: WorldObject, colour: str) -> tuple[Item, ...]:
    item = _item_of(stage, thing)
    return _swapped(stage, thing, item.painted(desk.dice, colour, shades_behind(stage.ground, item, ())))


def _recolour(desk: Desk, stage: Stage, phrase: Phrase, thing: WorldObject) -> _Edit | None:
    colour = _other_colour(desk, thing)
    fillings: dict[str, Filling] = {"the": phrase.the, "value": colour}
    return _Edit(grammar=RECOLOUR, fillings=fillings, items=_painted(desk, stage, thing, colour))


def _remove(desk: Desk, stage: Stage, phrase: Phrase, thing: WorldObject) -> _Edit | None:
    return _Edit(grammar=REMOVE, fillings={"the": phrase.the}, items=_swapped(stage, thing, None))


def _fill(desk: Desk, stage: Stage, phrase: Phrase, thing: WorldObject) -> _Edit | None:
    if thing.kind not in PATTERNED or phrase.fill is not None:
        return None
    fill = desk.dice.choose([name for name in FILLS if name != thing.fill])
    item = _item_of(stage, thing)
    other = replace(item, plan=replace(item.plan, fill=fill))
    fillings: dict[str, Filling] = {"the": phrase.the, "value": fill_adjective(fill)}
    return _Edit(grammar=FILL, fillings=fillings, items=_swapped(stage, thing, other))


def _replace(desk: Desk, stage: Stage, phrase: Phrase, thing: WorldObject) -> _Edit | None:
    kind = desk.dice.choose([k for k in KINDS if k != thing.kind])
    colour = desk.dice.choose([c for c in COLOURS if desk.speakable(kind, c)])
    item = _item_of(stage, thing)
    plan = ObjectPlan(kind=kind, colour=colour, size=item.plan.size, fill="solid")
    other = object_item(desk.dice, plan, item.pose.radius, item.pen, upright=0.8, hollow=True)
    x, y = item.centre
    own_x, own_y = other.centre
    other = other.at((round(x - own_x), round(y - own_y)))
    other = other.painted(desk.dice, colour, shades_behind(stage.ground, other, ()))
    rest = [one for one in stage.items if one is not item]
    if not _apart(other, rest, stage):
        return None
    fillings: dict[str, Filling] = {"the": phrase.the, "a": Phrase(kind=kind, colour=colour).a}
    return _Edit(grammar=REPLACE, fillings=fillings, items=_swapped(stage, thing, other))


def _move(desk: Desk, stage: Stage, phrase: Phrase, thing: WorldObject) -> _Edit | None:
    item = _item_of(stage, thing)
    height, width = stage.size_hw
    x, y = item.centre[0] / width, item.centre[1] / height
    places = [name for name, inside in _CORNERS.items() if not inside(x, y)]
    rest = [one for one in stage.items if one is not item]
    for place in desk.dice.sample(places, len(places)):
        moved = free_place(desk.dice, stage, item, rest, _CORNERS[place])
        if moved is not None and math.dist(moved.centre, item.centre) > _FAR * min(stage.size_hw):
            fillings: dict[str, Filling] = {"the": phrase.the, "place": place, "at": _at(place)}
            return _Edit(grammar=MOVE, fillings=fillings, items=_swapped(stage, thing, moved))
    return None


def _about_one(
    grammar: Grammar, make: Callable[[Desk, Stage, Phrase, WorldObject], _Edit | None]
) -> Callable[[Desk, Stage], Sample | None]:
    """Build a family that changes one thing which the words single out, or refuses one that is not there."""

    def build(desk: Desk, stage: Stage) -> Sample | None:
        if desk.dice.chance(_NOTHING_SHARE):
            phrase = desk.absent(desk.dice.choose(_PATTERNS[:2]))
            if phrase is None:
                return None
            value = fill_adjective(desk.dice.choose(FILLS)) if grammar is FILL else desk.dice.choose(COLOURS)
            a = Phrase(kind=desk.dice.choose(KINDS)).a
            place = desk.dice.choose(tuple(_CORNERS))
            question = desk.words(grammar, the=phrase.the, value=value, a=a, place=place, at=_at(place))
            return desk.sample(question, none_of(phrase))
        picked = pick_unique(desk, _PATTERNS)
        edit = None if picked is None else make(desk, stage, *picked)
        return None if edit is None else edited(desk, stage, edit)

    return build


def _add(desk: Desk, stage: Stage) -> Sample | None:
    kind = desk.dice.choose(KINDS)
    colour = desk.dice.choose([c for c in COLOURS if desk.speakable(kind, c)])
    plan = ObjectPlan(kind=kind, colour=colour, size="medium", fill="solid")
    item = object_item(
        desk.dice, plan, desk.dice.uniform(0.13, 0.15) * min(stage.size_hw), "clean", upright=0.8, hollow=True
    )
    words, accept = Phrase(kind=kind, colour=colour).a, _anywhere
    picked = pick_unique(desk, _PATTERNS) if desk.dice.chance(0.5) else None
    if picked is not None:
        phrase, thing = picked
        direction = desk.dice.choose(tuple(DIRECTIONS))
        words, accept = f"{words} {direction} {phrase.the}", _beside(direction, thing, stage.size_hw)
    elif desk.dice.chance(0.5):
        place = desk.dice.choose(tuple(_CORNERS))
        words, accept = f"{words} {_at(place)}", _CORNERS[place]
    placed = free_place(desk.dice, stage, item, stage.items, accept)
    if placed is None:
        return None
    placed = placed.painted(desk.dice, colour, shades_behind(stage.ground, placed, ()))
    return edited(desk, stage, _Edit(grammar=ADD, fillings={"a": words}, items=(*stage.items, placed)))


def _at(place: str) -> str:
    return f"{'in' if 'corner' in place else 'at'} {place}"


def _anywhere(x: float, y: float) -> bool:
    return True


def _beside(direction: str, thing: WorldObject, size_hw: tuple[int, int]) -> Callable[[float, float], bool]:
    """Accept middles that lie clearly in a direction from a thing."""
    height, width = size_hw
    at_x, at_y = thing.centre
    ahead_x, ahead_y = DIRECTIONS[direction]

    def accept(x: float, y: float) -> bool:
        ahead = (x * width - at_x) * ahead_x + (y * height - at_y) * ahead_y
        aside = abs((x * width - at_x) * ahead_y) + abs((y * height - at_y) * ahead_x)
        return ahead >= 1.2 * aside

    return accept


def tone_shade(dice: Dice, tone: str) -> Shade:
    """Draw a shade of one of `TONES`."""
    hue, saturation, value = TONES[tone]
    return shade_of(hue + dice.uniform(-5, 5), saturation, value - dice.uniform(0, 0.02))


def _background(desk: Desk, stage: Stage) -> Sample | None:
    ground = np.asarray(stage.ground).reshape(-1, 3).mean(axis=0)
    tones = {tone: tone_shade(desk.dice, tone) for tone in TONES}
    far = [tone for tone, shade in tones.items() if np.abs(np.array(shade) - ground).max() > 52]
    if not far:
        return None
    tone = desk.dice.choose(far)
    paper = Image.new("RGB", stage.ground.size, tones[tone])
    edit = _Edit(grammar=BACKGROUND, fillings={"value": tone}, items=stage.items, ground=paper)
    return edited(desk, stage, edit)


def _only_one(desk: Desk, stage: Stage) -> Sample | None:
    """Change the leftmost, rightmost, topmost or lowest of several like things, and leave the others alone."""
    phrases = list(dict.fromkeys(phrase_for(thing, pattern) for thing in desk.objects for pattern in _PATTERNS[:2]))
    groups = [(phrase, phrase.among(desk.objects)) for phrase in phrases]
    groups = [(phrase, group) for phrase, group in groups if len(group) > 1]
    if not groups:
        return None
    phrase, group = desk.dice.choose(groups)
    side = desk.dice.choose(tuple(SIDES))
    ordered = in_order(group, side)
    if ordered is None:
        return None
    thing = ordered[0]
    words = {"left": "left", "right": "right", "top": "top", "bottom": "bottom"}[side]
    if len(group) > 2:
        words = {"left": "leftmost", "right": "rightmost", "top": "topmost", "bottom": "lowest"}[side]
    only = "only " if desk.dice.chance(0.5) else ""
    the = f"{only}the {words} {phrase.one}"
    if desk.dice.chance(0.4):
        return edited(desk, stage, _Edit(grammar=REMOVE, fillings={"the": the}, items=_swapped(stage, thing, None)))
    colour = _other_colour(desk, thing)
    fillings: dict[str, Filling] = {"the": the, "value": colour}
    return edited(desk, stage, _Edit(grammar=RECOLOUR, fillings=fillings, items=_painted(desk, stage, thing, colour)))


def _staged(build: Callable[[Desk, Stage], Sample | None]) -> Callable[[Desk], Sample | None]:
    def built(desk: Desk) -> Sample | None:
        picture = desk.picture
        if not isinstance(picture, StagedPicture) or picture.scene.theme != "studio":
            return None
        return build(desk, picture.stage)

    return built


FAMILIES: tuple[Family, ...] = tuple(
    Family(
        name=f"edit-{name}",
        group="edit",
        score="judge",
        example=example,
        build=_staged(build),
        grammars=grammars,
        version=2,
        theme="studio",
    )
    for name, example, build, grammars in (
        ("recolour", "Make the star blue. Here it is.", _about_one(RECOLOUR, _recolour), (RECOLOUR,)),
        ("remove", "Remove the red star. Here it is.", _about_one(REMOVE, _remove), (REMOVE,)),
        ("add", "Add a red star left of the house. Here it is.", _add, (ADD,)),
        ("replace", "Replace the fish with a red star. Here it is.", _about_one(REPLACE, _replace), (REPLACE,)),
        ("move", "Move the star to the top left corner. Here it is.", _about_one(MOVE, _move), (MOVE,)),
        ("fill", "Make the star striped. Here it is.", _about_one(FILL, _fill), (FILL,)),
        ("background", "Make the background light blue. Here it is.", _background, (BACKGROUND,)),
        ("only-one", "Make only the left star blue. Here it is.", _only_one, (RECOLOUR, REMOVE)),
    )
)
