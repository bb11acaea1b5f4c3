"""Questions about marked regions, answered in words."""

from visionllm.data.world.families.base import NOTHING_THERE, Desk, Family, grammars_of
from visionllm.data.world.families.choosing import tell_attribute
from visionllm.data.world.grammar import Grammar, marked, told, told_to
from visionllm.data.world.phrases import ATTRIBUTES, Phrase, phrase_for
from visionllm.data.world.positions import clearly_larger
from visionllm.data.world.scene import WorldObject
from visionllm.data.world.words import fill_adjective, joined, sentence, with_article
from visionllm.types import Mark, Part, Sample

_NOTHING_SHARE = 0.12
_WHOLE = ("size", "colour", "fill", "kind")

CAPTION = Grammar(
    ("describe {mark}.", "describe this. {mark}", "what does {mark} look like?", "describe this thing. {mark}"),
    (
        marked("what does IT look like?"),
        marked("how does IT look?"),
        marked("describe IT."),
        marked("(please |)give (me |)a description of IT."),
        marked(told_to("(describe|caption) IT")),
        marked(told("what IT looks like")),
    ),
)
RECOGNITION = Grammar(
    ("what is {mark}?", "what is this? {mark}", "what is it? {mark}", "what is in {mark}?", "name this. {mark}"),
    (
        marked("what is IT?"),
        marked("what (kind|sort) of (thing|object) is IT?"),
        marked("what (do|would) you call IT?"),
        marked(told_to("(name|recognise|identify) IT")),
        marked(told("what IT is")),
        marked(told("what (kind|sort) of thing IT is")),
    ),
)
ATTRIBUTE: dict[str, Grammar] = {
    "colour": Grammar(
        ("what colour is {mark}?", "what colour is this? {mark}", "what color is it? {mark}"),
        (
            marked("(what|which) <colour> is IT?"),
            marked("what is the <colour> of IT?"),
            marked(told("(what|which) <colour> IT (is|has)")),
            marked(told("the <colour> of IT")),
        ),
    ),
    "fill": Grammar(
        ("how is {mark} filled?", "what pattern does this have? {mark}"),
        (
            marked("how is IT (filled|drawn)?"),
            marked("(what|which) (pattern|fill) does IT have?"),
            marked("what is the (pattern|fill) of IT?"),
            marked(told("(what|which) (pattern|fill) IT has")),
        ),
    ),
    "size": Grammar(
        ("how big is {mark}?", "how big is this? {mark}"),
        (
            marked("how (big|large) is IT?"),
            marked("(what|which) size is IT?"),
            marked("what is the size of IT?"),
            marked(told("how (big|large) IT is")),
        ),
    ),
}
IS_IT = Grammar(
    ("is {mark} {a}?", "is this {a}? {mark}"),
    (
        marked("is IT (really |perhaps |){a}?"),
        marked("would you (call IT|say that IT is) {a}?"),
        marked("does IT look like {a}?"),
        marked(told("(if|whether) IT is {a}")),
    ),
)
CHOOSE_LETTER = Grammar(
    ("what is {mark}? {letters}", "what is this? {letters} {mark}"),
    (
        "(what|which|which one|which of these) is (it|this|the marked thing|the thing {way})? {letters} {mark}",
        "(what is|which word fits|which answer fits|what fits) {mark}? {letters}",
        "(choose|pick|select) (the right |the best |the )(letter|answer|option) for {mark}. {letters}",
        "(look at|consider|here is) {mark}. (what|which|which of these) is it? {letters}",
        "{letters} (which|which one|which letter|what) (is|fits|stands for) {mark}?",
    ),
)
CHOOSE_NAME = Grammar(
    ("what is {mark}: {names}?", "is this {names}? {mark}"),
    (
        marked("(what|which) is IT(:|,) {names}?"),
        marked("is IT {names}?"),
        marked("would you (call IT|say that IT is) {names}?"),
        marked(told("(if|whether) IT is {names}")),
    ),
)
CHOOSE_REGION = Grammar(
    ("which is {a}: {marks}?", "which of {marks} is {a}?"),
    (
        "(which|which one|which region|what) (is|shows|holds|contains) {a}(:|,) {marks}?",
        "(which|which one|which region) of {marks} (is|shows|holds|contains) {a}?",
        "{marks}: (which|which one|which region) (is|shows|holds|contains) {a}?",
        "(look at|consider|here are) {marks}. (which|which one|which region) is {a}?",
        told("(which|which one|which region) of {marks} (is|shows|holds) {a}"),
    ),
)
COMPARE_SIZE = Grammar(
    ("which is {more}, {mark} or {mark2}?", "which one is {more}? {mark} {mark2}"),
    (
        "(which|which one|which thing|what) is {more}(,|:) {mark} or {mark2}?",
        "(which|which one|which thing|which of the two) is {more}? {mark} {mark2}",
        "(which|which one) of {mark} and {mark2} (is|looks|seems) {more}?",
        "(which|which one|what) (looks|seems) {more}(,|:) {mark} or {mark2}?",
        "(look at|consider|here are) {mark} and {mark2}. (which|which one|which of the two|which of them) is {more}?",
        "(compare|look at) {mark} and {mark2}: (which|which one|which of them) (is|looks) {more}?",
        "(is {mark} or {mark2} {more}|is {mark} {more}, or is {mark2})?",
        "(which|which one) is the {more} (one|thing|object)(,|:) {mark} or {mark2}?",
        told("(which|which one) is {more}, {mark} or {mark2}"),
    ),
)
COMPARE_SAME = Grammar(
    (
        "are {mark} and {mark2} the same {trait}?",
        "do {mark} and {mark2} have the same {trait}?",
        "same {trait}? {mark} {mark2}",
    ),
    (
        "(are THESE of|do THESE have|do THESE share) the same {trait}? {mark} {mark2}".replace(
            "THESE", "(these|these two|these two things|the marked things)"
        ),
        "(do|would you say) {mark} and {mark2} (have|share) the same {trait}?",
        "(is the {trait} of {mark}|would you say the {trait} of {mark} is) (the same as|the same as that of) {mark2}?",
        "(is the first of|does the first have|does the first share) the same {trait} as the second? {mark} {mark2}",
        "(is {mark} of|does {mark} have|does {mark} share) the same {trait} as {mark2}?",
        "(look at|consider|here are) {mark} and {mark2}. (do they have|do they share|are they of) the same {trait}?",
        told("(if|whether) {mark} and {mark2} (have|share|are of) the same {trait}"),
    ),
)


def _pointed(desk: Desk) -> tuple[WorldObject | None, Mark, str] | None:
    """Point at a random object, or now and then at nothing."""
    thing = None if not desk.objects or desk.dice.chance(_NOTHING_SHARE) else desk.dice.choose(desk.objects)
    pointed = desk.mark(thing)
    return None if pointed is None else (thing, *pointed)


def _ask(desk: Desk, grammar: Grammar, pattern: tuple[str, ...]) -> Sample | None:
    pointed = _pointed(desk)
    if pointed is None:
        return None
    thing, mark, way = pointed
    question = desk.words(grammar, mark=mark, way=way)
    return desk.sample(question, NOTHING_THERE if thing is None else sentence(phrase_for(thing, pattern).a))


def _caption(desk: Desk) -> Sample | None:
    return _ask(desk, CAPTION, _WHOLE)


def _recognition(desk: Desk) -> Sample | None:
    return _ask(desk, RECOGNITION, ("kind",))


def _question(desk: Desk) -> Sample | None:
    pointed = _pointed(desk)
    if pointed is None:
        return None
    thing, mark, way = pointed
    attribute = desk.dice.choose(("colour", "fill", "size", "kind"), (0.3, 0.2, 0.2, 0.3))
    if attribute != "kind":
        question = desk.words(ATTRIBUTE[attribute], mark=mark, way=way)
        return desk.sample(question, NOTHING_THERE if thing is None else tell_attribute(thing, attribute))
    true = thing is not None and desk.dice.chance(0.5)
    others = [kind for kind in ATTRIBUTES["kind"] if thing is None or kind != thing.kind]
    nearby = [kind for kind in others if any(other.kind == kind for other in desk.objects)]
    asked = desk.dice.choose(nearby if nearby and desk.dice.chance(0.5) else others)
    phrase = Phrase(kind=thing.kind if true and thing else asked)
    question = desk.words(IS_IT, mark=mark, way=way, a=phrase.a)
    if thing is None:
        return desk.sample(question, NOTHING_THERE)
    return desk.sample(question, f"{'Yes' if true else 'No'}, it is {Phrase(kind=thing.kind).a}.")


def _options(desk: Desk, thing: WorldObject, attribute: str) -> list[str]:
    """Return three or four values of an attribute, the true one among them."""
    value = getattr(thing, attribute)
    wrong = [other for other in ATTRIBUTES[attribute] if other != value]
    drawn = [value, *desk.dice.sample(wrong, desk.dice.integer(1, 3))]
    return desk.dice.sample(drawn, len(drawn))


def _choose_word(desk: Desk) -> Sample | None:
    if not desk.objects:
        return None
    thing = desk.dice.choose(desk.objects)
    pointed = desk.mark(thing)
    if pointed is None:
        return None
    mark, way = pointed
    attribute = desk.dice.choose(("kind", "colour", "fill"), (0.6, 0.25, 0.15))
    options = _options(desk, thing, attribute)
    true = options.index(getattr(thing, attribute))
    spoken = {"kind": with_article, "fill": fill_adjective}.get(attribute, str)
    names = [spoken(option) for option in options]
    if desk.dice.chance(0.5):
        letters = " ".join(f"{'ABCD'[index]}: {name}." for index, name in enumerate(names))
        return desk.sample(desk.words(CHOOSE_LETTER, mark=mark, way=way, letters=letters), f"{'ABCD'[true]}.")
    return desk.sample(desk.words(CHOOSE_NAME, mark=mark, way=way, names=joined(names, "or")), sentence(names[true]))


def _choose_region(desk: Desk) -> Sample | None:
    kinds = sorted({thing.kind for thing in desk.objects})
    if len(kinds) < 2:
        return None
    drawn = desk.dice.sample(kinds, min(len(kinds), desk.dice.integer(2, 4)))
    things = [desk.dice.choose(Phrase(kind=kind).among(desk.objects)) for kind in drawn]
    marks = [pointed[0] for thing in things if (pointed := desk.mark(thing))]
    true = desk.dice.integer(0, len(things) - 1)
    parts: list[Part] = []
    for index, mark in enumerate(marks):
        parts += [*([" and " if index == len(marks) - 1 else ", "] if index else []), mark]
    question = desk.words(CHOOSE_REGION, marks=tuple(parts), a=Phrase(kind=things[true].kind).a)
    return desk.sample(question, f"It is region{true + 1}.")


def _choice(desk: Desk) -> Sample | None:
    return (_choose_region(desk) if desk.dice.chance(0.35) else None) or _choose_word(desk)


def _compare(desk: Desk) -> Sample | None:
    if len(desk.objects) < 2:
        return None
    if desk.dice.chance(0.4):
        pairs = [(one, two) for one in desk.objects for two in desk.objects if clearly_larger(one, two)]
        if pairs:
            return _which_is_larger(desk, *desk.dice.choose(pairs))
    attribute, same = desk.dice.choose(("colour", "kind", "fill")), desk.dice.chance(0.5)
    pairs = [(one, two) for one in desk.objects for two in desk.objects if one is not two]
    fitting = [pair for pair in pairs if (getattr(pair[0], attribute) == getattr(pair[1], attribute)) == same]
    one, two = desk.dice.choose(fitting or pairs)
    marks = [desk.mark(one), desk.mark(two)]
    if marks[0] is None or marks[1] is None:
        return None
    trait = {"kind": "kind", "fill": desk.dice.choose(("fill", "pattern")), "colour": "colour"}[attribute]
    question = desk.words(COMPARE_SAME, mark=marks[0][0], mark2=marks[1][0], trait=trait)
    first, second = getattr(one, attribute), getattr(two, attribute)
    spoken = {"kind": with_article, "fill": fill_adjective}.get(attribute, str)
    if first != second:
        return desk.sample(question, f"No, one is {spoken(first)} and one is {spoken(second)}.")
    shared = Phrase(kind=first).many if attribute == "kind" else spoken(first)
    return desk.sample(question, f"Yes, both are {shared}.")


def _which_is_larger(desk: Desk, larger: WorldObject, smaller: WorldObject) -> Sample | None:
    things = [larger, smaller] if desk.dice.chance(0.5) else [smaller, larger]
    marks = [desk.mark(thing) for thing in things]
    if marks[0] is None or marks[1] is None:
        return None
    up = desk.dice.chance(0.5)
    more = desk.dice.choose(("larger", "bigger")) if up else "smaller"
    question = desk.words(COMPARE_SIZE, mark=marks[0][0], mark2=marks[1][0], more=more)
    true = things.index(larger if up else smaller)
    return desk.sample(question, f"It is region{true + 1}.")


FAMILIES: tuple[Family, ...] = (
    Family(
        name="region-caption",
        group="region",
        score="exact",
        example="Describe region1. A small red striped star.",
        build=_caption,
        grammars=(CAPTION,),
    ),
    Family(
        name="region-recognition",
        group="region",
        score="exact",
        example="What is region1? A star.",
        build=_recognition,
        grammars=(RECOGNITION,),
    ),
    Family(
        name="region-question",
        group="region",
        score="exact",
        example="What colour is region1? It is red.",
        build=_question,
        grammars=grammars_of(ATTRIBUTE, IS_IT),
    ),
    Family(
        name="region-choice",
        group="region",
        score="exact",
        example="What is region1: a star, a fish or a cup? A fish.",
        build=_choice,
        grammars=(CHOOSE_LETTER, CHOOSE_NAME, CHOOSE_REGION),
    ),
    Family(
        name="region-compare",
        group="region",
        score="exact",
        example="Are region1 and region2 the same colour? Yes, both are red.",
        build=_compare,
        grammars=(COMPARE_SIZE, COMPARE_SAME),
    ),
)
