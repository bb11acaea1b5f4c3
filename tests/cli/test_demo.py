"""`visionllm demo`."""

import json

import pytest
from PIL import Image

from tests.small import picture


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "in").mkdir()
    picture().save(tmp_path / "in" / "a.png")
    picture(48, 72).save(tmp_path / "in" / "b.jpg")
    (tmp_path / "in" / "notes.txt").write_text("no picture")
    return tmp_path / "in"


def test_the_questions_of_a_folder_are_asked(visionllm, small, folder, tmp_path):
    (folder / "prompts.json").write_text(json.dumps({"a.png": ["How many?", "What is it?"], "b.jpg": ["Hello?"]}))
    out = tmp_path / "deep" / "out"
    ran = visionllm("demo", folder, "--out", out, "--model", small)
    assert ran.code == 0, ran.err
    assert "> What is it?" in ran.out
    assert sorted(file.name for file in out.iterdir()) == ["a-1.png", "a-2.png", "all.png", "b-1.png"]
    assert Image.open(out / "all.png").width > Image.open(out / "a-1.png").width


def test_some_questions_need_no_picture(visionllm, small, folder, tmp_path):
    (folder / "prompts.json").write_text(json.dumps({"a.png": ["How many?"], "no picture": ["Who are you?"]}))
    ran = visionllm("demo", folder, "--out", tmp_path / "out", "--model", small)
    assert ran.code == 0, ran.err
    assert "> Who are you?" in ran.out
    assert sorted(file.name for file in (tmp_path / "out").iterdir()) == ["a-1.png", "all.png", "no-picture-1.png"]


@pytest.mark.parametrize("place", [[12, 9], [2, 2, 30, 20]])
def test_a_question_may_point_at_a_place(place, visionllm, small, folder, tmp_path):
    (folder / "prompts.json").write_text(json.dumps({"a.png": ["What is it?", {"ask": "What is this?", "at": place}]}))
    ran = visionllm("demo", folder, "--out", tmp_path / "out", "--model", small)
    assert ran.code == 0, ran.err
    assert "> What is this?" in ran.out
    assert (tmp_path / "out" / "a-2.png").is_file()


def test_a_folder_without_questions_is_described(visionllm, small, folder, tmp_path):
    ran = visionllm("demo", folder, "--out", tmp_path / "out", "--model", small)
    assert ran.code == 0
    assert ran.out.count("> ") == 4


@pytest.mark.parametrize("there", [False, True])
def test_without_a_folder_examples_or_drawn_pictures_are_taken(there, visionllm, small, folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    if there:
        folder.rename(tmp_path / "examples")
    ran = visionllm("demo", "--model", small, "--out", "out")
    assert ran.code == 0
    assert ("a.png" in ran.out) == there
    assert ("hand-drawn" in ran.out) != there


@pytest.mark.parametrize(
    ("prompts", "message"),
    [
        ("{", 'expected {"picture.png":'),
        ('["a.png"]', 'expected {"picture.png":'),
        ('{"a.png": "How many?"}', 'expected {"picture.png":'),
        ('{"a.png": [{"ask": "What is this?", "at": [1]}]}', 'expected {"picture.png":'),
        ('{"a.png": [{"ask": "What is this?", "at": 3}]}', 'expected {"picture.png":'),
        ('{"a.png": [{"ask": "What is this?"}]}', 'expected {"picture.png":'),
        ('{"c.png": ["How many?"]}', "expected a picture file, got no file at"),
        ("{}", "expected pictures in"),
    ],
)
def test_questions_that_cannot_be_read_are_refused_before_anything_is_written(
    prompts, message, visionllm, folder, tmp_path
):
    (folder / "prompts.json").write_text(prompts)
    ran = visionllm("demo", folder, "--out", tmp_path / "out", "--model", "/nothing/here")
    assert ran.code == 2
    assert message in ran.err
    assert not (tmp_path / "out").exists()


def test_a_folder_that_is_not_there_is_refused(visionllm, tmp_path):
    assert "expected a folder of pictures" in visionllm("demo", tmp_path / "none").err
