"""Things in new pictures that are like marked ones."""

import numpy as np
import pytest

from tests.predictor.test_core import EVERYTHING, PLAIN, require_equal
from tests.small import picture, small_model, small_predictor, small_processor
from visionllm.predictor import VisionLLM
from visionllm.predictor.examples import fingerprint
from visionllm.types import Box, Example, Options, Point

BOX, DOT = Box(2, 2, 20, 20), Point(5, 5)


@pytest.fixture(scope="module")
def two() -> list[Example]:
    return [Example(picture(seed=1), BOX, "star"), Example(picture(40, 60, seed=2), DOT, "fish")]


def test_things_like_the_examples_are_found_under_their_labels(predictor, two):
    new = [picture(seed=3), picture(50, 30, seed=4)]
    first, second = predictor.find_like(two, new, options=EVERYTHING)
    assert first.class_names == ("star", "fish")
    assert (first.size_hw, second.size_hw) == ((40, 60), (30, 50))
    assert first.masks is not None and len(first) == EVERYTHING.max_instances


def test_without_labels_there_is_one_class(predictor):
    found = predictor.find_like([Example(picture(seed=1), BOX)], [picture()], options=EVERYTHING)[0]
    assert set(found.class_ids.tolist()) == {0}
    assert found.class_names == ("such thing",)


def test_examples_are_encoded_once_and_say_the_same(predictor, two, monkeypatch):
    learned = predictor.learn(two)
    fresh = small_predictor(deterministic=True).find_like(two, [picture()], options=EVERYTHING)[0]
    seen = []
    encode = predictor.model.encode_pictures
    monkeypatch.setattr(predictor.model, "encode_pictures", lambda p, s: seen.append(len(p)) or encode(p, s))
    require_equal(learned.find(picture(), options=EVERYTHING), fresh)
    assert seen == [1]


def test_a_question_about_a_new_picture_may_follow_the_examples(predictor, two, scripted):
    scripted({"is called star.  is called fish. What is this?": PLAIN})
    answer = predictor.learn(two).ask("What is this?", picture())
    assert answer.text == "Two."


def test_examples_are_saved_and_used_again(predictor, two, tmp_path):
    learned = predictor.learn(two)
    learned.save(tmp_path / "two.safetensors")
    again = predictor.load_examples(tmp_path / "two.safetensors")
    assert again.labels == ("star", "fish")
    require_equal(again.find(picture(), options=EVERYTHING), learned.find(picture(), options=EVERYTHING))
    np.testing.assert_array_equal(np.asarray(again.examples[1].image), np.asarray(two[1].image))


def test_examples_of_another_model_are_refused(predictor, two, tmp_path):
    predictor.learn(two).save(tmp_path / "two.safetensors")
    processor = small_processor()
    other = VisionLLM(small_model(processor, seed=1), processor)
    assert fingerprint(other.model) != fingerprint(predictor.model)
    with pytest.raises(ValueError, match="expected examples that this model encoded"):
        other.load_examples(tmp_path / "two.safetensors")


@pytest.mark.parametrize("content", [b"", b"no examples at all", None])
def test_a_file_without_examples_is_refused(predictor, tmp_path, content):
    file = tmp_path / "x.safetensors"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ValueError, match="expected a file of examples, got"):
        predictor.load_examples(file)


@pytest.mark.parametrize(
    ("examples", "message"),
    [
        ([], "expected 1 to 5 examples, got 0"),
        ([(BOX, None)] * 6, "expected 1 to 5 examples, got 6"),
        ([(BOX, "star"), (DOT, None)], "expected a label for each of 2 examples or for none, got 1"),
        ([(BOX, " ")], "expected words in the label of each example"),
        ([(BOX, None), (None, None)], "region 1: expected a box, point, scribble, polygon or mask, got None"),
        ([(BOX, None), (Point(70, 1), None)], "region 1: expected a point inside the 60×40 picture"),
    ],
)
def test_examples_that_cannot_be_learned_from_are_refused(predictor, examples, message):
    with pytest.raises(ValueError, match=message):
        predictor.learn([Example(picture(), region, label) for region, label in examples])


def test_an_example_without_a_picture_is_refused(predictor):
    with pytest.raises(ValueError, match=r"expected a picture in example 1, .*, got 'star\.png'"):
        predictor.learn([Example(picture(), BOX), Example("star.png", BOX)])  # pyright: ignore[reportArgumentType]


def test_nothing_like_the_examples_is_an_empty_result(predictor, two):
    assert len(predictor.learn(two[:1]).find(picture(), options=Options(threshold=1))) == 0
