"""English words come out right."""

import pytest

from visionllm.data.world.scene import COLOURS, FILLS, KINDS
from visionllm.data.world.words import counted, fill_adjective, joined, plural, sentence, size_predicate, with_article

PLURALS = (
    "circles squares triangles stars hearts rings crosses crescents hexagons arrows drops trees houses fish boats cups "
    "keys flowers umbrellas cars"
)


def test_every_kind_has_its_plural():
    assert [plural(kind) for kind in KINDS] == PLURALS.split()


@pytest.mark.parametrize(("noun", "many"), [("thing", "things"), ("box", "boxes"), ("red fish", "red fish")])
def test_other_nouns_have_plurals_too(noun: str, many: str):
    assert plural(noun) == many


def test_words_that_begin_with_a_vowel_take_an():
    words = (*KINDS, *COLOURS, *map(fill_adjective, FILLS))
    assert [word for word in words if with_article(word).startswith("an ")] == [
        "arrow",
        "umbrella",
        "orange",
        "outlined",
    ]


@pytest.mark.parametrize(("number", "text"), [(1, "a red star"), (2, "two red stars"), (20, "twenty red stars")])
def test_a_number_of_things(number: int, text: str):
    assert counted(number, "red star") == text


@pytest.mark.parametrize(
    ("items", "text"), [([], ""), (["a"], "a"), (["a", "b"], "a and b"), (["a", "b", "c"], "a, b and c")]
)
def test_lists_end_with_a_conjunction(items: list[str], text: str):
    assert joined(items) == text


def test_a_sentence_has_a_capital_and_a_stop():
    assert sentence("two fish") == "Two fish."


def test_medium_is_said_in_another_way_after_the_verb():
    assert [size_predicate(size) for size in ("small", "medium", "large")] == ["small", "medium-sized", "large"]
