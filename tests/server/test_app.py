"""The whole app."""

from fastapi import FastAPI
from fastapi.testclient import TestClient

from tests.server.helpers import CARD
from visionllm import __version__
from visionllm.server import create_app


def test_the_api_describes_itself_and_shows_no_pages_of_others(client):
    described = client.get("/openapi.json").json()
    assert described["info"] == {"title": "visionllm", "version": __version__}
    assert {"/v1/chat/completions", "/v1/images/edits", "/v1/perception"} <= set(described["paths"])
    assert client.get("/docs").status_code == client.get("/redoc").status_code == 404


def test_what_is_mounted_later_stands_behind_the_guard(stub):
    app = create_app(stub, CARD)
    app.mount("/page", FastAPI())
    strange = TestClient(app, base_url="http://evil.example")
    assert strange.get("/page").status_code == 403
