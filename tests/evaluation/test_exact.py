"""Right and wrong words, and what guessing would get."""

import math

import numpy as np
import pytest

from visionllm.evaluation.exact import ExactMatch, fact_score


def values(match):
    return {name: statistic(np.ones(8)) for name, statistic in match.statistics().items()}


def test_capitals_and_full_stops_do_not_count():
    assert ExactMatch(1).add(0, "It is red.", " it is RED ")
    assert not ExactMatch(1).add(0, "It is red.", "It is reddish.")


def test_accuracy_stands_beside_the_commonest_answer():
    match = ExactMatch(8)
    for picture, (expected, answer) in enumerate(
        [("Two.", "Two."), ("Two.", "Two."), ("Two.", "One."), ("One.", "One.")]
    ):
        match.add(picture, expected, answer)
    assert values(match) == {"exact": 0.75, "majority": 0.75, "margin": 0.0, "questions": 4.0}


def test_a_guesser_may_repeat_the_question_after_yes_or_no():
    match = ExactMatch(8)
    for expected in ("Yes, there is a star.", "Yes, there is a fish.", "No, there is no cup.", "Yes, there is a key."):
        match.add(0, expected, "")
    assert values(match)["majority"] == 0.75


def test_nothing_asked_is_undefined():
    found = values(ExactMatch(8))
    assert found.pop("questions") == 0
    assert all(map(math.isnan, found.values()))


@pytest.mark.parametrize(
    ("answer", "score"),
    [
        ("A red star and two blue fish.", 1.0),
        ("Two blue fish and a red star", 1.0),
        ("A red star.", 2 / 3),
        ("A red star, two blue fish and a green cup.", 0.8),
        ("Three red stars.", 0.0),
        ("", 0.0),
    ],
)
def test_facts_are_scored_by_f1(answer, score):
    assert fact_score("A red star and two blue fish.", answer) == pytest.approx(score)


@pytest.mark.parametrize(("answer", "score"), [("The picture is empty.", 1.0), ("A red star.", 0.0), ("", 0.0)])
def test_an_empty_picture_must_be_called_empty(answer, score):
    assert fact_score("The picture is empty.", answer) == score
