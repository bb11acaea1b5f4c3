"""Captions state facts, and answers are compared without their dress."""

import pytest

from tests.data.world.scenes import drawn, thing
from visionllm.data.world.captions import caption, clauses, facts, normalise_answer

THINGS = (
    thing("small blue solid fish", (20, 20)),
    thing("large red solid star", (60, 20)),
    thing("small blue striped fish", (20, 60)),
)


def test_a_caption_counts_kinds_in_a_fixed_order():
    assert caption(THINGS) == "A red star and two blue fish."
    assert caption(THINGS[::-1]) == caption(THINGS)


def test_nothing_makes_an_empty_picture():
    assert caption(()) == "The picture is empty."
    assert facts("The picture is empty.") == frozenset()


def test_clauses_hold_their_objects():
    assert [(phrase.one, len(group)) for phrase, group in clauses(THINGS)] == [("red star", 1), ("blue fish", 2)]


def test_captions_state_what_the_scene_holds():
    for picture in drawn(40):
        objects = picture.scene.objects
        pairs = [(item.colour, item.kind) for item in objects]
        assert facts(caption(objects)) == {(pairs.count((c, k)), c, k) for c, k in pairs}


@pytest.mark.parametrize(
    ("text", "stated"),
    [
        ("a small red dotted umbrella", {(1, "red", "umbrella")}),
        (
            "An orange cross, three green crosses and ten pink keys.",
            {(1, "orange", "cross"), (3, "green", "cross"), (10, "pink", "key")},
        ),
        ("red star", set()),
        ("a red blue star", set()),
        ("two red dragons", set()),
        ("", set()),
    ],
)
def test_facts_are_read_clause_by_clause(text: str, stated: set[tuple[int, str, str]]):
    assert facts(text) == stated


@pytest.mark.parametrize(
    ("text", "plain"),
    [("Yes.", "yes"), ("  It is  medium-sized! ", "it is medium-sized"), ("It is region1.", "it is region1"), ("", "")],
)
def test_answers_are_compared_without_capitals_and_marks(text: str, plain: str):
    assert normalise_answer(text) == plain
