"""What tests do to the page in a browser."""

import json
from collections.abc import Sequence
from typing import Any

Place = tuple[float, float]


def marks(page: Any) -> list[dict[str, Any]]:
    """Return what is marked."""
    return json.loads(page.evaluate("window.visionllm.said()"))


def told(page: Any, words: str) -> None:
    """Wait until the page says some words."""
    page.locator("#vl-told", has_text=words).wait_for()


def write(page: Any, part: str, words: str) -> None:
    """Write into a field."""
    page.locator(f"#{part} textarea, #{part} input").first.fill(words)


def ask(page: Any, words: str) -> None:
    """Ask a question."""
    write(page, "vl-question", words)
    page.click("#vl-ask")


def drag(page: Any, *shares: Place) -> None:
    """Draw with the mouse over the picture; places are shares of its sides."""
    box = page.locator(".vl-picture image").first.bounding_box()
    _drawn(page, [(box["x"] + box["width"] * x, box["y"] + box["height"] * y) for x, y in shares])


def draw(page: Any, places: Sequence[Place]) -> None:
    """Draw with the mouse on the open board; places are pixels of its paper, which has 320 by 240."""
    board = page.locator("#vl-board canvas").first.bounding_box()
    scale = int(page.inner_text("#vl-board .zoom-number").strip(" %\n")) / 100
    left = board["x"] + board["width"] / 2 - 160 * scale
    top = board["y"] + board["height"] / 2 - 120 * scale
    _drawn(page, [(left + x * scale, top + y * scale) for x, y in places], steps=1)


def colour(page: Any, number: int) -> None:
    """Take a colour for the brush."""
    page.click("#vl-board button[aria-label=Color]")
    page.locator("#vl-board menu button").nth(number).click()


def _drawn(page: Any, places: Sequence[Place], steps: int = 3) -> None:
    page.mouse.move(*places[0])
    page.mouse.down()
    for place in places[1:]:
        page.mouse.move(*place, steps=steps)
    page.mouse.up()
