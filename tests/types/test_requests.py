"""Requests, their messages and options."""

import pytest
from PIL import Image

from visionllm.types import Box, Mark, Message, Options, Picture, Point, Request, Routed, ask


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("max_new_tokens", 0),
        ("temperature", -0.1),
        ("top_p", 0.0),
        ("num_beams", 0),
        ("threshold", 1.5),
        ("nms_iou", -1.0),
        ("max_instances", 0),
        ("steps", 0),
        ("steps", 1.5),
        ("guidance", -1.0),
        ("image_guidance", -0.5),
    ],
)
def test_an_option_out_of_range_is_refused_by_name(name, value):
    with pytest.raises(ValueError, match=f"option {name} is out of range: got {value}"):
        Options(**{name: value})


def test_a_size_of_nothing_is_refused():
    with pytest.raises(ValueError, match=r"option size_hw is out of range: got \(0, 8\)"):
        Options(size_hw=(0, 8))


def test_overlaps_are_merged_as_the_request_says_or_else_as_the_decoder_does():
    assert Options().merged(0.6).nms_iou == 0.6
    assert Options(nms_iou=1.0).merged(0.6).nms_iou == 1.0
    assert Options(protocol="published").merged(0.6).nms_iou is None


def test_beams_do_not_sample():
    with pytest.raises(ValueError, match=r"expected temperature 0 with num_beams 2, got 0.5"):
        Options(num_beams=2, temperature=0.5)


def test_a_question_is_one_user_message_of_picture_words_and_regions():
    image = Image.new("RGB", (4, 3))
    regions = (Box(0, 0, 1, 1), Point(2, 2))
    (message,) = ask("What is it?", image, regions=regions).messages
    assert message.role == "user"
    assert [type(part) for part in message.parts] == [Picture, str, str, Mark, str, Mark]
    assert [part.region for part in message.parts if isinstance(part, Mark)] == list(regions)


def test_the_pictures_of_a_request_come_in_order():
    first, second = Image.new("RGB", (1, 1)), Image.new("RGB", (2, 2))
    turns = (Message("user", (Picture(first), "a")), Message("assistant", ("b",)), Message("user", (Picture(second),)))
    assert Request(turns).pictures == (first, second)


def test_the_text_of_a_message_holds_routed_words_and_no_structure():
    message = Message("assistant", ("Yes, ", Routed("star", "[DET]"), ".", Mark(Point(0, 0))))
    assert message.text == "Yes, star."
