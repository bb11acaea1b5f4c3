"""Where things are, seen from other things."""

from visionllm.data.world.captions import caption
from visionllm.data.world.families.base import Desk, Family
from visionllm.data.world.families.choosing import none_of
from visionllm.data.world.grammar import Grammar, told, told_to
from visionllm.data.world.phrases import Phrase, unique_phrases
from visionllm.data.world.positions import DIRECTIONS, direction_between, lies
from visionllm.data.world.scene import WorldObject
from visionllm.types import Sample

_ABSENT_SHARE = 0.1

RELATION_WHAT = Grammar(
    ("what is {side} {the}?", "what do you see {side} {the}?"),
    (
        "what (is|can be seen|is shown|is drawn|lies) {side} {the}( <where>|)?",
        "what (do|can) you see {side} {the}( <where>|)?",
        "{side} {the}, what (is there|do you see|can be seen)( <where>|)?",
        told("what (is|lies|you (can |)see) {side} {the}( <where>|)"),
        told_to("(name|list) what is {side} {the}( <where>|)"),
    ),
)
RELATION_WHERE = Grammar(
    ("where is {the} relative to {other}?", "where is {the}, seen from {other}?"),
    (
        "(where|on which side) is {the}( <where>|)(, seen| as seen|, looking) from {other}?",
        "(where|on which side) is {the} (relative to|in relation to|with respect to) {other}( <where>|)?",
        "(where does {the} lie|in which direction is {the}) from {other}?",
        "is {the} left of, right of, above or below {other}?",
        told("where {the} is (relative to|in relation to|as seen from) {other}( <where>|)"),
    ),
)


def _side_words(desk: Desk, direction: str) -> str:
    if direction in ("left of", "right of"):
        return desk.dice.choose((direction, f"to the {direction}"))
    return direction


def _relation(desk: Desk) -> Sample | None:
    anchors = unique_phrases(desk.objects, (("kind",), ("colour", "kind"), ("colour",), ("fill", "kind")))
    if not desk.dice.chance(_ABSENT_SHARE):
        asking = (_what_is_beside, _where_is)
        for ask in asking if desk.dice.chance(0.55) else asking[::-1]:
            if sample := ask(desk, anchors):
                return sample
    phrase = desk.absent(("kind",))
    if phrase is None:
        return None
    side = _side_words(desk, desk.dice.choose(tuple(DIRECTIONS)))
    return desk.sample(desk.words(RELATION_WHAT, side=side, the=phrase.the), none_of(phrase))


def _what_is_beside(desk: Desk, anchors: list[tuple[Phrase, WorldObject]]) -> Sample | None:
    clear: dict[int, list[tuple[Phrase, str, list[WorldObject]]]] = {}
    for phrase, anchor in anchors:
        for direction in DIRECTIONS:
            judged = [(thing, lies(thing, direction, anchor)) for thing in desk.objects if thing is not anchor]
            there = [thing for thing, true in judged if true]
            if all(true is not None for _, true in judged) and len(there) <= 3:
                clear.setdefault(len(there), []).append((phrase, direction, there))
    if not clear:
        return None
    # Empty sides are common; asked as often as they come, "Nothing." would be the best guess.
    number = desk.dice.choose(tuple(sorted(clear)), [0.2 if number == 0 else 1.0 for number in sorted(clear)])
    phrase, direction, there = desk.dice.choose(clear[number])
    question = desk.words(RELATION_WHAT, side=_side_words(desk, direction), the=phrase.the)
    return desk.sample(question, caption(there) if there else "Nothing.")


def _where_is(desk: Desk, anchors: list[tuple[Phrase, WorldObject]]) -> Sample | None:
    pairs = [
        (first, second, direction)
        for first, one in anchors
        for second, two in anchors
        if one is not two and (direction := direction_between(one, two)) is not None
    ]
    if not pairs:
        return None
    first, second, direction = desk.dice.choose(pairs)
    return desk.sample(desk.words(RELATION_WHERE, the=first.the, other=second.the), f"It is {direction} {second.the}.")


FAMILIES: tuple[Family, ...] = (
    Family(
        name="relation",
        group="talk",
        score="exact",
        example="What is left of the house? A red star.",
        build=_relation,
        grammars=(RELATION_WHAT, RELATION_WHERE),
    ),
)
