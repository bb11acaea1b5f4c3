"""Questions by example: pictures with a marked thing and its label come first, then a new picture is asked about."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from visionllm.data.world.drawing import draw_picture
from visionllm.data.world.families.base import NOTHING_THERE, Desk, Family, image_of, listed, truth_of
from visionllm.data.world.grammar import Grammar, careless, fill, told_to
from visionllm.data.world.phrases import Phrase
from visionllm.data.world.regions import WAYS, region_on
from visionllm.data.world.scene import WorldObject, WorldPicture
from visionllm.data.world.splits import SEED_LIMIT
from visionllm.data.world.words import NUMBERS, fill_adjective, plural, sentence, with_article
from visionllm.types import Mark, Message, Part, Picture, Request, Sample

NEW_WORDS: tuple[str, ...] = (
    *("blick", "dax", "wug", "zorp", "fep", "toma", "kiki", "bouba", "mib", "tove", "glim", "rax", "sneb", "plonk"),
    *("quib", "vash", "yort", "lund", "hask", "jiv", "crel", "drood", "frim", "gump", "nell", "pash", "skell", "trib"),
)
"""Words that mean nothing, so that only the examples say what they name."""
MOST_EXAMPLES = 5
_NOTHING_SHARE = 0.12
_DRAWS = 4

_BEFORE = "(look at these examples. |here are some examples. |learn from these: |)"
_NEW = "(now this picture: |and here: |now: |next picture: |)"
NAME = Grammar(
    ("{examples}{new} what is this? {mark}", "{examples}{new} what is {mark}?", "{examples}{new} name this. {mark}"),
    (
        f"{_BEFORE}{{examples}}{_NEW}{{new}} (what is|what do you call|which of them is) (this|it)? {{mark}}",
        f"{_BEFORE}{{examples}}{_NEW}{{new}} (what is|what do you call|which of them is) {{mark}}?",
        f"{_BEFORE}{{examples}}{_NEW}{{new}} (name|label|call) (this|it) in the same way. {{mark}}",
        f"{_BEFORE}{{examples}}{_NEW}{{new}} (then |so |)what is (this|this one|this thing)? {{mark}}",
    ),
)
DESCRIBE = Grammar(
    (
        "{examples}{new} describe this in the same manner. {mark}",
        "{examples}{new} and this? {mark}",
        "{examples}{new} go on. {mark}",
    ),
    (
        f"{_BEFORE}{{examples}}{_NEW}{{new}} (describe|caption) (this|it) in the same (manner|way|style). {{mark}}",
        f"{_BEFORE}{{examples}}{_NEW}{{new}} (and this|and this one|what about this|what about this one)? {{mark}}",
        f"{_BEFORE}{{examples}}{_NEW}{{new}} (go on|continue|do the same|the same, please)( here|). {{mark}}",
        f"{_BEFORE}{{examples}}{_NEW}{{new}} (what would you say|how would you put it) (here|of this)? {{mark}}",
    ),
)
COUNT = Grammar(
    ("{examples}{new} and here?", "{examples}{new} go on.", "{examples}{new} how many?"),
    (
        f"{_BEFORE}{{examples}}{_NEW}{{new}} (and here|and in this one|what about this|how many here)?",
        f"{_BEFORE}{{examples}}{_NEW}{{new}} (go on|continue|do the same|the same, please|count on)( here|).",
        f"{_BEFORE}{{examples}}{_NEW}{{new}} (what would you say|how would you put it) (here|of this|now)?",
        f"{_BEFORE}{{examples}}{_NEW}{{new}} (count|answer|describe this) in the same (manner|way).",
    ),
)
MARK = Grammar(
    (
        "{examples}{new} mark every {one}.",
        "{examples}{new} where is the {one}?",
        "{examples}{new} segment the {many}.",
    ),
    (
        f"{_BEFORE}{{examples}}{_NEW}{{new}} "
        + told_to("(mark|find|segment|show) (every {one}|all {many}|the {many})"),
        f"{_BEFORE}{{examples}}{_NEW}{{new}} where (is the {{one}}|are the {{many}}|do you see {{a}})( here|)?",
    ),
)


@dataclass(frozen=True, kw_only=True, eq=False)
class _Shown:
    """A thing of one of the example pictures."""

    picture: WorldPicture
    thing: WorldObject


def _drawn(desk: Desk, count: int) -> list[WorldPicture]:
    """Draw other pictures of the desk's split and theme."""
    scene = desk.picture.scene
    seeds = [desk.dice.integer(0, SEED_LIMIT - 1) for _ in range(count)]
    return [draw_picture(s, split=scene.split, version=2, theme=scene.theme, photos=False) for s in seeds]


def _examples(desk: Desk, good: Callable[[WorldObject], bool] | None) -> list[_Shown]:
    """Choose one thing each in up to five pictures; the first is a good one, or there are none."""
    count = desk.dice.integer(1, MOST_EXAMPLES)
    pool = [_Shown(picture=p, thing=t) for p in _drawn(desk, count + _DRAWS) for t in p.scene.objects]
    found: list[_Shown] = []
    if good is not None:
        fitting = [shown for shown in pool if good(shown.thing)]
        if not fitting:
            return []
        found.append(desk.dice.choose(fitting))
    for shown in desk.dice.sample(pool, len(pool)):
        if len(found) < count and all(shown.picture is not other.picture for other in found):
            found.append(shown)
    return desk.dice.sample(found, len(found))


def _with_pictures(desk: Desk, grammar: Grammar, examples: Sequence[Part], **fillings: str | Mark) -> tuple[Part, ...]:
    """Fill a form with the example pictures and the new one."""
    form = grammar.draw(desk.dice, desk.phrasing)
    new: tuple[Part, ...] = (Picture(image_of(desk.picture)),)
    return careless(fill(form, {"examples": tuple(examples), "new": new, **fillings}), desk.dice)


def _told(desk: Desk, shown: _Shown, words: str) -> list[Part]:
    """Show a picture with one marked thing and what is said of it."""
    mark = Mark(region_on(shown.thing, desk.dice.choose(WAYS), desk.dice))
    return [Picture(image_of(shown.picture)), mark, f" {words} "]


def _sample(question: tuple[Part, ...], answer: str) -> Sample:
    return Sample(request=Request((Message("user", question),)), answer=Message("assistant", (answer,)))


def _labels(desk: Desk) -> Callable[[WorldObject], str]:
    """Draw how things are called: by kind, by colour, or by new words for one of these."""
    attribute = desk.dice.choose(("kind", "colour"))
    if desk.dice.chance(0.4):
        return lambda thing: getattr(thing, attribute)
    words: dict[str, str] = {}
    pool = desk.dice.sample(NEW_WORDS, len(NEW_WORDS))
    return lambda thing: words.setdefault(getattr(thing, attribute), pool[len(words)])


def _name(desk: Desk) -> Sample | None:
    if not desk.objects:
        return None
    label, target = _labels(desk), desk.dice.choose(desk.objects)
    absent = desk.dice.chance(_NOTHING_SHARE)
    examples = _examples(desk, None if absent else lambda thing: label(thing) == label(target))
    if not examples:
        return None
    known = {label(shown.thing) for shown in examples}
    parts = [part for shown in examples for part in _told(desk, shown, f"is called {label(shown.thing)}.")]
    mark = Mark(region_on(target, desk.dice.choose(WAYS), desk.dice))
    answer = sentence(label(target)) if label(target) in known else "None of them."
    return _sample(_with_pictures(desk, NAME, parts, mark=mark), answer)


def _phrase(thing: WorldObject, *names: str) -> Phrase:
    return Phrase(**{name: getattr(thing, name) for name in names})


_MANNERS: tuple[Callable[[WorldObject], str], ...] = (
    lambda thing: sentence(_phrase(thing, "colour", "kind").a),
    lambda thing: sentence(f"{thing.kind}, {thing.colour}"),
    lambda thing: sentence(_phrase(thing, "size", "kind").a),
    lambda thing: sentence(f"{fill_adjective(thing.fill)} and {thing.colour}"),
    lambda thing: f"It is {thing.colour}.",
    lambda thing: sentence(f"the {thing.kind} is {fill_adjective(thing.fill)}"),
    lambda thing: sentence(_phrase(thing, "size", "colour", "fill", "kind").a),
)


def _describe(desk: Desk) -> Sample | None:
    things = [thing for thing in desk.objects if desk.speakable(thing.kind, thing.colour)]
    if not things:
        return None
    manner, target = desk.dice.choose(_MANNERS), desk.dice.choose(things)
    examples = _examples(desk, None)
    if not examples:
        return None
    parts = [part for shown in examples for part in _told(desk, shown, manner(shown.thing))]
    nothing = desk.dice.chance(_NOTHING_SHARE)
    pointed = desk.mark(None if nothing else target)
    if pointed is None:
        return None
    answer = NOTHING_THERE if nothing else manner(target)
    return _sample(_with_pictures(desk, DESCRIBE, parts, mark=pointed[0]), answer)


def _number(count: int, one: str) -> str:
    if count == 1:
        return sentence(with_article(one))
    return sentence(f"{NUMBERS[count] if count else 'no'} {plural(one)}")


_COUNTED: tuple[tuple[str, Callable[[WorldPicture], int]], ...] = (
    ("thing", lambda picture: len(picture.scene.things)),
    ("shape", lambda picture: len(picture.scene.objects)),
    ("figure", lambda picture: len(picture.scene.figures)),
    ("sign", lambda picture: len(picture.scene.signs)),
)


def _count(desk: Desk) -> Sample | None:
    one, counted = desk.dice.choose(_COUNTED, (0.35, 0.3, 0.25, 0.1))
    parts: list[Part] = []
    for picture in _drawn(desk, desk.dice.integer(1, MOST_EXAMPLES)):
        parts += [Picture(image_of(picture)), f" {_number(counted(picture), one)} "]
    return _sample(_with_pictures(desk, COUNT, parts), _number(counted(desk.picture), one))


def _mark(desk: Desk) -> Sample | None:
    label = _labels(desk)
    absent = not desk.objects or desk.dice.chance(_NOTHING_SHARE)
    target = None if absent else desk.dice.choose(desk.objects)
    examples = _examples(desk, None if target is None else lambda thing: label(thing) == label(target))
    if not examples:
        return None
    names = [label(shown.thing) for shown in examples]
    name = desk.dice.choose(names) if target is None else label(target)
    parts = [part for shown in examples for part in _told(desk, shown, f"is called {label(shown.thing)}.")]
    question = _with_pictures(desk, MARK, parts, one=f"{name} one", many=f"{name} ones", a=with_article(f"{name} one"))
    found = [thing for thing in desk.objects if label(thing) == name]
    if not found:
        return _sample(question, f"There is no {name} one.")
    return Sample(
        request=Request((Message("user", question),)),
        answer=Message("assistant", listed([f"{name} one"])),
        truth={"detection": truth_of([found], desk.picture.scene.size_hw)},
    )


FAMILIES: tuple[Family, ...] = tuple(
    Family(
        name=f"example-{name}",
        group="example",
        score=score,
        example=example,
        build=build,
        grammars=(grammar,),
        version=2,
    )
    for name, score, example, build, grammar in (
        ("name", "exact", "Region1 is called wug. Now: what is region2? Wug.", _name, NAME),
        ("describe", "exact", "Region1: star, red. Now: go on. Region2. Fish, blue.", _describe, DESCRIBE),
        ("count", "exact", "Two figures. Now: and here? Three figures.", _count, COUNT),
        ("mark", "iou", "Region1 is called wug. Now: mark every wug one. Here you go: wug one.", _mark, MARK),
    )
)
