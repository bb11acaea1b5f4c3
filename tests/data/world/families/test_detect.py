"""Boxes and masks are those of everything that the words describe."""

import re

import pytest

from tests.data.world.scenes import boxes_of, described, drawn, labels, marks, picture_of, question, thing
from visionllm.data.world.captions import facts
from visionllm.data.world.families.detect import MOST_NAMES
from visionllm.data.world.scene import KINDS
from visionllm.data.world.tasks import make_sample
from visionllm.data.world.words import NUMBERS
from visionllm.types import Routed

RED = thing("small red solid star", (20, 20))
BLUE = thing("small blue dotted star", (60, 20))
FISH = thing("large blue solid fish", (60, 70))
PICTURE = picture_of(RED, BLUE, FISH)


@pytest.mark.parametrize(
    "family",
    [
        "detect-one",
        "detect-several",
        "detect-attribute",
        "segment-instances",
        "count-with-boxes",
        "grounded-caption",
        "known-classes",
    ],
)
@pytest.mark.parametrize("seed", [0, 1])
def test_every_label_has_all_its_objects(family: str, seed: int):
    routed = 0
    for picture in drawn(80):
        sample = make_sample(picture, family, seed)
        if sample is None:
            continue
        for span, label in enumerate(labels(sample)):
            assert boxes_of(sample, span) == {item.box for item in described(label, picture.scene.objects)}
            routed += 1
    assert routed > 40


@pytest.mark.parametrize(
    "family", ["detect-one", "detect-several", "detect-nothing", "detect-attribute", "segment-instances"]
)
def test_what_is_absent_is_said_and_not_routed(family: str):
    for picture in drawn(80):
        sample = make_sample(picture, family, 0)
        if sample is None:
            continue
        absent = re.findall(r"no ([\w ]+?)(?:,|\.| and no)", sample.answer.text)
        assert not any(described(name, picture.scene.objects) for name in absent)
        assert not set(absent) & set(labels(sample))
        assert absent or labels(sample)
        assert bool(labels(sample)) == sample.answer.text.startswith("Here you go: ")


def test_masks_are_those_of_the_boxes():
    for picture in drawn(30):
        sample = make_sample(picture, "detect-everything", 0)
        assert sample
        if not picture.scene.objects:
            assert sample.answer.text == "The picture is empty."
            continue
        truth = sample.detection
        assert truth is not None and truth.masks is not None
        assert labels(sample) == ["object"]
        assert len(truth.boxes) == len(picture.scene.objects)
        for mask, item in zip(truth.masks, picture.scene.objects, strict=True):
            assert (mask == item.mask).all()


def test_counting_with_boxes_counts_the_boxes():
    for picture in drawn(80):
        sample = make_sample(picture, "count-with-boxes", 0)
        assert sample
        if sample.detection is None:
            assert sample.answer.text == "There are none."
            assert not described(question(sample), picture.scene.objects)
        else:
            number = len(sample.detection.boxes)
            assert sample.answer.text.startswith(f"{NUMBERS[number].capitalize()}: ")


def test_counting_like_the_marked_one_takes_its_kind_or_colour():
    answers = set()
    for seed in range(80):
        sample = make_sample(PICTURE, "count-like-marked", seed)
        if sample is not None and sample.truth:
            assert len(marks(sample)) == 1
            trait = "colour" if "colour" in question(sample) else "kind"
            answers.add((trait, sample.answer.text))
    assert answers == {
        ("kind", "Two: star."),
        ("kind", "One: fish."),
        ("colour", "One: red thing."),
        ("colour", "Two: blue thing."),
    }


def test_grounded_captions_are_captions():
    for picture in drawn(40):
        grounded, plain = make_sample(picture, "grounded-caption", 0), make_sample(picture, "caption", 0)
        assert grounded
        assert plain
        assert grounded.answer.text == plain.answer.text
        assert len(facts(plain.answer.text)) == len(labels(grounded))


def test_detected_things_are_described():
    answers = {s.answer.text for seed in range(200) if (s := make_sample(PICTURE, "detect-and-describe", seed))}
    said = {answer for answer in answers if answer.startswith("Here you go: ")}
    assert {
        "Here you go: star. One is red, one is blue.",
        "Here you go: star. One is solid, one is dotted.",
        "Here you go: star. Both are small.",
        "Here you go: object. Two are blue, one is red.",
        "Here you go: object. Two are small, one is large.",
        "Here you go: fish. It is blue.",
    } <= said
    assert all(answer.startswith("There is no ") for answer in answers - said)


def test_three_of_a_colour_are_all_of_it():
    picture = picture_of(*[thing("small red solid star", (20 * i + 10, 20)) for i in range(3)])
    answers = {s.answer.text for seed in range(60) if (s := make_sample(picture, "detect-and-describe", seed))}
    assert "Here you go: star. All are red." in answers


def test_known_classes_list_present_and_absent_names_without_learning_words():
    names, absent = set(), 0
    for picture in drawn(80):
        sample = make_sample(picture, "known-classes", 0)
        assert sample
        asked = question(sample).removeprefix("Find every ").removesuffix(".").split(", ")
        assert asked == labels(sample)
        assert len(set(asked)) == len(asked) <= MOST_NAMES
        assert [type(part) for part in sample.answer.parts[1::2]] == [Routed] * len(asked)
        assert not sample.learn_text
        absent += sum(not described(name, picture.scene.objects) for name in asked)
        names |= set(asked)
    assert set(KINDS) <= names
    assert absent > 80


def test_no_object_stands_behind_two_names():
    for family in ("known-classes", "detect-attribute", "detect-several", "segment-instances"):
        for picture in drawn(80):
            sample = make_sample(picture, family, 0)
            if sample is not None and sample.detection is not None:
                masks = sample.detection.masks
                assert masks is not None
                assert len({mask.tobytes() for mask in masks}) == len(masks)


@pytest.mark.parametrize("family", ["detect-one", "detect-several", "detect-attribute"])
def test_an_empty_picture_has_nothing_to_detect(family: str):
    assert make_sample(picture_of(), family, 0) is None
