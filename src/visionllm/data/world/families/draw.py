"""Prompts for new pictures: the answer routes to the generation decoder, and the truth is one right picture."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from visionllm.data.world.families.base import Desk, Family
from visionllm.data.world.grammar import Grammar, told_to
from visionllm.data.world.judging.wishes import Wish, wish_for
from visionllm.data.world.phrases import speakable
from visionllm.data.world.positions import DIRECTIONS, lies
from visionllm.data.world.scene import WorldFigure, WorldObject, WorldThing
from visionllm.data.world.staging.painting import StagedPicture, show
from visionllm.types import Message, PictureTruth, Request, Routed, Sample

GEN = "[GEN]"
DRAW = Grammar(
    ("draw {what}.", "a picture of {what}.", "make a picture of {what}.", "generate an image of {what}.", "{what}."),
    (
        told_to("(draw|paint|sketch|create|generate|make|show me) {what}( for me|)"),
        told_to(
            "(draw|paint|make|create|generate|give me) (a picture|an image|a drawing|a new picture) "
            "(of|that shows|with) {what}"
        ),
        "(generate image with caption|help me to generate this image|draw this|caption): {what}.",
        "(I would like|I want|I need) (a picture|an image|a drawing) (of|that shows|with) {what}.",
        "(a picture|an image|a drawing) (of|that shows|with) {what}(, please|).",
    ),
)


def prompted(desk: Desk, wish: Wish, things: Sequence[WorldThing]) -> Sample | None:
    """Ask for a picture of what is wished for; the truth shows the given things of the desk's picture alone."""
    picture = desk.picture
    if not isinstance(picture, StagedPicture):
        return None
    stage = picture.stage
    kept = {thing.depth for thing in things}
    items = tuple(item for depth, item in enumerate(stage.items) if depth in kept)
    pixels = show(replace(stage, items=items)).pixels
    question = desk.words(DRAW, what=wish.words)
    return Sample(
        request=Request((Message("user", question),)),
        answer=Message("assistant", ("Here it is ", Routed("", GEN), ".")),
        truth={"generation": PictureTruth(pixels=pixels, caption=wish.words)},
    )


def _sayable(desk: Desk, things: Sequence[WorldThing]) -> bool:
    return all(speakable(thing.kind, thing.colour, desk.picture.scene.split) for thing in things)


def _wished(desk: Desk, things: Sequence[WorldThing]) -> Sample | None:
    if not things or not _sayable(desk, things):
        return None
    return prompted(desk, wish_for(things, fills=desk.dice.chance(0.5)), things)


def _one(desk: Desk) -> Sample | None:
    return _wished(desk, [desk.dice.choose(desk.objects)]) if desk.objects else None


def _groups(things: Sequence[WorldThing]) -> list[list[WorldThing]]:
    groups: dict[tuple[str, str], list[WorldThing]] = {}
    for thing in things:
        groups.setdefault((thing.kind, thing.colour), []).append(thing)
    return list(groups.values())


def _several(desk: Desk) -> Sample | None:
    groups = _groups(desk.picture.scene.things)
    if len(groups) < 2:
        return None
    chosen = desk.dice.sample(groups, min(len(groups), desk.dice.integer(2, 3)))
    return _wished(desk, [thing for group in chosen for thing in group[: desk.dice.integer(1, 2)]])


def _count(desk: Desk) -> Sample | None:
    groups = [group for group in _groups(desk.objects) if len(group) > 1]
    if not groups:
        return None
    group = desk.dice.choose(groups)
    return _wished(desk, desk.dice.sample(group, desk.dice.integer(2, len(group))))


def _relation(desk: Desk) -> Sample | None:
    things = desk.picture.scene.things
    pairs = [
        (one, two, direction)
        for one in things
        for two in things
        for direction in DIRECTIONS
        if (one.kind, one.colour) != (two.kind, two.colour) and lies(one, direction, two)
    ]
    if not pairs:
        return None
    one, two, direction = desk.dice.choose(pairs)
    if not _sayable(desk, (one, two)):
        return None
    return prompted(desk, replace(wish_for((one, two)), relation=direction), (one, two))


def _figures(desk: Desk) -> Sample | None:
    if not desk.figures:
        return None
    figures = desk.dice.sample(desk.figures, desk.dice.integer(1, len(desk.figures)))
    others = [desk.dice.choose(desk.objects)] if desk.objects and desk.dice.chance(0.4) else []
    return _wished(desk, [*figures, *others])


def _is_thing(thing: WorldThing) -> bool:
    return isinstance(thing, WorldObject | WorldFigure)


def _judged(build: Callable[[Desk], Sample | None]) -> Callable[[Desk], Sample | None]:
    """Ask only about pictures whose things all stand whole and apart."""

    def built(desk: Desk) -> Sample | None:
        scene = desk.picture.scene
        return build(desk) if scene.theme == "studio" and all(map(_is_thing, scene.things)) else None

    return built


FAMILIES: tuple[Family, ...] = tuple(
    Family(
        name=name,
        group="draw",
        score="judge",
        example=example,
        build=_judged(build),
        grammars=(DRAW,),
        version=2,
        theme="studio",
    )
    for name, example, build in (
        ("draw-one", "Draw a red star. Here it is.", _one),
        ("draw-several", "Draw a striped red star and two blue fish. Here it is.", _several),
        ("draw-count", "Draw three green trees. Here it is.", _count),
        ("draw-relation", "Draw a red star left of a blue house. Here it is.", _relation),
        ("draw-figures", "Draw a person in blue and a brown dog. Here it is.", _figures),
    )
)
