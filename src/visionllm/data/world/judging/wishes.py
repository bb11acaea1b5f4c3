"""What a prompt asks a picture to show, as data and as words."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from visionllm.data.world.figures import FIGURES
from visionllm.data.world.figures.plans import COATS
from visionllm.data.world.phrases import Phrase
from visionllm.data.world.positions import DIRECTIONS, lies
from visionllm.data.world.scene import COLOURS, FILLS, KINDS, WorldThing
from visionllm.data.world.splits import Dice
from visionllm.data.world.words import NUMBERS, counted, fill_adjective, joined, plural


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """So many things of one description."""

    count: int
    phrase: Phrase

    @property
    def words(self) -> str:
        """As in "two red stars" or "a person in blue"."""
        if self.phrase.kind != "person":
            return counted(self.count, self.phrase.one)
        who = "a person" if self.count == 1 else f"{NUMBERS[self.count]} people"
        return f"{who} in {self.phrase.colour}" if self.phrase.colour else who


@dataclass(frozen=True, kw_only=True)
class Wish:
    """Everything that a picture should show, and nothing else.

    Attributes:
        wanted: What is to be there.
        relation: One of `DIRECTIONS` in which the first lies from the second; only for two single things.

    Raises:
        ValueError: If a relation does not have two single things.
    """

    wanted: tuple[Wanted, ...]
    relation: str | None = None

    def __post_init__(self) -> None:
        counts = [item.count for item in self.wanted]
        if self.relation is not None and (counts != [1, 1] or self.relation not in DIRECTIONS):
            raise ValueError(f"expected one of {', '.join(DIRECTIONS)} between two single things, got {self.words!r}")

    @property
    def words(self) -> str:
        """As in "a red star and two blue fish" or "a red star left of a house"."""
        if self.relation is not None:
            return f" {self.relation} ".join(item.words for item in self.wanted)
        return joined([item.words for item in self.wanted])

    def fulfilled_by(self, things: Sequence[WorldThing]) -> bool:
        """Tell whether things are what is wanted, no more and no less."""
        if len(things) != sum(item.count for item in self.wanted):
            return False
        if any(len(item.phrase.among(things)) != item.count for item in self.wanted):
            return False
        if self.relation is None:
            return True
        first, second = (item.phrase.among(things)[0] for item in self.wanted)
        return first is not second and bool(lies(first, self.relation, second))


def wish_for(things: Sequence[WorldThing], *, fills: bool = False) -> Wish:
    """Return the wish that some things fulfil, told by colour and kind.

    Args:
        things: What is there.
        fills: Whether patterns are told too, where all things of a colour and kind have the same.
    """
    groups: dict[Phrase, list[WorldThing]] = {}
    for thing in things:
        groups.setdefault(Phrase(kind=thing.kind, colour=thing.colour), []).append(thing)
    wanted = []
    for phrase, group in groups.items():
        found = {getattr(thing, "fill", "solid") for thing in group}
        fill = found.pop() if fills and len(found) == 1 and phrase.kind in KINDS else "solid"
        wanted.append(Wanted(count=len(group), phrase=phrase if fill == "solid" else replace(phrase, fill=fill)))
    return Wish(wanted=tuple(wanted))


def neighbours(wish: Wish, dice: Dice) -> dict[str, Wish]:
    """Return wishes that differ in one thing: another colour, kind, number or direction, by the name of the change."""
    number = dice.integer(0, len(wish.wanted) - 1)
    item = wish.wanted[number]
    kind, colour = str(item.phrase.kind), item.phrase.colour
    sorts = FIGURES if kind in FIGURES else KINDS
    colours = COATS.get(kind, COLOURS)

    def changed(other: Wanted) -> Wish:
        return replace(wish, wanted=(*wish.wanted[:number], other, *wish.wanted[number + 1 :]))

    other_kind = dice.choose(
        [name for name in sorts if name != kind and (colour in COATS.get(name, COLOURS))] or [kind]
    )
    found = {
        "colour": changed(
            replace(item, phrase=replace(item.phrase, colour=dice.choose([c for c in colours if c != colour])))
        ),
    }
    if other_kind != kind:
        found["kind"] = changed(replace(item, phrase=replace(item.phrase, kind=other_kind)))
    if wish.relation is None:
        more = item.count == 1 or dice.chance(0.5)
        found["count"] = changed(replace(item, count=item.count + (1 if more else -1)))
    else:
        opposite = {"left of": "right of", "right of": "left of", "above": "below", "below": "above"}
        found["relation"] = replace(wish, relation=opposite[wish.relation])
    return {name: other for name, other in found.items() if len({w.phrase for w in other.wanted}) == len(other.wanted)}


_SORTS = (*KINDS, *FIGURES)
_ALL_COLOURS = tuple(dict.fromkeys((*COLOURS, *(colour for coats in COATS.values() for colour in coats))))
_NOUNS = {form: kind for kind in _SORTS for form in (kind, plural(kind))} | {"people": "person"}
_FILLS = {fill_adjective(fill): fill for fill in FILLS}
_COUNTS = {"a": 1, "an": 1, **{word: number for number, word in enumerate(NUMBERS)}}


def read_wish(text: str) -> Wish:
    """Read a wish from its words.

    Raises:
        ValueError: If a word is no part of the world.

    >>> read_wish("a red star left of a fish").relation
    'left of'
    """
    text = text.lower().strip(" .")
    for relation in DIRECTIONS:
        if f" {relation} " in text:
            first, second = text.split(f" {relation} ", 1)
            return Wish(wanted=(_wanted(first), _wanted(second)), relation=relation)
    return Wish(wanted=tuple(_wanted(part) for part in re.split(r", | and ", text)))


def _wanted(text: str) -> Wanted:
    values: dict[str, str] = {}
    count = None
    for word in text.split():
        if word in _COUNTS:
            count = _COUNTS[word]
        elif word in _NOUNS:
            values["kind"] = _NOUNS[word]
        elif word in _ALL_COLOURS:
            values["colour"] = word
        elif word in _FILLS:
            values["fill"] = _FILLS[word]
        elif word != "in":
            raise ValueError(f"expected words of the picture world, got {word!r} in {text!r}")
    if count is None or "kind" not in values:
        raise ValueError(f"expected a number and a kind, as in 'two red stars', got {text!r}")
    return Wanted(count=count, phrase=Phrase(**values))
