"""The page in a browser, before a stub."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from tests.server.helpers import KEY, live, png
from tests.server.page.conftest import FULL
from tests.server.page.driving import ask, drag, marks, told, write
from tests.server.stub import StubEngine
from visionllm.server import ServerConfig
from visionllm.server.config import digest_of


def upload(page, content, name="a.png"):
    file = {"name": name, "mimeType": "image/png", "buffer": content}
    page.set_input_files("#vl-open input[type=file], input[type=file]", file)


def lay(page):
    upload(page, png(60, 40))
    page.wait_for_selector("#vl-stage[data-width='60']")


def test_a_question_is_answered_with_shapes_a_table_and_names_to_point_at(opened):
    page = opened()
    assert "drawings only" in page.inner_text(".vl-about")
    lay(page)
    ask(page, "find the star")
    told(page, "1 found")
    assert page.inner_text(".vl-model") == "Here is the star. It is red."
    assert page.locator(".vl-thing rect").count() == page.locator(".vl-row").count() == 1
    page.hover(".vl-name")
    page.wait_for_selector(".vl-thing.vl-over")
    page.click(".vl-row button")
    assert marks(page) == [{"kind": "pick", "id": 0}]
    page.click(".vl-thing rect")
    assert marks(page) == []


def test_the_slider_hides_what_has_lower_scores_and_files_hold_the_rest(opened):
    page = opened()
    lay(page)
    page.get_by_role("tab", name="Find").click()
    write(page, "vl-names", "star")
    page.click("#vl-find")
    told(page, "1 found")
    for kind in ("png", "json", "coco"):
        with page.expect_download() as download:
            page.click(f"#vl-save-{kind}")
        content = Path(download.value.path()).read_bytes()
        assert content[:4] == b"\x89PNG" if kind == "png" else json.loads(content)
    page.fill("#vl-threshold input[type=number]", "0.9")
    page.keyboard.press("Tab")
    page.wait_for_selector(".vl-row", state="hidden")
    assert page.locator(".vl-thing").is_hidden()


def test_points_boxes_and_scribbles_are_drawn_with_the_mouse_and_the_keyboard(opened, served):
    page = opened()
    lay(page)
    page.click("[data-tool=box]")
    drag(page, (0.25, 0.25), (0.75, 0.5))
    page.click("[data-tool=scribble]")
    drag(page, (0.2, 0.2), (0.5, 0.5), (0.8, 0.2))
    page.click("[data-tool=point]")
    page.focus(".vl-picture")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Enter")
    box, scribble, point = marks(page)
    assert box["kind"] == "box" and box["at"] == pytest.approx([15, 10, 45, 20], abs=0.6)
    assert scribble["kind"] == "scribble" and len(scribble["at"]) >= 6
    assert point == {"kind": "point", "at": [28, 20]}
    ask(page, "echo what is this?")
    told(page, "Done.")
    assert len(served.engine.jobs[-1].messages[0].parts) == 8
    page.click("[data-clear]")
    page.fill(".vl-typed", "5 5 500 20")
    page.keyboard.press("Enter")
    ask(page, "echo what is this?")
    told(page, "inside the 60×40 picture")


def test_a_drawing_is_asked_about_and_an_empty_one_refused(opened):
    page = opened()
    page.click("#vl-draw button")
    page.wait_for_selector("#vl-board canvas")
    page.click("#vl-drawn")
    told(page, "drawing is empty")
    page.click("#vl-board button[aria-label=Brush]")
    board = page.locator("#vl-board canvas").first.bounding_box()
    page.mouse.move(board["x"] + board["width"] * 0.4, board["y"] + board["height"] * 0.4)
    page.mouse.down()
    page.mouse.move(board["x"] + board["width"] * 0.6, board["y"] + board["height"] * 0.5, steps=5)
    page.mouse.up()
    page.click("#vl-drawn")
    page.wait_for_selector("#vl-stage[data-width='320']")
    ask(page, "echo a line")
    told(page, "Done.")


def test_pictures_are_made_changed_and_put_on_the_table(opened, served):
    page = opened()
    lay(page)
    page.get_by_role("tab", name="Make").click()
    write(page, "vl-words", "a star")
    page.fill("#vl-seed input", "7")
    page.click("#vl-generate")
    told(page, "Made with seed 7")
    page.click("#vl-use")
    page.wait_for_selector("#vl-stage[data-width='8']")
    page.click("#vl-edit")
    page.wait_for_timeout(300)
    told(page, "Made with seed 7")
    assert (served.engine.jobs[-1].options.seed, served.engine.jobs[-1].options.steps) == (7, 20)
    assert served.engine.jobs[-1].image.size == (8, 8)


def test_poses_and_examples(opened):
    page = opened()
    lay(page)
    page.get_by_role("tab", name="Find").click()
    page.get_by_label("Keypoints of everything named").check()
    write(page, "vl-names", "person")
    page.click("#vl-find")
    page.wait_for_selector(".vl-thing circle", state="attached")
    page.click(".vl-row button")
    page.click("#vl-samples button")
    page.click("#vl-add")
    page.wait_for_selector("#vl-sheet figure")
    page.click("#vl-more")
    told(page, "1 found")


@pytest.mark.faults
def test_files_that_are_no_pictures_are_refused_and_the_page_goes_on(opened):
    page = opened()
    upload(page, b"print('hello')", "a.py")
    told(page, "cannot be used as a picture")
    upload(page, b"x" * 20_000_001)
    told(page, "too large")
    lay(page)
    ask(page, "fail secret")
    told(page, "could not finish")
    assert "secret" not in page.inner_text("#vl-told")
    ask(page, "echo <b>on</b>")
    told(page, "Done.")
    assert page.locator(".vl-said b").count() == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_fits_a_phone_in_light_and_dark(opened, scheme):
    page = opened(viewport={"width": 390, "height": 844}, color_scheme=scheme)
    lay(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    paper = page.evaluate("getComputedStyle(document.body).backgroundColor.match(/\\d+/g).slice(0, 3).map(Number)")
    assert (sum(paper) < 200) is (scheme == "dark")


def test_with_a_key_the_page_opens_after_it_was_given(chromium):
    config = ServerConfig(port=0, keys=(digest_of(KEY),))
    context = chromium.new_context()
    with live(StubEngine(), config, FULL, page=True) as server:
        page = context.new_page()
        page.set_default_timeout(60_000)
        page.goto(server.url)
        assert page.url.endswith("/page/login")
        page.fill("input[name=key]", KEY)
        page.click("button")
        page.wait_for_selector("#vl-open")
        lay(page)
        ask(page, "echo hello")
        told(page, "Done.")
        assert page.evaluate("document.cookie") == "" and server.engine.tenants[0]
    context.close()


@pytest.mark.faults
def test_a_server_that_is_gone_is_noticed_and_the_page_stays(chromium):
    context = chromium.new_context()
    with live(StubEngine(), ServerConfig(port=0), FULL, page=True) as server:
        page = context.new_page()
        page.set_default_timeout(60_000)
        page.goto(server.url)
        page.wait_for_selector("#vl-open")
        lay(page)
        server.server.should_exit = True
        server.thread.join(15)
        assert not server.thread.is_alive(), "an open page kept the server from stopping"
        page.get_by_text("The server does not answer").wait_for()
        assert page.locator(".vl-picture").is_visible()
    with live(StubEngine(), ServerConfig(port=server.port), replace(FULL, created=2), page=True):
        page.get_by_text("The server was started anew").wait_for()
        page.get_by_role("button", name="Open the page anew").click()
        page.wait_for_selector("#vl-stage.vl-empty")
        lay(page)
    context.close()
