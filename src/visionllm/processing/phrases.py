"""Referring phrases as published data has them: cleaned, and mirrored along with their picture."""

import re

_GONE = str.maketrans("-/", "  ", ".,'!?\"()*#:;")
_SIDES = {"left": "right", "right": "left"}
_SIDE = re.compile("left|right")


def clean_phrase(phrase: str) -> str:
    """Return a phrase in small letters, without marks, and with blanks for hyphens and slashes.

    Source: VisionLLM v2's reader of RefCOCO; reasoning questions are not cleaned.

    >>> clean_phrase("Right-most cup, the BIG one!")
    'right most cup the big one'
    """
    return phrase.lower().translate(_GONE)


def mirrored_phrase(phrase: str) -> str:
    """Return a phrase with left and right exchanged, for a mirrored picture.

    >>> mirrored_phrase("left of the right one")
    'right of the left one'
    """
    return _SIDE.sub(lambda side: _SIDES[side[0]], phrase)
