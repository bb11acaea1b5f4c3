"""Captions, existence and counts are true, told apart from the code that made them."""

import re
from collections import Counter

import pytest

from tests.data.world.scenes import described, drawn, question
from visionllm.data.world.captions import facts
from visionllm.data.world.tasks import make_sample
from visionllm.data.world.words import NUMBERS


@pytest.mark.parametrize("seed", [0, 1])
def test_counts_are_true(seed: int):
    for picture in drawn(80):
        sample = make_sample(picture, "count", seed)
        assert sample
        number = len(described(question(sample), picture.scene.objects))
        assert sample.answer.text == ("None." if number == 0 else f"{NUMBERS[number].capitalize()}.")


@pytest.mark.parametrize("seed", [0, 1])
def test_existence_is_true(seed: int):
    for picture in drawn(80):
        sample = make_sample(picture, "existence", seed)
        assert sample
        found = described(question(sample), picture.scene.objects)
        assert sample.answer.text.startswith("Yes, there" if found else "No, there")
        assert described(sample.answer.text, picture.scene.objects) == found
        if " are " in sample.answer.text:
            assert len(found) != 1


def test_captions_state_every_object_once():
    for picture in drawn(80):
        sample = make_sample(picture, "caption", 0)
        assert sample
        pairs = Counter((item.colour, item.kind) for item in picture.scene.objects)
        assert facts(sample.answer.text) == {(number, *pair) for pair, number in pairs.items()}


def test_yes_and_no_are_balanced():
    answers = [make_sample(picture, "existence", 0) for picture in drawn(150)]
    assert 0.38 < sum(a is not None and a.answer.text.startswith("Yes") for a in answers) / 150 < 0.62


def test_no_count_is_an_easy_guess():
    answers = Counter(s.answer.text for p in drawn(150) if (s := make_sample(p, "count", 0)))
    assert answers.most_common(1)[0][1] < 0.42 * 150


def test_a_caption_of_nothing_says_so():
    empty = next(picture for picture in drawn(150) if not picture.scene.objects)
    sample = make_sample(empty, "caption", 0)
    assert sample
    assert sample.answer.text == "The picture is empty."
    assert not re.search(r"\d", question(sample))
