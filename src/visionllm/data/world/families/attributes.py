"""Questions about one attribute of a thing: colour, kind, fill and size."""

from visionllm.data.world.families.base import Desk, Family
from visionllm.data.world.families.choosing import none_of, pick_unique, tell_attribute
from visionllm.data.world.grammar import Grammar, told, told_to
from visionllm.data.world.phrases import Pattern, unique_phrases
from visionllm.data.world.positions import clearly_larger
from visionllm.data.world.words import sentence
from visionllm.types import Sample

_ABSENT_SHARE = 0.15

COLOUR = Grammar(
    ("what colour is {the}?", "what is the colour of {the}?", "what color is {the}?"),
    (
        "(what|which) <colour> is {the}( <where>|)?",
        "(what|which) <colour> does {the} have?",
        "what is the <colour> of {the}( <where>|)?",
        "{the}: (what|which) <colour>( is it|)?",
        "in (what|which) <colour> is {the} (drawn|painted|shown)?",
        told("(what|which) <colour> {the} (is|has)( <where>|)"),
        told("the <colour> of {the}( <where>|)"),
        told_to("name the <colour> of {the}"),
    ),
)
KIND = Grammar(
    ("what is {the}?", "what kind of thing is {the}?"),
    (
        "what is {the}( <where>|)?",
        "what (kind of thing|sort of thing|kind of object) is {the}( <where>|)?",
        "what does {the} (show|look like)( <where>|)?",
        "what (do|would) you call {the}( <where>|)?",
        "{the}( <where>|): what is it?",
        told("what {the} is( <where>|)"),
        told("what (kind|sort) of thing {the} is( <where>|)"),
        told_to("(name|recognise) {the}( <where>|)"),
    ),
)
FILL = Grammar(
    ("how is {the} filled?", "what pattern does {the} have?", "what is the fill of {the}?"),
    (
        "how is {the} (filled|drawn|filled in)( <where>|)?",
        "(what|which) (pattern|fill|filling) does {the} have( <where>|)?",
        "what is the (pattern|fill|filling) of {the}( <where>|)?",
        "is {the} solid, striped, dotted or outlined?",
        "{the}( <where>|): (what|which) (pattern|fill)?",
        told("how {the} is (filled|drawn)( <where>|)"),
        told("(what|which) (pattern|fill) {the} has( <where>|)"),
        told("the (pattern|fill) of {the}( <where>|)"),
    ),
)
SIZE_OF_ONE = Grammar(
    ("how big is {the}?", "what size is {the}?", "how large is {the}?"),
    (
        "how (big|large) is {the}( <where>|)?",
        "what size is {the}( <where>|)?",
        "what size does {the} have?",
        "what is the size of {the}( <where>|)?",
        "is {the} small, medium-sized or large?",
        told("how (big|large) {the} is( <where>|)"),
        told("the size of {the}( <where>|)"),
    ),
)
SIZE_OF_TWO = Grammar(
    ("which is {more}, {the} or {other}?", "what is {more}, {the} or {other}?"),
    (
        "(which|what|which one|which thing) is {more}( <where>|)(,|:) {the} or {other}?",
        "{the} or {other}: (which|which one) is {more}( <where>|)?",
        "(which|which one) of {the} and {other} is {more}( <where>|)?",
        told("(which|which one) is {more}( <where>|), {the} or {other}"),
        told("(which|which one) of {the} and {other} is {more}"),
    ),
)


def ask_attribute(
    desk: Desk, grammar: Grammar, attribute: str, patterns: tuple[Pattern, ...], more: tuple[Pattern, ...]
) -> Sample | None:
    """Ask for one attribute of an object that the words single out, or of one that is not there."""
    picked = None if desk.dice.chance(_ABSENT_SHARE) else pick_unique(desk, (*patterns, *more), attribute)
    if picked is None:
        phrase = desk.absent(desk.dice.choose(patterns))
        return None if phrase is None else desk.sample(desk.words(grammar, the=phrase.the), none_of(phrase))
    phrase, thing = picked
    return desk.sample(desk.words(grammar, the=phrase.the), tell_attribute(thing, attribute))


def _colour(desk: Desk) -> Sample | None:
    return ask_attribute(
        desk, COLOUR, "colour", (("kind",), ("size", "kind"), ("fill", "kind")), (("fill",), ("size",), ())
    )


def _kind(desk: Desk) -> Sample | None:
    patterns = (("colour",), ("size", "colour"), ("colour", "fill"))
    return ask_attribute(desk, KIND, "kind", patterns, (("fill",), ("size",), ()))


def _fill(desk: Desk) -> Sample | None:
    return ask_attribute(
        desk, FILL, "fill", (("kind",), ("colour", "kind"), ("colour",)), (("size", "kind"), ("size",), ())
    )


def _size(desk: Desk) -> Sample | None:
    things = unique_phrases(desk.objects, (("kind",), ("colour", "kind")))
    pairs = [(one, two) for one in things for two in things if clearly_larger(one[1], two[1])]
    if not pairs or desk.dice.chance(0.35):
        return ask_attribute(desk, SIZE_OF_ONE, "size", (("kind",), ("colour", "kind"), ("colour",)), (("fill",), ()))
    (larger, _), (smaller, _) = desk.dice.choose(pairs)
    wanted = larger if (up := desk.dice.chance(0.5)) else smaller
    first, second = (larger, smaller) if desk.dice.chance(0.5) else (smaller, larger)
    word = desk.dice.choose(("larger", "bigger")) if up else "smaller"
    return desk.sample(desk.words(SIZE_OF_TWO, more=word, the=first.the, other=second.the), sentence(wanted.the))


FAMILIES: tuple[Family, ...] = (
    Family(
        name="colour",
        group="talk",
        score="exact",
        example="What colour is the star? It is red.",
        build=_colour,
        grammars=(COLOUR,),
    ),
    Family(
        name="kind",
        group="talk",
        score="exact",
        example="What is the red thing? It is a star.",
        build=_kind,
        grammars=(KIND,),
    ),
    Family(
        name="fill",
        group="talk",
        score="exact",
        example="How is the star filled? It is striped.",
        build=_fill,
        grammars=(FILL,),
    ),
    Family(
        name="size",
        group="talk",
        score="exact",
        example="Which is larger, the star or the fish? The fish.",
        build=_size,
        grammars=(SIZE_OF_ONE, SIZE_OF_TWO),
    ),
)
