"""Clients of all kinds that ask a server at once, again and again, and look at everything they are told."""

import base64
import json
import random
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from PIL import Image

from tests.server.corpus import BAD, file_of, strings
from tests.server.helpers import chat, error_of, image_part, url

CHAT, PERCEPTION, MAKE, EDIT = "/v1/chat/completions", "/v1/perception", "/v1/images/generations", "/v1/images/edits"
EXAMPLES = sorted((Path(__file__).resolve().parents[2] / "examples").glob("*.png"))
WORDS = [
    "Detect all stars.",
    "Segment every house.",
    "Describe the picture.",
    "Where is the fish?",
    "Find the red boat.",
]
WORDS += ["What is the pose of the person?", "How many trees are there?", "Draw a red star.", "Make the star blue."]
STARS = (Path(__file__).resolve().parents[2] / "examples/stars.png").read_bytes()
STRANGE = strings(200)
BOX_PIXELS, SCORE, LEVELS = 0.01, 1e-3, 1
"""How far boxes, scores and pixels of one answer may be from those of another: arithmetic differs by the batch."""


def words(text: str) -> dict[str, Any]:
    """Return words as a part of a message."""
    return {"type": "text", "text": text}


class Soak:
    """Clients of one server.

    Args:
        address: Of the server.

    Attributes:
        asked: Requests by kind.
        wrong: What no client should have been told, in words.
    """

    def __init__(self, address: str) -> None:
        self.address = address
        self.asked: Counter[str] = Counter()
        self.wrong: list[str] = []
        self._fixed: dict[str, Any] = {}
        self._lock = threading.Lock()
        self._runs = 0

    def run(self, seconds: float, clients: int = 6) -> None:
        """Let clients ask for some seconds; they end with their last answers."""
        self._runs += 1
        end = time.monotonic() + seconds
        threads = []
        for number in range(clients):
            first = list(KINDS)[number::clients]  # every kind asks once, and then whoever is drawn
            asking = (f"{self._runs} {number}", first, end)
            threads.append(threading.Thread(target=self._ask, args=asking, daemon=True))
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(seconds + 150)
            assert not thread.is_alive(), "a client still waits for its answer"

    def _ask(self, seed: str, first: list["Kind"], end: float) -> None:
        draw = random.Random(seed)
        kinds = [kind for kind, weight in KINDS.items() for _ in range(weight)]
        with httpx.Client(base_url=self.address, timeout=130) as client:
            while (first or time.monotonic() < end) and len(self.wrong) < 20:
                kind = first.pop() if first else draw.choice(kinds)
                try:
                    kind(self, client, draw)
                except (AssertionError, httpx.HTTPError, OSError, KeyError, ValueError) as error:
                    self.wrong.append(f"{kind.__name__}: {error!r}"[:600])
                with self._lock:
                    self.asked[kind.__name__.strip("_")] += 1

    def the_same(self, name: str, told: Any) -> None:
        """Compare an answer with the first one to the same question."""
        with self._lock:
            first = self._fixed.setdefault(name, told)
        assert near(first, told), f"{name}: first {first}, now {told}"


def near(one: Any, other: Any) -> bool:
    """Tell whether two answers are the same: words exactly, numbers as `BOX_PIXELS`, `SCORE` and `LEVELS` say."""
    if isinstance(one, np.ndarray):
        return one.shape == other.shape and int(np.abs(one.astype(int) - other).max()) <= LEVELS
    said, found = one
    said_too, found_too = other
    return (
        said == said_too
        and len(found) == len(found_too)
        and all(
            a["label"] == b["label"]
            and abs(a["score"] - b["score"]) <= SCORE
            and all(abs(x - y) <= BOX_PIXELS for x, y in zip(a["box"], b["box"], strict=True))
            for a, b in zip(found, found_too, strict=True)
        )
    )


def some_picture(draw: random.Random) -> bytes:
    """Return the file of an example, or, more often, of a part of one that nobody has seen before."""
    file = draw.choice(EXAMPLES)
    if draw.random() < 0.3:
        return file.read_bytes()
    with Image.open(file) as image:
        width, height = (draw.randint(side // 4, side) for side in image.size)
        x, y = draw.randint(0, image.width - width), draw.randint(0, image.height - height)
        part = image.convert("RGB").crop((x, y, x + width, y + height))
    return file_of(part, *draw.choice([("PNG",), ("JPEG",), ("WEBP",)]))


def told(response: httpx.Response) -> Any:
    """Return what was answered."""
    assert response.status_code == 200, f"{response.status_code} {response.text}"
    return json.loads(response.text, parse_constant=refuse)


def refuse(name: str) -> None:
    """Refuse what is no number."""
    raise ValueError(f"expected numbers, got {name}")


def question(draw: random.Random, **more: Any) -> dict[str, Any]:
    """Return a question about a picture, sometimes about a part of it."""
    parts = [image_part(some_picture(draw)), words(draw.choice(WORDS))]
    if draw.random() < 0.2:
        parts = [parts[0], words("What is "), {"type": "region", "point": [draw.randint(0, 9), draw.randint(0, 9)]}]
    return chat(*parts, max_tokens=draw.randint(4, 60), seed=draw.randint(0, 9), options={"steps": 4}, **more)


def _text(soak: Soak, client: httpx.Client, draw: random.Random) -> None:
    body = chat(f"Say {draw.choice(STRANGE)}", max_tokens=draw.randint(1, 40), temperature=draw.choice([0, 0.7]))
    assert told(client.post(CHAT, json=body))["choices"][0]["message"]["role"] == "assistant"


def _question(soak: Soak, client: httpx.Client, draw: random.Random) -> None:
    n = draw.choice([1, 1, 3])
    body = question(draw, n=n, temperature=draw.choice([0.0, 0.5]))
    assert len(told(client.post(CHAT, json=body))["choices"]) == n


def _stream(soak: Soak, client: httpx.Client, draw: random.Random) -> None:
    response = client.post(CHAT, json=question(draw, stream=True))
    assert response.status_code == 200, response.text
    assert response.text.endswith("data: [DONE]\n\n"), response.text[-300:]


def _fixed(soak: Soak, client: httpx.Client, draw: random.Random) -> None:
    asked = draw.choice(["Detect all stars.", "How many stars are there?"])
    body = chat(image_part(STARS), words(asked), options={"threshold": 0.3})
    message = told(client.post(CHAT, json=body))["choices"][0]["message"]
    found = [instance for result in message["results"] for instance in result["instances"]]
    assert message["content"] and (found or asked.startswith("How"))
    soak.the_same(asked, (message["content"], found))


def _fixed_picture(soak: Soak, client: httpx.Client, draw: random.Random) -> None:
    body = {"model": "stub", "prompt": "a red star", "seed": 3, "options": {"steps": 4}}
    made = told(client.post(MAKE, json=body))["data"][0]["b64_json"]
    soak.the_same("a red star", np.asarray(Image.open(BytesIO(base64.b64decode(made)))))


def _perception(soak: Soak, client: httpx.Client, draw: random.Random) -> None:
    names = draw.sample(["star", "fish", "house", "tree", "car", "boat", "person"], draw.randint(1, 4))
    image = url(some_picture(draw))
    more: dict[str, dict[str, Any]] = {task: {"names": names} for task in ("detect", "segment", "semantic")}
    more["pose"] = {"names": ["person"]}
    more |= {"refer": {"phrase": f"the red {names[0]}"}, "regions": {"regions": [{"point": [2, 3]}]}}
    more["find"] = {"examples": [{"image": url(STARS), "region": {"box": [22, 22, 64, 62]}}]}
    task = draw.choice(sorted(more))
    query = "" if task in ("semantic", "pose") else draw.choice(["", "?format=coco", "?format=labelstudio"])
    told(client.post(PERCEPTION + query, json={"model": "stub", "task": task, "image": image} | more[task]))


def _generation(soak: Soak, client: httpx.Client, draw: random.Random) -> None:
    body = {"model": "stub", "prompt": "two red stars", "n": draw.choice([1, 2]), "seed": draw.randint(0, 99)}
    told(client.post(MAKE, json=body | {"options": {"steps": draw.randint(1, 6)}}))


def _edit(soak: Soak, client: httpx.Client, draw: random.Random) -> None:
    form = {"model": "stub", "prompt": "Make the star blue.", "steps": str(draw.randint(1, 5))}
    told(client.post(EDIT, data=form, files={"image": ("a.png", some_picture(draw))}))


def _left_stream(soak: Soak, client: httpx.Client, draw: random.Random) -> None:
    with client.stream("POST", CHAT, json=question(draw, stream=True)) as response:
        assert response.status_code == 200
        for _, _ in zip(response.iter_lines(), range(draw.randint(0, 6)), strict=False):
            pass


def _left(soak: Soak, client: httpx.Client, draw: random.Random) -> None:
    path, body = draw.choice([(CHAT, question(draw)), (MAKE, {"model": "stub", "prompt": "a star", "n": 2})])
    try:
        told(client.post(path, json=body, timeout=draw.uniform(0.05, 0.4)))
    except httpx.TimeoutException:
        return  # it is the client who leaves, in the middle of an answer or a picture


def _bad(soak: Soak, client: httpx.Client, draw: random.Random) -> None:
    picture = BAD[draw.choice(sorted(BAD))]
    off = {"type": "region", "box": [0, 0, 99_999, 2]}
    http = {"type": "image_url", "image_url": {"url": "http://127.0.0.1/x.png"}}
    requests: list[tuple[str, int, dict[str, Any]]] = [
        (CHAT, 400, {"content": b'{"model": "stub", "messages": ['}),
        (CHAT, 400, {"content": bytes(draw.randrange(256) for _ in range(200))}),
        (CHAT, 400, {"content": b"[" * 50_000}),
        (CHAT, 400, {"json": chat("hi", chat_template="x")}),
        (CHAT, 400, {"json": chat("word " * 3000)}),
        (CHAT, 400, {"json": chat("hi", n=5)}),
        (CHAT, 404, {"json": chat("hi", model="another")}),
        (CHAT, 400, {"json": chat(image_part(picture), words("x"))}),
        (CHAT, 400, {"json": chat(http, words("x"))}),
        (CHAT, 400, {"json": chat(image_part(STARS), words("x"), off)}),
        (CHAT, 413, {"content": b"x" * 21_000_000}),
        (CHAT, 415, {"content": b"x", "headers": {"content-encoding": "gzip"}}),
        (PERCEPTION, 400, {"json": {"model": "stub", "task": "detect", "image": url(picture), "names": ["x"]}}),
        (MAKE, 400, {"json": {"model": "stub", "prompt": "x", "options": {"steps": 101}}}),
        (EDIT, 400, {"data": {"model": "stub", "prompt": "x"}, "files": {"image": ("a.png", picture)}}),
        ("/v1/../x", 404, {"json": {}}),
    ]
    path, status, sent = draw.choice(requests)
    error_of(client.post(path, **sent), status)


def _slow(soak: Soak, client: httpx.Client, draw: random.Random) -> None:
    body = json.dumps(question(draw, stream=True)).encode()
    head = f"POST {CHAT} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nConnection: close\r\n"
    with socket.socket() as slow:
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        slow.settimeout(130)
        slow.connect((client.base_url.host, client.base_url.port))
        slow.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        read = bytearray()
        for _ in range(draw.randint(10, 60)):
            read += slow.recv(64)
            time.sleep(0.02)
        if draw.random() < 0.5:
            return
        while piece := slow.recv(4096):
            read += piece
        assert b"200 OK" in read[:20] and b"data: [DONE]" in read, bytes(read[-300:])


Kind = Callable[[Soak, httpx.Client, random.Random], None]
KINDS: dict[Kind, int] = {
    _text: 3,
    _question: 4,
    _stream: 4,
    _fixed: 4,
    _fixed_picture: 1,
    _perception: 6,
    _generation: 2,
    _edit: 2,
    _left_stream: 4,
    _left: 4,
    _bad: 6,
    _slow: 1,
}
"""What clients do, and how often."""
