from collections.abc import Callable

import pytest
from PIL import Image

from visionllm.processing.checks import check_answer, check_request
from visionllm.types import Mark, Message, Part, Picture, Point, Request, Routed, ask

IMAGE = Image.new("RGB", (4, 4))
POINT = Point(1, 1)


def check(*messages: Message, max_pictures: int = 3, max_regions: int = 4, wordless: bool = False) -> None:
    check_request(
        Request(messages),
        routing_tokens=["[DET]", "[GRD]"],
        max_pictures=max_pictures,
        max_regions=max_regions,
        wordless=wordless,
    )


def user(*parts: Part) -> Message:
    return Message("user", parts)


def assistant(*parts: Part) -> Message:
    return Message("assistant", parts)


@pytest.mark.parametrize(
    "messages",
    [
        [user("Hello")],
        [Message("system", ("Be brief.",)), user("Hello")],
        [Message("system", ()), user(Picture(IMAGE), "What is this?")],
        [user(Picture(IMAGE), Mark(POINT))],
        [
            user(Picture(IMAGE), "This?", Mark(POINT)),
            assistant("A ", Routed("star", "[DET]"), "."),
            user("And ", Mark(POINT, 0)),
        ],
        [user("Compare ", Mark(POINT, 1), " with ", Picture(IMAGE), Picture(IMAGE))],
        [user("Hi"), assistant(), user("Well?")],
    ],
)
def test_good_requests_pass(messages: list[Message]) -> None:
    check(*messages)


@pytest.mark.parametrize(
    ("messages", "message"),
    [
        ([], "expected at least one message, got none"),
        ([Message("system", ("Hi",))], "expected the last message from the user, got one from the system"),
        ([user("Hi"), assistant("Hi")], "expected the last message from the user, got one from the assistant"),
        (
            [user("Hi"), Message("system", ("Hi",)), user("Hi")],
            "expected a system message only at the start, got one as message 1",
        ),
        ([user("Hi"), user("Hi")], "expected user and assistant to take turns, got the user as message 1"),
        ([assistant("Hi"), user("Hi")], "expected the conversation to start with the user, got the assistant"),
        ([user("Hi"), assistant("a"), assistant("b"), user("Hi")], "take turns, got the assistant as message 2"),
        ([user()], "expected words in message 0, got an empty prompt"),
        ([user(" \n")], "got an empty prompt"),
        ([user(Picture(IMAGE))], "got an empty prompt"),
        ([user("Hi"), assistant("Hi"), user("")], "expected words in message 2, got an empty prompt"),
        ([Message("system", (Picture(IMAGE),)), user("Hi")], r"got a picture in message 0 \(system\)"),
        (
            [user("Hi"), assistant(Mark(POINT)), user("Hi")],
            r"expected pictures and regions in user messages only, got a region in",
        ),
        ([user(Routed("a", "[DET]"))], r"expected routed words in assistant messages only, got \[DET\] in message 0"),
        (
            [user("Hi"), assistant(Routed("a", "[HUG]")), user("Hi")],
            r"expected a routing token, one of .*, got '\[HUG\]'",
        ),
        ([user(Picture(IMAGE.convert("L")), "Hi")], "expected an RGB picture in message 0, got mode 'L'; open it with"),
        ([user("Hi", Mark(POINT))], "region 0: expected a picture before it, got none"),
        ([user(Mark(POINT), Picture(IMAGE), "Hi")], "region 0: expected a picture before it, got none"),
        (
            [user(Picture(IMAGE), Mark(POINT), Mark(POINT, 1))],
            "region 1: expected the index of one of 1 pictures, got 1",
        ),
        ([user(Picture(IMAGE), Mark(POINT, -1))], "region 0: expected the index of one of 1 pictures, got -1"),
        ([user(*[Picture(IMAGE)] * 4, "Hi")], "expected at most 3 pictures, got 4"),
        ([user(Picture(IMAGE), *[Mark(POINT)] * 5)], "expected at most 4 regions, got 5"),
    ],
)
def test_bad_requests_are_refused_in_one_line(messages: list[Message], message: str) -> None:
    with pytest.raises(ValueError, match=message) as refusal:
        check(*messages)
    assert "\n" not in str(refusal.value)


def test_an_answer_may_only_route_to_known_tokens() -> None:
    check_answer(["Here: ", Routed("a", "[GRD]")], ["[GRD]"])
    with pytest.raises(ValueError, match=r"expected a routing token, one of \[GRD\], got '\[DET\]'"):
        check_answer([Routed("a", "[DET]")], ["[GRD]"])


@pytest.mark.parametrize("part", [Picture(IMAGE), Mark(POINT)])
def test_an_answer_holds_no_pictures_and_regions(part: Part) -> None:
    with pytest.raises(ValueError, match=r"expected text and routed words in an answer, got a (picture|mark)"):
        check_answer(["Here: ", part], [])


def test_a_question_built_for_the_user_passes(picture: Callable[..., Image.Image]) -> None:
    check(*ask("What is this?", picture(), regions=(POINT,)).messages)


def test_questions_of_a_caption_template_may_be_pictures_only(picture: Callable[..., Image.Image]) -> None:
    check(user(Picture(picture())), wordless=True)
    with pytest.raises(ValueError, match="expected words in message 0, got an empty prompt"):
        check(user(" "), wordless=True)
