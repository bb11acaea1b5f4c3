"""Noun phrases that describe objects: "small red striped star", "blue thing"."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from visionllm.data.world.scene import COLOURS, FILLS, KINDS, SIZES, WorldObject, WorldThing
from visionllm.data.world.splits import UNSEEN_PAIRS, Dice
from visionllm.data.world.words import fill_adjective, plural, with_article

ATTRIBUTES: dict[str, tuple[str, ...]] = {"size": SIZES, "colour": COLOURS, "fill": FILLS, "kind": KINDS}
Pattern = tuple[str, ...]
ThingT = TypeVar("ThingT", bound=WorldThing)


@dataclass(frozen=True, kw_only=True)
class Phrase:
    """A noun phrase; what is None is left unsaid.

    Attributes:
        kind: One of `KINDS`, or None for any thing.
        colour: One of `COLOURS`.
        fill: One of `FILLS`.
        size: One of `SIZES`.
        noun: The word for a thing of any kind.
    """

    kind: str | None = None
    colour: str | None = None
    fill: str | None = None
    size: str | None = None
    noun: str = "thing"

    @property
    def one(self) -> str:
        """The singular, as in "small red striped star"."""
        fill = None if self.fill is None else fill_adjective(self.fill)
        return " ".join(word for word in (self.size, self.colour, fill, self.kind or self.noun) if word)

    @property
    def many(self) -> str:
        """The plural, as in "small red striped stars"."""
        return plural(self.one)

    @property
    def a(self) -> str:
        """With the indefinite article."""
        return with_article(self.one)

    @property
    def the(self) -> str:
        """With the definite article."""
        return f"the {self.one}"

    def fits(self, thing: WorldThing) -> bool:
        """Return whether the phrase describes a thing."""
        return all(getattr(self, name) in (None, getattr(thing, name, None)) for name in ATTRIBUTES)

    def among(self, objects: Iterable[ThingT]) -> list[ThingT]:
        """Return the things that the phrase describes."""
        return [thing for thing in objects if self.fits(thing)]


def speakable(kind: str | None, colour: str | None, split: str) -> bool:
    """Return whether words of a split may join this kind and colour."""
    return split == "unseen-pairs" or (kind, colour) not in UNSEEN_PAIRS


def phrase_for(thing: WorldObject, pattern: Pattern) -> Phrase:
    """Describe an object by the attributes that `pattern` names."""
    return Phrase(**{name: getattr(thing, name) for name in pattern})


def unique_phrases(objects: Sequence[WorldObject], patterns: Iterable[Pattern]) -> list[tuple[Phrase, WorldObject]]:
    """Return the phrases of these patterns that describe exactly one object, each with that object."""
    found = {}
    for pattern in patterns:
        for thing in objects:
            phrase = phrase_for(thing, pattern)
            if phrase not in found and len(phrase.among(objects)) == 1:
                found[phrase] = thing
    return list(found.items())


def absent_phrase(objects: Sequence[WorldObject], pattern: Pattern, split: str, dice: Dice) -> Phrase | None:
    """Draw a phrase of a pattern that describes no object; mostly one attribute away from an object that is there."""
    for _ in range(20):
        if objects and len(pattern) > 1 and dice.chance(0.75):
            changed = dice.choose(pattern)
            phrase = replace(phrase_for(dice.choose(objects), pattern), **{changed: dice.choose(ATTRIBUTES[changed])})
        else:
            phrase = Phrase(**{name: dice.choose(ATTRIBUTES[name]) for name in pattern})
        if speakable(phrase.kind, phrase.colour, split) and not phrase.among(objects):
            return phrase
    return None
