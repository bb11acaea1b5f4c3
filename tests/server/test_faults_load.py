"""Load; slow, random and vanishing clients: S1, S3, S4, S9, S21 and S23 of the list of faults."""

import asyncio
import contextlib
import itertools
import json
import logging
import re
import socket
import time
from collections.abc import Iterator
from io import StringIO

import httpx
import psutil
import pytest

from tests.counts import SOAK, count
from tests.server.fuzz import cases
from tests.server.helpers import Live, Peak, chat, client_of, error_of, live, require_within, until
from tests.server.stub import StubEngine
from visionllm.engine import Cancelled, Creation, EngineConfig, Event, Failed, Progress, SlowReader, TextPiece, Ticket
from visionllm.server import ServerConfig

pytestmark = pytest.mark.faults
CHAT = "/v1/chat/completions"
REFUSED_S = 0.05
"""Most seconds in which a server refuses 99 of 100 requests that it has no room for."""


async def _steadily(address: str, times: int, pause_s: float) -> list[httpx.Response]:
    limits = httpx.Limits(max_connections=times)
    # The client shares this process, whose memory is measured: it needs no certificates, which take some in a round.
    async with httpx.AsyncClient(base_url=address, limits=limits, timeout=60, verify=False) as client:
        tasks = []
        for number in range(times):
            tasks.append(asyncio.create_task(client.post(CHAT, json=chat(f"count {10 + number % 3}"))))
            await asyncio.sleep(pause_s)
        return await asyncio.gather(*tasks)


def p99(seconds: list[float]) -> float:
    return sorted(seconds)[max(0, round(0.99 * len(seconds)) - 1)]


@pytest.mark.parametrize("pause_s", [0.0, 0.01], ids=["at-once", "steadily"])
def test_s01_a_full_queue_refuses_fast_and_loses_nothing_it_has_taken(pause_s, caplog, monkeypatch):
    caplog.set_level(logging.INFO, "visionllm.server")
    log, said = logging.getLogger("visionllm.server"), StringIO()
    monkeypatch.setattr(log, "propagate", False)  # pytest would keep every line
    monkeypatch.setattr(log, "handlers", [logging.StreamHandler(said)])
    engine = StubEngine(max_queue=8, max_running=2, step_s=0.02)
    rounds, memory = [], []
    with live(engine) as running:
        # Other programs may hold up one round of few, so a few more may follow; of many rounds all count.
        while len(rounds) < count("s01") or (not SOAK and len(rounds) < 9 and min(map(p99, rounds)) > REFUSED_S):
            # ten times what has room; steadily, ten times what the engine does in the same time
            responses = asyncio.run(_steadily(running.url, 100, pause_s))
            taken = 0
            for number, response in enumerate(responses):
                if response.status_code == 200:
                    taken += 1
                    words = response.json()["choices"][0]["message"]["content"].split()
                    assert words == [str(word) for word in range(10 + number % 3)]
                else:
                    assert error_of(response, 429)["code"] == "rate_limit_exceeded"
                    assert 0 < int(response.headers["retry-after"]) <= 120
            assert 10 <= taken < 100
            rounds.append([float(found[1]) for found in re.finditer(r" 429 ([0-9.]+)s ", said.getvalue())])
            memory.append(psutil.Process().memory_info().rss)
            said.seek(0)
            said.truncate()
            engine.jobs.clear()  # the stub remembers them all
    assert memory[-1] - memory[0] < 20e6
    took = p99([second for seconds in rounds for second in seconds]) if SOAK else min(map(p99, rounds))
    assert took <= REFUSED_S, rounds


def test_s04_a_deadline_ends_a_request_and_frees_its_place():
    engine = StubEngine(step_s=0.005)
    with live(engine, ServerConfig(port=0, deadline_s=0.3)) as running, httpx.Client(timeout=20) as client:

        def late() -> float:
            begin = time.monotonic()
            error = error_of(client.post(f"{running.url}{CHAT}", json=chat("count 100000")), 504)
            took = time.monotonic() - begin
            assert error["code"] == "deadline_exceeded"
            until(lambda: engine.status.running == 0 and running.server.service.open == 0)
            return took - 0.3

        require_within(0.1 + engine.step_s, late)


def connected(running: Live) -> socket.socket:
    return socket.create_connection(("127.0.0.1", running.port), timeout=20)


HEAD = b"POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"


def test_s09_by_default_a_silent_client_has_five_seconds_and_a_body_twenty_megabytes():
    usual = ServerConfig()
    assert usual.body_idle_s <= 5 and usual.max_body_bytes <= 20_000_000


def test_s09_a_body_that_drips_is_cut_off():
    with live(config=ServerConfig(port=0, body_idle_s=0.2, body_s=1.0)) as running:
        with connected(running) as silent:
            silent.sendall(HEAD + b"Content-Length: 100\r\n\r\n{")
            begin = time.monotonic()
            assert b"408" in silent.recv(1000).split(b"\r\n")[0]
            assert time.monotonic() - begin < 5
        with connected(running) as dripping:
            dripping.sendall(HEAD + b"Content-Length: 1000\r\n\r\n")
            begin, answer = time.monotonic(), b""
            dripping.settimeout(0.05)
            while not answer and time.monotonic() - begin < 5:
                try:
                    dripping.sendall(b" ")
                    answer = dripping.recv(1000)
                except TimeoutError:
                    continue
            assert b"408" in answer.split(b"\r\n")[0]


@pytest.mark.parametrize("length", [b"-1", b"+5", b"1e3", b"99999999999999999999", b"5, 5", b"0x10", "٣".encode()])
def test_s09_a_wrong_length_is_refused(length):
    with live() as running, connected(running) as client:
        client.sendall(HEAD + b"Content-Length: " + length + b"\r\n\r\nhello")
        status = client.recv(2000).split(b"\r\n")[0]
        assert status.split()[1] in (b"400", b"413")


def test_s09_an_endless_body_is_cut_off_and_not_kept():
    with live(config=ServerConfig(port=0, max_body_bytes=2_000_000)) as running, connected(running) as client:
        peak = Peak()
        client.sendall(HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
        piece = b"10000\r\n" + b"x" * 65_536 + b"\r\n"
        begin = time.monotonic()
        with contextlib.suppress(OSError):
            while time.monotonic() - begin < 8:
                client.sendall(piece)
        assert time.monotonic() - begin < 5
        assert peak.grown < 20e6


def test_s21_no_random_request_is_a_failure_of_the_server(stub):
    with client_of(stub) as client:
        described = client.get("/openapi.json").json()
        seen: dict[int, int] = {}
        for method, path, options in cases(described, count("s21")):
            response = client.request(method, path, **options)
            assert response.status_code < 500, (method, path, options, response.text)
            seen[response.status_code] = seen.get(response.status_code, 0) + 1
            if (
                response.headers.get("content-type") == "application/json"
                and response.status_code >= 400
                and method != "HEAD"
            ):
                assert set(response.json()) == {"error"}
    assert {200, 400, 404, 405} <= set(seen), seen


def stalled(running: Live, clients: int) -> int:
    """Let clients ask for streams and read nothing; return the most bytes that waited in the server for one of them."""
    body = json.dumps(chat("endless", stream=True)).encode()
    engine, most = running.engine, 0
    before = len(engine.jobs)
    with contextlib.ExitStack() as stack:
        for _ in range(clients):
            client = stack.enter_context(socket.socket())
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.connect(("127.0.0.1", running.port))
            client.sendall(HEAD + b"Content-Length: " + str(len(body)).encode() + b"\r\n\r\n" + body)
        until(lambda: len(engine.jobs) == before + clients, 30)
        while engine.status.running or running.server.service.open:
            for connection in list(running.server.server_state.connections):
                most = max(most, connection.transport.get_write_buffer_size())
            time.sleep(0.01)
    return most


def test_s23_readers_who_stop_reading_are_let_go_and_less_than_a_megabyte_is_kept_for_each():
    clients, tickets, most = count("s23"), [], EngineConfig().event_bytes

    def ticket(name: str) -> Ticket:
        tickets.append(Ticket(name, most))  # as the engine does it
        return tickets[-1]

    def endless(_: object) -> Iterator[Event]:
        return (TextPiece(f"{number} " + "x" * 500) for number in itertools.count())

    engine = StubEngine(max_running=clients, max_queue=clients, answer=endless, ticket=ticket)
    with live(engine, ServerConfig(port=0, send_s=5)) as running:
        stalled(running, 1)
        peak = Peak()
        buffered = stalled(running, clients)
        assert peak.grown <= 1e6 * clients
    assert buffered + most <= 1e6
    assert len(tickets) == clients + 1
    ends = [some.last.error for some in tickets if isinstance(some.last, Failed)]
    assert len(ends) == len(tickets) and {type(error) for error in ends} <= {SlowReader, Cancelled}
    assert any(isinstance(error, SlowReader) for error in ends), "more was written than may be kept"


def test_s03_clients_who_leave_free_their_places():
    def endless(job: object) -> Iterator[Event]:
        if isinstance(job, Creation):
            return (Progress(step, 10**6) for step in itertools.count())
        return (TextPiece("on ") for _ in itertools.count())

    engine = StubEngine(step_s=0.002, answer=endless)
    picture = {"model": "stub", "prompt": "a star"}
    kinds = [(CHAT, chat("hi", stream=True)), (CHAT, chat("hi")), ("/v1/images/generations", picture)]
    with live(engine) as running:
        for number in range(count("s03 client")):
            path, asked = kinds[number % len(kinds)]
            body = json.dumps(asked).encode()
            head = HEAD.replace(CHAT.encode(), path.encode())
            with connected(running) as client:
                client.sendall(head + b"Content-Length: " + str(len(body)).encode() + b"\r\n\r\n" + body)
                until(lambda number=number: len(engine.jobs) == number + 1 and engine.status.running)
                if "stream" in asked:
                    assert b"200 OK" in client.recv(100)
        until(lambda: engine.status.running == 0 and running.server.service.open == 0)
        assert engine.status.free_blocks == engine.status.total_blocks
        assert running.server.service.pixels.free == running.server.service.pixels.whole
        assert running.server.service.bodies.free == running.server.service.bodies.whole
