"""Bodies as JSON, read strictly."""

import asyncio
import contextlib
import time

import pytest

from tests.server.helpers import Peak, chat, error_of
from visionllm.engine import QueueFull
from visionllm.server.errors import ApiError
from visionllm.server.reading import StrictRequest, read_json


def test_json_is_read():
    assert read_json(b'{"a": [1, "\\u00e9[[[[{"], "b": null}', 2) == {"a": [1, "é[[[[{"], "b": None}


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "expected JSON, got something else at character 0"),
        (b"{", "expected JSON"),
        (b'{"a": NaN}', "expected finite numbers, got NaN"),
        (b'{"a": -Infinity}', "expected finite numbers, got -Infinity"),
        (b'{"a": 1, "a": 2}', "expected each key once"),
        (b'{"a": "\xff"}', "expected text in UTF-8"),
        (b'{"a": "\\ud800"}', "expected text in UTF-8"),
        ("{}".encode("utf-16"), "expected text in UTF-8"),
        (b"[" * 33 + b"]" * 33, "at most 32 levels"),
        (b"[" * 100_000, "at most 60000 of the sign"),
        (b"[" + b"1," * 700_000 + b"1]", "at most 600000 of the sign"),
        (b"[" + b"9" * 5000 + b"]", "expected JSON, got something that cannot be read"),
    ],
)
def test_other_bodies_are_refused(body, message):
    with pytest.raises(ApiError, match=message):
        read_json(body, 32)


@pytest.mark.faults
@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b'"' + b'\\"' * 399_000, id="no-end"),
        pytest.param(b'"' + b"\\n" * 9_900_000 + b'"', id="escapes"),
        pytest.param(b'"' + b"\\\\" * 9_900_000, id="escapes-without-an-end"),
        pytest.param(b"[" + b'"' * 399_999, id="empty-texts"),
    ],
)
def test_s06_a_text_of_escapes_takes_neither_long_nor_much_memory(body):
    begin, peak = time.monotonic(), Peak()
    with contextlib.suppress(ApiError):
        read_json(body, 32)
    assert time.monotonic() - begin < 2
    assert peak.grown < 2 * 20_000_000


def test_half_a_surrogate_pair_is_refused_and_a_whole_one_is_not():
    assert read_json(b'"\\ud83d\\ude00"', 1) == "😀"


def test_queries_that_nobody_knows_are_refused(client):
    assert error_of(client.post("/v1/chat/completions?debug=1", json=chat("hi")), 400)["param"] == "debug"
    assert error_of(client.post("/v1/perception?format=coco&format=yolo", json={}), 400)["code"] == "invalid_value"


def test_a_body_of_another_type_is_refused(client):
    response = client.post("/v1/chat/completions", content=b"{}", headers={"content-type": "text/plain"})
    assert error_of(response, 400)["code"]


def test_a_body_that_came_while_the_queue_filled_up_is_not_parsed(client):
    async def receive():
        return {"type": "http.request", "body": b"no JSON", "more_body": False}

    client.app.state.service.saw_full(QueueFull(3))
    with pytest.raises(ApiError, match="too many requests wait already"):
        asyncio.run(StrictRequest({"type": "http", "app": client.app}, receive).json())
