"""How questions reach the predictor."""

from typing import Any

import pytest
from PIL import Image

from visionllm.evaluation.base import (
    EVERYTHING,
    Ask,
    Detect,
    Draw,
    Edit,
    FindLike,
    FindPoses,
    Reconstruct,
    Refer,
    SegmentRegions,
    call_all,
)
from visionllm.types import Example, Options, Point, ask

PICTURE = Image.new("RGB", (60, 40))


class Recorder:
    """Returns what it was called with."""

    def answer(self, requests, *, batch_size=8):
        return [("answer", request, batch_size) for request in requests]

    def detect_batch(self, images, classes, *, masks=False, options=None, batch_size=8):
        return [("detect", names, masks, options, batch_size) for _, names in zip(images, classes, strict=True)]

    def refer(self, image, phrase, *, options=None):
        return ("refer", phrase, options)

    def segment_regions(self, image, regions, *, options=None):
        return ("regions", regions, options)

    def pose(self, image, classes, keypoints=None, *, options=None):
        return ("pose", classes, keypoints, options)

    def generate(self, caption, *, options=None):
        return ("generate", caption, options)

    def edit(self, image, wish, *, options=None):
        return ("edit", wish, options)

    def find_like(self, examples, images, *, options=None):
        return [("like", examples, image.size, options) for image in images]

    def reconstruct(self, image):
        return ("reconstruct", image.size)


def called(*calls) -> list[Any]:
    recorder: Any = Recorder()
    return call_all(recorder, calls, batch_size=4)


def test_free_questions_go_through_as_one_batch():
    requests = [ask("How many?", PICTURE), ask("Hello.")]
    assert called(*map(Ask, requests)) == [("answer", request, 4) for request in requests]


def test_known_classes_keep_every_score_and_their_own_lists():
    calls = [Detect(PICTURE, ("star",)), Detect(PICTURE, ("fish", "cup"))]
    assert called(*calls) == [
        ("detect", ("star",), False, EVERYTHING, 4),
        ("detect", ("fish", "cup"), False, EVERYTHING, 4),
    ]
    assert EVERYTHING.threshold == 0


def test_masks_come_where_they_are_judged():
    assert called(Detect(PICTURE, ("star",), masks=True))[0][2] is True


def test_phrases_keep_their_threshold():
    options = Options(threshold=0.3)
    assert called(Refer(PICTURE, "the star", options)) == [("refer", "the star", options)]


def test_regions_are_all_answered():
    region = Point(3, 4)
    assert called(SegmentRegions(PICTURE, (region,))) == [("regions", (region,), EVERYTHING)]


def test_no_calls_have_no_results():
    assert called() == []


def test_calls_of_two_kinds_are_refused():
    with pytest.raises(ValueError, match=r"expected calls of one kind, got \['Ask', 'Detect'\]"):
        called(Ask(ask("Hello.")), Detect(PICTURE, ("star",)))


def test_what_is_detected_together_shares_its_options():
    options = Options(threshold=0.4)
    assert called(Detect(PICTURE, ("star",), options=options))[0][3] == options
    with pytest.raises(ValueError, match="expected one set of options for what is detected together, got 2"):
        called(Detect(PICTURE, ("star",)), Detect(PICTURE, ("fish",), options=options))


def test_poses_and_pictures_are_asked_for_one_by_one():
    options = Options(seed=3)
    assert called(FindPoses(PICTURE, ("dog",))) == [("pose", ("dog",), None, EVERYTHING)]
    assert called(Draw("a star", options)) == [("generate", "a star", options)]
    assert called(Edit(PICTURE, "make it red", options)) == [("edit", "make it red", options)]
    assert called(Reconstruct(PICTURE), Reconstruct(PICTURE)) == [("reconstruct", (60, 40))] * 2


def test_examples_come_with_one_new_picture():
    examples, options = (Example(PICTURE, Point(3, 4), "wug"),), Options(threshold=0.3)
    assert called(FindLike(examples, PICTURE, options)) == [("like", examples, (60, 40), options)]
