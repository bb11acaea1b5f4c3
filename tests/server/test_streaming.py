"""Events of several jobs in one stream."""

import asyncio

import pytest

from tests.server.stub import StubTicket
from visionllm.engine.events import Finished, TextPiece
from visionllm.server.errors import ApiError
from visionllm.server.streaming import EventStream, dumps, merged, sse
from visionllm.types import Answer


def test_an_event_is_one_line_of_json():
    assert sse({"a": "é\n\ud800"}) == 'data: {"a":"é\\n?"}\n\n'.encode()
    for number in ("nan", "inf"):
        with pytest.raises(ApiError, match="computed what is no number"):
            dumps({"score": float(number)})


def test_events_keep_their_order_within_a_job_and_none_is_lost():
    tickets = [StubTicket("a"), StubTicket("b")]
    for number, ticket in enumerate(tickets):
        for letter in "xyz":
            ticket.push(TextPiece(f"{number}{letter}"))
        ticket.push(Finished(Answer(text="")))

    async def read():
        return [item async for item in merged(tickets)]

    items = asyncio.run(read())
    for number in (0, 1):
        said = [event.text for of, event in items if of == number and isinstance(event, TextPiece)]
        assert said == [f"{number}x", f"{number}y", f"{number}z"]
    assert sum(isinstance(event, Finished) for _, event in items) == 2


async def _chunks():
    while True:
        yield b"x" * 1000


@pytest.mark.parametrize("way", ["slow", "gone"])
def test_a_client_that_is_slow_or_gone_ends_the_stream(way):
    closed, sent = [], []

    async def receive():
        await asyncio.sleep(0.01 if way == "gone" else 3600)
        return {"type": "http.disconnect"}

    async def send(message):
        sent.append(message)
        await asyncio.sleep(3600 if way == "slow" and len(sent) > 3 else 0)

    stream = EventStream(_chunks(), 0.05, lambda: closed.append(True))
    asyncio.run(asyncio.wait_for(stream({"type": "http"}, receive, send), 5))
    assert closed == [True]
    assert sent[0]["status"] == 200 and all(message.get("more_body") for message in sent[1:])
