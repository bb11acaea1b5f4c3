"""`visionllm world`."""

import json

import pytest
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


def test_people_are_drawn_with_keypoints(visionllm, tmp_path):
    ran = visionllm(
        "world", "draw", tmp_path / "people", "--count", 3, "--version", 2, "--theme", "figures", "--questions", 1
    )
    assert ran.code == 0
    written = json.loads((tmp_path / "people" / "instances.json").read_text())
    assert any("keypoints" in annotation for annotation in written["annotations"])


def test_a_page_of_figures_shows_their_skeletons_unless_the_truth_is_off(visionllm, tmp_path):
    pages = []
    for extra in ((), ("--no-truth",)):
        out = tmp_path / f"page{len(pages)}.png"
        ran = visionllm("world", "show", "--out", out, "--count", 1, "--version", 2, "--theme", "figures", *extra)
        assert ran.code == 0
        pages.append(Image.open(out))
    assert pages[0].size == pages[1].size
    assert pages[0].tobytes() != pages[1].tobytes()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--version", 2, "--theme", "moon"), "expected one of the themes"),
        (("--theme", "figures"), "expected version=2 for the theme 'figures', got version=1"),
        (("--version", 3), "Invalid value for '--version': Input should be less than or equal to 2"),
    ],
)
def test_a_theme_or_version_that_is_not_there_is_refused(visionllm, tmp_path, options, message):
    ran = visionllm("world", "show", "--out", tmp_path / "page.png", *options)
    assert ran.code == 2
    assert message in ran.err
    assert not (tmp_path / "page.png").exists()


def test_the_help_teaches_versions_and_themes(visionllm):
    ran = visionllm("world", "draw", "--help")
    said = " ".join(ran.out.replace("│", " ").split())
    for words in ("--version", "--theme", "also people, animals, signs", "--theme figures --task pose-person"):
        assert words in said
