"""Servers that are told to stop, and servers whose engine dies: S2 and S17 of the list of faults."""

import json
import signal
import threading
import time
from typing import Any

import httpx
import pytest

from tests.counts import count
from tests.server.helpers import chat, client_of, live, process, require_within, until
from tests.server.standalone import DIE
from tests.server.stub import StubEngine
from visionllm.server import ServerConfig

pytestmark = pytest.mark.faults
CHAT = "/v1/chat/completions"
CLIENT = httpx.Client(timeout=30, limits=httpx.Limits(max_keepalive_connections=0))
"""One for all requests here: to make one takes longer than what it asks for."""
DRAIN_S = 10


class Asked:
    """Requests that were sent at once: every second one is a stream.

    Attributes:
        answers: Responses, or what happened instead, with the moment.
    """

    def __init__(self, address: str, times: int, words: str, **more: Any) -> None:
        self.answers: list[tuple[Any, float]] = []
        bodies = [chat(words, stream=bool(number % 2), **more) for number in range(times)]
        self._threads = [threading.Thread(target=self._ask, args=(address, body), daemon=True) for body in bodies]
        for thread in self._threads:
            thread.start()

    def _ask(self, address: str, body: dict[str, Any]) -> None:
        try:
            outcome: Any = CLIENT.post(f"{address}{CHAT}", json=body)
        except httpx.HTTPError as error:
            outcome = error
        self.answers.append((outcome, time.monotonic()))

    def all(self) -> list[Any]:
        """Wait for all answers."""
        for thread in self._threads:
            thread.join(30)
        assert len(self.answers) == len(self._threads)
        return [answer for answer, _ in self.answers]


def text_of(response: Any) -> str:
    """Return the whole text of an answer that nothing cut off."""
    assert isinstance(response, httpx.Response) and response.status_code == 200, response
    if not response.headers["content-type"].startswith("text/event-stream"):
        return response.json()["choices"][0]["message"]["content"].strip()
    assert response.text.endswith("data: [DONE]\n\n")
    chunks = [json.loads(line[6:]) for line in response.text.split("\n\n")[:-2]]
    return "".join(chunk["choices"][0]["delta"].get("content", "") for chunk in chunks).strip()


def code_of(response: Any) -> str:
    """Return the code of the error that an answer is, or that a stream ends with."""
    assert isinstance(response, httpx.Response), response
    assert "[DONE]" not in response.text
    last = [line for line in response.text.split("\n\n") if line][-1]
    return json.loads(last.removeprefix("data: "))["error"]["code"]


def counted(to: int) -> str:
    return " ".join(str(number) for number in range(to))


def working(address: str) -> int:
    """Return how many jobs a server works on."""
    (line,) = [
        line
        for line in CLIENT.get(f"{address}/metrics").text.splitlines()
        if line.startswith("visionllm_engine_running ")
    ]
    return int(float(line.split()[1]))


def test_s02_a_server_that_is_told_to_stop_finishes_what_runs():
    for _ in range(count("s02")):
        engine = StubEngine(step_s=0.005)
        with live(engine, ServerConfig(port=0, drain_s=DRAIN_S)) as running:
            asked = Asked(running.url, 6, "count 80")
            until(lambda engine=engine: len(engine.jobs) == 6)
            begin = time.monotonic()
            running.server.handle_exit(signal.SIGTERM, None)
            assert CLIENT.get(f"{running.url}/ready").status_code == 503
            late = CLIENT.post(f"{running.url}{CHAT}", json=chat("hi"))
            assert (late.status_code, late.json()["error"]["code"]) == (503, "draining")
            assert {text_of(answer) for answer in asked.all()} == {counted(80)}
            running.thread.join(DRAIN_S + 2)
            assert not running.thread.is_alive() and time.monotonic() - begin <= DRAIN_S + 2
            assert running.server.code == 0 and not running.aborted


def test_s02_a_process_that_is_told_to_stop_finishes_what_runs_and_exits_with_zero():
    for _ in range(count("s02 process")):
        with process("stub", "--drain", str(DRAIN_S)) as (server, address):
            asked = Asked(address, 6, "count 150")
            until(lambda address=address: working(address) == 6)
            begin = time.monotonic()
            server.send_signal(signal.SIGTERM)
            assert {text_of(answer) for answer in asked.all()} == {counted(150)}
            assert server.wait(DRAIN_S + 2) == 0 and time.monotonic() - begin <= DRAIN_S + 2


def test_s02_what_does_not_finish_in_time_is_told_so_and_the_process_exits():
    def measure() -> float:
        with process("stub", "--drain", "1") as (server, address):
            asked = Asked(address, 4, "count 100000")
            until(lambda: working(address) == 4)
            begin = time.monotonic()
            server.send_signal(signal.SIGTERM)
            assert server.wait(20) == 0
            took = time.monotonic() - begin
            assert {code_of(answer) for answer in asked.all()} == {"engine_died"}
            return took

    require_within(1 + 2, measure)


def test_s02_a_second_signal_ends_a_process_at_once():
    def measure() -> float:
        with process("stub") as (server, address):
            Asked(address, 4, "count 100000")
            until(lambda: working(address) == 4)
            server.send_signal(signal.SIGTERM)
            until(lambda: CLIENT.get(f"{address}/ready").status_code == 503)
            begin = time.monotonic()
            server.send_signal(signal.SIGTERM)
            assert server.wait(20) == 1
            return time.monotonic() - begin

    require_within(1, measure)


def test_s17_a_dead_engine_is_not_healthy(stub):
    with client_of(stub) as client:
        assert client.get("/health").status_code == 200
        stub.stop()
        response = client.get("/health")
        assert (response.status_code, response.json()) == (503, {"status": "dead"})
        assert client.get("/ready").status_code == 503
        assert client.post(CHAT, json=chat("hi")).status_code == 503


def test_s17_when_the_engine_dies_what_runs_fails_and_the_process_exits():
    failed: list[float] = []

    def measure() -> float:
        with process("dying") as (server, address):
            asked = Asked(address, 6, "Talk.", max_tokens=400)
            until(lambda: working(address) == 6)
            begin = time.monotonic()
            CLIENT.post(f"{address}{CHAT}", json=chat(DIE))
            assert server.wait(20) == 1
            took = time.monotonic() - begin
            assert {code_of(answer) for answer in asked.all()} == {"engine_died"}
            failed.append(max(moment for _, moment in asked.answers) - begin)
            return took

    require_within(5, measure)
    assert min(failed) <= 1, failed
