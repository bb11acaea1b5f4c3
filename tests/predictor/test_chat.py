"""A conversation that remembers its turns."""

import pytest

from tests.predictor.test_core import BOAT, EVERYTHING, PLAIN, STAR
from tests.small import picture
from visionllm.types import Answer, Message, Options, Picture, Point, Routed


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
