"""`visionllm world`."""

import json

from PIL import Image


def test_pictures_are_drawn_with_their_truth_and_questions(visionllm, tmp_path):
    ran = visionllm("world", "draw", tmp_path / "world", "--count", 2, "--task", "count", "--questions", 2)
    assert (ran.code, ran.out) == (0, f"{tmp_path / 'world'}\n")
    assert len(list((tmp_path / "world" / "images").iterdir())) == 2
    asked = json.loads((tmp_path / "world" / "conversations.json").read_text())
    assert {entry["family"] for entry in asked} <= {"count"}


def test_a_folder_that_exists_is_left_alone(visionllm, tmp_path):
    ran = visionllm("world", "draw", tmp_path, "--count", 1)
    assert ran.code == 2
    assert "expected a folder that does not exist yet" in ran.err


def test_a_page_shows_pictures_with_their_truth(visionllm, tmp_path):
    out = tmp_path / "page.png"
    ran = visionllm("world", "show", "--out", out, "--count", 3, "--columns", 3, "--split", "hand-drawn")
    assert ran.code == 0
    page = Image.open(out)
    assert page.width > page.height


def test_an_unknown_split_is_refused(visionllm, tmp_path):
    ran = visionllm("world", "show", "--out", tmp_path / "page.png", "--split", "moon")
    assert ran.code == 2
    assert "expected one of the splits" in ran.err
