"""Answers about marked regions are true of what is marked."""

import re
from collections import Counter

import numpy as np
import pytest
from PIL import Image, ImageDraw

from tests.data.world.scenes import described, drawn, marks, picture_of, question, thing
from visionllm.data.world.scene import WorldObject, WorldPicture
from visionllm.data.world.tasks import make_sample
from visionllm.types import Box, Mask, Point, Region

NOTHING = "There is nothing there."


def under(region: Region, picture: WorldPicture) -> WorldObject | None:
    """Find the object that a region means: the one it overlaps best."""
    height, width = picture.scene.size_hw
    if isinstance(region, Mask):
        bits = region.pixels
    else:
        canvas = Image.new("1", (width, height))
        pen = ImageDraw.Draw(canvas)
        if isinstance(region, Box):
            pen.rectangle((region.x0, region.y0, region.x1 - 1, region.y1 - 1), fill=1)
        elif isinstance(region, Point):
            pen.point((region.x, region.y), fill=1)
        elif hasattr(region, "width"):
            pen.line(region.points, fill=1)
            pen.point(region.points, fill=1)
        else:
            pen.polygon(region.points, fill=1)
        bits = np.asarray(canvas, dtype=bool)
    overlap = {item: (bits & item.mask).sum() / (bits | item.mask).sum() for item in picture.scene.objects}
    best = max(overlap, key=lambda item: overlap[item], default=None)
    return best if best is not None and overlap[best] > 0 else None


@pytest.mark.parametrize("family", ["region-caption", "region-recognition"])
def test_what_is_marked_is_named(family: str):
    for picture in drawn(100):
        sample = make_sample(picture, family, 0)
        if sample is None:
            continue
        (mark,) = marks(sample)
        item = under(mark.region, picture)
        if item is None:
            assert sample.answer.text == NOTHING
        else:
            assert described(sample.answer.text, (item,)) == [item]
            words = len(sample.answer.text.split())
            assert words == (5 if family == "region-caption" else 2)


def test_questions_about_the_marked_thing_are_answered_truly():
    for picture in drawn(150):
        sample = make_sample(picture, "region-question", 0)
        if sample is None:
            continue
        item = under(marks(sample)[0].region, picture)
        answer = sample.answer.text.replace("medium-sized", "medium")
        if item is None:
            assert answer == NOTHING
        else:
            assert described(answer, (item,)) == [item]
            if answer.startswith(("Yes", "No")):
                assert answer.startswith("Yes") == bool(described(question(sample), (item,)))


def test_the_right_option_is_chosen():
    kinds = Counter()
    for picture in drawn(150):
        sample = make_sample(picture, "region-choice", 0)
        if sample is None:
            continue
        text, answer = question(sample), sample.answer.text
        if answer.startswith("It is region"):
            chosen = under(marks(sample)[int(answer[-2]) - 1].region, picture)
            kinds["region"] += 1
        elif re.fullmatch(r"[A-D]\.", answer):
            text = dict(re.findall(r"([A-D]): ([\w ]+)", text[0].upper() + text[1:]))[answer[0]]
            chosen = under(marks(sample)[0].region, picture)
            kinds["letter"] += 1
        else:
            text, chosen = answer, under(marks(sample)[0].region, picture)
            kinds["name"] += 1
        assert chosen is not None
        assert described(text, (chosen,)) == [chosen]
    assert min(kinds.values()) > 12
    assert len(kinds) == 3


def test_two_regions_are_compared_truly():
    for picture in drawn(150):
        sample = make_sample(picture, "region-compare", 0)
        if sample is None:
            continue
        one, two = (under(mark.region, picture) for mark in marks(sample))
        assert one is not None
        assert two is not None
        answer = sample.answer.text
        if answer.startswith("It is region"):
            winner, other = (one, two) if answer == "It is region1." else (two, one)
            assert (winner.area > other.area) == ("smaller" not in question(sample))
        elif answer.startswith("Yes"):
            assert described(answer, (one, two)) == [one, two]
        else:
            first, second = re.findall(r"one is ([\w ]+?)(?: and|\.)", answer)
            assert described(first, (one,)) == [one]
            assert described(second, (two,)) == [two]
            assert not described(first, (two,))


@pytest.mark.parametrize("family", ["region-choice", "region-compare"])
def test_an_empty_picture_has_nothing_to_choose(family: str):
    assert make_sample(picture_of(), family, 0) is None


def test_every_way_of_pointing_is_used():
    ways = {type(marks(s)[0].region) for p in drawn(100) if (s := make_sample(p, "region-recognition", 0))}
    assert len(ways) == 5


def test_things_of_one_size_are_not_compared_by_size():
    picture = picture_of(thing("small red solid star", (20, 20)), thing("small blue solid fish", (80, 20)))
    answers = [s.answer.text for seed in range(40) if (s := make_sample(picture, "region-compare", seed))]
    assert not any("region" in answer for answer in answers)
