"""Detections on their picture."""

import numpy as np
import pytest
from PIL import Image

from visionllm.rendering import draw_detections
from visionllm.rendering.detections import instance_colours

IMAGE = Image.new("RGB", (40, 30), (200, 200, 200))


def test_every_name_has_its_colour(make_detections):
    found = make_detections([(0, 0, 9, 9), (10, 0, 19, 9), (20, 0, 29, 9)], ["star", "fish", "star"])
    star, fish, other = instance_colours(IMAGE, found)
    assert star == other != fish


def test_instances_of_one_name_differ_in_colour(make_detections):
    found = make_detections([(0, 0, 9, 9), (10, 0, 19, 9)], ["star", "star"])
    assert len(set(instance_colours(IMAGE, found))) == 2


def test_a_picture_of_another_size_is_refused(make_detections):
    with pytest.raises(ValueError, match="expected the picture of the detections, 40x30, got 8x8"):
        draw_detections(Image.new("RGB", (8, 8)), make_detections([], []))


def test_nothing_found_draws_nothing(make_detections):
    drawn = draw_detections(IMAGE, make_detections([], []))
    assert drawn.getextrema() == ((200, 200),) * 3
    assert drawn.size == (160, 120)


@pytest.mark.parametrize("part", ["masks", "labels"])
def test_parts_of_the_drawing_can_be_left_out(part, make_detections):
    found = make_detections([(5, 5, 35, 25)], ["star"], masks=True)
    whole, less = draw_detections(IMAGE, found), draw_detections(IMAGE, found, **{part: False})
    assert whole.tobytes() != less.tobytes()


def test_scores_stand_behind_the_names(make_detections):
    found = make_detections([(5, 5, 35, 25)], ["star"])
    with_score, without = draw_detections(IMAGE, found), draw_detections(IMAGE, found, scores=False)
    assert with_score.tobytes() != without.tobytes()


def test_the_picture_itself_is_not_changed(make_detections):
    before = IMAGE.tobytes()
    draw_detections(IMAGE, make_detections([(5, 5, 35, 25)], ["star"], masks=True))
    assert before == IMAGE.tobytes()


def test_the_best_instance_is_on_top(make_detections):
    found = make_detections([(5, 5, 35, 25), (5, 5, 35, 25)], ["star", "fish"])
    drawn = np.asarray(draw_detections(IMAGE, found, labels=False))
    assert tuple(drawn[20, 80]) == instance_colours(IMAGE, found)[0]
