"""Captions, what they state, and how answers are compared."""

import re
from collections.abc import Sequence

from visionllm.data.world.phrases import Phrase
from visionllm.data.world.scene import COLOURS, KINDS, WorldObject
from visionllm.data.world.words import NUMBERS, counted, joined, plural, sentence

EMPTY_PICTURE = "The picture is empty."
Fact = tuple[int, str, str]

_KIND_OF = {form: kind for kind in KINDS for form in (kind, plural(kind))}
_COUNT_OF = {"a": 1, "an": 1, **{word: number for number, word in enumerate(NUMBERS)}}


def clauses(objects: Sequence[WorldObject]) -> list[tuple[Phrase, list[WorldObject]]]:
    """Group objects by colour and kind, in the order of `KINDS` and `COLOURS`."""
    groups: dict[Phrase, list[WorldObject]] = {}
    for thing in sorted(objects, key=lambda thing: (KINDS.index(thing.kind), COLOURS.index(thing.colour))):
        groups.setdefault(Phrase(kind=thing.kind, colour=thing.colour), []).append(thing)
    return list(groups.items())


def caption(objects: Sequence[WorldObject]) -> str:
    """Say how many things of which colour and kind there are, as in "A red star and two blue fish."."""
    if not objects:
        return EMPTY_PICTURE
    return sentence(joined([counted(len(group), phrase.one) for phrase, group in clauses(objects)]))


def facts(text: str) -> frozenset[Fact]:
    """Return what a caption states: (count, colour, kind), one for each clause that names a kind.

    Sizes and fills are passed over. A clause without a number, or with words that are no part of the world, states
    nothing.

    >>> sorted(facts("A red star and two blue striped fish."))
    [(1, 'red', 'star'), (2, 'blue', 'fish')]
    """
    found = set()
    for clause in re.split(r",|\.|\band\b", text.lower()):
        words = re.findall(r"[a-z-]+", clause)
        counts = [_COUNT_OF[word] for word in words if word in _COUNT_OF]
        colours = [word for word in words if word in COLOURS]
        kinds = [_KIND_OF[word] for word in words if word in _KIND_OF]
        if len(counts) == len(colours) == len(kinds) == 1:
            found.add((counts[0], colours[0], kinds[0]))
    return frozenset(found)


def normalise_answer(text: str) -> str:
    """Return an answer without capitals, punctuation and double blanks, for comparing.

    >>> normalise_answer(" Yes,  there is a red star. ")
    'yes there is a red star'
    """
    return " ".join(re.sub(r"[^\w\s-]", " ", text.lower()).split())
