"""Requests, servers and clients for the tests of the server."""

import base64
import contextlib
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import psutil
from PIL import Image
from starlette.testclient import TestClient

from tests.server.stub import CONTEXT, NAME, StubEngine, words_in
from visionllm.server import ModelCard, ServerConfig, create_app, listen
from visionllm.server.running import Server

KEY = "a-key-of-many-letters"
CARD = ModelCard(name=NAME, context=CONTEXT, decoders=("detection",), count=words_in, created=1)


class Peak:
    """The most memory that this process has held since this was made, over what it held then."""

    def __init__(self) -> None:
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # Linux: the peak begins anew
        self._start = psutil.Process().memory_info().rss

    @property
    def grown(self) -> int:
        """Bytes."""
        (line,) = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM")]
        return 1024 * int(line.split()[1]) - self._start


def png(width: int = 60, height: int = 40, mode: str = "RGB", **options: Any) -> bytes:
    """Return the file of a grey picture."""
    file = BytesIO()
    Image.new(mode, (width, height), 128 if mode == "L" else None).save(file, "PNG", **options)
    return file.getvalue()


def url(content: bytes | None = None, kind: str = "image/png") -> str:
    """Return a data URL."""
    return f"data:{kind};base64,{base64.b64encode(png() if content is None else content).decode()}"


def image_part(content: bytes | None = None) -> dict[str, Any]:
    """Return a picture as a part of a message."""
    return {"type": "image_url", "image_url": {"url": url(content)}}


def chat(*content: Any, **more: Any) -> dict[str, Any]:
    """Return the body of a chat completion of one question: words, or parts."""
    words = content[0] if len(content) == 1 and isinstance(content[0], str) else list(content)
    return {"model": NAME, "messages": [{"role": "user", "content": words}]} | more


def client_of(
    engine: Any, config: ServerConfig | None = None, card: ModelCard = CARD, *, page: bool = False
) -> TestClient:
    """Return a client of an app in this process."""
    app = create_app(engine, card, config, page=page)
    return TestClient(app, base_url="http://127.0.0.1:8000", raise_server_exceptions=False)


def error_of(response: Any, status: int) -> dict[str, Any]:
    """Return the error of a response, which has exactly the form of OpenAI's API."""
    assert response.status_code == status, response.text
    body = response.json()
    assert set(body) == {"error"} and set(body["error"]) == {"message", "type", "param", "code"}
    assert body["error"]["message"] and body["error"]["type"]
    return body["error"]


@dataclass(eq=False)
class Live:
    """A server that listens.

    Attributes:
        port: Where.
        server: To stop it.
        thread: It runs in.
        engine: Behind it.
    """

    port: int
    server: Server
    thread: threading.Thread
    engine: Any
    aborted: list[int]

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}"


@contextlib.contextmanager
def live(
    engine: Any | None = None, config: ServerConfig | None = None, card: ModelCard = CARD, *, page: bool = False
) -> Iterator[Live]:
    """Run a server in a thread, on a free port of this machine."""
    behind: Any = StubEngine() if engine is None else engine
    config = config or ServerConfig(port=0)
    taken = listen(config)
    ready, aborted = threading.Event(), []
    server = Server(create_app(behind, card, config, page=page), ready.set, aborted.append)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [taken]}, daemon=True)
    thread.start()
    assert ready.wait(10)
    running = Live(taken.getsockname()[1], server, thread, behind, aborted)
    try:
        yield running
    finally:
        server.should_exit = True
        thread.join(10)
        behind.stop()
        taken.close()


def until(true: Any, seconds: float = 5.0) -> None:
    """Wait for something to become true."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not become true in time"
        time.sleep(0.005)


ROOT = Path(__file__).resolve().parents[2]


@contextlib.contextmanager
def process(kind: str, *more: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Run a server of `tests.server.standalone` as a process of its own; yield it and its address."""
    command = [sys.executable, "-m", "tests.server.standalone", kind, *more]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as started:
        assert started.stdout is not None
        try:
            yield started, f"http://127.0.0.1:{int(started.stdout.readline())}"
        finally:
            started.kill()


def require_within(seconds: float, measure: Callable[[], float], rounds: int = 3) -> None:
    """Require that something takes so many seconds at most, in one of some rounds: other programs may hold one up."""
    took: list[float] = []
    while not took or (min(took) > seconds and len(took) < rounds):
        took.append(measure())
    assert min(took) <= seconds, took
