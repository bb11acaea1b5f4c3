"""Statements are judged truly, and half of them are wrong."""

import re

from tests.data.world.scenes import described, drawn, picture_of, question, thing
from visionllm.data.world.scene import SIZES
from visionllm.data.world.tasks import make_sample
from visionllm.data.world.words import NUMBERS


def test_yes_and_no_come_alike():
    answers = [s.answer.text for p in drawn(150) for seed in (0, 1) if (s := make_sample(p, "verify", seed))]
    assert set(answers) == {"Yes.", "No."}
    assert 0.4 < answers.count("Yes.") / len(answers) < 0.6


def test_statements_of_number_and_existence_are_judged_truly():
    checked = 0
    for picture in drawn(150):
        for seed in range(3):
            sample = make_sample(picture, "verify", seed)
            assert sample
            text = question(sample).lower()
            number = re.search(r"there (?:is|are) (exactly (\w+)|an?) ((?:\w+ )*?\w+)(?= in | here|,|\.|\?|:|$)", text)
            if number:
                found = described(number[3], picture.scene.objects)
                true = len(found) == NUMBERS.index(number[2]) if number[2] else bool(found)
                assert sample.answer.text == ("Yes." if true else "No."), text
                checked += 1
    assert checked > 100


def test_statements_about_one_attribute_are_judged_truly():
    checked = 0
    for picture in drawn(150):
        for seed in range(3):
            sample = make_sample(picture, "verify", seed)
            assert sample
            text = question(sample).lower()
            said = re.search(
                r"the ((?:\w+ )?(?:\w+ )?\w+) is ((?:an? )?\w+)(?:-sized)?(?= in | here|,|\.|\?|:|$)", text
            )
            if said and not re.search(r"relative|larger|smaller|left|right of|above|below|right (is|that)", text):
                found = described(said[1], picture.scene.objects)
                if len(found) != 1:
                    continue
                assert sample.answer.text == ("Yes." if described(said[2], tuple(found)) else "No."), text
                checked += 1
    assert checked > 40


def test_comparisons_are_judged_truly():
    for picture in drawn(150):
        for seed in range(3):
            sample = make_sample(picture, "verify", seed)
            assert sample
            text = question(sample).lower()
            said = re.search(
                r"the ((?:\w+ )?\w+) is (larger|smaller) than the ((?:\w+ )?\w+)(?= in | here|,|\.|\?|:|$)", text
            )
            if said:
                (one,), (two,) = described(said[1], picture.scene.objects), described(said[3], picture.scene.objects)
                larger = SIZES.index(one.size) > SIZES.index(two.size)
                assert sample.answer.text == ("Yes." if larger == (said[2] == "larger") else "No.")


def test_statements_about_all_need_two_and_hold_for_all():
    things = [thing("small red solid star", (20, 20)), thing("small red dotted star", (60, 20))]
    judged = {
        re.search(r"all stars are (\w+)", text)[0]: s.answer.text  # pyright: ignore[reportOptionalSubscript]
        for seed in range(400)
        if (s := make_sample(picture_of(*things), "verify", seed))
        and "ll " in (text := question(s).lower())
        and " all stars are" in f" {text}"
    }
    assert judged == {"all stars are red": "Yes.", "all stars are solid": "No.", "all stars are dotted": "No."}


def test_an_empty_picture_still_has_a_question():
    answers = {s.answer.text for seed in range(20) if (s := make_sample(picture_of(), "verify", seed))}
    assert answers == {"No."}
