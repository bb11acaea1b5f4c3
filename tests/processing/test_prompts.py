from dataclasses import replace

import pytest

from visionllm.processing.prompts import (
    PUBLISHED,
    Prompts,
    fill,
    known_class_answer,
    known_class_question,
    made_answer,
    made_question,
    point_answer,
    point_question,
    pose_answer,
    pose_question,
    refer_answer,
)
from visionllm.types import Mark, Point, Routed


def test_class_names_are_listed_in_the_question_and_routed_in_the_answer() -> None:
    assert known_class_question(["star", "red fish"]) == "Find every star, red fish."
    expected = ("Here you go: ", Routed("star", "[DET]"), ", ", Routed("red fish", "[DET]"), ".")
    assert known_class_answer(["star", "red fish"]) == expected


def test_one_name_needs_no_comma() -> None:
    assert known_class_question(["star"]) == "Find every star."
    assert known_class_answer(["star"], "[SEG]", "{routed}") == (Routed("star", "[SEG]"),)


def test_a_name_may_hold_braces() -> None:
    assert known_class_question(["{names}", "{0}"]) == "Find every {names}, {0}."


def test_a_referring_answer_routes_no_words() -> None:
    assert refer_answer() == ("Here it is ", Routed("", "[GRD]"), ".")


def test_regions_are_numbered_in_the_answer() -> None:
    one, two, three = Mark(Point(1, 1)), Mark(Point(2, 2)), Mark(Point(3, 3))
    prompts = Prompts()
    assert point_question([one.region], prompts) == ("Segment ", one, ".")
    assert point_question([m.region for m in (one, two, three)], prompts) == (
        "Segment ",
        one,
        ", ",
        two,
        " and ",
        three,
        ".",
    )
    assert point_answer(1, prompts) == ("Here it is: ", Routed("region1", "[DET]"), ".")
    expected = ("Here they are: ", Routed("region1", "[DET]"), ", ", Routed("region2", "[DET]"), ".")
    assert point_answer(2, prompts) == expected


def test_published_prompts_read_as_published() -> None:
    question = known_class_question(["person", "car"], PUBLISHED.detect)
    assert question == "Can you analyze the image and identify the person, car present?"
    answer = known_class_answer(["person", "car"], prompt=PUBLISHED.detect_answer)
    spelled = "".join(p if isinstance(p, str) else p.text + p.token for p in answer if isinstance(p, str | Routed))
    assert spelled == "Yes, here are the results for person[DET], car[DET] in the image."
    assert point_question([Point(1, 1), Point(2, 2)], PUBLISHED)[2] == ", "


def test_filling_keeps_nothing_empty() -> None:
    assert fill("{it}", "it", ["a"]) == ("a",)
    assert fill("{it}", "it", []) == ()


@pytest.mark.parametrize("names", [[], "star"])
def test_names_must_be_a_list(names: list[str]) -> None:
    with pytest.raises(ValueError, match="expected a list of at least one class name, got"):
        known_class_answer(names)


def test_blank_names_are_refused() -> None:
    with pytest.raises(ValueError, match="expected words in class name 1, got '  '"):
        known_class_question(["star", "  "])


def test_no_region_is_refused() -> None:
    with pytest.raises(ValueError, match="expected at least one region, got none"):
        point_question([], Prompts())
    with pytest.raises(ValueError, match="expected at least one region, got none"):
        point_answer(0, Prompts())


@pytest.mark.parametrize(
    ("name", "prompt", "placeholder"),
    [
        ("detect", "Find them.", "names"),
        ("detect_answer", "{routed} {routed}", "routed"),
        ("refer", "Where is it?", "phrase"),
        ("describe_region", "Describe {regions}.", "region"),
    ],
)
def test_a_prompt_without_its_placeholder_is_refused(name: str, prompt: str, placeholder: str) -> None:
    with pytest.raises(ValueError, match=rf"expected \{{{placeholder}\}} once in the prompt {name}, got"):
        replace(Prompts(), **{name: prompt})


def test_keypoints_are_asked_for_and_routed_after_the_objects() -> None:
    assert pose_question(["person"], ["nose"], PUBLISHED).startswith(PUBLISHED.detect.replace("{names}", "person"))
    answer = pose_answer(["person", "dog"], ["nose"], Prompts())
    assert [(part.text, part.token) for part in answer if isinstance(part, Routed)] == [
        ("person", "[DET]"),
        ("dog", "[DET]"),
        ("nose", "[POSE]"),
    ]


@pytest.mark.parametrize(
    ("keypoints", "message"),
    [([], "expected a list of at least one keypoint name, got"), ([" "], "expected words in keypoint name 0, got ' '")],
)
def test_keypoints_without_words_are_refused(keypoints: list[str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        pose_question(["person"], keypoints, Prompts())
    with pytest.raises(ValueError, match=message):
        pose_answer(["person"], keypoints, Prompts())


def test_a_new_picture_is_asked_for_in_one_sentence() -> None:
    assert made_question(" two red stars. ", PUBLISHED.draw) == "Generate image with caption: two red stars."
    assert made_question("Make it blue", Prompts.edit) == "Make it blue."
    assert made_answer("[GEN]", Prompts.draw_answer) == ("Here it is ", Routed("", "[GEN]"), ".")
    with pytest.raises(ValueError, match="expected words for a picture, got"):
        made_question(". ", Prompts.draw)
