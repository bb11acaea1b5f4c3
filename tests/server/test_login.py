"""A key in a browser."""

from typing import Any

import pytest

from tests.server.helpers import KEY, client_of
from visionllm.server import ServerConfig, login
from visionllm.server.config import digest_of
from visionllm.server.login import COOKIE, key_behind, pass_of

KEYS = (digest_of("another-key-of-many-letters"), digest_of(KEY))


@pytest.fixture
def locked(stub):
    client: Any = client_of(stub, ServerConfig(keys=KEYS))
    with client:
        client.app.include_router(login.router)
        client.app.state.service.paged = True
        yield client


def test_a_pass_stands_for_one_key_of_one_server():
    assert key_behind([f"{COOKIE}={pass_of(b'salt', KEYS[1])}"], b"salt", KEYS) == KEYS[1]
    assert key_behind([f"{COOKIE}={pass_of(b'salt', KEYS[1])}"], b"other", KEYS) == b""
    assert KEYS[1].hex() not in pass_of(b"salt", KEYS[1])


@pytest.mark.parametrize("cookies", [[], ["a=b"], [f"{COOKIE}="], [f"{COOKIE}=é"], ["=;=\x01"], [f"{COOKIE}={KEY}"]])
def test_other_cookies_open_nothing(cookies):
    assert key_behind(cookies, b"salt", KEYS) == b""


def test_a_browser_is_asked_for_a_key_and_gets_a_cookie_that_scripts_cannot_read(locked):
    response = locked.get("/page/", follow_redirects=False)
    assert (response.status_code, response.headers["location"]) == (303, "/page/login")
    assert locked.get("/", follow_redirects=False).headers["location"] == "/page/"
    assert "API key" in locked.get("/page/login").text
    response = locked.post("/page/login", data={"key": f" {KEY} "}, follow_redirects=False)
    cookie = response.headers["set-cookie"].lower()
    assert response.status_code == 303 and response.headers["location"] == "/page/"
    assert "httponly" in cookie and "samesite=strict" in cookie and "path=/page" in cookie
    assert KEY not in cookie and digest_of(KEY).hex() not in cookie


@pytest.mark.parametrize("key", ["", "wrong", KEY + "x", KEYS[1].hex()])
def test_another_key_gives_no_cookie(locked, key):
    response = locked.post("/page/login", data={"key": key}, follow_redirects=False)
    assert response.status_code == 401 and "set-cookie" not in response.headers
    assert "not known" in response.text and (not key or key not in response.text)


def test_the_cookie_opens_the_page_only(locked):
    locked.post("/page/login", data={"key": KEY}, follow_redirects=False)
    cookie = {"cookie": f"{COOKIE}={pass_of(locked.app.state.service.salt, KEYS[1])}"}
    assert locked.get("/page/nothing", headers=cookie).status_code == 404
    assert locked.get("/v1/models", headers=cookie).status_code == 401
    assert locked.get("/page/nothing", headers={"cookie": f"{COOKIE}=wrong"}).status_code == 401


def test_a_form_is_short(locked):
    assert locked.post("/page/login", data={"key": "x" * 5000}).status_code == 413
