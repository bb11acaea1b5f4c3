"""Signs are read as they are written, and found by what they say."""

import re

import numpy as np

from visionllm.data.world import draw_picture
from visionllm.data.world.families.read import quoted, unique_signs
from visionllm.data.world.scene import WorldSign
from visionllm.data.world.tasks import make_sample

PICTURES = [draw_picture(seed, split="test", version=2, theme="signs") for seed in range(40)]


def sign(text: str, colour: str) -> WorldSign:
    mask = np.ones((4, 4), dtype=bool)
    return WorldSign(
        kind="sign", colour=colour, rgb=(0, 0, 0), depth=0, mask=mask, box=(0, 0, 4, 4), visible=1.0, text=text
    )


def test_answers_cite_a_sign_that_is_there():
    for seed, picture in enumerate(PICTURES):
        texts = {item.text for item in picture.scene.signs}
        for family in ("read-sign", "read-marked", "read-all"):
            sample = make_sample(picture, family, seed)
            if sample:
                assert set(re.findall(r'"([^"]+)"', sample.answer.text)) <= texts


def test_reading_all_cites_every_sign():
    for picture in PICTURES:
        sample = make_sample(picture, "read-all", 0)
        assert sample
        assert sorted(re.findall(r'"([^"]+)"', sample.answer.text)) == sorted(s.text for s in picture.scene.signs)


def test_a_sign_that_is_named_by_its_colour_is_the_only_one_of_it():
    signs = (sign("A", "red"), sign("B", "red"), sign("C", "blue"))
    assert [item.text for item in unique_signs(signs)] == ["C"]


def test_what_is_found_says_what_was_asked():
    found = 0
    for seed, picture in enumerate(PICTURES):
        sample = make_sample(picture, "find-sign", seed)
        assert sample
        asked = sample.request.messages[-1].text.lower()
        if sample.detection is not None:
            found += 1
            box = sample.detection.boxes[0].tolist()
            text = next(item.text.lower() for item in picture.scene.signs if list(item.box) == box)
            assert text in asked
        else:
            assert sample.answer.text == "There is no such sign."
    assert 15 < found < 40


def test_quotes_come_in_pairs():
    for seed, picture in enumerate(PICTURES * 3):
        sample = make_sample(picture, "find-sign", seed)
        assert sample
        assert sample.request.messages[-1].text.count('"') in (0, 2)
    assert quoted("EXIT") == '"EXIT"'
