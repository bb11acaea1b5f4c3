"""What a thing of the picture world can be called, attribute by attribute, in each version of the world."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from visionllm.data.world.figures import FIGURES
from visionllm.data.world.figures.plans import COATS, skeleton_of
from visionllm.data.world.phrases import ATTRIBUTES, Phrase
from visionllm.data.world.scene import COLOURS, FILLS, KINDS, SIZES, Scene, WorldSign, WorldThing
from visionllm.data.world.signs import BOARDS, WORDS
from visionllm.data.world.staging.stamps import DOMAINS

Readings = Mapping[str, tuple[str, ...]]
IGNORED = -100


def _together(*words: Iterable[str]) -> tuple[str, ...]:
    """Return all words, each once."""
    return tuple(dict.fromkeys(word for some in words for word in some))


SIGN = "sign"
TEXT = "text"
THINGS: tuple[str, ...] = _together(KINDS, FIGURES, (SIGN,), *DOMAINS.values())
"""Kinds of both versions: objects, figures, signs and things of other domains."""
ALL_COLOURS: tuple[str, ...] = _together(COLOURS, *COATS.values(), BOARDS)
"""Colours of objects, coats and boards."""
JOINTS: tuple[str, ...] = _together(*(skeleton_of(kind).names for kind in FIGURES))
"""Names of all keypoints."""
SAID: Readings = {**ATTRIBUTES, "colour": ALL_COLOURS, "kind": THINGS}
"""Attributes that phrases name, with all their words."""
HEADS: Readings = {"kind": KINDS, "colour": COLOURS, "fill": FILLS, "size": SIZES}
READINGS: Mapping[int, Readings] = MappingProxyType(
    {1: HEADS, 2: {**HEADS, "kind": THINGS, "colour": ALL_COLOURS, TEXT: WORDS}}
)
"""Words of each attribute; those of version 1 come first in version 2. `text` is what stands on a sign."""


def codes_of(scene: Scene, readings: Readings) -> list[dict[str, int]]:
    """Return, for each thing of a scene, the index of its word for each attribute.

    It is −100 where a thing has no such word, or says several; and for the colours of things that hide, because they
    wear those of the ground.
    """
    hidden = ("colour",) if scene.theme == "camouflage" else ()
    return [
        {n: IGNORED if n in hidden else _code(thing, n, words) for n, words in readings.items()}
        for thing in scene.things
    ]


def _code(thing: WorldThing, name: str, words: Sequence[str]) -> int:
    said = getattr(thing, name, None)
    said = said.lower() if name == TEXT and said else said
    return words.index(said) if said in words else IGNORED


@dataclass(frozen=True)
class SignPhrase(Phrase):
    """Words that stand on a sign: a phrase that means the sign.

    Attributes:
        text: In small letters.
    """

    text: str = ""

    def fits(self, thing: WorldThing) -> bool:
        """Return whether a thing is a sign with these words."""
        return isinstance(thing, WorldSign) and thing.text.lower() == self.text


_SIGN_WORD = f"(?:{'|'.join(sorted(WORDS, key=len, reverse=True))})"
_CITED = re.compile(
    rf"""(?:\b(?:says?|reads?|words|(?:sign|board)[ ]with)[ ]"?|")(?P<text>{_SIGN_WORD}(?:[ ]{_SIGN_WORD}){{0,2}})\b""",
    re.IGNORECASE | re.VERBOSE,
)


def cited(text: str) -> list[tuple[int, int, SignPhrase]]:
    """Return what a text cites from signs: first and last character (exclusive) of the words, and what they mean.

    >>> cited('It says "Tea Shop".')
    [(9, 17, SignPhrase(kind=None, colour=None, fill=None, size=None, noun='thing', text='tea shop'))]
    """
    return [(m.start("text"), m.end("text"), SignPhrase(text=m["text"].lower())) for m in _CITED.finditer(text)]
