"""Talk about a picture: caption, existence and count."""

from visionllm.data.world.captions import caption
from visionllm.data.world.families.base import Desk, Family
from visionllm.data.world.families.choosing import PATTERN_WEIGHTS, PATTERNS, pick_count, present
from visionllm.data.world.grammar import Grammar, told, told_to
from visionllm.data.world.words import NUMBERS, sentence
from visionllm.types import Sample

CAPTION = Grammar(
    (
        "what is in this picture?",
        "what is in the picture?",
        "describe this picture.",
        "describe the picture.",
        "what do you see?",
        "what is this?",
        "describe this.",
        "caption this picture.",
    ),
    (
        "what (is|can be seen|is shown|is drawn|is to be seen) in (this|the) <picture>?",
        "what (do|can) you see( <where>|)?",
        "what does (this|the) <picture> (show|contain|hold)?",
        "what things (are|can you see|do you see) <where>?",
        told("what (is|can be seen|is shown|is drawn) in (this|the) <picture>"),
        told("what there is( to see|) <where>"),
        told_to("(describe|caption) (this|the) <picture>"),
        told_to("(give|write) (me |)a (caption for|description of) (this|the) <picture>"),
    ),
)
EXISTENCE_ONE = Grammar(
    ("is there {a}?", "is there {a} in this picture?", "do you see {a}?"),
    (
        "is there (any {one}|{a})( <where>|)?",
        "(can|do) you see ({a}|any {one})( <where>|)?",
        "(can|could) {a} be (seen|found)( <where>|)?",
        "does (this|the) <picture> (show|contain|have|hold) {a}?",
        told("(if|whether) (there is {a}|you (can |)see {a}|{a} can be seen)( <where>|)"),
        told("(if|whether) (this|the) <picture> (shows|contains|has) {a}"),
    ),
)
EXISTENCE_MANY = Grammar(
    ("are there any {many}?", "are there {many} in this picture?", "do you see any {many}?"),
    (
        "are there (any |){many}( <where>|)?",
        "(can|do) you see (any |){many}( <where>|)?",
        "does (this|the) <picture> (show|contain|have) (any |){many}?",
        told("(if|whether) (there are|you (can |)see) (any |){many}( <where>|)"),
    ),
)
COUNT = Grammar(
    ("how many {many} are there?", "how many {many}?", "how many {many} do you see?", "count the {many}."),
    (
        "how many {many} (are there|can you see|do you see|can be seen|are shown|are drawn)( <where>|)?",
        "(what is the|the) number of {many}( <where>|)?",
        "how many {many} does (this|the) <picture> (show|contain|have)?",
        told("how many {many} (there are|you (can |)see|can be seen|are shown)( <where>|)"),
        told("the number of {many}( <where>|)"),
        told_to("(count|count up) (the|all|all the) {many}( <where>|)"),
    ),
)


def _caption(desk: Desk) -> Sample:
    return desk.sample(desk.words(CAPTION), caption(desk.objects))


def _existence(desk: Desk) -> Sample | None:
    pattern = desk.dice.choose(PATTERNS, PATTERN_WEIGHTS)
    many, true = desk.dice.chance(0.3), desk.dice.chance(0.5)
    phrase = present(desk, pattern, 2 if many else 1) if true else desk.absent(pattern)
    if phrase is None:
        phrase, true = desk.absent(("kind",)), False
    if phrase is None:
        return None
    verb, what = ("are", phrase.many) if many else ("is", phrase.one)
    answer = f"Yes, there {verb} {what if many else phrase.a}." if true else f"No, there {verb} no {what}."
    grammar = EXISTENCE_MANY if many else EXISTENCE_ONE
    return desk.sample(desk.words(grammar, a=phrase.a, one=phrase.one, many=phrase.many), answer)


def _count(desk: Desk) -> Sample:
    phrase, number = pick_count(desk)
    return desk.sample(desk.words(COUNT, many=phrase.many), "None." if number == 0 else sentence(NUMBERS[number]))


FAMILIES: tuple[Family, ...] = (
    Family(
        name="caption",
        group="talk",
        score="facts",
        example="What is in this picture? A red star and two blue fish.",
        build=_caption,
        grammars=(CAPTION,),
    ),
    Family(
        name="existence",
        group="talk",
        score="exact",
        example="Is there a red star? Yes, there is a red star.",
        build=_existence,
        grammars=(EXISTENCE_ONE, EXISTENCE_MANY),
    ),
    Family(
        name="count",
        group="talk",
        score="exact",
        example="How many stars are there? Three.",
        build=_count,
        grammars=(COUNT,),
    ),
)
