"""Who may ask: S14 and S15 of the list of faults; and what the log holds, S24."""

import asyncio
import hmac
import io
import logging
from urllib.parse import unquote

import pytest
from starlette.routing import Route

from tests.server.helpers import KEY, chat, client_of, error_of, image_part
from visionllm.server import ServerConfig
from visionllm.server.config import digest_of
from visionllm.server.logs import log_to

pytestmark = pytest.mark.faults
METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PURGE"]


@pytest.fixture
def locked(stub):
    with client_of(stub, ServerConfig(keys=(digest_of(KEY),), allowed_origins=("https://ok.example",))) as client:
        yield client


def paths_of(app) -> list[str]:
    """Return every path of an app, those of included routers too, and ways around them."""
    described = set(app.openapi()["paths"]) | {route.path for route in app.routes if isinstance(route, Route)}
    plain = {path.replace("{name}", "stub") for path in described}
    assert {"/v1/chat/completions", "/v1/perception", "/metrics", "/health", "/openapi.json"} <= plain
    odd = {"/", "//", "/v1/../health", "/health/", "//health", "/health/..", "/HEALTH", "/health%00", "/./health"}
    odd |= {"/health;x", "/v1//models", "/v1/models/../../health", "/%68ealth/x", "/v1/../v1/models", "/nothing"}
    return sorted(plain | odd | {f"/{path}" for path in plain} | {f"{path}/" for path in plain})


async def statuses(app, requests, headers) -> dict[tuple[str, str], int]:
    """Return the status of each method and path; a path goes to the app as it stands, and no client tidies it up."""
    found = {}
    for method, path in requests:

        async def receive():
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message, key=(method, path)):
            if message["type"] == "http.response.start":
                found[key] = message["status"]

        raw = [(b"host", b"127.0.0.1"), *((name.lower().encode(), value.encode()) for name, value in headers.items())]
        scope = {"type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method, "scheme": "http"}
        scope |= {
            "path": unquote(path),
            "raw_path": path.encode(),
            "root_path": "",
            "query_string": b"",
            "headers": raw,
        }
        await app(scope, receive, send)
    return found


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer wrong"}], ids=["no-key", "wrong-key"])
def test_s14_every_path_and_method_needs_a_key_but_health(headers, locked, stub):
    requests = [(method, path) for path in paths_of(locked.app) for method in METHODS]
    found = asyncio.run(statuses(locked.app, requests, headers))
    assert len(found) == len(requests) > 300
    assert {request for request, status in found.items() if status != 401} == {("GET", "/health"), ("HEAD", "/health")}
    assert not stub.jobs


def test_s14_every_key_is_compared_in_a_time_that_says_nothing(stub, monkeypatch):
    compared, compare = [], hmac.compare_digest
    monkeypatch.setattr(hmac, "compare_digest", lambda one, other: compared.append(other) or compare(one, other))
    keys = tuple(digest_of(f"{KEY}-{number}") for number in range(3))
    with client_of(stub, ServerConfig(keys=keys)) as client:
        for key in (f"{KEY}-0", f"{KEY}-2", "wrong"):
            compared.clear()
            client.get("/v1/models", headers={"Authorization": f"Bearer {key}"})
            assert compared == list(keys)


def test_s14_with_the_key_the_same_paths_are_there_or_not(locked):
    found = asyncio.run(
        statuses(locked.app, [("GET", path) for path in paths_of(locked.app)], {"Authorization": f"Bearer {KEY}"})
    )
    assert {found["GET", path] for path in ("/v1/models", "/ready", "/metrics", "/openapi.json")} == {200}
    assert {found["GET", path] for path in ("//health", "/health/", "/v1/../health", "/v1//models")} == {404}


def test_s14_the_only_path_without_a_key_says_nothing(locked):
    assert locked.get("/health").json() == {"status": "ok"}
    assert locked.get("/health", headers={"host": "10.0.0.7"}).status_code == 200, "for probes that use an address"


@pytest.mark.parametrize(
    "host",
    ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example", "127.0.0.1@evil.example", "", "10.0.0.1"],
)
@pytest.mark.parametrize("path", ["/", "/v1/models", "/v1/chat/completions"])
def test_s15_another_host_is_refused(host, path, client):
    assert error_of(client.get(path, headers={"host": host}), 403)["code"] == "host_not_allowed"


@pytest.mark.parametrize("host", ["127.0.0.1:8000", "localhost", "LOCALHOST:1", "[::1]:8000"])
def test_s15_the_names_of_this_machine_are_its_own(host, client):
    assert client.get("/v1/models", headers={"host": host}).status_code == 200


@pytest.mark.parametrize(
    "origin",
    ["https://evil.example", "null", "http://127.0.0.1:9000", "http://localhost:8000", "file://", "http://[", "*"],
)
@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS"])
def test_s15_a_page_of_others_is_refused(origin, method, client, stub):
    headers = {"origin": origin, "access-control-request-method": "POST"}
    response = client.request(method, "/v1/chat/completions", headers=headers)
    assert error_of(response, 403)["code"] == "origin_not_allowed"
    assert not {name for name in response.headers if name.startswith("access-control")}
    assert not stub.jobs


def test_s15_a_script_or_picture_of_another_page_is_refused_even_without_an_origin(client):
    headers = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors"}
    assert error_of(client.get("/v1/models", headers=headers), 403)["code"] == "foreign_page"
    assert client.get("/v1/models", headers=headers | {"sec-fetch-mode": "navigate"}).status_code == 200


def test_s15_our_own_page_may_ask(client):
    headers = {"origin": "http://127.0.0.1:8000", "sec-fetch-site": "same-origin"}
    assert client.post("/v1/chat/completions", json=chat("hi"), headers=headers).status_code == 200


def test_s15_an_allowed_page_may_ask_with_a_key_and_is_told_so(locked):
    origin = {"origin": "https://ok.example", "sec-fetch-site": "cross-site"}
    asked = locked.options("/v1/chat/completions", headers=origin | {"access-control-request-method": "POST"})
    assert asked.status_code == 204 and "authorization" in asked.headers["access-control-allow-headers"]
    assert asked.headers["access-control-allow-origin"] == "https://ok.example"
    assert "access-control-allow-credentials" not in asked.headers
    assert locked.post("/v1/chat/completions", json=chat("hi"), headers=origin).status_code == 401
    key = {"Authorization": f"Bearer {KEY}"}
    response = locked.post("/v1/chat/completions", json=chat("hi"), headers=origin | key)
    assert response.headers["access-control-allow-origin"] == "https://ok.example"


@pytest.fixture
def log():
    stream = io.StringIO()
    log_to(stream, logging.DEBUG)
    yield stream
    for name in ("visionllm.server", "uvicorn"):
        logging.getLogger(name).handlers.clear()


def test_s24_a_log_holds_no_prompt_picture_or_key_and_no_forged_line(log, locked):
    key = {"Authorization": f"Bearer {KEY}"}
    part = image_part()
    secret = "SECRET-WORDS\nINFO forged line \x1b[2J"
    bodies = [
        chat(part, {"type": "text", "text": f"echo {secret}"}),
        chat(f"fail {secret}"),
        chat(f"break {secret}", stream=True),
        chat("x", model=secret),
        chat("x") | {secret: 1},
        chat("x", seed=secret),
    ]
    for body in bodies:
        locked.post("/v1/chat/completions", json=body, headers=key)
    locked.get("/v1/models/SECRET-WORDS%0aINFO%20forged", headers=key)
    locked.get("/SECRET-WORDS%0d%0aforged?key=SECRET-WORDS", headers=key)
    locked.get("/v1/models", headers={"Authorization": "Bearer SECRET-WORDS-that-are-wrong", "user-agent": secret})
    written = log.getvalue()
    lines = written.splitlines()
    assert len(lines) >= len(bodies) + 3
    assert all("visionllm.server" in line for line in lines)
    assert "ZeroDivisionError in" in written, "what failed is there to be found"
    for hidden in ("SECRET-WORDS", "forged", KEY, digest_of(KEY).hex(), part["image_url"]["url"][30:60], "\x1b"):
        assert hidden not in written
