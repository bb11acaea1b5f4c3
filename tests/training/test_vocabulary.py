"""The words of the experts."""

from visionllm.data.world import draw_picture
from visionllm.data.world.phrases import ATTRIBUTES
from visionllm.data.world.staging.themes import THEMES
from visionllm.training.vocabulary import ALL_COLOURS, JOINTS, SAID, THINGS


def test_words_of_version_one_keep_their_places():
    for name, words in ATTRIBUTES.items():
        assert SAID[name][: len(words)] == words


def test_no_word_stands_twice():
    for words in (THINGS, ALL_COLOURS, JOINTS):
        assert len(set(words)) == len(words)


def test_everything_that_is_drawn_has_its_words():
    for theme in THEMES:
        for seed in range(4):
            for thing in draw_picture(seed, version=2, theme=theme, photos=False).scene.things:
                assert thing.kind in THINGS
                assert thing.colour in ("", *ALL_COLOURS)


def test_joints_are_those_of_people_and_animals():
    assert {"left wrist", "nose"} <= set(JOINTS)
    assert 17 < len(JOINTS) <= 36
