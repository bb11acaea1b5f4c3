"""A server from its first to its last request."""

import signal
import socket
import threading
import time

import httpx
import pytest

from tests.server.helpers import chat, live, until
from tests.server.stub import StubEngine
from visionllm.server import ServerConfig, listen


def test_a_taken_port_is_refused_before_anything_is_loaded():
    taken = listen(ServerConfig(port=0))
    taken.listen()
    port = taken.getsockname()[1]
    with pytest.raises(ValueError, match=f"expected a free address, 127.0.0.1 port {port}, got: .*in use"):
        listen(ServerConfig(port=port))
    taken.close()


def test_an_address_of_another_machine_is_refused():
    with pytest.raises(ValueError, match="expected a free address"):
        listen(ServerConfig(host="192.0.2.1", insecure=True))


def test_a_server_answers_and_does_not_say_what_it_is_made_of():
    with live() as running:
        response = httpx.post(f"{running.url}/v1/chat/completions", json=chat("echo Hello"))
        assert response.json()["choices"][0]["message"]["content"] == "Hello"
        assert "server" not in response.headers


def test_a_dead_engine_ends_the_process_with_an_exit_code():
    with live() as running:
        running.engine.stop()
        running.thread.join(5)
        assert not running.thread.is_alive() and running.server.code == 1


def test_an_idle_server_ends_at_once_when_it_is_told_to():
    with live() as running:
        begin = time.monotonic()
        running.server.handle_exit(signal.SIGTERM, None)
        running.thread.join(5)
        assert time.monotonic() - begin < 2 and running.server.code == 0 and not running.aborted


def test_what_does_not_finish_in_time_is_given_up():
    engine = StubEngine(step_s=0.01)
    with live(engine, ServerConfig(port=0, drain_s=0.2)) as running:
        answers = []
        asked = threading.Thread(
            target=lambda: answers.append(
                httpx.post(f"{running.url}/v1/chat/completions", json=chat("count 100000"), timeout=10)
            )
        )
        asked.start()
        until(lambda: engine.status.running == 1)
        running.server.handle_exit(signal.SIGTERM, None)
        running.thread.join(5)
        asked.join(5)
    assert answers[0].json()["error"]["code"] == "engine_died"


def test_the_kernel_lets_go_of_clients_that_read_no_more():
    taken = listen(ServerConfig(port=0, send_s=3))
    assert taken.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 6000
    taken.close()
