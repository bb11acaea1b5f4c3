"""How questions reach the predictor."""

from typing import Any

import pytest
from PIL import Image

from visionllm.evaluation.base import EVERYTHING, Ask, Detect, Refer, SegmentRegions, call_all
from visionllm.types import Options, Point, ask

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
