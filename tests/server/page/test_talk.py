"""Questions of the page."""

import asyncio

import pytest

from tests.server.page.conftest import house, views_of
from visionllm.engine.errors import JobFailed
from visionllm.server.page.talk import ask, message_of, restart
from visionllm.server.page.words import Told
from visionllm.types import Box, Mark, Picture


def test_text_appears_piece_by_piece_and_results_before_the_sentence_after_them(place):
    views = views_of(ask(place, "find it", "[]"))
    said = ["It is red" in (view.chat or "") for view in views]
    shown = ["vl-row" in (view.stage or "") for view in views]
    assert 0 < shown.index(True) < said.index(True)
    assert views[0].question == "" and "1 found" in (views[-1].note or "")
    assert '<mark class="vl-name"' in (views[-1].chat or "")


def test_a_picture_comes_with_its_first_question_only_and_a_new_one_again(place):
    views_of(ask(place, "echo one", "[]"))
    views_of(ask(place, "echo two", "[]"))
    place.session.lay(house())
    views_of(ask(place, "echo three", "[]"))
    jobs = place.service.engine.jobs
    assert [len(job.pictures) for job in jobs] == [1, 1, 2]
    assert [message.role for message in jobs[2].messages] == ["user", "assistant", "user", "assistant", "user"]


def test_marks_go_with_the_question(place):
    views_of(ask(place, "echo what is this?", '[{"kind": "box", "at": [1, 2, 30, 40]}]'))
    (message,) = place.service.engine.jobs[0].messages
    assert isinstance(message.parts[0], Picture) and message.parts[-1] == Mark(Box(1, 2, 30, 40))
    assert "[1 marked]" in place.session.turns[0].words


def test_what_was_found_is_a_region_of_the_next_question(place):
    place.session.lay(house().resize((60, 40)))
    views_of(ask(place, "find it", "[]"))
    found = place.session.found[0].region
    views_of(ask(place, "echo this?", '[{"kind": "pick", "id": 0}]'))
    mark = place.service.engine.jobs[1].messages[-1].parts[-1]
    assert (mark.region.pixels == found.pixels).all()


def test_without_a_picture_words_alone_are_asked(place):
    place.session.picture = None
    message, turn = message_of(place.session, "hello", ())
    assert message.parts == ("hello",) and turn.thumb == ""


def test_what_was_found_in_another_picture_is_not_drawn_over_the_one_on_the_table(place):
    async def run():
        async for _ in ask(place, "find it", "[]"):
            if place.session.picture is first:
                place.session.lay(house())

    first = place.session.picture
    asyncio.run(run())
    assert place.session.found == () and place.session.turns[0].answer == "Here is the star. It is red."


@pytest.mark.faults
def test_a_failed_answer_becomes_no_turn_and_the_next_one_works(place):
    views_of(ask(place, "echo one", "[]"))
    with pytest.raises(JobFailed):
        views_of(ask(place, "break it", "[]"))
    assert len(place.session.turns) == 1 and len(place.session.messages) == 2
    assert "two" in (views_of(ask(place, "echo two", "[]"))[-1].chat or "")


@pytest.mark.faults
def test_a_stopped_answer_becomes_no_turn(place):
    async def run():
        views = ask(place, "count 5000", "[]")
        await anext(views)
        await anext(views)
        await views.aclose()

    asyncio.run(run())
    assert place.session.turns == [] and place.session.messages == ()


@pytest.mark.faults
@pytest.mark.parametrize(("words", "told"), [("  ", "Write a question"), ("x" * 4001, "at most 4000")])
def test_no_question_and_a_far_too_long_one_are_refused(place, words, told):
    with pytest.raises(Told, match=told):
        views_of(ask(place, words, "[]"))
    assert not place.service.engine.jobs


def test_a_conversation_has_an_end_and_a_new_one_begins(place):
    place.session.messages = tuple(message_of(place.session, "a", ())[0] for _ in range(64))
    with pytest.raises(Told, match="Start anew"):
        views_of(ask(place, "echo one", "[]"))
    (view,) = views_of(restart(place))
    assert "Ask about" in (view.chat or "") and place.session.messages == () and place.session.picture is not None
