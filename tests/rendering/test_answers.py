"""A question with its answer on one page."""

import numpy as np
import pytest
from PIL import Image

from tests.rendering.test_poses import poses
from visionllm.rendering import draw_answer, draw_results
from visionllm.rendering.answers import PANEL
from visionllm.rendering.poses import pose_colour
from visionllm.types import Answer, GeneratedImages, Point

IMAGE = Image.new("RGB", (40, 30), (200, 200, 200))


def test_the_words_stand_beside_the_picture():
    page = draw_answer(IMAGE, "How many stars?", Answer(text="Two."))
    assert page.size == (160 + PANEL, 120)
    assert page.crop((160, 0, *page.size)).getextrema()[0] != (255, 255)


def test_the_words_stand_below_a_wide_picture():
    page = draw_answer(Image.new("RGB", (600, 100)), "How many stars?", Answer(text="Two."))
    assert page.width == 600
    assert page.height > 100


def test_a_small_wide_picture_gets_a_page_as_wide_as_the_panel():
    assert draw_answer(Image.new("RGB", (60, 20)), "What?", Answer(text="Two."), scale=1).width == PANEL


def test_without_a_picture_there_is_only_the_panel():
    page = draw_answer(None, "Hello?", Answer(text="Hello."))
    assert page.width > PANEL


def test_a_long_answer_makes_the_page_taller():
    short = draw_answer(IMAGE, "What?", Answer(text="A star."))
    long = draw_answer(IMAGE, "What?", Answer(text="A star. " * 80))
    assert long.height > short.height


def test_instances_are_listed_up_to_a_number_and_long_names_are_shortened(make_detections):
    def page(count: int) -> Image.Image:
        found = make_detections([(i, 0, i + 3, 9) for i in range(count)], [f"{'very ' * 12}long name"] * count)
        return draw_answer(IMAGE, "What?", Answer(text="name", detections=found))

    assert page(13).height > page(12).height > page(11).height
    assert page(30).height == page(13).height


def test_regions_and_notices_are_drawn():
    plain = draw_answer(IMAGE, "What?", Answer(text="A star."))
    pointed = draw_answer(IMAGE, "What?", Answer(text="A star."), regions=[Point(5, 5)])
    warned = draw_answer(IMAGE, "What?", Answer(text="A star.", notices=("This model knows drawings only.",)))
    assert plain.tobytes() != pointed.tobytes()
    assert plain.tobytes() != warned.tobytes()


def test_detections_of_another_picture_are_refused(make_detections):
    with pytest.raises(ValueError, match="expected the picture of the detections"):
        draw_answer(Image.new("RGB", (8, 8)), "What?", Answer(text="", detections=make_detections([], [])))


def test_poses_are_numbered_and_listed_after_the_detections(make_detections):
    found = make_detections([(0, 0, 9, 9)], ["star"])
    alone = draw_answer(IMAGE, "What?", Answer(text="star", detections=found))
    both = draw_answer(IMAGE, "What?", Answer(text="star", detections=found, poses=(poses(),)))
    assert both.height > alone.height or both.tobytes() != alone.tobytes()
    first, second = (pose_colour(number) for number in (0, 1))
    drawn = draw_results(IMAGE, Answer(text="", detections=found, poses=(poses(),)), scale=4, labels=False)
    assert drawn.getpixel((42, 62)) == second != first


def test_results_that_are_not_there_leave_the_picture_as_it_is():
    drawn = draw_results(IMAGE, Answer(text="No."))
    assert drawn is not IMAGE
    assert drawn.tobytes() == IMAGE.tobytes()


def test_poses_of_another_picture_are_refused():
    with pytest.raises(ValueError, match="expected the picture of the poses, 40x30, got 8x8"):
        draw_results(Image.new("RGB", (8, 8)), Answer(text="", poses=(poses(),)))


def test_new_pictures_stand_beside_the_old_one_or_alone():
    made = GeneratedImages(pictures=(np.zeros((30, 40, 3), np.uint8),), seeds=(0,))
    answer = Answer(text="Here it is.", pictures=(made,))
    assert draw_results(IMAGE, answer, scale=1).width > 2 * IMAGE.width
    assert draw_results(None, answer, scale=1).size == IMAGE.size
    assert draw_answer(None, "Draw.", answer).size == draw_answer(IMAGE, "Draw.", Answer(text="Here it is.")).size
    with pytest.raises(ValueError, match="expected a picture to draw on, got none"):
        draw_results(None, Answer(text="No."))
