"""`visionllm serve`: what it refuses, what it says, and what it serves."""

import signal
import threading

import httpx
import pytest

from tests.server.stub import StubEngine
from visionllm.cli import serve as command
from visionllm.server.running import Server


@pytest.fixture
def served(monkeypatch, small):
    """Serve with a stub engine; one request is asked, then the server is told to stop."""
    seen: dict = {}

    def start(model, **limits):
        seen["limits"] = limits
        seen["engine"] = StubEngine()
        return seen["engine"]

    tell = Server.on_tick

    async def on_tick(self, counter):
        if counter == 0:

            def ask():
                (server,) = self.servers
                port = server.sockets[0].getsockname()[1]
                seen["models"] = httpx.get(f"http://127.0.0.1:{port}/v1/models", headers=seen.get("headers")).json()
                self.handle_exit(signal.SIGTERM, None)

            threading.Thread(target=ask).start()
        return await tell(self, counter)

    monkeypatch.setattr(command, "start_engine", start)
    monkeypatch.setattr(Server, "on_tick", on_tick)
    monkeypatch.setattr(command, "log_to_errors", lambda: None)
    return seen


def test_a_model_is_served_and_the_summary_says_how(served, visionllm, small):
    ran = visionllm("serve", small, "--port", 0, "--max-queue", 3, "--deadline", 5)
    assert ran.code == 0, ran.err
    (card,) = served["models"]["data"]
    assert card["id"] == small.name and "detect" in card["tasks"]
    assert served["limits"] == {"max_queue": 3, "max_running": 16, "deadline_s": 5}
    assert f"model        {small.name} on " in ran.out
    assert "this machine only, no API key" in ran.out and "http://127.0.0.1:" in ran.out
    assert not served["engine"].status.alive


def test_without_a_page_gradio_is_not_needed(served, visionllm, small, monkeypatch):
    ran = visionllm("serve", small, "--port", 0, "--no-page")
    assert ran.code == 0 and "page         none" in ran.out
    monkeypatch.setattr("visionllm.cli.serve.find_page", lambda: False)
    ran = visionllm("serve", small, "--port", 0)
    assert ran.code == 0 and "page         none" in ran.out
    assert "pip install 'visionllm-v2[page]'; only the API is served" in ran.err


def test_with_a_key_everybody_may_be_served(served, visionllm, small, tmp_path):
    (tmp_path / "keys").write_text("a-key-of-many-letters\n")
    served["headers"] = {"Authorization": "Bearer a-key-of-many-letters"}
    options = ("--host", "0.0.0.0", "--port", 0, "--api-key-file", tmp_path / "keys", "--name", "mine")
    ran = visionllm("serve", small, *options, "--allow-host", "example.org")
    assert ran.code == 0, ran.err
    assert served["models"]["data"][0]["id"] == "mine"
    assert "everybody who can reach this machine, 1 API keys" in ran.out and "example.org" in ran.out
    assert "a-key-of" not in ran.out + ran.err


@pytest.mark.faults
@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--host", "0.0.0.0"), "expected an API key where others can reach the server (0.0.0.0), got none"),
        (("--host", "::"), "expected an API key where others can reach the server"),
        (("--api-key-file", "nothing-here"), "expected a text file with an API key a line"),
        (("--allow-origin", "*"), "expected an origin such as https://example.org"),
        (("--host", "192.0.2.1", "--insecure"), "expected a free address"),
        (("--port", "99999"), "Invalid value for '--port'"),
    ],
)
def test_what_would_not_be_safe_is_refused_before_a_model_is_loaded(options, message, visionllm):
    ran = visionllm("serve", "no-such-model", *options)
    assert ran.code == 2 and message in ran.err and ran.err.count("\n") == 1


def test_another_folder_is_refused(visionllm, monkeypatch):
    monkeypatch.setattr(command, "log_to_errors", lambda: None)
    assert "expected the folder of a model" in visionllm("serve", "no-such-model", "--port", 0).err


def test_without_the_extra_the_error_says_how_to_get_it(visionllm, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert "pip install 'visionllm-v2[serve]'" in visionllm("serve").err
