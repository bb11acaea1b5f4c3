"""The page on the app of the server, without a browser."""

import os
import stat
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from tests.server.helpers import KEY, client_of
from tests.server.page.conftest import FULL
from visionllm.server import ServerConfig
from visionllm.server.config import digest_of

needs_gradio = pytest.mark.skipif(find_spec("gradio") is None, reason="needs gradio")
PASSWD = "/etc/passwd"
TRAVERSALS = [
    PASSWD,
    "../../../../etc/passwd",
    "..%2f..%2f..%2fetc%2fpasswd",
    "%2e%2e/%2e%2e/etc/passwd",
    "%2fetc%2fpasswd",
    "//etc/passwd",
    "/proc/self/environ",
    "C:\\Windows\\win.ini",
    "C:%5CWindows%5Cwin.ini",
    "file:///etc/passwd",
    "http://127.0.0.1/",
    "pyproject.toml",
    "\\\\host\\share\\a.png",
]


@pytest.fixture(scope="module")
def paged():
    from tests.server.stub import StubEngine

    engine = StubEngine()
    with client_of(engine, ServerConfig(), FULL, page=True) as client:
        yield client
    engine.stop()


@needs_gradio
@pytest.mark.faults
@pytest.mark.parametrize("path", TRAVERSALS)
@pytest.mark.parametrize("route", ["gradio_api/file=", "gradio_api/file/", "file=", "static/", "assets/", "svelte/"])
def test_s12_no_route_of_the_page_serves_files_of_the_server(paged, route, path):
    response = paged.get(f"/page/{route}{path}")
    assert response.status_code in (400, 403, 404) and b"root:" not in response.content


@needs_gradio
@pytest.mark.faults
def test_s12_not_even_a_file_that_arrived_is_served(paged):
    sent = paged.post("/page/gradio_api/upload", files={"files": ("../../a.png", b"secret")})
    (path,) = sent.json()
    assert Path(path).resolve().is_relative_to(os.environ["GRADIO_TEMP_DIR"])
    assert stat.S_IMODE(Path(os.environ["GRADIO_TEMP_DIR"]).stat().st_mode) == 0o700
    response = paged.get(f"/page/gradio_api/file={path}")
    assert response.status_code == 404 and b"secret" not in response.content


@needs_gradio
@pytest.mark.faults
def test_s12_a_job_of_the_page_opens_no_path_that_did_not_arrive(paged):
    config = paged.get("/page/config").json()
    for number, dependency in enumerate(config["dependencies"]):
        data = [{"path": PASSWD, "meta": {"_type": "gradio.FileData"}}] * len(dependency["inputs"])
        body = {"data": data, "fn_index": number, "session_hash": "abcdef"}
        assert b"root:" not in paged.post("/page/gradio_api/queue/join", json=body).content


@needs_gradio
def test_the_page_is_found_and_the_api_stays(paged):
    response = paged.get("/")
    assert response.url.path == "/page/" and "visionllm" in response.text
    assert "fonts.googleapis" not in response.text and "cdn" not in response.text.lower()
    assert '<script src="http' not in response.text and 'href="http' not in response.text
    assert paged.get("/v1/models").status_code == 200
    assert paged.get("/page/about").json()["id"] == "stub"


@needs_gradio
def test_an_open_page_does_not_keep_the_server_from_stopping(paged):
    assert paged.get("/page/config").status_code == 200
    assert paged.app.state.service.open == 0
    paged.app.state.service.draining = True
    assert paged.get("/page/").status_code == 503
    paged.app.state.service.draining = False


@needs_gradio
@pytest.mark.faults
@pytest.mark.parametrize(
    "path", ["/page/config", "/page/gradio_api/queue/data", "/page/about", "/page/assets/a.js", "/page/theme.css"]
)
def test_with_keys_nothing_of_the_page_is_there_without_one(stub, path):
    client: Any = client_of(stub, ServerConfig(keys=(digest_of(KEY),)), FULL)
    with client:
        client.app.state.service.paged = True
        assert client.get(path).status_code == 401
        assert client.post("/page/gradio_api/upload", files={"files": ("a.png", b"x")}).status_code == 401


def test_without_gradio_the_error_names_the_extra(stub, monkeypatch):
    monkeypatch.setattr("visionllm.server.page.mount.find_spec", lambda name: None)
    with pytest.raises(ImportError, match=r"pip install 'visionllm-v2\[page\]'.*--no-page"):
        client_of(stub, page=True)
