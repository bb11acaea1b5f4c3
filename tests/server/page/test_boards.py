"""The conversation, what was made, the sheet of examples, the model."""

from dataclasses import replace

from tests.server.page.conftest import FULL, house
from tests.server.stub import detections
from visionllm.server.page.boards import about, conversation, made, sheet, thumb_of
from visionllm.server.page.session import Session, Turn
from visionllm.types import Answer, Box, Example


def test_words_that_found_something_can_be_pointed_at():
    answer = Answer(text="Here is the star & more.", detections=detections(span=(12, 16)))
    turn = Turn("<b>?", "", answer.text, answer)
    html = conversation(Session(turns=[turn]))
    assert '<mark class="vl-name" tabindex="0" data-span="12-16">star</mark> &amp; more.' in html
    assert "&lt;b&gt;?" in html
    assert conversation(Session(turns=[turn, Turn("and?")])).count("<mark") == 0


def test_without_turns_there_is_a_hint():
    assert "Ask about the picture" in conversation(Session())


def test_what_was_made_and_the_examples_are_shown():
    assert "<img" not in made(Session()) and "<img" in made(Session(made=house()))
    session = Session(samples=[Example(house(), Box(2, 2, 30, 30), "<roof>"), Example(house(), Box(2, 2, 9, 9))])
    assert sheet(session).count("<figure>") == 2 and "&lt;roof&gt;" in sheet(session) and "example 2" in sheet(session)
    assert "No examples yet" in sheet(Session())
    assert len(thumb_of(house())) < 4000


def test_the_line_about_the_model_says_what_it_knows():
    line = about(FULL, 10_000)
    assert "<strong>stub</strong>" in line and "drawings only" in line and "5904" in line
    assert "answers questions, finds and masks things, finds keypoints, makes pictures, changes pictures" in line
    assert "answers questions, depth" in about(replace(FULL, decoders=("depth",)), 10_000)
