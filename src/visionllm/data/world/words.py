"""English of the picture world: articles, plurals, numbers, lists, and the adjectives of attributes."""

from collections.abc import Sequence

NUMBERS: tuple[str, ...] = (
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
    "twenty",
)
ORDINALS: tuple[str, ...] = (
    "first",
    "second",
    "third",
    "fourth",
    "fifth",
    "sixth",
    "seventh",
    "eighth",
    "ninth",
    "tenth",
)
_FILL_ADJECTIVES = {"outline": "outlined"}
_SAME_IN_PLURAL = frozenset({"fish"})


def plural(noun: str) -> str:
    """Return the plural of a noun phrase; its last word is the noun.

    >>> plural("red cross"), plural("fish"), plural("umbrella")
    ('red crosses', 'fish', 'umbrellas')
    """
    last = noun.rsplit(" ", 1)[-1]
    if last in _SAME_IN_PLURAL:
        return noun
    return noun + ("es" if last.endswith(("s", "x", "ch", "sh")) else "s")


def with_article(phrase: str) -> str:
    """Put the indefinite article before a noun phrase.

    >>> with_article("orange star"), with_article("star")
    ('an orange star', 'a star')
    """
    return f"{'an' if phrase[0] in 'aeiou' else 'a'} {phrase}"


def counted(count: int, one: str) -> str:
    """Say how many of something there are.

    >>> counted(1, "arrow"), counted(3, "red cross")
    ('an arrow', 'three red crosses')
    """
    return with_article(one) if count == 1 else f"{NUMBERS[count]} {plural(one)}"


def joined(items: Sequence[str], conjunction: str = "and") -> str:
    """Make a list of items.

    >>> joined(["a star"]), joined(["stars", "fish", "cups"], "or")
    ('a star', 'stars, fish or cups')
    """
    if len(items) < 2:
        return "".join(items)
    return f"{', '.join(items[:-1])} {conjunction} {items[-1]}"


def sentence(text: str) -> str:
    """Begin with a capital and end with a full stop.

    >>> sentence("a red star")
    'A red star.'
    """
    return f"{text[0].upper()}{text[1:]}."


def fill_adjective(fill: str) -> str:
    """Return the adjective for one of `FILLS`.

    >>> fill_adjective("outline")
    'outlined'
    """
    return _FILL_ADJECTIVES.get(fill, fill)


def size_predicate(size: str) -> str:
    """Return what follows "it is" for one of `SIZES`.

    >>> size_predicate("medium")
    'medium-sized'
    """
    return "medium-sized" if size == "medium" else size
