"""Marked regions that are to be cut out."""

from collections.abc import Callable

from visionllm.data.world.families.base import NOTHING_THERE, Desk, Family, listed
from visionllm.data.world.grammar import Grammar, marked, told_to
from visionllm.data.world.regions import WAY_WORDS, region_on, region_on_nothing
from visionllm.types import Mark, Part, Sample

_NOTHING_SHARE = 0.1

SEGMENT = Grammar(
    ("segment {mark}.", "segment this. {mark}", "cut out {mark}.", "cut this out. {mark}"),
    (
        marked(told_to("(segment|cut out|mask|outline|trace) IT")),
        marked(told_to("(give me|make|draw) (a mask|the mask|the exact outline) of IT")),
        marked("which pixels (belong to|are part of) IT?"),
    ),
)
SEGMENT_SEVERAL = Grammar(
    ("segment {marks}.", "segment these. {marks}", "cut out {marks}."),
    (
        told_to(
            "(segment|cut out|mask|outline|trace) (each of |all of |)(these: |the things at |the objects at |){marks}"
        ),
        told_to("(give me|make|draw) (masks|the masks|the outlines) of (the things at |the objects at |){marks}"),
        "which pixels (belong to|are part of) (the things at |the objects at |){marks}?",
        "(look at|consider|here are) {marks}. (segment|cut out|mask|outline|trace) (them|all of them|each of them).",
    ),
)


def _one(way: str) -> Callable[[Desk], Sample | None]:
    def build(desk: Desk) -> Sample | None:
        shape = "polygon" if way == "mask" and desk.dice.chance(0.3) else way
        thing = None if not desk.objects or desk.dice.chance(_NOTHING_SHARE) else desk.dice.choose(desk.objects)
        if thing is None:
            region = region_on_nothing(desk.picture.scene, shape, desk.dice)
        else:
            region = region_on(thing, shape, desk.dice)
        if region is None:
            return None
        question = desk.words(SEGMENT, mark=Mark(region), way=WAY_WORDS[shape])
        if thing is None:
            return desk.sample(question, NOTHING_THERE)
        return desk.sample(question, listed(["region1"], intro="Here it is: "), [[thing]])

    return build


def _several(desk: Desk) -> Sample | None:
    if len(desk.objects) < 2:
        return None
    things = desk.dice.sample(desk.objects, min(len(desk.objects), desk.dice.integer(2, 4)))
    marks = [pointed[0] for thing in things if (pointed := desk.mark(thing))]
    parts: list[Part] = []
    for index, mark in enumerate(marks):
        parts += [*([" and " if index == len(marks) - 1 else ", "] if index else []), mark]
    labels = [f"region{index + 1}" for index in range(len(things))]
    question = desk.words(SEGMENT_SEVERAL, marks=tuple(parts))
    return desk.sample(question, listed(labels, intro="Here they are: "), [[thing] for thing in things])


FAMILIES: tuple[Family, ...] = (
    *(
        Family(
            name=f"segment-{way}",
            group="point",
            score="iou",
            example="Segment region1. Here it is: region1.",
            build=_one(way),
            grammars=(SEGMENT,),
        )
        for way in ("point", "scribble", "box", "mask")
    ),
    Family(
        name="segment-several",
        group="point",
        score="iou",
        example="Segment region1 and region2. Here they are: region1, region2.",
        build=_several,
        grammars=(SEGMENT_SEVERAL,),
    ),
)
