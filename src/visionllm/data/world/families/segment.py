"""Questions that ask for the exact shape of named things."""

from visionllm.data.world.families.base import Desk, Family
from visionllm.data.world.families.detect import NAMED, ask_for, kinds_absent, kinds_there, named_phrases
from visionllm.data.world.grammar import Grammar, told_to
from visionllm.types import Sample

SEGMENT_ALL = Grammar(
    ("segment every {one}.", "segment all {many}.", "segment the {many}.", "cut out every {one}."),
    (
        told_to("(segment|cut out|mask|outline|trace) (every {one}|each {one}|all {many}|all the {many})( <where>|)"),
        told_to("(give me|make|draw) ((masks|the masks) of all (the |){many}|(a|the) mask of (every|each) {one})"),
        "which pixels (belong to|show|are part of) (the {many}|every {one}|all {many})( <where>|)?",
    ),
)
SEGMENT_THE = Grammar(
    ("segment {the}.", "cut out {the}."),
    (
        told_to("(segment|cut out|mask|outline|trace) {the}( <where>|)"),
        told_to("(give me|make|draw) (a mask|the mask|an exact mask|the exact outline) of {the}( <where>|)"),
        "which pixels (belong to|show|are part of) {the}( <where>|)?",
    ),
)


def _instances(desk: Desk) -> Sample | None:
    several = desk.dice.chance(0.25)
    if desk.dice.chance(0.2) or not desk.objects:
        absent = desk.absent(desk.dice.choose((("kind",), *NAMED[:4])))
        phrases = [absent] if absent else kinds_absent(desk, 1)
    elif desk.dice.chance(0.5):
        phrases = kinds_there(desk)[: 1 + several]
    else:
        phrases = named_phrases(desk, 1 + several)
    if not phrases:
        return None
    alone = all(len(phrase.among(desk.objects)) <= 1 for phrase in phrases)
    return ask_for(desk, SEGMENT_THE if alone and desk.dice.chance(0.6) else SEGMENT_ALL, phrases)


FAMILIES: tuple[Family, ...] = (
    Family(
        name="segment-instances",
        group="segment",
        score="ap",
        example="Segment the red star. Here you go: red star.",
        build=_instances,
        grammars=(SEGMENT_ALL, SEGMENT_THE),
    ),
)
