"""Attributes are asked of one object only, and told truly."""

import re
from collections import Counter

import pytest

from tests.data.world.scenes import WORLD_WORDS, described, drawn, picture_of, question, thing
from visionllm.data.world.scene import SIZES
from visionllm.data.world.tasks import make_sample
from visionllm.data.world.words import fill_adjective, size_predicate, with_article


@pytest.mark.parametrize(
    ("family", "spoken"), [("colour", str), ("kind", with_article), ("fill", fill_adjective), ("size", size_predicate)]
)
def test_attributes_are_true_and_unambiguous(family: str, spoken):
    checked = 0
    for picture in drawn(150):
        sample = make_sample(picture, family, 0)
        assert sample
        if re.search(r" or |smaller|bigger|larger", question(sample)):
            continue
        found = described(question(sample).lower().replace("how large", ""), picture.scene.objects)
        if not found:
            assert sample.answer.text.startswith("There is no ")
        else:
            assert len(found) == 1
            assert sample.answer.text == f"It is {spoken(getattr(found[0], family))}."
            checked += 1
    assert checked > 40


def test_the_larger_of_two_is_of_a_larger_size():
    checked = 0
    for picture in drawn(150):
        sample = make_sample(picture, "size", 1)
        assert sample
        more = re.search(r"smaller|bigger|larger", question(sample))
        if more is None:
            continue
        named = re.findall(r"the ((?:\w+ )?\w+)(?= or|\?|\.|$| and| is)", question(sample).split(more[0], 1)[-1])
        (winner,) = described(sample.answer.text, picture.scene.objects)
        others = [
            item
            for name in named
            if set(name.split()) & WORLD_WORDS
            for item in described(name, picture.scene.objects)
            if item is not winner
        ]
        better = (lambda a, b: a > b) if more[0] != "smaller" else (lambda a, b: a < b)
        assert all(better(SIZES.index(winner.size), SIZES.index(o.size)) for o in others)
        checked += bool(others)
    assert checked > 10


def test_no_fill_is_an_easy_guess():
    answers = Counter(s.answer.text for p in drawn(150) if (s := make_sample(p, "fill", 0)))
    assert answers.most_common(1)[0][1] < 0.45 * 150


def test_twins_are_not_asked_about():
    twins = [thing("small red solid star", (20, 20)), thing("small red solid star", (60, 20))]
    for seed in range(10):
        sample = make_sample(picture_of(*twins), "colour", seed)
        assert sample
        assert sample.answer.text.startswith("There is no ")
