"""A conversation that remembers its turns."""

import numpy as np
import pytest

from tests.predictor.test_core import BOAT, EVERYTHING, PLAIN, STAR
from tests.small import picture
from visionllm.types import Answer, Found, Mark, Mask, Message, Options, Picture, Point, Routed


def test_both_sides_of_a_turn_become_history(predictor, scripted):
    scripted({"Find both.": STAR, "Where is the boat?": BOAT})
    chat = predictor.chat(picture(), options=EVERYTHING)
    first = chat.ask("Find both.")
    second = chat.ask("Where is the boat?")
    assert [turn.role for turn in chat.messages] == ["user", "assistant", "user", "assistant"]
    assert isinstance(chat.messages[0].parts[0], Picture)
    assert Routed("star", "[DET]") in chat.messages[1].parts
    assert first.detections is not None and second.detections is not None
    assert second.detections.class_names == ("the boat",)


def test_a_chat_about_a_picture_says_what_the_same_history_gives(predictor):
    options = Options(max_new_tokens=5)
    chat = predictor.chat(picture(), options=options)
    chat.ask("How many?")
    history = chat.messages
    said = chat.ask("And now?", regions=[Point(3, 3)])
    assert said.text == predictor.ask("And now?", regions=[Point(3, 3)], history=history, options=options).text


def test_a_chat_needs_no_picture(predictor, scripted):
    scripted({"Hello.": PLAIN, "Again?": PLAIN})
    chat = predictor.chat()
    assert chat.ask("Hello.").text == "Two."
    assert chat.ask("Again?", options=Options(max_new_tokens=3)).detections is None
    assert len(chat.messages) == 4


def test_a_streamed_answer_becomes_a_turn_once_it_is_whole(predictor):
    chat = predictor.chat(picture(), options=Options(max_new_tokens=6))
    pieces = chat.stream("How many?")
    next(pieces)
    assert chat.messages == () or len(chat.messages) == 2
    *_, answer = pieces
    assert isinstance(answer, Answer)
    assert chat.messages[-1] == Message("assistant", (answer.text,))


def test_a_question_that_is_refused_leaves_the_conversation_as_it_was(predictor):
    chat = predictor.chat(picture())
    with pytest.raises(ValueError, match="empty prompt"):
        chat.ask(" ")
    assert chat.messages == ()


def test_what_an_earlier_answer_found_can_be_pointed_at(predictor, scripted):
    scripted({"Find both.": STAR, "Hello.": PLAIN, "And this?": PLAIN})
    chat = predictor.chat(picture(), options=EVERYTHING)
    first = chat.ask("Find both.")
    chat.ask("Hello.")
    chat.ask("And this?", regions=[Found(2), Found(1, turn=1), Point(3, 3)])
    pointed = [part.region for part in chat.messages[-2].parts if isinstance(part, Mark)]
    for region, instance in zip(pointed, (first.instances[1], first.instances[0]), strict=False):
        assert isinstance(region, Mask)
        np.testing.assert_array_equal(region.pixels, instance.mask)
    assert pointed[2] == Point(3, 3)


@pytest.mark.parametrize(
    ("found", "message"),
    [
        (Found(1, turn=3), "expected a turn among the 2 earlier ones, got 3"),
        (Found(99), "expected one of the 7 things that turn 1 found, got 99"),
        (Found(0, turn=1), "expected one of the 7 things that turn 1 found, got 0"),
        (Found(1, turn=2), "expected one of the 0 things that turn 2 found, got 1"),
    ],
)
def test_what_no_earlier_answer_found_is_refused(predictor, scripted, found, message):
    scripted({"Find both.": STAR, "Hello.": PLAIN})
    chat = predictor.chat(picture(), options=EVERYTHING)
    with pytest.raises(ValueError, match="expected an earlier answer that found something, got none"):
        chat.ask("And this?", regions=[Found(1)])
    chat.ask("Find both.")
    chat.ask("Hello.")
    with pytest.raises(ValueError, match=message):
        chat.ask("And this?", regions=[found])
    assert len(chat.messages) == 4
