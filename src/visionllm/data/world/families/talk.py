"""Talk about a picture: caption, existence, count, colour, kind, fill, size and relation."""

from visionllm.data.world.captions import caption
from visionllm.data.world.families.base import Desk, Family
from visionllm.data.world.grammar import Grammar, told, told_to
from visionllm.data.world.phrases import Pattern, Phrase, phrase_for, unique_phrases
from visionllm.data.world.positions import DIRECTIONS, direction_between, lies
from visionllm.data.world.relations import larger_than
from visionllm.data.world.scene import WorldObject
from visionllm.data.world.words import NUMBERS, fill_adjective, joined, plural, sentence, size_predicate
from visionllm.types import Sample

PATTERNS: tuple[Pattern, ...] = (
    ("kind",),
    ("colour", "kind"),
    ("fill", "kind"),
    ("size", "kind"),
    ("colour",),
    ("fill",),
    ("size",),
    ("colour", "fill", "kind"),
)
PATTERN_WEIGHTS = (0.3, 0.3, 0.1, 0.1, 0.08, 0.04, 0.04, 0.04)
_ABSENT_SHARE = 0.15

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
        "what (is|can be seen|is shown|is drawn|is to be seen) (in|on) (this|the) <picture>?",
        "what (do|can) you see( <where>|)?",
        "what does (this|the) <picture> (show|contain|hold)?",
        "what things (are|can you see|do you see) <where>?",
        told("what (is|can be seen|is shown|is drawn) (in|on) (this|the) <picture>"),
        told("what you (can |)see( <where>|)"),
        told_to("(describe|caption) (this|the) <picture>"),
        told_to("(give|write) (me |)a (caption|description) (of|for) (this|the) <picture>"),
    ),
)
EXISTENCE_ONE = Grammar(
    ("is there {a}?", "is there {a} in this picture?", "do you see {a}?"),
    (
        "is there (any {one}|{a})( <where>|)?",
        "(can|do) you see ({a}|any {one})( <where>|)?",
        "(can|could) {a} be (seen|found)( <where>|)?",
        "does (this|the) <picture> (show|contain|have|hold) {a}?",
        told("(if|whether) (there is {a}|you (can |)see {a}|{a} is there)( <where>|)"),
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
        "(what|which) size is {the}( <where>|)?",
        "(what|which) size does {the} have?",
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
RELATION_WHAT = Grammar(
    ("what is {side} {the}?", "what do you see {side} {the}?"),
    (
        "what (is|can be seen|is shown|is drawn|lies) {side} {the}( <where>|)?",
        "what (do|can) you see {side} {the}( <where>|)?",
        "{side} {the}, what (is there|do you see|can be seen)( <where>|)?",
        told("what (is|lies|you (can |)see) {side} {the}( <where>|)"),
        told_to("(name|list) what is {side} {the}( <where>|)"),
    ),
)
RELATION_WHERE = Grammar(
    ("where is {the} relative to {other}?", "where is {the}, seen from {other}?"),
    (
        "(where|on which side) is {the}( <where>|)(, seen| as seen|, looking) from {other}?",
        "(where|on which side) is {the} (relative to|in relation to|with respect to) {other}( <where>|)?",
        "(where does {the} lie|in which direction is {the}) from {other}?",
        "is {the} left of, right of, above or below {other}?",
        told("where {the} is (relative to|in relation to|as seen from) {other}( <where>|)"),
    ),
)


def pick_unique(
    desk: Desk, patterns: tuple[Pattern, ...], balanced: str | None = None
) -> tuple[Phrase, WorldObject] | None:
    """Draw an object that one of the patterns describes alone.

    Args:
        desk: Where it is drawn.
        patterns: The first one is preferred.
        balanced: Name of an attribute whose values shall come alike, however common each is.
    """
    rest = desk.dice.sample(patterns[1:], len(patterns) - 1)
    order = [patterns[0], *rest] if desk.dice.chance(0.6) else [*rest, patterns[0]]
    if balanced is not None:
        values = sorted({getattr(thing, balanced) for thing in desk.objects})
        wanted = desk.dice.choose(values) if values else None
        for pattern in order:
            found = unique_phrases(desk.objects, [pattern])
            if fitting := [pair for pair in found if getattr(pair[1], balanced) == wanted]:
                return desk.dice.choose(fitting)
    for pattern in order:
        if found := unique_phrases(desk.objects, [pattern]):
            return desk.dice.choose(found)
    return None


def present(desk: Desk, pattern: Pattern, least: int = 1) -> Phrase | None:
    """Draw a phrase of a pattern that describes at least so many objects."""
    phrases = {phrase_for(thing, pattern): None for thing in desk.objects}
    fitting = [phrase for phrase in phrases if len(phrase.among(desk.objects)) >= least]
    return desk.dice.choose(fitting) if fitting else None


def none_of(phrase: Phrase) -> str:
    """Say that there is none."""
    return f"There is no {phrase.one}."


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


def pick_count(desk: Desk, patterns: tuple[Pattern, ...] = PATTERNS, zero_share: float = 0.15) -> tuple[Phrase, int]:
    """Draw a phrase so that its number of objects is spread evenly over the numbers that the picture offers."""
    absent = desk.absent(desk.dice.choose(patterns[:4]))
    if absent is not None and (not desk.objects or desk.dice.chance(zero_share)):
        return absent, 0
    phrases = {phrase_for(thing, pattern): None for pattern in patterns for thing in desk.objects}
    counts: dict[int, list[Phrase]] = {}
    for phrase in (*phrases, Phrase(noun=desk.dice.choose(("thing", "object")))):
        counts.setdefault(len(phrase.among(desk.objects)), []).append(phrase)
    number = desk.dice.choose(sorted(counts))
    return desk.dice.choose(counts[number]), number


def _count(desk: Desk) -> Sample:
    phrase, number = pick_count(desk)
    return desk.sample(desk.words(COUNT, many=phrase.many), "None." if number == 0 else sentence(NUMBERS[number]))


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


def tell_attribute(thing: WorldObject, attribute: str) -> str:
    """Say one attribute of an object, as in "It is red." or "It is a star."."""
    if attribute == "kind":
        return f"It is {phrase_for(thing, ('kind',)).a}."
    word = getattr(thing, attribute)
    return f"It is {({'fill': fill_adjective, 'size': size_predicate}.get(attribute, str))(word)}."


def _colour(desk: Desk) -> Sample | None:
    return ask_attribute(desk, COLOUR, "colour", (("kind",), ("size", "kind"), ("fill", "kind")), (("fill",), ("size",), ()))


def _kind(desk: Desk) -> Sample | None:
    patterns = (("colour",), ("size", "colour"), ("colour", "fill"))
    return ask_attribute(desk, KIND, "kind", patterns, (("fill",), ("size",), ()))


def _fill(desk: Desk) -> Sample | None:
    return ask_attribute(desk, FILL, "fill", (("kind",), ("colour", "kind"), ("colour",)), (("size", "kind"), ("size",), ()))


def _size(desk: Desk) -> Sample | None:
    things = unique_phrases(desk.objects, (("kind",), ("colour", "kind")))
    pairs = [(one, two) for one in things for two in things if larger_than(one[1], two[1])]
    if not pairs or desk.dice.chance(0.35):
        return ask_attribute(desk, SIZE_OF_ONE, "size", (("kind",), ("colour", "kind"), ("colour",)), (("fill",), ()))
    (larger, _), (smaller, _) = desk.dice.choose(pairs)
    wanted = larger if (up := desk.dice.chance(0.5)) else smaller
    first, second = (larger, smaller) if desk.dice.chance(0.5) else (smaller, larger)
    if up:
        word = desk.dice.choose(("larger", "bigger"))
    else:
        word = "smaller"
    return desk.sample(desk.words(SIZE_OF_TWO, more=word, the=first.the, other=second.the), sentence(wanted.the))


def _side_words(desk: Desk, direction: str) -> str:
    if direction in ("left of", "right of"):
        return desk.dice.choose((direction, f"to the {direction}"))
    return direction


def _relation(desk: Desk) -> Sample | None:
    anchors = unique_phrases(desk.objects, (("kind",), ("colour", "kind"), ("colour",)))
    asking = (_what_is_beside, _where_is)
    for ask in asking if desk.dice.chance(0.55) else asking[::-1]:
        if sample := ask(desk, anchors):
            return sample
    phrase = desk.absent(("kind",))
    if phrase is None:
        return None
    side = _side_words(desk, desk.dice.choose(tuple(DIRECTIONS)))
    return desk.sample(desk.words(RELATION_WHAT, side=side, the=phrase.the), none_of(phrase))


def _what_is_beside(desk: Desk, anchors: list[tuple[Phrase, WorldObject]]) -> Sample | None:
    clear: dict[int, list[tuple[Phrase, str, list[WorldObject]]]] = {}
    for phrase, anchor in anchors:
        for direction in DIRECTIONS:
            judged = [(thing, lies(thing, direction, anchor)) for thing in desk.objects if thing is not anchor]
            there = [thing for thing, true in judged if true]
            if all(true is not None for _, true in judged) and len(there) <= 2:
                clear.setdefault(len(there), []).append((phrase, direction, there))
    if not clear or (set(clear) == {0} and desk.dice.chance(0.6)):
        return None
    # Empty sides are common; asked as often as they come, "Nothing." would be the best guess.
    number = desk.dice.choose(tuple(sorted(clear)), [0.2 if number == 0 else 1.0 for number in sorted(clear)])
    phrase, direction, there = desk.dice.choose(clear[number])
    question = desk.words(RELATION_WHAT, side=_side_words(desk, direction), the=phrase.the)
    return desk.sample(question, caption(there) if there else "Nothing.")


def _where_is(desk: Desk, anchors: list[tuple[Phrase, WorldObject]]) -> Sample | None:
    pairs = [
        (first, second, direction)
        for first, one in anchors
        for second, two in anchors
        if one is not two and (direction := direction_between(one, two)) is not None
    ]
    if not pairs:
        return None
    first, second, direction = desk.dice.choose(pairs)
    return desk.sample(desk.words(RELATION_WHERE, the=first.the, other=second.the), f"It is {direction} {second.the}.")


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
    Family(
        name="relation",
        group="talk",
        score="exact",
        example="What is left of the house? A red star.",
        build=_relation,
        grammars=(RELATION_WHAT, RELATION_WHERE),
    ),
)
