"""Questions about other domains: pictures from above, scans and workpieces, each with words of its own."""

from collections.abc import Callable

from visionllm.data.world.families.base import NOTHING_THERE, Desk, Family, listed
from visionllm.data.world.families.detect import DETECT
from visionllm.data.world.families.region import RECOGNITION
from visionllm.data.world.families.talk import CAPTION, COUNT, EXISTENCE_ONE
from visionllm.data.world.grammar import Grammar
from visionllm.data.world.scene import WorldThing
from visionllm.data.world.staging.stamps import DOMAINS
from visionllm.data.world.words import NUMBERS, counted, joined, plural, sentence, with_article
from visionllm.types import Sample

_NOTHING_SHARE = 0.15
NOTHING_TO_SEE = "There is nothing to see."


def _of_kind(desk: Desk, kind: str) -> list[WorldThing]:
    return [thing for thing in desk.picture.scene.finds if thing.kind == kind]


def _kind(desk: Desk, absent_share: float) -> str:
    """Draw a kind that is there, or now and then one that is not."""
    kinds = DOMAINS[desk.picture.scene.theme]
    there = [kind for kind in kinds if _of_kind(desk, kind)]
    missing = [kind for kind in kinds if kind not in there]
    absent = not there or (bool(missing) and desk.dice.chance(absent_share))
    return desk.dice.choose(missing if absent else there)


def _detect(desk: Desk) -> Sample:
    kind = _kind(desk, _NOTHING_SHARE)
    found = _of_kind(desk, kind)
    question = desk.words(DETECT, one=kind, many=plural(kind))
    return desk.sample(question, listed([kind]), [found]) if found else desk.sample(question, f"There is no {kind}.")


def _count(desk: Desk) -> Sample:
    kind = _kind(desk, _NOTHING_SHARE)
    found = _of_kind(desk, kind)
    question = desk.words(COUNT, many=plural(kind))
    return desk.sample(question, sentence(NUMBERS[len(found)]) if found else "None.")


def _existence(desk: Desk) -> Sample:
    kind = _kind(desk, 0.5)
    a = with_article(kind)
    question = desk.words(EXISTENCE_ONE, a=a, one=kind)
    return desk.sample(question, f"Yes, there is {a}." if _of_kind(desk, kind) else f"No, there is no {kind}.")


def _caption(desk: Desk) -> Sample:
    kinds = DOMAINS[desk.picture.scene.theme]
    groups = [(len(_of_kind(desk, kind)), kind) for kind in kinds]
    said = joined([counted(number, kind) for number, kind in groups if number])
    return desk.sample(desk.words(CAPTION), sentence(said) if said else NOTHING_TO_SEE)


def _recognise(desk: Desk) -> Sample | None:
    finds = desk.picture.scene.finds
    thing = desk.dice.choose(finds) if finds and not desk.dice.chance(_NOTHING_SHARE) else None
    pointed = desk.mark(thing)
    if pointed is None:
        return None
    question = desk.words(RECOGNITION, mark=pointed[0], way=pointed[1])
    return desk.sample(question, NOTHING_THERE if thing is None else sentence(with_article(thing.kind)))


def _within(domain: str, build: Callable[[Desk], Sample | None]) -> Callable[[Desk], Sample | None]:
    return lambda desk: build(desk) if desk.picture.scene.theme == domain else None


_Row = tuple[str, str, str, str, Callable[[Desk], Sample | None], Grammar]
_ROWS: tuple[_Row, ...] = (
    ("caption", "talk", "exact", "What is in this picture? {a}.", _caption, CAPTION),
    ("existence", "talk", "exact", "Is there {a}? Yes, there is {a}.", _existence, EXISTENCE_ONE),
    ("count", "talk", "exact", "How many {many} are there? Three.", _count, COUNT),
    ("recognition", "region", "exact", "What is region1? {A}.", _recognise, RECOGNITION),
    ("detect", "detect", "ap", "Detect every {one}. Here you go: {one}.", _detect, DETECT),
)


def _example(text: str, one: str) -> str:
    a = with_article(one)
    return text.format(a=a, A=a.capitalize(), one=one, many=plural(one)).replace("? a", "? A")


FAMILIES: tuple[Family, ...] = tuple(
    Family(
        name=f"{domain}-{name}",
        group=group,
        score=score,
        example=_example(example, kinds[0]),
        build=_within(domain, build),
        grammars=(grammar,),
        version=2,
        theme=domain,
    )
    for domain, kinds in DOMAINS.items()
    for name, group, score, example, build, grammar in _ROWS
)
