"""Briefs: what a picture should show, in the words of the world."""

import numpy as np
import pytest
import torch

from visionllm.data.world import draw_picture
from visionllm.data.world.judging import read_wish
from visionllm.data.world.tasks import families_of, make_sample
from visionllm.training.briefs import (
    WORDS,
    BriefEncoder,
    brief_codes,
    brief_of,
    brief_of_edit,
    brief_of_wish,
    known_words,
)

STATES = 8


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param("the striped red star", ("striped", "red", "star"), id="attributes"),
        pytest.param("a fish left of the left house", ("fish", "left of", "left", "house"), id="longest-first"),
        pytest.param("the top left corner", ("top left corner",), id="a-corner"),
        pytest.param("light blue", ("light blue",), id="a-tone"),
        pytest.param("Something else entirely", (), id="nothing-known"),
    ],
)
def test_the_words_of_the_world_are_found_in_a_text(text, words):
    assert known_words(text) == words


def test_a_relation_is_told_from_both_sides():
    brief = brief_of_wish(read_wish("a red star above a blue house"))
    assert brief == (("star", "red", "above"), ("house", "blue", "below"))


def test_patterns_and_coats_are_told():
    assert brief_of_wish(read_wish("an outlined red star")) == (("star", "red", "outlined"),)
    assert brief_of_wish(read_wish("two people in blue")) == (("person", "blue"), ("person", "blue"))


def test_an_edit_says_what_changes_into_what_and_where():
    told = {"edit": "replace", "the": "the left fish", "a": "a red star"}
    assert brief_of_edit(told) == (("replace",), ("left", "fish"), (), ("red", "star"), ())


@pytest.mark.parametrize("family", [name for name in families_of(2) if name.startswith(("draw-", "edit-"))])
def test_every_family_that_makes_pictures_has_briefs_that_fit(family):
    briefs = []
    for seed in range(40):
        picture = draw_picture(seed, version=2, theme="studio")
        sample = make_sample(picture, family, seed)
        if sample is not None:
            briefs.append(brief_of(sample))
    told = [brief for brief in briefs if brief is not None]
    assert told
    codes = brief_codes(told, STATES)
    assert codes.shape[:2] == (len(told), STATES)
    assert int(codes.max()) <= len(WORDS)
    first = "kind" if family.startswith("draw") else "edit"
    assert all(brief[0] for brief in told), first


def test_a_plain_question_has_no_brief():
    picture = draw_picture(1, version=2, theme="signs")
    samples = [make_sample(picture, "read-sign", seed) for seed in range(5)]
    assert {brief_of(sample) for sample in samples if sample is not None} == {None}


def test_a_brief_that_is_too_long_is_refused():
    with pytest.raises(ValueError, match="expected at most 1 states of 8 words"):
        brief_codes([(("star",), ("fish",))], 1)


def test_states_differ_by_words_and_by_place_but_not_by_the_order_of_words():
    torch.manual_seed(0)
    encoder = BriefEncoder(STATES, 16)
    one, two, three = encoder(brief_codes([(("star", "red"),), (("red", "star"),), (("red", "fish"),)], STATES)).unbind(
        0
    )
    torch.testing.assert_close(one, two)
    assert not torch.allclose(one[0], three[0])
    assert not torch.allclose(one[1], one[2])
    np.testing.assert_array_equal(encoder(brief_codes([], STATES)).shape, (0, STATES, 16))
