"""What lies on the table."""

from tests.server.page.conftest import house
from tests.server.stub import detections
from visionllm.server.page import session as module
from visionllm.server.page.session import Session, Sessions, box_of, data_url, things_of
from visionllm.types import Box, Example, Instance, Message, Picture


def test_another_picture_clears_what_was_found():
    session = Session()
    session.lay(house())
    session.show((detections(size_hw=(80, 120)),))
    first = session.token
    assert len(session.found) == 1 and session.size_hw == (80, 120)
    session.lay(house())
    assert session.found == () and session.results == () and session.token != first


def test_each_picture_counts_once():
    session, image = Session(), house()
    session.lay(image)
    session.messages = (Message("user", (Picture(image), "?")), Message("user", (Picture(house()), "?")))
    session.samples = [Example(image, Box(0, 0, 5, 5))]
    assert session.pixels == 2 * 120 * 80


def test_pages_of_others_are_never_handed_out():
    sessions = Sessions()
    assert sessions.of("a", "1") is sessions.of("a", "1")
    assert len({id(sessions.of(*who)) for who in (("a", "1"), ("a", "2"), ("b", "1"))}) == 3


def test_pages_left_alone_longest_make_room(monkeypatch):
    monkeypatch.setattr(module, "MOST_SESSIONS", 2)
    sessions = Sessions()
    first, second = sessions.of("", "1"), sessions.of("", "2")
    assert sessions.of("", "1") is first
    sessions.of("", "3")
    assert len(sessions) == 2 and sessions.of("", "1") is first and sessions.of("", "2") is not second


def test_large_pictures_make_room_too(monkeypatch):
    monkeypatch.setattr(module, "MOST_PIXELS", 10_000)
    sessions = Sessions()
    for name in "12":
        sessions.of("", name).lay(house())
    sessions.of("", "2")
    assert len(sessions) == 1


def test_boxes_are_cut_and_pictures_made_smaller_for_the_browser():
    assert box_of(Instance("a", 1.0, (-1.0, 2.0, 500.0, 9.0)), (10, 20)) == Box(0, 2, 20, 9)
    assert data_url(house(), 500).startswith("data:image/png;base64,")
    assert len(data_url(house().resize((1200, 800)), 90)) < len(data_url(house().resize((1200, 800)), 2000))
    assert data_url(house().resize((1200, 800)), 2000).startswith("data:image/jpeg")


def test_results_without_things_have_none_to_pick():
    assert things_of(()) == ()
