"""Pictures that were made, at the size they were made at."""

from typing import Any

import numpy as np
import pytest

from visionllm.data.world.drawing import draw_picture
from visionllm.evaluation.pictures import at_size, check_unmarked, made_in, nothing_made, shares_at_size, things_at_size
from visionllm.types import Answer, Box, GeneratedImages, ask


def made(*values):
    pictures = tuple(np.full((4, 6, 3), value, np.uint8) for value in values)
    return GeneratedImages(pictures=pictures, seeds=tuple(range(len(values))))


def test_the_one_picture_is_taken_out_of_an_answer_or_a_result():
    for result in (made(7), Answer(text="", pictures=(made(7),))):
        pixels: Any = made_in(result)
        assert pixels[0, 0, 0] == 7


@pytest.mark.parametrize("pictures", [(), (made(),), (made(1, 2),), (made(1), made(2))], ids=len)
def test_none_or_several_pictures_are_no_answer(pictures):
    assert made_in(Answer(text="", pictures=pictures)) is None


def test_nothing_is_made_by_an_answer_without_pictures():
    assert nothing_made(Answer(text=""))
    assert not nothing_made(Answer(text="", pictures=(made(1),)))


def test_things_are_where_they_are_seen_in_the_small_picture():
    picture = draw_picture(5, split="test", version=2, theme="studio")
    things = things_at_size(picture.scene.things, (96, 96))
    assert len(things) == len(picture.scene.things)
    for small, thing in zip(things, picture.scene.things, strict=True):
        assert small.mask.shape == (96, 96)
        assert np.allclose(np.array(small.box) / 96, np.array(thing.box) / 128, atol=1.2 / 96)
        assert small.kind == thing.kind


def test_a_thing_that_becomes_smaller_than_half_a_pixel_is_left_out():
    picture = draw_picture(5, split="test", version=2, theme="studio")
    assert len(things_at_size(picture.scene.things, (1, 1))) < len(picture.scene.things)


def test_a_mask_tells_how_much_of_each_pixel_it_covers():
    mask = np.zeros((4, 4), dtype=bool)
    mask[0, 0] = mask[2:, 2:] = True
    assert shares_at_size(mask, (2, 2)).tolist() == [[0.25, 0.0], [0.0, 1.0]]


def test_pixels_of_the_same_size_are_left_alone():
    pixels = np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    assert at_size(pixels, (5, 7)) is pixels


def test_an_edit_of_what_is_marked_is_refused():
    check_unmarked(ask("make it blue"))
    with pytest.raises(ValueError, match="expected an edit of the whole picture, got one with marks"):
        check_unmarked(ask("make it blue", regions=(Box(0, 0, 4, 4),)))
