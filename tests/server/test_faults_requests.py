"""Hostile requests: S5 to S13 of the list of faults. Each is refused in a form of its own, and the server lives on."""

import json
import socket
import zlib
from collections.abc import Iterable

import httpx
import pytest

from tests.counts import count
from tests.server.corpus import BAD, GOOD, PATHS, URLS, strings
from tests.server.helpers import Peak, chat, client_of, error_of, image_part, live, png, url
from visionllm.server import ServerConfig
from visionllm.server.intake import NO_FETCHING
from visionllm.server.schema.base import MAX_CHOICES, MAX_STEPS
from visionllm.types import ask

pytestmark = pytest.mark.faults
CHAT = "/v1/chat/completions"


@pytest.fixture(autouse=True)
def _lives_on(client):
    yield
    assert client.post(CHAT, json=chat("echo alive")).json()["choices"][0]["message"]["content"] == "alive"


def shown(content: bytes, kind: str = "image/png") -> dict:
    part = {"type": "image_url", "image_url": {"url": url(content, kind)}}
    return chat(part, {"type": "text", "text": "echo seen"})


@pytest.mark.parametrize(
    ("body", "tokens"),
    [(chat("word " * 201), 201), (chat("hi", max_tokens=200), 200), (chat("a " * 150, max_completion_tokens=51), 201)],
)
def test_s05_a_prompt_or_an_answer_beyond_the_context_is_refused_with_both_numbers(body, tokens, client, stub):
    error = error_of(client.post(CHAT, json=body), 400)
    assert error["code"] == "context_length_exceeded"
    assert error["message"] == f"expected at most 200 tokens, the context of this model, got {tokens}"
    assert not stub.jobs, "it was refused before any work"


@pytest.mark.parametrize("said", [True, False], ids=["says-its-length", "chunked"])
def test_s06_a_body_that_is_too_long_is_refused_and_not_kept(said):
    length = 30_000_000
    with live() as running:
        peak = Peak()
        response = httpx.post(
            f"{running.url}{CHAT}",
            content=(b"x" * 10_000 for _ in range(length // 10_000)),
            headers={"content-length": str(length)} if said else {},
            timeout=30,
        )
        assert error_of(response, 413)["code"] == "request_too_large"
        assert peak.grown < 2 * running.server.service.config.max_body_bytes


def test_s06_a_body_that_does_not_say_its_length_is_cut_off(stub):
    with client_of(stub, ServerConfig(max_body_bytes=100_000)) as client:
        response = client.post(CHAT, content=(b"x" * 10_000 for _ in range(1000)))
        assert error_of(response, 413)["message"] == "expected a body of at most 100000 bytes, got more"


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (chat("hi") | {"messages": [{"role": "user", "content": "x"}] * 65}, "too_many_messages"),
        (chat("hi") | {"messages": [{"role": "user", "content": "x"}] * 100_000}, "invalid_json"),
        (chat(*[image_part(png(8, 8))] * 9, {"type": "text", "text": "x"}), "too_many_images"),
        (chat(*[{"type": "text", "text": "x"}] * 257), "invalid_value"),
        (chat("hi", n=5), "invalid_value"),
        (chat("hi", n=0), "invalid_value"),
        (chat("hi", options={"steps": 101}), "invalid_value"),
        (chat("hi", options={"num_beams": 50}), "invalid_value"),
        (chat("hi", seed=2**40), "invalid_value"),
        (chat("hi", temperature=1e9), "invalid_value"),
        (chat("hi") | {"messages": []}, "invalid_value"),
    ],
)
def test_s06_too_many_of_anything_is_refused(body, code, client, stub):
    content, peak = json.dumps(body), Peak()
    response = client.post(CHAT, content=content, headers={"content-type": "application/json"})
    assert error_of(response, 400)["code"] == code
    assert peak.grown < 2 * ServerConfig().max_body_bytes
    assert not stub.jobs


def test_s06_the_limits_are_those_of_the_list():
    usual = ServerConfig()
    assert (usual.max_body_bytes, usual.max_images, usual.max_messages) == (20_000_000, 8, 64)
    assert (MAX_CHOICES, MAX_STEPS) == (4, 100)


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 50_000, "[" * 50 + "]" * 50, '{"messages":' + "[" * 40])
def test_s06_deep_json_is_refused(text, client):
    peak = Peak()
    response = client.post(CHAT, content=text, headers={"content-type": "application/json"})
    assert error_of(response, 400)["code"] == "invalid_json"
    assert peak.grown < 2 * ServerConfig().max_body_bytes


@pytest.mark.parametrize("name", BAD)
def test_s07_a_picture_that_is_none_is_refused_in_fixed_words(name, client):
    peak = Peak()
    error = error_of(client.post(CHAT, json=shown(BAD[name])), 400)
    assert error["code"] == "invalid_image" and error["param"] == "messages.0.content.0.image_url.url"
    assert error["message"].startswith("expected ") and "0x" not in error["message"]
    assert peak.grown < 50e6


def test_s07_the_corpus_is_large_enough():
    assert len(BAD) + len(GOOD) >= count("s07")


@pytest.mark.parametrize("name", GOOD)
def test_s07_an_odd_picture_is_opened_upright_and_in_colour(name, client, stub):
    content, size = GOOD[name]
    assert client.post(CHAT, json=shown(content)).status_code == 200
    (picture,) = stub.jobs[0].pictures
    assert (picture.size, picture.mode) == (size, "RGB")


@pytest.mark.parametrize("address", URLS)
def test_s08_no_url_is_fetched_and_no_socket_opened(address, client, monkeypatch):
    def forbidden(*_: object, **__: object) -> None:
        raise AssertionError("a connection was tried")

    for name in ("getaddrinfo", "gethostbyname", "create_connection"):
        monkeypatch.setattr(socket, name, forbidden)
    monkeypatch.setattr(socket.socket, "connect", forbidden)
    monkeypatch.setattr(socket.socket, "connect_ex", forbidden)
    part = {"type": "image_url", "image_url": {"url": address}}
    error = error_of(client.post(CHAT, json=chat(part, {"type": "text", "text": "x"})), 400)
    assert error["message"] == NO_FETCHING
    body = {"model": "stub", "task": "detect", "image": address, "names": ["x"]}
    assert error_of(client.post("/v1/perception", json=body), 400)["message"] == NO_FETCHING


def test_s08_there_are_enough_urls():
    assert len(set(URLS)) >= count("s08")


@pytest.mark.parametrize("text", ["![x](http://127.0.0.1/x.png)", "<img src='http://127.0.0.1/'>", "http://127.0.0.1"])
def test_s08_a_url_in_words_stays_words(text, client, stub):
    assert client.post(CHAT, json=chat(f"echo {text}")).json()["choices"][0]["message"]["content"] == text
    assert not stub.jobs[0].pictures


@pytest.mark.parametrize("path", PATHS)
def test_s12_a_path_is_refused_in_every_field(path, client):
    part = {"type": "image_url", "image_url": {"url": path}}
    assert error_of(client.post(CHAT, json=chat(part)), 400)["message"] == NO_FETCHING
    masked = chat(image_part(), {"type": "text", "text": "x"}, {"type": "region", "mask": path})
    assert error_of(client.post(CHAT, json=masked), 400)["message"] == NO_FETCHING
    assert error_of(client.post(CHAT, json=chat("x", model=path)), 404)["code"] == "model_not_found"
    files = {"image": (path, png(), "image/png")}
    form = {"model": "stub", "prompt": "x"}
    assert client.post("/v1/images/edits", data=form, files=files).status_code in (200, 400), "a name opens nothing"


def test_s10_what_looks_like_structure_is_words_in_every_prompt():
    from tests.small import FULL, small_processor

    processor = small_processor(**FULL)
    vocabulary = processor.vocabulary
    structure = {vocabulary.token_id(token) for token in ("<im_patch>", "<region>", *vocabulary.routes)}
    structure |= {vocabulary.bos_id, vocabulary.eos_id}

    def structure_of(ids: Iterable[int]) -> list[int]:
        return [token for token in ids if token in structure or token >= vocabulary.size]

    plain = structure_of(processor.continuation(ask("word")))
    for text in strings(count("s10")):
        assert not structure_of(vocabulary.encode(text))
        assert structure_of(processor.continuation(ask(f"a {text}"))) == plain


def test_s10_what_looks_like_structure_is_echoed_as_words(client, stub):
    for text in strings(count("s10 asked")):
        said = client.post(CHAT, json=chat(f"echo {text}")).json()["choices"][0]["message"]["content"]
        assert said == text
        assert stub.jobs[-1].messages[0].parts == (f"echo {text}",)


TEXT = {"type": "text", "text": "x"}


@pytest.mark.parametrize(
    ("form", "message"),
    [
        ({"box": [10, 10, 10, 20]}, "region 0: expected a box with x0 < x1"),
        ({"box": [50, 10, 61, 20]}, "region 0: expected a box inside the 60×40 picture"),
        ({"point": [60, 10]}, "region 0: expected a point inside"),
        ({"point": [-1, 10]}, "region 0: expected a point inside"),
        ({"polygon": [[1, 1], [2, 2]]}, "region 0: expected a polygon of at least 3 points, got 2"),
        ({"scribble": [[1, 1], [99, 2]]}, "region 0: expected a scribble inside"),
        ({"scribble": [[1, 1]]}, "at least 2 items"),
        ({"mask": {"size": [40, 60], "counts": [2400]}}, "region 0: expected a mask with pixels inside"),
        ({"mask": {"size": [60, 40], "counts": [0, 2400]}}, "run lengths of a mask of size [40, 60]"),
        ({"mask": {"size": [40, 60], "counts": [0, 10**9]}}, "run lengths of a mask of size [40, 60]"),
        ({"mask": url(png(10, 10))}, "expected a mask of 60×40 pixels, got 10×10"),
        ({"picture": 1, "box": [1, 1, 2, 2]}, "region 0: expected one of the 1 pictures, got 1"),
        ({}, "expected exactly one of box"),
    ],
)
def test_s11_a_region_that_is_nowhere_is_refused_with_its_number(form, message, client):
    error = error_of(client.post(CHAT, json=chat(image_part(), TEXT, {"type": "region"} | form)), 400)
    assert message in error["message"] and (error["param"] or "").startswith("messages.0.content.2")


def test_s11_a_region_says_which_one_it_is(client):
    good, bad = {"type": "region", "point": [1, 1]}, {"type": "region", "point": [60, 10]}
    error = error_of(client.post(CHAT, json=chat(image_part(), TEXT, good, good, bad)), 400)
    assert error["message"].startswith("region 2: ") and error["param"].startswith("messages.0.content.4")


def test_s11_a_region_without_a_picture_is_refused(client):
    error = error_of(client.post(CHAT, json=chat(TEXT, {"type": "region", "point": [1, 1]})), 400)
    assert error["message"] == "region 0: expected one of the 0 pictures, got none before it"


def test_s11_a_picture_in_an_answer_is_refused(client):
    body = chat("x")
    body["messages"] = [*body["messages"], {"role": "assistant", "content": [image_part()]}, *body["messages"]]
    assert error_of(client.post(CHAT, json=body), 400)["param"] == "messages.1.content.0"


FIELDS = ["chat_template", "chat_template_kwargs", "tokenize", "functions", "logit_bias", "__proto__", ""]
FIELDS += [
    "guided_regex",
    "prompt_embeds",
    "mm_processor_kwargs",
    "trust_remote_code",
    "Model",
    "add_generation_prompt",
]


@pytest.mark.parametrize("field", FIELDS)
def test_s13_an_unknown_field_is_refused_at_every_depth(field, client, stub):
    whole = chat("x") | {field: "x"}
    within = chat("x")
    within["messages"] = [{"role": "user", "content": "x", field: "x"}]
    deeper = chat({"type": "image_url", "image_url": {"url": url(), field: "x"}})
    options = chat("x", options={field: 1})
    for body in (whole, within, deeper, options):
        assert error_of(client.post(CHAT, json=body), 400)["code"] == "unknown_parameter"
    for path in ("/v1/images/generations", "/v1/perception"):
        assert client.post(path, json={"model": "stub", "prompt": "x", field: "x"}).status_code == 400
    assert not stub.jobs


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br"])
def test_s09_a_packed_body_is_not_unpacked(encoding, client):
    packed = zlib.compress(json.dumps(chat("x" * 10_000_000)).encode())
    response = client.post(CHAT, content=packed, headers={"content-encoding": encoding})
    assert error_of(response, 415)["code"] == "unsupported_encoding"
