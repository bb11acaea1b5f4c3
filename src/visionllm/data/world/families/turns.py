"""Conversations: two or three turns about the same picture, the later ones leaning on the earlier."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from visionllm.data.world.families.attributes import COLOUR, KIND
from visionllm.data.world.families.base import Desk, Family, grammars_of
from visionllm.data.world.families.choosing import none_of, pick_unique, present, tell_attribute
from visionllm.data.world.families.talk import COUNT, EXISTENCE_ONE
from visionllm.data.world.grammar import Grammar, told
from visionllm.data.world.phrases import ATTRIBUTES, Pattern, Phrase, unique_phrases
from visionllm.data.world.scene import WorldObject
from visionllm.data.world.words import NUMBERS, fill_adjective, sentence, size_predicate, with_article
from visionllm.types import Message, Part, Sample

HOW_MANY = Grammar(
    ("and how many of them are {value}?", "how many are {value}?"),
    (
        "(and |)how many (of them |of these |of those |)(are|would you call) {value}?",
        "(and |)(what is |)the number of {value} ones?",
        "(and |ok, |good, )(tell me|say) how many of them are {value}.",
        "(and |)are any of them {value}, and how many?",
    ),
)
ABOUT_IT: dict[str, Grammar] = {
    "colour": Grammar(
        ("what colour is it?", "and what colour is it?"),
        (
            "(and |)(what|which) <colour> is it?",
            "(and |)(what|which) <colour> does it have?",
            "(and |)(what is |)its <colour>?",
            "(and |)in which <colour>?",
            "(and |)" + told("its <colour>"),
        ),
    ),
    "fill": Grammar(
        ("how is it filled?", "and how is it filled?"),
        (
            "(and |)how is it (filled|drawn)?",
            "(and |)(what|which) (pattern|fill) does it have?",
            "(and |)(what is |)its (pattern|fill)?",
            "(and |)" + told("its (pattern|fill)"),
        ),
    ),
    "size": Grammar(
        ("how big is it?", "and how big is it?"),
        (
            "(and |)how (big|large) is it?",
            "(and |)what size is it?",
            "(and |)(what is |)its size?",
            "(and |)" + told("its size"),
        ),
    ),
    "kind": Grammar(
        ("what is it?", "and what is it?"),
        (
            "(and |)what (is|would you call) it?",
            "(and |)what (kind|sort) of thing is it?",
            "(and |)" + told("what it is"),
        ),
    ),
}
IS_IT = Grammar(
    ("is it {value}?", "and is it {value}?"),
    (
        "(and |)is it (also |really |perhaps |){value}?",
        "(and |)is it {a_one}?",
        "(and |)would you (call it|say it is|say that it is) {value}?",
        "(and |)it is {value}, (right|is it not|isn't it|yes or no)?",
        "(and |)" + told("(if|whether) it is {value}"),
    ),
)
WHAT_ABOUT = Grammar(
    ("and {the}?", "what about {the}?"),
    (
        "(and |)(what|how) about {the}( <where>|)?",
        "and {the}( <where>|)?",
        "(and |)(the same|the same question) (for|about) {the}(, please|).",
        "(ok, |good, |thanks, |)(and |)(what about |now ){the}?",
    ),
)

Turn = tuple[tuple[Part, ...], str]


def _counting(desk: Desk, length: int) -> list[Turn] | None:
    """Count something, then how many of them are small, red or striped."""
    phrase = present(desk, ("kind",), 2) or (Phrase() if len(desk.objects) >= 2 else None)
    if phrase is None:
        return None
    group = phrase.among(desk.objects)
    turns = [(desk.words(COUNT, many=phrase.many), sentence(NUMBERS[len(group)]))]
    attribute = desk.dice.choose(("size", "colour", "fill"))
    there = {getattr(thing, attribute) for thing in group}
    values = [value for value in ATTRIBUTES[attribute] if desk.speakable(phrase.kind, value)]
    weights = [2.0 if value in there else 1.0 / len(values) for value in values]
    first = desk.dice.choose(values, weights)
    # A third turn keeps to the same attribute: "of them" would else mean the things of the second turn.
    for value in (first, desk.dice.choose([value for value in values if value != first]))[: length - 1]:
        number = sum(getattr(thing, attribute) == value for thing in group)
        question = desk.words(HOW_MANY, value=_spoken(attribute, value))
        turns.append((question, sentence(NUMBERS[number]) if number else "None."))
    return turns


def _spoken(attribute: str, value: str) -> str:
    spoken = {"fill": fill_adjective, "size": size_predicate}.get(attribute, str)
    return spoken(value)


def _about_it(desk: Desk, length: int) -> list[Turn] | None:
    """Ask whether something is there, or what it is, then about it."""
    patterns: tuple[Pattern, ...] = (("kind",), ("colour", "kind"), ("colour",))
    picked = pick_unique(desk, patterns)
    if picked is None:
        return None
    phrase, thing = picked
    if phrase.kind is None:
        turns = [(desk.words(KIND, the=phrase.the), tell_attribute(thing, "kind"))]
        phrase = replace(phrase, kind=thing.kind)
    else:
        turns = [(desk.words(EXISTENCE_ONE, a=phrase.a, one=phrase.one), f"Yes, there is {phrase.a}.")]
    unsaid = [name for name in ("colour", "fill", "size") if getattr(phrase, name) is None]
    for attribute in desk.dice.sample(unsaid, min(length - 1, len(unsaid))):
        turns.append(_ask_about(desk, phrase, thing, attribute))
    return turns


def _ask_about(desk: Desk, phrase: Phrase, thing: WorldObject, attribute: str) -> Turn:
    if desk.dice.chance(0.7):
        return desk.words(ABOUT_IT[attribute]), tell_attribute(thing, attribute)
    value, true = getattr(thing, attribute), desk.dice.chance(0.5)
    if not true:
        others = [other for other in ATTRIBUTES[attribute] if other != value and desk.speakable(phrase.kind, other)]
        value = desk.dice.choose(others)
    spoken = _spoken(attribute, value)
    return desk.words(IS_IT, value=spoken, a_one=with_article(f"{spoken} one")), "Yes." if true else "No."


def _kind_later(desk: Desk, length: int) -> list[Turn] | None:
    """Ask for something by its colour, then what it is."""
    picked = pick_unique(desk, (("colour",), ("fill",)))
    if picked is None:
        return None
    phrase, thing = picked
    turns = [
        (desk.words(EXISTENCE_ONE, a=phrase.a, one=phrase.one), f"Yes, there is {phrase.a}."),
        (desk.words(ABOUT_IT["kind"]), tell_attribute(thing, "kind")),
        _ask_about(desk, replace(phrase, kind=thing.kind), thing, "fill" if phrase.fill is None else "colour"),
    ]
    return turns[:length]


def _what_about(desk: Desk, length: int) -> list[Turn] | None:
    """Ask the same of one object after the other; the last may not be there."""
    attribute = desk.dice.choose(("colour", "kind"))
    things = unique_phrases(desk.objects, (("kind",) if attribute == "colour" else ("colour",),))
    if not things:
        return None
    grammar = COLOUR if attribute == "colour" else KIND
    drawn = desk.dice.sample(things, min(length, len(things)))
    asked = [(phrase, tell_attribute(thing, attribute)) for phrase, thing in drawn]
    if len(asked) < length or desk.dice.chance(0.15):
        absent = desk.absent(("kind",) if attribute == "colour" else ("colour",))
        if absent is None:
            return None
        asked = [*asked[: length - 1], (absent, none_of(absent))]
    first, *rest = asked
    turns = [(desk.words(grammar, the=first[0].the), first[1])]
    return [*turns, *((desk.words(WHAT_ABOUT, the=phrase.the), answer) for phrase, answer in rest)]


def _nothing(desk: Desk, _: int) -> list[Turn] | None:
    """Ask whether something is there that is not, then for another thing."""
    absent = [phrase for _ in range(6) if (phrase := desk.absent(("kind",)))]
    there = present(desk, ("kind",)) if desk.dice.chance(0.6) else None
    asked = there or next((phrase for phrase in absent if phrase != absent[0]), None)
    if not absent or asked is None:
        return None
    one = absent[0]
    first = (desk.words(EXISTENCE_ONE, a=one.a, one=one.one), f"No, there is no {one.one}.")
    answer = f"Yes, there is {asked.a}." if there else f"No, there is no {asked.one}."
    return [first, (desk.words(WHAT_ABOUT, the=asked.a), answer)]


@dataclass(frozen=True)
class _Script:
    make: Callable[[Desk, int], list[Turn] | None]
    weight: float


_SCRIPTS = (
    _Script(_counting, 0.27),
    _Script(_about_it, 0.27),
    _Script(_kind_later, 0.14),
    _Script(_what_about, 0.2),
    _Script(_nothing, 0.12),
)


def _multi_turn(desk: Desk) -> Sample | None:
    length = 2 if desk.dice.chance(0.6) else 3
    script = desk.dice.choose(_SCRIPTS, [script.weight for script in _SCRIPTS])
    turns = script.make(desk, length) or _nothing(desk, length)
    if turns is None or len(turns) < 2:
        return None
    history = []
    for question, answer in turns[:-1]:
        history += [Message("user", question), Message("assistant", (answer,))]
    question, answer = turns[-1]
    return desk.sample(question, answer, history=tuple(history))


FAMILIES: tuple[Family, ...] = (
    Family(
        name="multi-turn",
        group="talk",
        score="exact",
        example="How many stars are there? Three. And how many of them are small? One.",
        build=_multi_turn,
        grammars=grammars_of(HOW_MANY, ABOUT_IT, IS_IT, WHAT_ABOUT),
    ),
)
