"""A walk over the page with the embedded model, as somebody new takes it; `make walk` writes its pictures."""

import base64
import json
import os
from collections.abc import Callable, Iterator, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from tests.server.helpers import Live, live
from tests.server.page.driving import Place, ask, colour, drag, draw, told, write
from visionllm import VisionLLM
from visionllm.engine import Engine
from visionllm.formats import from_coco_dataset
from visionllm.server import ServerConfig, card_of

DOCS = Path(__file__).resolve().parents[3] / "docs/images/walk"
ORANGE, BROWN, WHITE = 2, 8, 9
"""Places in the row of colours."""
Shape = Sequence[Place]
FISH: Sequence[Shape] = (
    ((128, 140), (108, 124), (86, 119), (64, 124), (46, 138), (64, 154), (86, 160), (108, 156)),
    ((48, 139), (22, 116), (22, 164)),
)
HOUSE: Sequence[Shape] = (
    ((177, 122), (235, 72), (293, 122)),
    ((195, 124), (275, 124), (275, 172), (195, 172)),
)
DOOR: Shape = ((235, 150), (235, 178))


@pytest.fixture(scope="module")
def walked() -> Iterator[Live]:
    """Run a server with the embedded model."""
    model = VisionLLM.load("tiny", device="cpu")
    with Engine(model) as engine, live(engine, ServerConfig(port=0), card_of(model, "tiny"), page=True) as server:
        yield server


def filled(outline: Shape, step: float = 9) -> list[Place]:
    """Return a line around a shape, then to and fro over it from top to bottom."""
    places = [*outline, outline[0]]
    low, high = min(y for _, y in outline), max(y for _, y in outline)
    for number, y in enumerate(np.arange(low + 1, high, step)):
        sides = zip(outline, [*outline[1:], outline[0]], strict=True)
        across = sorted(x0 + (y - y0) * (x1 - x0) / (y1 - y0) for (x0, y0), (x1, y1) in sides if (y0 <= y) != (y1 <= y))
        ends = [(across[0], float(y)), (across[-1], float(y))]
        places += ends if number % 2 else ends[::-1]
    return places


def picture(page: Any, query: str, attribute: str) -> NDArray[np.int_]:
    """Return the pixels of a picture that the page shows, int[H, W, 3]."""
    url = page.get_attribute(query, attribute)
    assert url.startswith("data:image/png;base64,")
    return np.array(Image.open(BytesIO(base64.b64decode(url.partition(",")[2]))).convert("RGB")).astype(int)


def test_a_house_and_a_fish_are_drawn_asked_about_masked_and_changed(opened: Callable[..., Any], walked, tmp_path):
    page = opened(walked.url)
    folder = DOCS if os.environ.get("VISIONLLM_WALK") == "1" else tmp_path
    folder.mkdir(parents=True, exist_ok=True)

    def show(name: str, part: str = "body") -> None:
        page.mouse.move(1, 1)
        page.wait_for_timeout(300)
        shot = Image.open(BytesIO(page.locator(part).screenshot()))
        shot.quantize(128).save(folder / f"{name}.png", optimize=True)

    page.click("#vl-draw button")
    page.wait_for_selector("#vl-board button[aria-label=Color]")
    for paint, lines in ((ORANGE, map(filled, FISH)), (BROWN, map(filled, HOUSE)), (WHITE, [DOOR])):
        colour(page, paint)
        for line in lines:
            draw(page, line)
    show("1-draw", "#vl-draw")

    page.click("#vl-drawn")
    page.wait_for_selector("#vl-stage[data-width='320']")
    drawn = picture(page, ".vl-picture > image", "href")
    ask(page, "What is left of the house?")
    told(page, "Done.")
    assert "fish" in page.inner_text(".vl-model")
    show("2-ask")

    page.click("[data-tool=box]")
    drag(page, (0.02, 0.4), (0.45, 0.76))
    show("3-box", "#vl-stage")

    page.get_by_role("tab", name="Find").click()
    page.get_by_label("The mask of what is marked").check()
    page.click("#vl-find")
    told(page, "1 found")
    with page.expect_download() as download:
        page.click("#vl-save-coco")
    (found,) = from_coco_dataset(json.loads(Path(download.value.path()).read_bytes())).values()
    assert found.masks is not None
    mask = found.masks[0]
    fish = abs(drawn - (249, 115, 22)).sum(axis=-1) < 120
    assert fish.sum() > 4000
    assert (mask & fish).sum() / (mask | fish).sum() >= 0.5
    show("4-mask")

    page.click("[data-clear]")
    page.click(".vl-row button")
    page.get_by_role("tab", name="Make").click()
    write(page, "vl-words", "Make the fish green.")
    page.click("#vl-edit")
    told(page, "Made with seed 0")
    changed = picture(page, "#vl-made", "src")
    assert (changed == drawn)[~mask].all()
    before, after = drawn[mask].mean(axis=0), changed[mask].mean(axis=0)
    assert before.argmax() == 0 and after.argmax() == 1 and after[1] - after[0] > 60
    show("5-change")
