"""Who may ask, and from where."""

import pytest

from tests.server.helpers import KEY, chat, client_of, error_of
from visionllm.server import ServerConfig
from visionllm.server.config import digest_of
from visionllm.server.guard import _without_port

KEYS = (digest_of("another-key-of-many-letters"), digest_of(KEY))


@pytest.fixture
def locked(stub):
    with client_of(stub, ServerConfig(keys=KEYS)) as client:
        yield client


def bearer(key=KEY):
    return {"Authorization": f"Bearer {key}"}


def test_each_key_opens_and_tells_tenants_apart(locked, stub):
    for key in (KEY, "another-key-of-many-letters", KEY):
        assert locked.post("/v1/chat/completions", json=chat("hi"), headers=bearer(key)).status_code == 200
    first, second, third = stub.tenants
    assert first == third != second
    assert all(tenant and KEY not in tenant for tenant in stub.tenants)


@pytest.mark.parametrize(
    "header",
    [
        {},
        bearer(""),
        bearer("wrong"),
        bearer(KEY[:-1]),
        bearer(KEY + "x"),
        bearer(KEYS[0].hex()),
        {"Authorization": KEY},
        {"Authorization": f"Basic {KEY}"},
        {"Authorization": b"Bearer \xff\xfe"},
        {"X-Api-Key": KEY},
    ],
)
def test_anything_else_does_not(header, locked, stub):
    response = locked.post("/v1/chat/completions", json=chat("hi"), headers=header)
    assert error_of(response, 401)["code"] == "invalid_api_key"
    assert response.headers["www-authenticate"] == "Bearer"
    assert not stub.jobs


def test_two_headers_with_keys_are_refused(locked):
    headers = [("Authorization", f"Bearer {KEY}"), ("Authorization", "Bearer wrong")]
    assert locked.get("/v1/models", headers=headers).status_code == 401


def test_every_response_has_a_number_of_its_own_and_is_not_kept(client):
    one, two = client.get("/v1/models"), client.get("/v1/models")
    assert one.headers["x-request-id"] != two.headers["x-request-id"]
    assert (one.headers["cache-control"], one.headers["x-content-type-options"]) == ("no-store", "nosniff")
    assert client.get("/v1/models", headers={"x-request-id": "mine"}).headers["x-request-id"] != "mine"


def test_encoded_bodies_are_refused(client):
    response = client.post("/v1/chat/completions", content=b"x", headers={"content-encoding": "gzip"})
    assert error_of(response, 415)["code"] == "unsupported_encoding"


def test_too_many_open_requests_are_refused_before_their_bodies_are_read(client):
    service = client.app.state.service
    service.open = service.config.max_requests
    response = client.post("/v1/chat/completions", json=chat("hi"))
    service.open = 0
    assert error_of(response, 429)["code"] == "rate_limit_exceeded"


def test_while_it_drains_a_server_says_so_and_is_still_healthy(client):
    client.app.state.service.draining = True
    response = client.post("/v1/chat/completions", json=chat("hi"))
    assert error_of(response, 503)["code"] == "draining"
    assert response.headers["connection"] == "close"
    assert (client.get("/health").status_code, client.get("/ready").status_code) == (200, 503)
    assert client.get("/metrics").status_code == 200


@pytest.mark.parametrize(
    ("host", "name"),
    [("a.b:80", "a.b"), ("A.b", "a.b"), ("[::1]", "[::1]"), ("[::1]:8", "[::1]"), ("a:b", ""), ("x@a.b", ""), ("", "")],
)
def test_a_host_is_read_with_and_without_its_port(host, name):
    assert _without_port(host) == name


def test_web_sockets_are_closed(client):
    from starlette.websockets import WebSocketDisconnect

    with pytest.raises(WebSocketDisconnect), client.websocket_connect("/v1/chat/completions"):
        pass
