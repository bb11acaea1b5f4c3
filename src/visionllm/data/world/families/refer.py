"""Words that single out one object: the answer routes to the grounding decoder."""

from collections.abc import Callable, Iterator
from dataclasses import replace

from visionllm.data.world.families.base import GRD, Desk, Family
from visionllm.data.world.families.choosing import pick_unique
from visionllm.data.world.grammar import Grammar, told_to
from visionllm.data.world.phrases import Pattern, Phrase, phrase_for, unique_phrases
from visionllm.data.world.positions import DIRECTIONS, SIDES, clearly_larger, in_order, lies
from visionllm.data.world.scene import KINDS, WorldObject
from visionllm.data.world.words import ORDINALS
from visionllm.types import Routed, Sample

NO_SUCH = "There is no such object."
Referred = tuple[str, WorldObject]

REFER = Grammar(
    ("find {the}.", "find {the}", "where is {the}?", "show me {the}.", "locate {the}.", "point to {the}."),
    (
        told_to("(find|locate|point to|point at|pick out|single out|show me) {the}( <where>|)"),
        "where (is|do you see|can you see|can I find) {the}( <where>|)?",
        "(which one|which thing|which object) is {the}( <where>|)?",
        "(I am looking for|I need|I mean|I want to see) {the}( <where>|).",
        "{the}( <where>|)(, please.|: where is it?|: show me.)",
        told_to("show me where {the} is( <where>|)"),
    ),
)
# What follows "the one": each says what a kind is for or what it is like, and fits no other kind.
CLUES: dict[str, tuple[str, ...]] = {
    "circle": ("shaped like a ball", "that is quite round, without a hole", "shaped like a coin"),
    "square": ("with four equal sides", "shaped like a chessboard", "shaped like one side of a die"),
    "triangle": ("with only three corners", "with three sides", "that has three corners and three sides"),
    "star": (
        "with five points",
        "that could sit on top of a Christmas tree",
        "that could be a sheriff's badge",
    ),
    "heart": ("that stands for love", "that you would draw on a love letter", "that beats in a chest"),
    "ring": ("you could wear on a finger", "that is round with a big hole", "shaped like a doughnut"),
    "cross": ("shaped like a plus sign", "that means plus", "with four equal arms"),
    "crescent": ("that looks like the moon", "shaped like a young moon", "shaped like a banana"),
    "hexagon": ("with six sides", "shaped like a cell of a honeycomb", "with six corners"),
    "arrow": ("that points in a direction", "that shows the way", "you would follow on a sign"),
    "drop": ("that falls from a rain cloud", "shaped like a tear", "that is made of water"),
    "tree": ("that grows in a forest", "a bird could build a nest in", "that has a trunk", "you could climb"),
    "house": ("you could live in", "with a roof and a door", "a family could live in", "with a chimney"),
    "fish": ("that can swim", "that lives in water", "you could catch with a net", "that is an animal"),
    "boat": ("you could sail in", "that floats on the sea", "you could cross a lake with", "with sails"),
    "cup": ("you could drink from", "you would pour tea into", "that holds coffee", "that stands on a saucer"),
    "key": ("that opens a lock", "you need to open a door", "that you turn in a lock", "that fits into a lock"),
    "flower": ("that bees like", "you could put into a vase", "with petals", "that smells sweet"),
    "umbrella": ("that keeps you dry in the rain", "you need when it rains", "you open in the rain"),
    "car": ("you could drive", "that drives on roads", "with wheels", "that needs petrol"),
}
_TARGETS: tuple[Pattern, ...] = ((), ("kind",), ("colour",), ("colour", "kind"), ("fill", "kind"))
_ANCHORS: tuple[Pattern, ...] = (("kind",), ("colour", "kind"), ("colour",), ("fill", "kind"))
_TARGET_WEIGHTS = (0.3, 0.35, 0.1, 0.15, 0.1)


def _answer(desk: Desk, words: str, thing: WorldObject | None) -> Sample:
    question = desk.words(REFER, the=words)
    if thing is None:
        return desk.sample(question, NO_SUCH)
    return desk.sample(question, ("Here it is ", Routed("", GRD), "."), [[thing]])


def _by_attribute(desk: Desk) -> Referred | None:
    patterns: tuple[Pattern, ...] = (
        ("colour", "kind"),
        ("fill", "kind"),
        ("size", "kind"),
        ("colour",),
        ("colour", "fill"),
        ("size", "colour"),
        ("size", "colour", "kind"),
        ("kind",),
        ("fill",),
    )
    picked = pick_unique(desk, patterns)
    return None if picked is None else (picked[0].the, picked[1])


def _side(desk: Desk, direction: str) -> str:
    if direction in ("left of", "right of") and desk.dice.chance(0.4):
        return f"to the {direction}"
    return direction


def _relations(desk: Desk, target: Phrase) -> list[tuple[str, Phrase, list[WorldObject]]]:
    """Return (direction, anchor, targets there) wherever every target is clearly there or clearly not."""
    found = []
    for anchor, thing in unique_phrases(desk.objects, _ANCHORS):
        others = [other for other in target.among(desk.objects) if other is not thing]
        for direction in DIRECTIONS:
            judged = [(other, lies(other, direction, thing)) for other in others]
            if all(true is not None for _, true in judged):
                found.append((direction, anchor, [other for other, true in judged if true]))
    return found


def _target(desk: Desk) -> Phrase:
    """Draw a phrase for several objects where there is one: a relation is idle where one word says enough."""
    return next(_targets(desk))


def _targets(desk: Desk) -> Iterator[Phrase]:
    """Yield phrases for what is in the picture in random order, those for several objects first."""
    pattern = desk.dice.choose(_TARGETS, _TARGET_WEIGHTS)
    rest = [other for other in _TARGETS if other != pattern]
    alone = []
    for chosen in (pattern, *desk.dice.sample(rest, len(rest))):
        phrases = list({phrase_for(thing, chosen): None for thing in desk.objects})
        for phrase in desk.dice.sample(phrases, len(phrases)):
            if len(phrase.among(desk.objects)) > 1:
                yield phrase
            else:
                alone.append(phrase)
    yield from alone


def _by_relation(desk: Desk) -> Referred | None:
    if len(desk.objects) < 2:
        return None
    for target in _targets(desk):
        fitting = [(where, anchor, there[0]) for where, anchor, there in _relations(desk, target) if len(there) == 1]
        if fitting:
            where, anchor, thing = desk.dice.choose(fitting)
            return f"{target.the} {_side(desk, where)} {anchor.the}", thing
    return None


def _by_order(desk: Desk) -> Referred | None:
    if len(desk.objects) < 2:
        return None
    for target in _targets(desk):
        group = target.among(desk.objects)
        if len(group) < 2:
            continue
        if desk.dice.chance(0.2) and (extreme := _by_size(desk, target, group)):
            return extreme
        side = desk.dice.choose(tuple(SIDES))
        ordered = in_order(group, side)
        if ordered is not None:
            index = desk.dice.integer(0, min(len(ordered), len(ORDINALS)) - 1)
            return _place(desk, target.one, side, index), ordered[index]
    return None


def _place(desk: Desk, one: str, side: str, index: int) -> str:
    if index == 0 and desk.dice.chance(0.5):
        most = {"left": "leftmost", "right": "rightmost", "top": "topmost", "bottom": "lowest"}[side]
        return f"the {most} {one}"
    return f"the {ORDINALS[index]} {one} from the {side}"


def _by_size(desk: Desk, target: Phrase, group: list[WorldObject]) -> Referred | None:
    word = desk.dice.choose(("largest", "smallest"))
    if target.size is not None:
        return None
    for thing in group:
        others = [other for other in group if other is not thing]
        if all(clearly_larger(thing, other) if word == "largest" else clearly_larger(other, thing) for other in others):
            return f"the {word} {target.one}", thing
    return None


def _by_clue(desk: Desk) -> Referred | None:
    for pattern in (("kind",), ("colour", "kind"), ("size", "kind"), ("fill", "kind"), ("size", "colour", "kind")):
        if found := unique_phrases(desk.objects, (pattern,)):
            phrase, thing = desk.dice.choose(found)
            return _clue(desk, phrase), thing
    return None


def _clue(desk: Desk, phrase: Phrase) -> str:
    """Say what a kind is for instead of its name, as in "the red one you could sail in"."""
    nameless = replace(phrase, kind=None, noun=desk.dice.choose(("one", "thing", "object")))
    return f"{nameless.the} {desk.dice.choose(CLUES[str(phrase.kind)])}"


def _wrong_attribute(desk: Desk) -> str | None:
    phrase = desk.absent(
        desk.dice.choose((("kind",), ("colour", "kind"), ("fill", "kind"), ("colour",), ("size", "kind")))
    )
    return None if phrase is None else phrase.the


def _wrong_relation(desk: Desk) -> str | None:
    """Name an absent thing beside one that is there, or one that is there on a side where it is not."""
    if desk.dice.chance(0.4):
        anchors, absent = unique_phrases(desk.objects, _ANCHORS), desk.absent(("kind",))
        if not anchors or absent is None:
            return None
        anchor, _ = desk.dice.choose(anchors)
        return f"{absent.the} {_side(desk, desk.dice.choose(tuple(DIRECTIONS)))} {anchor.the}"
    if len(desk.objects) < 2:
        return None
    target = _target(desk)
    # "The star above the only star" would be nonsense rather than wrong.
    empty = [(where, anchor) for where, anchor, there in _relations(desk, target) if not there]
    things = {anchor: anchor.among(desk.objects)[0] for _, anchor in empty}
    empty = [(where, anchor) for where, anchor in empty if target.among(desk.objects) != [things[anchor]]]
    if not empty:
        return None
    where, anchor = desk.dice.choose(empty)
    return f"{target.the} {_side(desk, where)} {anchor.the}"


def _wrong_order(desk: Desk) -> str | None:
    if not desk.objects:
        return None
    target = _target(desk)
    number = len(target.among(desk.objects))
    if number >= 5:
        return None
    return _place(desk, target.one, desk.dice.choose(tuple(SIDES)), max(number + desk.dice.integer(0, 1), 1))


def _wrong_clue(desk: Desk) -> str | None:
    there = {thing.kind for thing in desk.objects}
    kinds = [kind for kind in KINDS if kind not in there]
    return _clue(desk, Phrase(kind=desk.dice.choose(kinds))) if kinds else None


def _nothing(desk: Desk) -> Sample | None:
    makers = (_wrong_attribute, _wrong_relation, _wrong_order, _wrong_clue)
    for _ in range(6):
        words = desk.dice.choose(makers, (0.4, 0.2, 0.15, 0.25))(desk)
        if words is not None:
            return _answer(desk, words, None)
    return None


def _referring(pick: Callable[[Desk], Referred | None]) -> Callable[[Desk], Sample | None]:
    def build(desk: Desk) -> Sample | None:
        picked = pick(desk)
        return None if picked is None else _answer(desk, *picked)

    return build


FAMILIES: tuple[Family, ...] = tuple(
    Family(name=name, group="refer", score=score, example=example, build=build, grammars=(REFER,))
    for name, score, example, build in (
        ("refer-attribute", "iou", "Find the red star. Here it is.", _referring(_by_attribute)),
        ("refer-relation", "iou", "Find the star left of the house. Here it is.", _referring(_by_relation)),
        ("refer-ordinal", "iou", "Where is the second star from the left? Here it is.", _referring(_by_order)),
        ("refer-reasoning", "iou", "Show me the one you could sail in. Here it is.", _referring(_by_clue)),
        ("refer-nothing", "refusal", "Find the brown car. There is no such object.", _nothing),
    )
)
