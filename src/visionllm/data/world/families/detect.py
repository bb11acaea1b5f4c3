"""Questions that are answered with boxes: the answer routes words to the detector."""

from collections.abc import Sequence
from dataclasses import replace

from visionllm.data.world.captions import EMPTY_PICTURE, clauses
from visionllm.data.world.families.base import DET, NOTHING_THERE, Desk, Family, listed
from visionllm.data.world.families.choosing import none_of, pick_count
from visionllm.data.world.grammar import Grammar, told_to
from visionllm.data.world.phrases import ATTRIBUTES, Pattern, Phrase, phrase_for
from visionllm.data.world.scene import COLOURS, FILLS, KINDS, SIZES, WorldObject
from visionllm.data.world.words import NUMBERS, fill_adjective, joined, sentence, size_predicate
from visionllm.types import Part, Routed, Sample

NAMED: tuple[Pattern, ...] = (
    ("colour", "kind"),
    ("colour",),
    ("fill", "kind"),
    ("size", "kind"),
    ("size", "fill"),
    ("fill",),
    ("size",),
    ("colour", "fill"),
    ("size", "colour", "kind"),
)
_NAMED_WEIGHTS = (0.35, 0.15, 0.12, 0.12, 0.06, 0.05, 0.05, 0.05, 0.05)
KNOWN_TEMPLATE = "Find every {names}."
MOST_NAMES = 20

DETECT = Grammar(
    (
        "detect every {one}.",
        "detect all {many}.",
        "detect the {many}.",
        "detect {many}.",
        "find every {one}.",
        "find all {many}.",
        "where are the {many}?",
    ),
    (
        told_to("(detect|find|locate|mark|box|spot) (every {one}|each {one}|all {many}|all the {many})( <where>|)"),
        told_to("(draw|put) (a box around (every|each) {one}|boxes around all (the |){many})"),
        told_to("show me (all {many}|all the {many}|every {one}|each {one})( <where>|)"),
        "where (are|do you see|can you see) (all |)the {many}( <where>|)?",
        "(I am looking for|I need|I want to see) (all {many}|every {one}|all the {many})( <where>|).",
    ),
)
EVERYTHING = Grammar(
    ("detect everything.", "find everything.", "detect all objects.", "find all objects.", "detect every object."),
    (
        told_to("(detect|find|locate|mark|box|spot) (everything|every object|all objects|all things)( <where>|)"),
        told_to("(draw|put) (a box around every object|boxes around (everything|all objects|all things))( <where>|)"),
        told_to("show me where (everything|every object|each object|each thing) is"),
        "where is (everything|every object|each object|each thing)( <where>|)?",
    ),
)
_MARK_THEM = "(mark|box|show|detect) (them|each one|each of them|all of them)"
_ALL_THINGS = "(all things|everything|all objects|the things)"
COUNT_BOXES = Grammar(
    (
        "count the {many} and mark them.",
        "how many {many} are there? mark them.",
        "count the {many} with boxes.",
    ),
    (
        told_to(
            "count (the|all|all the) {many}( <where>|) and (mark|box|show|detect) (them|each|each one|each of them)"
        ),
        f"how many {{many}} (are there|do you see|can you see)( <where>|)? (please |){_MARK_THEM}.",
        told_to("(count|number) the {many} with boxes( <where>|)"),
        told_to("(mark|box|detect) (all|all the|the) {many}( <where>|) and (count them|say how many there are)"),
    ),
)
COUNT_LIKE = Grammar(
    (
        "how many of the same {trait} as {mark} are there? mark them.",
        "count everything of the same {trait}. {mark}",
    ),
    (
        f"how many (things |objects |)of the same {{trait}} as {{mark}} (are there|do you see)? {_MARK_THEM}.",
        told_to(f"count {_ALL_THINGS} of the same {{trait}} as {{mark}} and {_MARK_THEM}"),
        f"how many (things |objects |)share the {{trait}} of ({{mark}}|the thing {{way}} {{mark}})? {_MARK_THEM}.",
        f"how many (things |objects |)share the {{trait}} of (this|this thing)? {_MARK_THEM}. {{mark}}",
        f"(look at|consider) {{mark}}. how many (things |objects |)share its {{trait}}? {_MARK_THEM}.",
        told_to(f"(mark|box|detect) and count {_ALL_THINGS} of the same {{trait}} as {{mark}}"),
    ),
)
GROUNDED_CAPTION = Grammar(
    (
        "describe this picture with boxes.",
        "describe the picture and mark what you see.",
        "what is in this picture? mark it.",
    ),
    (
        told_to("(describe|caption) (this|the) <picture> (with boxes|with a box for each thing)"),
        told_to(
            "(describe|caption) (this|the) <picture> and (mark|box|show|detect) (everything|each thing|what you see)"
        ),
        "what (is|do you see|can you see) in (this|the) <picture>? (mark|box|show|detect) (it|everything|each thing).",
        told_to("(give|write) (me |)a (caption|description) of (this|the) <picture> with (boxes|a box for each thing)"),
    ),
)
DETECT_AND_DESCRIBE = Grammar(
    (
        "detect all {many} and name their {traits}.",
        "find every {one} and tell me the {trait}.",
        "where are the {many}, and what {trait} do they have?",
    ),
    (
        told_to(
            "(detect|find|locate|mark|box) (all {many}|all the {many}|every {one}|each {one})( <where>|) and "
            "(name|tell me|say|give) (the {trait} of each|the {traits})"
        ),
        "where are (all |)the {many}( <where>|), and (what|which) {trait} do they have?",
        "(what|which) {trait} do the {many}( <where>|) have? (mark|box|show|detect) (them|each one|all of them) too.",
    ),
)


def pick_disjoint(desk: Desk, candidates: Sequence[Phrase], most: int) -> list[Phrase]:
    """Take up to `most` phrases in order so that no object fits two of them."""
    taken: list[Phrase] = []
    described: set[int] = set()
    for phrase in candidates:
        things = {id(thing) for thing in phrase.among(desk.objects)}
        if len(taken) < most and phrase not in taken and not things & described:
            taken.append(phrase)
            described |= things
    return taken


def ask_for(desk: Desk, grammar: Grammar, phrases: Sequence[Phrase]) -> Sample:
    """Ask for everything that fits the phrases; what is absent is said at the end, or alone."""
    there = [phrase for phrase in phrases if phrase.among(desk.objects)]
    missing = [phrase for phrase in phrases if phrase not in there]
    names = [phrase.one for phrase in phrases]
    question = desk.words(
        grammar,
        one=joined(names),
        many=joined([phrase.many for phrase in phrases]),
        the="the " + joined(names, "and the"),
    )
    refusal = f"There is {joined([f'no {phrase.one}' for phrase in missing])}."
    if not there:
        return desk.sample(question, refusal)
    answer = listed([phrase.one for phrase in there], end=f". {refusal}" if missing else ".")
    return desk.sample(question, answer, [phrase.among(desk.objects) for phrase in there])


def kinds_there(desk: Desk) -> list[Phrase]:
    """Return a phrase for each kind in the picture, in random order."""
    kinds = sorted({thing.kind for thing in desk.objects})
    return [Phrase(kind=kind) for kind in desk.dice.sample(kinds, len(kinds))]


def kinds_absent(desk: Desk, count: int) -> list[Phrase]:
    """Return phrases for kinds that are not in the picture, in random order."""
    there = {thing.kind for thing in desk.objects}
    kinds = [kind for kind in KINDS if kind not in there]
    return [Phrase(kind=kind) for kind in desk.dice.sample(kinds, min(count, len(kinds)))]


def named_phrases(desk: Desk, count: int) -> list[Phrase]:
    """Return phrases with attributes for objects that are there, fitting no object twice."""
    if not desk.objects:
        return []
    drawn = []
    for _ in range(3 * count):
        pattern = desk.dice.choose(NAMED, _NAMED_WEIGHTS)
        phrase = phrase_for(desk.dice.choose(desk.objects), pattern)
        drawn.append(phrase if phrase.kind else _renamed(desk, phrase))
    return pick_disjoint(desk, drawn, count)


def _renamed(desk: Desk, phrase: Phrase) -> Phrase:
    words = {name: getattr(phrase, name) for name in ATTRIBUTES}
    return Phrase(**words, noun="object") if desk.dice.chance(0.3) else phrase


def _one(desk: Desk) -> Sample | None:
    phrases = kinds_there(desk)
    return ask_for(desk, DETECT, phrases[:1]) if phrases else None


def _several(desk: Desk) -> Sample | None:
    there = kinds_there(desk)
    if not there:
        return None
    kept = there[: desk.dice.integer(1, 4)]
    missing = kinds_absent(desk, max(desk.dice.choose((0, 0, 1, 1, 2)), 2 - len(kept)))
    phrases = [*kept, *missing]
    return ask_for(desk, DETECT, desk.dice.sample(phrases, len(phrases)))


def _everything(desk: Desk) -> Sample:
    question = desk.words(EVERYTHING)
    if not desk.objects:
        return desk.sample(question, EMPTY_PICTURE)
    return desk.sample(question, listed(["object"]), [desk.objects])


def _nothing(desk: Desk) -> Sample | None:
    pattern = desk.dice.choose((("kind",), *NAMED), (0.8, *_NAMED_WEIGHTS))
    phrase = desk.absent(pattern)
    return None if phrase is None else ask_for(desk, DETECT, [phrase])


def _attribute(desk: Desk) -> Sample | None:
    phrases = named_phrases(desk, 1 if desk.dice.chance(0.75) else 2)
    if not phrases:
        return None
    absent = desk.absent(desk.dice.choose(NAMED, _NAMED_WEIGHTS)) if desk.dice.chance(0.15) else None
    return ask_for(desk, DETECT, [*phrases, *([absent] if absent else [])])


def _counted(phrase: Phrase, things: Sequence[WorldObject]) -> tuple[Part, ...]:
    return listed([phrase.one], intro=f"{NUMBERS[len(things)].capitalize()}: ")


def _count(desk: Desk) -> Sample:
    phrase, number = pick_count(desk)
    question = desk.words(COUNT_BOXES, many=phrase.many)
    if number == 0:
        return desk.sample(question, "There are none.")
    things = phrase.among(desk.objects)
    return desk.sample(question, _counted(phrase, things), [things])


def _count_like(desk: Desk) -> Sample | None:
    thing = None if not desk.objects or desk.dice.chance(0.12) else desk.dice.choose(desk.objects)
    pointed = desk.mark(thing)
    if pointed is None:
        return None
    attribute = "kind" if desk.dice.chance(0.65) else "colour"
    question = desk.words(COUNT_LIKE, mark=pointed[0], way=pointed[1], trait=attribute)
    if thing is None:
        return desk.sample(question, NOTHING_THERE)
    phrase = phrase_for(thing, (attribute,))
    things = phrase.among(desk.objects)
    return desk.sample(question, _counted(phrase, things), [things])


def _grounded_caption(desk: Desk) -> Sample:
    question = desk.words(GROUNDED_CAPTION)
    groups = clauses(desk.objects)
    if not groups:
        return desk.sample(question, EMPTY_PICTURE)
    parts: list[Part] = []
    for index, (phrase, things) in enumerate(groups):
        number, label = phrase.a.split(" ")[0], phrase.one
        if len(things) > 1:
            number, label = NUMBERS[len(things)], phrase.many
        link = "" if index == 0 else " and " if index == len(groups) - 1 else ", "
        parts += [f"{link}{number if index else number.capitalize()} ", Routed(label, DET)]
    return desk.sample(question, (*parts, "."), [things for _, things in groups])


def _traits(things: Sequence[WorldObject], attribute: str) -> str:
    """Say the colours (fills, sizes) of several things, as in "Two are red, one is blue."."""
    spoken = {"fill": fill_adjective, "size": size_predicate}.get(attribute, str)
    values = [getattr(thing, attribute) for thing in things]
    order = {"colour": COLOURS, "fill": FILLS, "size": SIZES}[attribute]
    there = sorted(set(values), key=lambda value: (-values.count(value), order.index(value)))
    if len(there) == 1:
        whom = {1: "It is", 2: "Both are"}.get(len(values), "All are")
        return f"{whom} {spoken(there[0])}."
    said = [
        f"{NUMBERS[number]} {'is' if number == 1 else 'are'} {spoken(v)}" for v in there for number in [values.count(v)]
    ]
    return sentence(", ".join(said))


def _describe(desk: Desk) -> Sample | None:
    candidates = [*kinds_there(desk), Phrase(noun="object")] if desk.objects else kinds_absent(desk, 1)
    several = [phrase for phrase in candidates if len(phrase.among(desk.objects)) > 1]
    phrase = desk.dice.choose(several if several and desk.dice.chance(0.7) else candidates)
    attribute = desk.dice.choose(("colour", "fill", "size"), (0.6, 0.2, 0.2))
    if desk.dice.chance(0.12):
        phrase = (kinds_absent(desk, 1) or [phrase])[0]
    trait = "pattern" if attribute == "fill" else attribute
    question = desk.words(DETECT_AND_DESCRIBE, one=phrase.one, many=phrase.many, trait=trait, traits=f"{trait}s")
    things = phrase.among(desk.objects)
    if not things:
        return desk.sample(question, none_of(phrase))
    return desk.sample(question, listed([phrase.one], end=f". {_traits(things, attribute)}"), [things])


def known_classes(desk: Desk) -> Sample:
    """List names, present and absent, as known-class mode does; the answer routes every one of them."""
    count = desk.dice.choose((desk.dice.integer(1, 8), desk.dice.integer(1, MOST_NAMES), MOST_NAMES), (0.6, 0.25, 0.15))
    if desk.dice.chance(0.7):
        there = kinds_there(desk)
        absent = kinds_absent(desk, count)
    else:
        there = named_phrases(desk, 4)
        drawn = (desk.absent(desk.dice.choose(NAMED, _NAMED_WEIGHTS)) for _ in range(count))
        absent = list(dict.fromkeys(phrase for phrase in drawn if phrase))
    kept = there[: count if desk.dice.chance(0.75) else max(1, count // 2)]
    phrases = [*kept, *absent[: count - len(kept)]]
    phrases = desk.dice.sample(phrases, len(phrases))
    names = [phrase.one for phrase in phrases]
    question = KNOWN_TEMPLATE.replace("{names}", ", ".join(names))
    sample = desk.sample((question,), listed(names), [phrase.among(desk.objects) for phrase in phrases])
    return replace(sample, learn_text=False)


FAMILIES: tuple[Family, ...] = tuple(
    Family(name=name, group="detect", score=score, example=example, build=build, grammars=grammars)
    for name, score, example, build, grammars in (
        ("detect-one", "ap", "Detect every star. Here you go: star.", _one, (DETECT,)),
        ("detect-several", "ap", "Detect all stars and fish. Here you go: star, fish.", _several, (DETECT,)),
        ("detect-everything", "ap", "Detect everything. Here you go: object.", _everything, (EVERYTHING,)),
        ("detect-nothing", "refusal", "Detect every fish. There is no fish.", _nothing, (DETECT,)),
        ("detect-attribute", "ap", "Detect every red star. Here you go: red star.", _attribute, (DETECT,)),
        ("count-with-boxes", "ap", "Count the stars and mark them. Three: star.", _count, (COUNT_BOXES,)),
        (
            "count-like-marked",
            "ap",
            "How many of the same kind as region1 are there? Mark them. Three: star.",
            _count_like,
            (COUNT_LIKE,),
        ),
        (
            "grounded-caption",
            "ap",
            "Describe this picture with boxes. A red star and two blue fish.",
            _grounded_caption,
            (GROUNDED_CAPTION,),
        ),
        (
            "detect-and-describe",
            "ap",
            "Detect all stars and name their colours. Here you go: star. Two are red, one is blue.",
            _describe,
            (DETECT_AND_DESCRIBE,),
        ),
        ("known-classes", "ap", "Find every star, fish, cup. Here you go: star, fish, cup.", known_classes, ()),
    )
)
