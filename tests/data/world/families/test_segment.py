"""Segmenting names what is to be cut out."""

import re

from tests.data.world.scenes import described, drawn, labels, picture_of, question
from visionllm.data.world.tasks import make_sample


def test_the_single_thing_is_meant_only_where_there_is_one():
    checked = 0
    for picture in drawn(150):
        sample = make_sample(picture, "segment-instances", 0)
        assert sample
        if re.match("(segment|cut out|mask|outline|trace) the ", question(sample).lower()):
            if question(sample).lower().rstrip(".").endswith("s"):
                continue
            assert all(len(described(label, picture.scene.objects)) == 1 for label in labels(sample))
            checked += 1
    assert checked > 10


def test_a_fifth_asks_for_what_is_not_there():
    samples = [make_sample(picture, "segment-instances", 0) for picture in drawn(150)]
    absent = sum(s is not None and s.answer.text.startswith("There is no ") for s in samples)
    assert 0.1 < absent / 150 < 0.35


def test_an_empty_picture_is_refused():
    sample = make_sample(picture_of(), "segment-instances", 0)
    assert sample
    assert sample.answer.text.startswith("There is no ")
