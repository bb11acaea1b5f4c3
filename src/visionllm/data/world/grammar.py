"""A small phrasing grammar: rules with alternatives that expand into every form of a question.

A rule is text in which `(a|b|)` stands for one of its alternatives (the last one empty), `<where>` for a shared piece
of `PIECES`, and `{one}` for words that are filled in later. A *form* is an expanded rule with its `{…}` still open. A
stable hash of the form holds a fifth of them out of training.
"""

import re
import zlib
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from itertools import accumulate
from typing import Literal

from visionllm.data.world.splits import Dice
from visionllm.types import Mark, Part

Phrasing = Literal["train", "unseen"]
Filling = str | Mark | tuple[Part, ...]

HELD_OUT_EVERY = 5
_PLAIN_SHARE = 0.3
_LOWER_SHARE, _OPEN_SHARE = 0.12, 0.12

PIECES: dict[str, str] = {
    "where": "(in this picture|in the picture|here|in this image|in the image|in this drawing)",
    "colour": "(colour|colour|color)",
    "picture": "(picture|image|drawing)",
}


def told(core: str) -> str:
    """Return the ways of asking to be told `core`, such as "how many stars there are"."""
    return (
        f"((please |)(tell me|say|let me know) {core}.|(can|could|would) you (please |)tell me {core}?|"
        f"do you know {core}?|I (want|would like) to know {core}.)"
    )


def told_to(core: str) -> str:
    """Return the ways of asking to do `core`, such as "find the star"."""
    asking = f"(can|could|would) you (please |){core}?"
    return f"((please |){core}.|{asking}|{core}, please.|I (want|would like) you to {core}.)"


def marked(core: str) -> str:
    """Return the ways of asking `core` about a marked region, where `IT` in `core` stands for the region.

    The region is named inside the words, after them (as the command line does), or before them.
    """
    inside = "({mark}|the (thing|object) {way} {mark}|the marked (thing|object) {mark})"
    outside = "(this|this thing|this object|the thing {way}|the marked (thing|object))"
    after = "this thing" if " of IT" in core else "(it|this thing)"
    ways = (
        core.replace("IT", inside),
        core.replace("IT", outside) + " {mark}",
        "(look at|consider|here is) {mark}. " + core.replace("IT", after),
    )
    return f"({'|'.join(ways)})"


@dataclass(frozen=True)
class Grammar:
    """All phrasings of one kind of question.

    Attributes:
        plain: The barest forms; always part of training, and drawn more often than each of the others.
        rules: Rules that expand into the other forms.
    """

    plain: tuple[str, ...]
    rules: tuple[str, ...] = ()

    def forms(self, phrasing: Phrasing) -> tuple[str, ...]:
        """Return the forms of training, or those held out of it."""
        return _table(self, phrasing)[0]

    def draw(self, dice: Dice, phrasing: Phrasing) -> str:
        """Draw a form.

        Raises:
            ValueError: If there is none of that phrasing.
        """
        forms, bounds = _table(self, phrasing)
        if not forms:
            raise ValueError(f"expected a grammar with forms for {phrasing!r} phrasing, got {self.plain}")
        return forms[min(bisect_right(bounds, dice.uniform(0, bounds[-1])), len(forms) - 1)]


@cache
def _table(grammar: Grammar, phrasing: Phrasing) -> tuple[tuple[str, ...], tuple[float, ...]]:
    weights: dict[str, float] = {}
    for rule in grammar.rules:
        for form, weight in expand(rule):
            weights[form] = weights.get(form, 0.0) + weight * (1 - _PLAIN_SHARE) / len(grammar.rules)
    for form in grammar.plain:
        weights[form] = weights.get(form, 0.0) + _PLAIN_SHARE / len(grammar.plain)
    held_out = {form for form in weights if zlib.crc32(form.encode()) % HELD_OUT_EVERY == 0} - set(grammar.plain)
    forms = tuple(form for form in weights if (form in held_out) == (phrasing == "unseen"))
    return forms, tuple(accumulate(weights[form] for form in forms))


def expand(rule: str) -> list[tuple[str, float]]:
    """Return every form of a rule with its share; the alternatives of one choice share alike.

    Raises:
        ValueError: If brackets don't match or a piece is unknown.

    >>> expand("(please |)find {it}")
    [('please find {it}', 0.5), ('find {it}', 0.5)]
    """

    def piece(match: re.Match[str]) -> str:
        if match[1] not in PIECES:
            raise ValueError(f"expected one of the pieces {', '.join(PIECES)}, got <{match[1]}>")
        return PIECES[match[1]]

    text = re.sub(r"<(\w+)>", piece, rule)
    forms, end = _choices(text, 0)
    if end != len(text):
        raise ValueError(f"expected matching brackets, got {rule!r}")
    return [(re.sub(r"\s+", " ", form).strip(), share) for form, share in forms]


def _choices(text: str, start: int) -> tuple[list[tuple[str, float]], int]:
    """Expand from `start` to the bracket that closes this choice, or to the end of the text."""
    options: list[list[tuple[str, float]]] = [[("", 1.0)]]
    at = start
    while at < len(text) and text[at] != ")":
        if text[at] == "|":
            options.append([("", 1.0)])
            at += 1
            continue
        if text[at] == "(":
            inner, at = _choices(text, at + 1)
            if at == len(text):
                raise ValueError(f"expected matching brackets, got {text!r}")
            at += 1
        else:
            end = min(i for c in "(|)" if (i := text.find(c, at)) >= 0 or (i := len(text)))
            inner, at = [(text[at:end], 1.0)], end
        options[-1] = [(a + b, p * q) for a, p in options[-1] for b, q in inner]
    return [(form, share / len(options)) for option in options for form, share in option], at


def fill(form: str, fillings: Mapping[str, Filling]) -> tuple[Part, ...]:
    """Fill the open places of a form, and begin its sentences with capitals.

    Raises:
        ValueError: If a place has nothing to fill it.

    >>> fill("find {it}. how many?", {"it": "the star"})
    ('Find the star. How many?',)
    """
    form = re.sub(r"(^|[.?!] )([a-z])", lambda match: match[1] + match[2].upper(), form)
    parts: list[Part] = []
    for index, piece in enumerate(re.split(r"\{(\w+)\}", form)):
        if index % 2 and piece not in fillings:
            raise ValueError(f"expected words for {{{piece}}} of {form!r}, got {', '.join(fillings) or 'none'}")
        found = fillings[piece] if index % 2 else piece
        for part in found if isinstance(found, tuple) else (found,):
            if isinstance(part, str) and parts and isinstance(parts[-1], str):
                parts[-1] += part
            elif part != "":
                parts.append(part)
    if parts and isinstance(parts[0], str):
        parts[0] = parts[0][0].upper() + parts[0][1:]
    return tuple(parts)


def careless(parts: tuple[Part, ...], dice: Dice) -> tuple[Part, ...]:
    """Now and then write as people type: no capital at the beginning, no mark at the end."""
    lower, open_end = dice.chance(_LOWER_SHARE), dice.chance(_OPEN_SHARE)
    words = list(parts)
    first, last = words[0], words[-1]
    if lower and isinstance(first, str) and not first.startswith(("I ", "A: ")):
        words[0] = first[0].lower() + first[1:]
        last = words[-1]
    if open_end and isinstance(last, str) and len(last) > 1:
        words[-1] = last.rstrip(".?!")
    return tuple(words)
