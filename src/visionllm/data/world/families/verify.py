"""Statements about a picture that are right or wrong."""

from visionllm.data.world.families.base import Desk, Family
from visionllm.data.world.families.choosing import PATTERN_WEIGHTS, PATTERNS, pick_unique, present
from visionllm.data.world.grammar import Grammar, told
from visionllm.data.world.phrases import ATTRIBUTES, Phrase, unique_phrases
from visionllm.data.world.positions import DIRECTIONS, clearly_larger, lies
from visionllm.data.world.words import NUMBERS, fill_adjective, plural, size_predicate, with_article
from visionllm.types import Sample

VERIFY = Grammar(
    ("is it true that {statement}?", "{statement}. is that right?", "{statement}, right?"),
    (
        "is it (true|right|correct|the case) that {statement}( <where>|)?",
        "{statement}( <where>|). is (that|this|it) (right|true|correct)?",
        "{statement}( <where>|)(, right|, is that right|, yes or no|: yes or no)?",
        "(I think|I say|somebody says|my friend says) (that |){statement}( <where>|). is that (right|true|correct)?",
        "(would you say|do you agree|can you confirm) that {statement}( <where>|)?",
        told("(if|whether) it is (true|right) that {statement}( <where>|)"),
    ),
)


def _existence(desk: Desk, true: bool) -> str | None:
    pattern = desk.dice.choose(PATTERNS, PATTERN_WEIGHTS)
    phrase = present(desk, pattern) if true else desk.absent(pattern)
    return None if phrase is None else f"there is {phrase.a}"


def _attribute(desk: Desk, true: bool) -> str | None:
    """Say of one object that it has an attribute."""
    attribute = desk.dice.choose(("colour", "fill", "size", "kind"), (0.4, 0.25, 0.1, 0.25))
    words = (("colour",), ("fill", "colour")) if attribute == "kind" else (("kind",), ("colour", "kind"))
    patterns = tuple(pattern for pattern in (*words, ("fill",), ()) if attribute not in pattern)
    picked = pick_unique(desk, patterns)
    if picked is None:
        return None
    phrase, thing = picked
    value = getattr(thing, attribute)
    if not true:
        others = [
            other
            for other in ATTRIBUTES[attribute]
            if other != value
            and desk.speakable(*((other, phrase.colour) if attribute == "kind" else (phrase.kind, other)))
        ]
        value = desk.dice.choose(others)
    spoken = {"fill": fill_adjective, "size": size_predicate, "kind": with_article}.get(attribute, str)
    return f"{phrase.the} is {spoken(value)}"


def _count(desk: Desk, true: bool) -> str | None:
    phrase = present(desk, desk.dice.choose(PATTERNS[:5])) if desk.dice.chance(0.8) else Phrase()
    if phrase is None:
        return None
    number = len(phrase.among(desk.objects))
    if number == 0:
        return None
    if not true:
        number = desk.dice.choose(
            [other for other in (number - 1, number + 1, number + 2) if 1 <= other < len(NUMBERS)]
        )
    return (
        f"there {'is' if number == 1 else 'are'} exactly {NUMBERS[number]} {phrase.one if number == 1 else phrase.many}"
    )


def _relation(desk: Desk, true: bool) -> str | None:
    things = unique_phrases(desk.objects, (("kind",), ("colour", "kind")))
    statements = [
        (one.the, direction, two.the)
        for one, first in things
        for two, second in things
        for direction in DIRECTIONS
        if first is not second and lies(first, direction, second) is true
    ]
    return "{} is {} {}".format(*desk.dice.choose(statements)) if statements else None


def _compare(desk: Desk, true: bool) -> str | None:
    things = unique_phrases(desk.objects, (("kind",), ("colour", "kind")))
    pairs = [(one.the, two.the) for one, first in things for two, second in things if clearly_larger(first, second)]
    if not pairs:
        return None
    larger, smaller = desk.dice.choose(pairs)
    if desk.dice.chance(0.5):
        return f"{larger if true else smaller} is larger than {smaller if true else larger}"
    return f"{smaller if true else larger} is smaller than {larger if true else smaller}"


def _all(desk: Desk, true: bool) -> str | None:
    """Say of all objects of one kind, or of all, that they share an attribute."""
    attribute = desk.dice.choose(("colour", "fill"))
    statements = []
    for kind in (None, *ATTRIBUTES["kind"]):
        group = Phrase(kind=kind).among(desk.objects)
        for thing in group:
            value = getattr(thing, attribute)
            shared = all(getattr(other, attribute) == value for other in group)
            if len(group) >= 2 and shared == true and desk.speakable(kind, value if attribute == "colour" else None):
                spoken = fill_adjective(value) if attribute == "fill" else value
                statements.append(f"all {plural(kind or 'thing')} are {spoken}")
    return desk.dice.choose(statements) if statements else None


_MAKERS = (_existence, _attribute, _count, _relation, _compare, _all)
_MAKER_WEIGHTS = (0.25, 0.3, 0.15, 0.15, 0.1, 0.05)


def _verify(desk: Desk) -> Sample | None:
    true = desk.dice.chance(0.5)
    for _ in range(6):
        statement = desk.dice.choose(_MAKERS, _MAKER_WEIGHTS)(desk, true)
        if statement is not None:
            return desk.sample(desk.words(VERIFY, statement=statement), "Yes." if true else "No.")
    phrase = desk.absent(("kind",))
    return None if phrase is None else desk.sample(desk.words(VERIFY, statement=f"there is {phrase.a}"), "No.")


FAMILIES: tuple[Family, ...] = (
    Family(
        name="verify",
        group="talk",
        score="exact",
        example="Is it true that the star is red? Yes.",
        build=_verify,
        grammars=(VERIFY,),
    ),
)
