"""A place to work at without a browser, and a browser with a page of a stub."""

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageDraw

from tests.server.helpers import CARD, Live, live
from tests.server.stub import StubEngine
from visionllm.server import ServerConfig
from visionllm.server.card import DRAWINGS
from visionllm.server.page.session import Session
from visionllm.server.page.working import Place, View
from visionllm.server.service import Service

CHROMIUM = Path("/usr/bin/chromium")
SWITCHES = ("--no-sandbox", "--disable-gpu", "--disable-background-networking")
FULL = replace(CARD, decoders=("detection", "pose", "generation", "editing"), notices=(DRAWINGS,))


def views_of(views: Any) -> list[View]:
    """Return everything that some work shows."""

    async def run() -> list[View]:
        async with contextlib.aclosing(views):
            return [view async for view in views]

    return asyncio.run(run())


def house() -> Image.Image:
    """Return a drawing of a house, 120 by 80 pixels."""
    image = Image.new("RGB", (120, 80), "#cfe8ff")
    draw = ImageDraw.Draw(image)
    draw.rectangle((20, 40, 60, 75), fill="#b45309")
    draw.polygon([(15, 40), (40, 15), (65, 40)], fill="#7f1d1d")
    return image


@pytest.fixture
def place(stub: StubEngine) -> Place:
    """Return a page with a house on the table."""
    session = Session()
    session.lay(house())
    return Place(Service(stub, FULL, ServerConfig()), session, "somebody")


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """Return a browser; while it is there, its driver's event loop runs in this thread."""
    pytest.importorskip("gradio")
    api = pytest.importorskip("playwright.sync_api")
    if not CHROMIUM.exists():
        pytest.skip("needs Chromium: apt-get install chromium")
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=list(SWITCHES))
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def served() -> Iterator[Live]:
    """Run one server with a page for all tests that do not stop it."""
    pytest.importorskip("gradio")
    with live(StubEngine(step_s=0.02), ServerConfig(port=0), FULL, page=True) as server:
        yield server


@pytest.fixture
def opened(chromium: Any, served: Live) -> Iterator[Callable[..., Any]]:
    """Return a function that opens the page, of a width; nothing may be asked of another server, or go wrong in it."""
    contexts, wrong = [], []

    def open_page(address: str = served.url, **more: Any) -> Any:
        context = chromium.new_context(**({"viewport": {"width": 1280, "height": 900}} | more))
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(60_000)
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("request", lambda request: own(request.url) or wrong.append(request.url))
        page.goto(address)
        page.wait_for_selector("#vl-open")
        return page

    def own(url: str) -> bool:
        return url.startswith(("data:", "blob:", "http://127.0.0.1:"))

    yield open_page
    for context in contexts:
        context.close()
    assert not wrong
