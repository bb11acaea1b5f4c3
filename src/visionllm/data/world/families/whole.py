"""Masks of whole sorts: a semantic map, the thing that catches the eye, and the one that hides."""

import numpy as np

from visionllm.data.world.families.base import DET, Desk, Family, listed
from visionllm.data.world.families.detect import kinds_absent
from visionllm.data.world.grammar import Grammar, told_to
from visionllm.data.world.palette import contrast
from visionllm.data.world.scene import WorldThing
from visionllm.data.world.words import joined, plural
from visionllm.types import DetectionTruth, Routed, Sample

SEG = "[SEG]"
# The most salient thing must lead by this factor, or people would disagree.
_LEAD = 1.35

SEMANTIC = Grammar(
    (
        "make a semantic map of {names}.",
        "segment the picture into {names}.",
        "which pixels are {names}?",
        "colour every pixel by its class: {names}.",
    ),
    (
        told_to("(make|draw|give me|create) (a semantic map|a class map|a map|one mask a class) of {names}( <where>|)"),
        told_to("(segment|divide|split) (this|the) <picture> into {names}"),
        told_to("(label|assign) every pixel (of|in) (this|the) <picture> (as|to) one of {names}"),
        "which pixels (are|show|belong to) {names}( <where>|)?",
        "(classes|semantic map|one mask a class): {names}.",
    ),
)
SALIENT = Grammar(
    (
        "segment the salient object.",
        "what catches the eye? segment it.",
        "segment the foreground object.",
        "cut out the main object.",
    ),
    (
        told_to(
            "(segment|cut out|mask|outline|find) the (salient|most salient|main|most striking|foreground) "
            "(object|thing)( <where>|)"
        ),
        "(what|which object|which thing) (catches the eye|stands out)( <where>|)? (segment|cut out|mask) it.",
        told_to("(give me|make|draw) (a|the) mask of the (salient|main|most striking) (object|thing)( <where>|)"),
    ),
)
HIDDEN = Grammar(
    (
        "segment the camouflaged object.",
        "find the hidden object.",
        "what is hiding here? segment it.",
        "cut out the camouflaged object.",
    ),
    (
        told_to(
            "(segment|cut out|mask|outline|find) the (camouflaged|hidden|hiding|concealed) (object|thing)( <where>|)"
        ),
        "(what|which object|which thing) (is hiding|hides|is camouflaged)( <where>|)? (segment|cut out|mask) it.",
        told_to("(give me|make|draw) (a|the) mask of the (camouflaged|hidden|hiding) (object|thing)( <where>|)"),
        "is (anything|something) (hidden|hiding|camouflaged)( <where>|)? (segment|cut out|mask) it.",
    ),
)


def saliency_of(desk: Desk) -> list[tuple[float, WorldThing]]:
    """Return the things of a picture with how much they catch the eye: area times contrast, strongest first."""
    scene = desk.picture.scene
    taken = np.zeros(scene.size_hw, dtype=bool)
    for thing in scene.things:
        taken |= thing.mask
    free = desk.picture.pixels[~taken] if not taken.all() else desk.picture.pixels.reshape(-1, 3)
    ground = free.mean(axis=0).tolist()
    found = []
    for thing in scene.things:
        shade = desk.picture.pixels[thing.mask].mean(axis=0).tolist()
        found.append((thing.area * contrast(shade, ground), thing))
    return sorted(found, key=lambda pair: pair[0], reverse=True)


def _semantic(desk: Desk) -> Sample | None:
    things = desk.picture.scene.things
    kinds = list(dict.fromkeys(thing.kind for thing in things))
    if not kinds or desk.picture.scene.finds:
        return None
    missing = [str(phrase.kind) for phrase in kinds_absent(desk, desk.dice.integer(0, 3))]
    names = desk.dice.sample([*kinds, *missing], len(kinds) + len(missing))
    there = [name for name in names if name in kinds]
    absent = [name for name in names if name not in kinds]
    masks = np.stack([np.any([t.mask for t in things if t.kind == name], axis=0) for name in there])
    boxes = []
    for mask in masks:
        rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
        boxes.append((columns[0], rows[0], columns[-1] + 1, rows[-1] + 1))
    end = f". There is {joined([f'no {name}' for name in absent])}." if absent else "."
    truth = DetectionTruth(
        boxes=np.array(boxes, dtype=np.float32).reshape(-1, 4),
        class_ids=np.arange(len(there), dtype=np.int64),
        masks=masks,
    )
    many = joined([plural(name).replace("persons", "people") for name in names])
    return desk.sample(desk.words(SEMANTIC, names=many), listed(there, end=end, token=SEG), truth={"detection": truth})


def _salient(desk: Desk) -> Sample | None:
    ranked = saliency_of(desk)
    if not ranked:
        return desk.sample(desk.words(SALIENT), "There is no object.")
    if len(ranked) > 1 and ranked[0][0] < _LEAD * ranked[1][0]:
        return None
    answer = ("Here it is: ", Routed("salient object", DET), ".")
    return desk.sample(desk.words(SALIENT), answer, [[ranked[0][1]]])


def _hidden(desk: Desk) -> Sample | None:
    scene = desk.picture.scene
    if scene.theme != "camouflage":
        return None
    question = desk.words(HIDDEN)
    if not scene.objects:
        return desk.sample(question, "There is no hidden object.")
    answer = ("Here it is: ", Routed("camouflaged object", DET), ".")
    return desk.sample(question, answer, [[scene.objects[0]]])


FAMILIES: tuple[Family, ...] = tuple(
    Family(
        name=f"segment-{name}",
        group="segment",
        score=score,
        example=example,
        build=build,
        grammars=(grammar,),
        version=2,
        theme=theme,
    )
    for name, score, example, build, grammar, theme in (
        (
            "semantic",
            "miou",
            "Make a semantic map of stars, people and fish. Here you go: star, person. There is no fish.",
            _semantic,
            SEMANTIC,
            "mixed",
        ),
        (
            "salient",
            "saliency",
            "Segment the salient object. Here it is: salient object.",
            _salient,
            SALIENT,
            "mixed",
        ),
        (
            "camouflaged",
            "saliency",
            "Segment the camouflaged object. Here it is: camouflaged object.",
            _hidden,
            HIDDEN,
            "camouflage",
        ),
    )
)
