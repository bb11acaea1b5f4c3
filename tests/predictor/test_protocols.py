"""One argument chooses whether a task method reads a known answer or lets the model write its own."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tests.small import picture, small_model, small_predictor, small_processor, written
from visionllm.decoders import DetectionDecoder
from visionllm.predictor import VisionLLM, core
from visionllm.processing.prompt_families import FAMILIES
from visionllm.types import Answer, Box, Example, GeneratedImages, Options, Point

FREE = Options(protocol="free", threshold=0, max_instances=7, max_new_tokens=6)
ASKED = "Find every red fish, star."
SAID = ("Here you go: ", "<det>", "star", "</det>", "[DET]", ", ", "<det>", "Cup", "</det>", "[DET]", ".")


@pytest.fixture(scope="module")
def full() -> VisionLLM:
    return small_predictor(full=True)


def test_freely_found_things_have_the_numbers_of_the_names_that_were_asked_for(predictor, scripted):
    scripted({ASKED: SAID})
    found = predictor.detect(picture(), ["red fish", "star"], options=FREE)
    assert found.class_names == ("red fish", "star", "Cup")
    assert set(found.class_ids.tolist()) <= {1, 2}
    assert found.masks is None
    asked = predictor.ask(ASKED, picture(), options=FREE).detections
    assert asked is not None
    np.testing.assert_array_equal(found.boxes, asked.boxes)
    np.testing.assert_array_equal(found.class_ids, asked.class_ids + 1)


def test_a_free_answer_that_routes_nothing_finds_nothing(predictor, scripted):
    scripted({ASKED: ("Nothing.",)})
    found = predictor.segment(picture(), ["red fish", "star"], options=FREE)
    assert (len(found), found.class_names, found.size_hw) == (0, ("red fish", "star"), (40, 60))
    assert found.masks is not None
    assert found.masks.shape == (0, 40, 60)


def test_known_answers_write_nothing(predictor, monkeypatch):
    monkeypatch.setattr(core, "generate", None)
    for protocol in ("known", "published"):
        options = replace(FREE, protocol=protocol)
        assert predictor.detect(picture(), ["star"], options=options).class_names == ("star",)
        assert predictor.segment_semantic(picture(), ["star"], options=options).class_names == ("star",)


def test_the_published_protocol_has_no_threshold_and_no_second_pass():
    processor = small_processor()
    small = VisionLLM(small_model(processor), processor)
    detector = small.model.decoder("detection")
    assert isinstance(detector, DetectionDecoder)
    detector.config = replace(detector.config, threshold=1.0)
    names = ["star", "fish", "cup", "sun"]  # three are a pass of this processor
    options = Options(max_instances=5)
    assert len(small.detect(picture(), names, options=options)) == 0
    found = small.detect(picture(), names, options=replace(options, protocol="published"))
    assert len(found) == 5
    (batched,) = small.detect_batch([picture()], names, options=replace(options, protocol="published"))
    np.testing.assert_allclose(batched.boxes, found.boxes, atol=0.01)
    passes = small.detect(picture(), names, options=replace(options, threshold=0))
    assert not np.allclose(passes.scores, found.scores, atol=1e-7)


def test_a_phrase_is_found_freely(predictor, scripted):
    scripted({"Where is the boat?": ("Here it is ", "[GRD]", ".")})
    found = predictor.refer(picture(), "the boat", options=FREE)
    assert [instance.label for instance in found.instances] == ["the boat"]


def test_regions_are_segmented_freely(predictor, scripted):
    scripted({"Segment  and .": ("Here: ", "<det>", "region2", "</det>", "[DET]", ".")})
    found = predictor.segment_regions(picture(), [Point(3, 3), Box(1, 1, 9, 9)], options=FREE)
    assert [instance.label for instance in found.instances] == ["region2"]


def test_the_published_protocol_looks_for_regions_among_the_best_pairs_only(predictor, monkeypatch):
    seen = []
    original = core.Core.prepare

    def prepare(self, requests, answers=None):
        seen.extend(request.options.candidates for request in requests)
        return original(self, requests, answers)

    monkeypatch.setattr(core.Core, "prepare", prepare)
    for protocol in ("known", "published"):
        predictor.segment_regions(picture(), [Point(3, 3)], options=Options(protocol=protocol))
    assert seen == [None, 300]


def test_classes_of_pixels_are_those_of_a_known_or_a_free_answer(predictor, monkeypatch):
    known = predictor.segment_semantic(picture(), ["Star", "fish", "cup", "sun"], options=Options())
    assert known.class_names == ("Star", "fish", "cup", "sun")
    assert known.size_hw == (40, 60)
    pieces = ("Here: ", "<det>", "fish", "</det>", "[SEG]", ", ", "<det>", "sea", "</det>", "[SEG]", ".")
    vocabulary = predictor.processor.vocabulary
    monkeypatch.setattr(core.Core, "write", lambda *_: [written(vocabulary, *pieces)])
    free = predictor.segment_semantic(picture(), ["star", "fish"], options=FREE)
    assert free.class_names == ("star", "fish", "sea")
    assert set(free.present) <= {"fish", "sea"}
    monkeypatch.setattr(core.Core, "write", lambda *_: [written(vocabulary, "No.")])
    with pytest.raises(ValueError, match="expected an answer that routes a class, got none; the protocol 'known'"):
        predictor.segment_semantic(picture(), ["star"], options=FREE)


def test_one_pass_gives_the_map_of_an_opened_picture(predictor):
    image = picture()
    fresh = predictor.segment_semantic(image, ["star", "fish"])
    opened = predictor.open(image).segment_semantic(["star", "fish"])
    np.testing.assert_allclose(fresh.scores, opened.scores, atol=1e-5)
    assert (fresh.class_ids != opened.class_ids).mean() < 1e-3


def test_poses_are_found_freely_with_the_keypoints_that_were_answered(full, monkeypatch):
    question = "Find every person. Mark the nose, left eye of each."
    said = ("<det>", "person", "</det>", "[DET]", " ", "<det>", "left eye", "</det>", "[POSE]", ".")
    vocabulary = full.processor.vocabulary
    monkeypatch.setattr(core.Core, "write", lambda *_: [written(vocabulary, *said)])
    found = full.pose(picture(), ["person"], ["nose", "left eye"], options=FREE)
    assert found.keypoint_names == ("left eye",)
    assert found.class_names == ("person",)
    assert len(found)
    monkeypatch.setattr(core.Core, "write", lambda *_: [written(vocabulary, "None.")])
    nothing = full.pose(picture(), ["person"], ["nose", "left eye"], options=FREE)
    assert (len(nothing), nothing.keypoint_names) == (0, ("nose", "left eye"))
    assert question == full.processor.config.prompts.detect.replace("{names}", "person") + " " + (
        full.processor.config.prompts.pose.replace("{keypoints}", "nose, left eye")
    )


def test_pictures_are_made_freely_if_the_answer_routes_one(full, monkeypatch):
    made = GeneratedImages(pictures=(np.zeros((8, 8, 3), dtype=np.uint8),), seeds=(0,), labels=("a star",))
    answer = Answer(text="Here it is.", finish_reason="stop", pictures=(made,))
    monkeypatch.setattr(core.Core, "answer", lambda *_: [answer])
    assert full.generate("a star", options=FREE) is made
    monkeypatch.setattr(core.Core, "answer", lambda *_: [Answer(text="No.", finish_reason="stop")])
    with pytest.raises(
        ValueError, match=r"expected an answer with a picture, got 'No\.'; the protocol 'known' makes one"
    ):
        full.edit(picture(), "Make it blue", options=FREE)


def test_a_question_in_other_words_needs_its_placeholder(predictor):
    image = picture()
    own = predictor.detect(image, ["star"])
    same = predictor.detect(image, ["star"], question=predictor.processor.config.prompts.detect)
    other = predictor.segment(image, ["star"], question=FAMILIES["salient"].question)
    np.testing.assert_array_equal(own.scores, same.scores)
    assert not np.allclose(own.scores, other.scores[: len(own)], atol=1e-7)
    with pytest.raises(ValueError, match=r"expected \{names\} once in the question, got 'Where\?'"):
        predictor.detect(image, ["star"], question="Where?")
    with pytest.raises(ValueError, match=r"expected \{phrase\} once in the question, got 'Where\?'"):
        predictor.refer(image, "star", question="Where?")


def test_examples_answer_freely_too(predictor, monkeypatch):
    monkeypatch.setattr(core.Core, "write", lambda *_: [written(predictor.processor.vocabulary, "None.")])
    learned = predictor.learn([Example(picture(), Box(1, 1, 9, 9))])
    assert len(learned.find(picture(), options=FREE)) == 0


def test_a_protocol_has_one_of_three_names():
    unknown: Any = "fast"
    with pytest.raises(ValueError, match="option protocol is out of range: got fast"):
        Options(protocol=unknown)
    with pytest.raises(ValueError, match="option candidates is out of range: got 0"):
        Options(candidates=0)
    assert Options(protocol="published").lowest_score(0.3) == 0
    assert Options(protocol="published", threshold=0.2).lowest_score(0.3) == 0.2
    assert Options().lowest_score(0.3) == 0.3
