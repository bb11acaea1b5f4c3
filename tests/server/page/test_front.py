"""What stands before gradio."""

import os
import time

import pytest
from starlette.testclient import TestClient

from visionllm.server.errors import ApiError
from visionllm.server.page import front as module
from visionllm.server.page.front import OPEN, POLICY, Front, cleaned

PAGE = b'<head><meta property="og:image" content="https://a.b/c.png" /><script src="//cdn.c/d.js"></script></head>'


@pytest.fixture
def seen():
    return []


@pytest.fixture
def front(tmp_path, seen):
    async def app(scope, receive, send):
        seen.append(scope["path"])
        body = PAGE if scope["path"] == "/page/" else b"."
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"999")]})
        await send({"type": "http.response.body", "body": body[:9], "more_body": True})
        await send({"type": "http.response.body", "body": body[9:]})

    return Front(app, tmp_path, lambda: seen.append("start"))


@pytest.mark.parametrize("path", ["/", "/config", "/assets/a-b.js", "/gradio_api/queue/join", "/gradio_api/upload"])
def test_what_the_page_needs_is_there(path):
    assert OPEN.fullmatch(path)


@pytest.mark.faults
@pytest.mark.parametrize(
    "path",
    [
        "/gradio_api/file=/etc/passwd",
        "/gradio_api/file/etc/passwd",
        "/gradio_api/proxy=http://169.254.169.254/",
        "/gradio_api/component_server",
        "/gradio_api/run/predict",
        "/gradio_api/call/predict",
        "/gradio_api/stream/1",
        "/gradio_api/vibe-edit",
        "/gradio_api/process_recording",
        "/gradio_api/deep_link",
        "/gradio_api/heartbeat/a/b",
        "/monitoring",
        "/login",
        "/svelte/x",
        "/custom_component/1/a/b/c",
        "/assets/../../etc/passwd",
        "/static/..",
    ],
)
def test_everything_else_is_not(front, seen, path):
    with pytest.raises(ApiError) as refusal:
        TestClient(front, base_url="http://127.0.0.1").get(f"http://127.0.0.1/page{path.replace('..', '%2e%2e')}")
    assert refusal.value.status_code == 404 and seen == []


def test_the_page_names_no_other_server_and_may_ask_none(front, seen):
    response = TestClient(front, base_url="http://127.0.0.1").get("/page/")
    assert response.content == b"<head></head>" and response.headers["content-length"] == "13"
    assert response.headers["content-security-policy"] == POLICY
    assert "http" not in POLICY and "frame-ancestors 'none'" in POLICY
    assert seen == ["start", "/page/"]
    assert cleaned(b'<link rel="a" href="./x.css"><p>') == b'<link rel="a" href="./x.css"><p>'


def test_the_queue_is_started_once(front, seen):
    client = TestClient(front, base_url="http://127.0.0.1")
    client.get("/page/config")
    client.get("/page/config")
    assert seen.count("start") == 1


@pytest.mark.faults
def test_files_that_nobody_opens_are_deleted_and_not_too_many_are_kept(front, tmp_path, monkeypatch):
    client = TestClient(front, base_url="http://127.0.0.1")
    (tmp_path / "a").mkdir()
    old, new = tmp_path / "a" / "old", tmp_path / "a" / "new"
    for file in (old, new):
        file.write_bytes(b"x" * 100)
    os.utime(old, (time.time() - 1000, time.time() - 1000))
    client.post("/page/gradio_api/upload")
    assert new.exists() and not old.exists()
    monkeypatch.setattr(module, "MOST_UPLOADED", 99)
    with pytest.raises(ApiError) as refusal:
        client.post("/page/gradio_api/upload")
    assert refusal.value.status_code == 429
