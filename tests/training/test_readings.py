"""What things of each version can be called."""

import pytest

from visionllm.data.world import draw_picture
from visionllm.data.world.phrases import ATTRIBUTES
from visionllm.data.world.scene import WorldSign
from visionllm.data.world.staging.themes import THEMES
from visionllm.training.readings import (
    ALL_COLOURS,
    HEADS,
    JOINTS,
    READINGS,
    SAID,
    TEXT,
    THINGS,
    cited,
    codes_of,
)


def things(theme, seeds=20):
    for seed in range(seeds):
        scene = draw_picture(seed, photos=False, version=2, theme=theme).scene
        yield from zip(scene.things, codes_of(scene, READINGS[2]), strict=True)


def test_version_two_only_adds_words():
    assert READINGS[1] == HEADS
    for name, words in HEADS.items():
        assert READINGS[2][name][: len(words)] == words


def test_objects_have_the_codes_they_had():
    for seed in range(10):
        scene = draw_picture(seed, photos=False).scene
        for thing, one, two in zip(
            scene.objects, codes_of(scene, READINGS[1]), codes_of(scene, READINGS[2]), strict=True
        ):
            assert one == {n: words.index(getattr(thing, n)) for n, words in HEADS.items()}
            assert two == one | {TEXT: -100}


@pytest.mark.parametrize("theme", ["mixed", "studio", "aerial", "scan", "workpiece"])
def test_every_thing_has_a_kind_and_no_word_it_lacks(theme):
    for thing, codes in things(theme):
        assert READINGS[2]["kind"][codes["kind"]] == thing.kind
        for name in ("colour", "fill", "size"):
            said = getattr(thing, name, "")
            assert codes[name] == (READINGS[2][name].index(said) if said else -100)


def test_signs_are_called_by_their_one_word():
    seen = set()
    for thing, codes in things("signs"):
        if isinstance(thing, WorldSign):
            words = thing.text.lower().split()
            seen.add(len(words))
            assert codes[TEXT] == (READINGS[2][TEXT].index(words[0]) if len(words) == 1 else -100)
    assert {1, 2} <= seen


def test_things_that_hide_have_no_colour():
    codes = [codes for _, codes in things("camouflage")]
    assert {c["colour"] for c in codes} == {-100}
    assert all(c["kind"] >= 0 for c in codes)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('It says "Tea Shop".', ["tea shop"]),
        ('"EXIT", "go" and "ice".', ["exit", "go", "ice"]),
        ("Find the sign that says fish cake please.", ["fish cake please"]),
        ("Which board reads STOP?", ["stop"]),
        ("where is the sign with exit?", ["exit"]),
        ("Find every fish and the red dog.", []),
        ("where does it say stopping?", []),
        ("Detect people with a red fish.", []),
    ],
)
def test_words_of_signs_are_found_where_a_text_cites_them(text, words):
    found = cited(text)
    assert [phrase.text for _, _, phrase in found] == words
    assert [text[first:stop].lower() for first, stop, _ in found] == words


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
