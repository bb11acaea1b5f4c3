"""Choosing what to speak about, and the sentences that several families answer with."""

from visionllm.data.world.families.base import Desk
from visionllm.data.world.phrases import Pattern, Phrase, phrase_for, unique_phrases
from visionllm.data.world.scene import WorldObject
from visionllm.data.world.words import fill_adjective, size_predicate

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


def tell_attribute(thing: WorldObject, attribute: str) -> str:
    """Say one attribute of an object, as in "It is red." or "It is a star."."""
    if attribute == "kind":
        return f"It is {phrase_for(thing, ('kind',)).a}."
    word = getattr(thing, attribute)
    return f"It is {({'fill': fill_adjective, 'size': size_predicate}.get(attribute, str))(word)}."
