"""Rules expand into forms, forms are held out by a stable hash, and forms are filled."""

import zlib
from collections import Counter

import numpy as np
import pytest

from visionllm.data.world.grammar import Grammar, careless, expand, fill, marked, told, told_to
from visionllm.data.world.splits import Dice
from visionllm.types import Mark, Point

MARK = Mark(Point(1.0, 2.0))
GRAMMAR = Grammar(("find {it}.",), ("(please |)(find|show|locate) {it}( <where>|).",))


@pytest.mark.parametrize(
    ("rule", "forms"),
    [
        pytest.param("find it", ["find it"], id="nothing-to-choose"),
        pytest.param("(a|b) c", ["a c", "b c"], id="two-ways"),
        pytest.param("(a |)b", ["a b", "b"], id="optional"),
        pytest.param("((a|b) c|d)", ["a c", "b c", "d"], id="nested"),
        pytest.param("a|b", ["a", "b"], id="without-brackets"),
        pytest.param("a( |)( |)b", ["a b", "a b", "a b", "ab"], id="blanks-melt"),
    ],
)
def test_rules_expand_into_all_their_forms(rule: str, forms: list[str]):
    assert [form for form, _ in expand(rule)] == forms


def test_shares_of_the_forms_sum_to_one():
    assert sum(share for _, share in expand("((a|b|c) (d|e)|<where>)")) == pytest.approx(1)


@pytest.mark.parametrize("rule", ["(a|b", "a)b", "((a)"])
def test_brackets_must_match(rule: str):
    with pytest.raises(ValueError, match="expected matching brackets"):
        expand(rule)


def test_pieces_must_be_known():
    with pytest.raises(ValueError, match="expected one of the pieces where, colour, picture, got <moon>"):
        expand("<moon>")


def test_a_fifth_of_the_forms_is_held_out_by_its_hash():
    train, unseen = set(GRAMMAR.forms("train")), set(GRAMMAR.forms("unseen"))
    assert not train & unseen
    assert all(zlib.crc32(form.encode()) % 5 == 0 for form in unseen)
    assert all(zlib.crc32(form.encode()) % 5 for form in train - set(GRAMMAR.plain))


def test_plain_forms_are_never_held_out():
    plain = tuple(f"find {index}" for index in range(40))
    grammar = Grammar(plain)
    assert grammar.forms("train") == plain
    assert grammar.forms("unseen") == ()


def test_drawing_stays_on_its_side_and_prefers_plain_forms():
    dice = Dice(np.random.default_rng(0))
    train = Counter(GRAMMAR.draw(dice, "train") for _ in range(300))
    assert set(train) <= set(GRAMMAR.forms("train"))
    assert train.most_common(1)[0][0] == "find {it}."
    assert {GRAMMAR.draw(dice, "unseen") for _ in range(50)} <= set(GRAMMAR.forms("unseen"))


def test_drawing_from_nothing_is_refused():
    with pytest.raises(ValueError, match="expected a grammar with forms for 'unseen' phrasing"):
        Grammar(("find {it}.",)).draw(Dice(np.random.default_rng(0)), "unseen")


def test_filling_puts_words_and_marks_in_their_places():
    parts = fill("look at {mark}. what is {it}? {mark2}", {"mark": MARK, "it": "it", "mark2": (MARK, " and ", MARK)})
    assert parts == ("Look at ", MARK, ". What is it? ", MARK, " and ", MARK)


def test_a_filled_word_at_the_start_gets_a_capital():
    assert fill("{it}, please.", {"it": "the star"}) == ("The star, please.",)


def test_an_open_place_is_refused():
    with pytest.raises(ValueError, match=r"expected words for \{it\} of 'Find \{it\}', got mark"):
        fill("find {it}", {"mark": MARK})


def test_careless_writing_drops_capitals_and_end_marks_only():
    dice = Dice(np.random.default_rng(0))
    texts = {careless(("Find the star.",), dice) for _ in range(200)}
    assert texts == {("Find the star.",), ("find the star.",), ("Find the star",), ("find the star",)}


@pytest.mark.parametrize("text", ["I need the star", "A: a star"])
def test_careless_writing_keeps_names_of_one_letter(text: str):
    dice = Dice(np.random.default_rng(0))
    assert {careless((text,), dice) for _ in range(100)} == {(text,)}


def test_careless_writing_leaves_marks_alone():
    dice = Dice(np.random.default_rng(0))
    assert {careless((MARK, " is what? ", MARK), dice) for _ in range(50)} == {(MARK, " is what? ", MARK)}


def test_asking_frames_wrap_the_core():
    assert "can you tell me what it is?" in [form for form, _ in expand(told("what it is"))]
    assert "I want you to find it." in [form for form, _ in expand(told_to("find it"))]


def test_regions_stand_inside_after_or_before_the_words():
    forms = [form for form, _ in expand(marked("what is IT?"))]
    assert {"what is {mark}?", "what is this? {mark}", "look at {mark}. what is it?"} <= set(forms)
    assert all(form.count("{mark}") == 1 for form in forms)
