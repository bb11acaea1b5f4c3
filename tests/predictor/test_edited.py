"""Edits of a part keep the rest."""

import numpy as np
import pytest
from PIL import Image

from tests.small import picture
from visionllm.predictor.edited import edited_there, keep_outside
from visionllm.types import Box, GeneratedImages, Mark, Message, Picture, Point, Request


def edited(colour: int = 255) -> GeneratedImages:
    return GeneratedImages(pictures=(np.full((16, 24, 3), colour, np.uint8),), seeds=(0,), original_hw=(40, 60))


def test_every_pixel_outside_the_regions_is_the_old_one():
    old = picture()
    kept = keep_outside(edited(), old, [Box(10, 5, 30, 20), Point(59, 39)]).pictures[0]
    inside = np.zeros((40, 60), bool)
    inside[5:20, 10:30] = inside[39, 59] = True
    np.testing.assert_array_equal(kept[~inside], np.asarray(old)[~inside])
    assert (kept[inside] == 255).all()


def test_without_regions_the_whole_picture_is_the_edited_one():
    made = edited()
    assert keep_outside(made, picture(), []) is made


def test_marks_of_the_last_question_say_where_a_picture_changes():
    old = Image.new("RGB", (60, 40))
    pointed = Message("user", (Picture(old), "Make this white.", Mark(Box(0, 0, 30, 40))))
    kept = edited_there(edited(), Request((pointed,))).pictures[0]
    assert kept[:, :30].min() == 255 and kept[:, 30:].max() == 0
    later = Request((pointed, Message("assistant", ("Done.",)), Message("user", ("All of it.",))))
    assert edited_there(edited(), later).pictures[0].shape == (16, 24, 3)


def test_a_mark_may_name_its_picture_and_one_on_another_picture_counts_for_nothing():
    old, other = Image.new("RGB", (60, 40)), Image.new("RGB", (60, 40), "red")
    box, dot = Box(0, 0, 30, 40), Point(59, 39)
    named = Message("user", (Picture(other), Picture(old), "Like ", Mark(dot, 0), " make ", Mark(box, 1)))
    kept = edited_there(edited(), Request((named,))).pictures[0]
    assert kept[:, :30].min() == 255 and kept[:, 30:].max() == 0
    example = Message("user", (Picture(other), "Like this", Mark(dot, 0), Picture(old), "all of it."))
    assert edited_there(edited(), Request((example,))).pictures[0].shape == (16, 24, 3)


def test_new_pictures_are_left_as_they_are():
    made = GeneratedImages(pictures=(np.zeros((4, 4, 3), np.uint8),), seeds=(0,))
    assert edited_there(made, Request((Message("user", ("Draw a star.",)),))) is made


def test_a_region_beside_the_picture_is_refused():
    with pytest.raises(ValueError, match="region 0: expected a box inside the 60×40 picture"):
        keep_outside(edited(), picture(), [Box(50, 0, 70, 10)])
