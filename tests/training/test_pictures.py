"""The pictures of a stage."""

from collections import Counter

import numpy as np

from visionllm.data.world import draw_picture
from visionllm.training.pictures import FIRST, Pictures

BOTH = {FIRST: 1.0, "figures": 1.0}


def test_without_themes_pictures_are_of_version_one():
    drawn = Pictures(seed=3, photos=False).draw(3 * 10**8)
    assert drawn.scene.version == 1
    np.testing.assert_array_equal(drawn.pixels, draw_picture(3 * 10**8, photos=False).pixels)


def test_a_picture_of_a_theme_is_the_world_s_own():
    pictures = Pictures(seed=3, photos=False, themes={"signs": 1.0})
    drawn = pictures.draw(5, "validation")
    np.testing.assert_array_equal(
        drawn.pixels, draw_picture(5, split="validation", photos=False, version=2, theme="signs").pixels
    )


def test_themes_come_in_their_shares_and_depend_on_the_number_alone():
    pictures = Pictures(seed=3, themes={FIRST: 3.0, "figures": 1.0})
    themes = [pictures.theme(number) for number in range(400)]
    assert 60 < Counter(themes)["figures"] < 140
    assert themes == [pictures.theme(number) for number in range(400)]


def test_the_pictures_of_a_step_follow_those_of_the_step_before():
    pictures = Pictures(seed=2)
    assert pictures.first(0, 16) == 2 * 10**8
    assert pictures.first(3, 16) == 2 * 10**8 + 48
