"""`visionllm run` with a folder, or with `--each`."""

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.small import picture
from visionllm.cli import many
from visionllm.cli.many import AT_ONCE, engine_limits, listed, places, told
from visionllm.engine import EngineDied, Failed, Finished, JobFailed, Ticket
from visionllm.types import Answer, ask

FEW = ("--max-new-tokens", 4)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three pictures, and files that are none."""
    inside = tmp_path / "in"
    inside.mkdir()
    for number, name in enumerate(("b.png", "c.JPG", "a.webp")):
        picture(40 + 8 * number, 40, seed=number).save(inside / name)
    (inside / "notes.txt").write_text("no picture")
    (inside / ".hidden.png").write_bytes(b"no picture")
    (inside / "d.png").mkdir()
    return inside


class StubEngine:
    """Ends the oldest job once `enough` are open, and all of them after the last of `total`."""

    def __init__(self, enough: int, total: int, last: Failed | None = None) -> None:
        self.enough, self.total, self.last = enough, total, last
        self.tickets: list[Ticket] = []
        self.ended = 0

    def submit(self, job: object) -> Ticket:
        self.tickets.append(Ticket("job", 1000))
        while self.ended <= len(self.tickets) - (1 if len(self.tickets) == self.total else self.enough):
            self.tickets[self.ended].end(self.last or Finished(Answer(text=f"answer {self.ended}")))
            self.ended += 1
        return self.tickets[-1]


def stub(enough: int, total: int, last: Failed | None = None) -> Any:
    return StubEngine(enough, total, last)


def question(image: Image.Image):
    return ask("How many?", image)


def test_every_picture_of_a_folder_is_answered_as_it_is_alone(visionllm, small, folder):
    ran = visionllm("run", "How many?", folder, "--json", "--model", small, *FEW)
    assert ran.code == 0, ran.err
    assert ran.err == ""
    lines = [json.loads(line) for line in ran.out.splitlines()]
    assert [Path(line["images"][0]).name for line in lines] == ["a.webp", "b.png", "c.JPG"]
    for line in lines:
        alone = visionllm("run", "How many?", *line["images"], "--json", "--model", small, *FEW)
        assert json.loads(alone.out) == line


def test_answers_stand_under_the_names_of_the_files_in_the_order_that_was_given(visionllm, small, folder):
    files = [folder / name for name in ("c.JPG", "a.webp")]
    ran = visionllm("run", "How many?", *files, "--each", "--model", small, *FEW)
    headings = [line for line in ran.out.splitlines() if line.startswith(str(folder))]
    assert headings == [str(file) for file in files]
    assert ran.out.startswith(f"\n{files[0]}\n")
    assert len(ran.out.splitlines()) > 4


def test_without_each_several_pictures_are_one_question(visionllm, small, folder):
    ran = visionllm("run", "Compare.", folder / "b.png", folder / "a.webp", "--json", "--model", small, *FEW)
    assert len(json.loads(ran.out)["images"]) == 2


def test_annotated_pictures_are_written_into_a_new_folder(visionllm, small, folder, tmp_path):
    out = tmp_path / "out"
    ran = visionllm("run", "How many?", folder, "--out", out, "--json", "--model", small, *FEW)
    assert sorted(file.name for file in out.iterdir()) == ["a.png", "b.png", "c.png"]
    assert Image.open(out / "c.png").width > 48
    assert [json.loads(line)["out"] for line in ran.out.splitlines()] == [str(out / f"{s}.png") for s in "abc"]


@pytest.mark.parametrize("as_json", [False, True])
def test_a_picture_that_cannot_be_opened_does_not_stop_the_others(as_json, visionllm, small, folder):
    (folder / "b.png").write_bytes(b"no picture")
    more = ("--json",) if as_json else ()
    ran = visionllm("run", "How many?", folder, folder / "gone.png", *more, "--model", small, *FEW)
    assert ran.code == 1
    assert ran.err.splitlines() == [
        f"error: {folder / 'b.png'}: expected a picture in one of the formats JPEG, PNG, WEBP, BMP, got something else",
        f"error: {folder / 'gone.png'}: expected a picture file, got no file at '{folder / 'gone.png'}'",
        "2 of 4 pictures have no answer",
    ]
    if as_json:
        lines = [json.loads(line) for line in ran.out.splitlines()]
        assert [("error" in line, "text" in line) for line in lines] == [(0, 1), (1, 0), (0, 1), (1, 0)]
        assert lines[1]["images"] == [str(folder / "b.png")] and "one of the formats" in lines[1]["error"]
    else:
        assert str(folder / "c.JPG") in ran.out and str(folder / "b.png") not in ran.out


def test_a_question_that_is_too_long_is_reported_for_each_picture(visionllm, small, folder):
    ran = visionllm("run", "star " * 700, folder, "--model", small)
    assert ran.code == 1
    assert ran.err.count("expected a conversation of at most 512 tokens") == 3


def test_every_picture_has_the_same_seed(visionllm, small, folder):
    for name in ("a.webp", "c.JPG"):
        (folder / name).unlink()
    picture(40, 40).save(folder / "again.png")

    def sampled(seed: int) -> list[str]:
        options = ("--temperature", 1, "--seed", seed, "--max-new-tokens", 8)
        ran = visionllm("run", "How many?", folder, "--json", "--model", small, *options)
        return [json.loads(line)["text"] for line in ran.out.splitlines()]

    one, other = sampled(1)
    assert one == other
    assert sampled(2) != [one, other]


def test_more_pictures_than_the_engine_takes_at_once_are_answered(visionllm, small, folder):
    for number in range(AT_ONCE + 6):
        picture(32, 32, seed=number).save(folder / f"more-{number:02}.png")
    ran = visionllm("run", "How many?", folder, "--json", "--model", small, "--max-new-tokens", 2)
    assert ran.code == 0, ran.err
    assert ran.out.count('"text"') == AT_ONCE + 9


@pytest.mark.parametrize("full", [2, AT_ONCE])
def test_an_answer_comes_as_soon_as_it_is_known_and_only_so_many_pictures_are_open(full, folder):
    files = [folder / "b.png"] * (AT_ONCE + 5)
    engine, seen = stub(full, len(files)), []
    for one in told(engine, files, question):
        if not seen:
            assert len(engine.tickets) == full
        assert len(engine.tickets) - len(seen) <= AT_ONCE
        seen.append(one.answer and one.answer.text)
    assert seen == [f"answer {number}" for number in range(len(files))]


def test_the_engine_has_room_for_all_that_are_open():
    limits = engine_limits()
    assert limits.max_running + limits.max_queue >= AT_ONCE


def test_a_job_that_fails_is_told_with_its_cause(folder):
    error = JobFailed("the model could not finish the job")
    error.__cause__ = RuntimeError("out of memory")
    (one,) = told(stub(1, 1, Failed(error)), [folder / "b.png"], question)
    assert one.failure == "the model could not finish the job: out of memory"
    assert one.answer is None


def test_an_engine_that_dies_ends_it_all(folder):
    with pytest.raises(EngineDied, match="the engine's thread ended"):
        list(told(stub(1, 1, Failed(EngineDied("the engine's thread ended"))), [folder / "b.png"], question))


def test_an_engine_that_dies_is_one_line(visionllm, small, folder, monkeypatch):
    def die(*_):
        raise EngineDied("the engine's thread ended")

    monkeypatch.setattr(many, "told", die)
    ran = visionllm("run", "How many?", folder, "--model", small)
    assert (ran.code, ran.err) == (2, "visionllm: error: the engine's thread ended\n")


def test_the_files_of_folders_are_sorted_and_stand_in_their_place(folder):
    assert listed([folder / "z.png", folder]) == [folder / n for n in ("z.png", "a.webp", "b.png", "c.JPG")]


def test_annotated_pictures_of_different_folders_need_different_names(folder, tmp_path):
    assert places([folder / "a.webp"], tmp_path / "new") == [tmp_path / "new" / "a.png"]
    assert places([folder / "a.webp"], folder) == [folder / "a.png"]
    with pytest.raises(ValueError, match=r"with different names for --out, got a/x\.png and b/x\.jpg$"):
        places([Path("a/x.png"), Path("b/x.jpg"), Path("y.png")], tmp_path)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["FOLDER", "--out", "IN"], "expected --out to be another folder than that of the pictures, got"),
        (["FOLDER", "--out", "IN/found.png"], "expected --out for many pictures to be a folder"),
        (["FOLDER", "--out", "IN/notes.txt"], "expected --out for many pictures to be a folder"),
        (["FOLDER", "--out", "IN/none/found"], "or a new one in a folder that exists, got"),
        (["FOLDER", "FOLDER/b.png", "--out", "IN/new"], "expected pictures with different names for --out, got"),
        (["FOLDER", "--point", "1,1", "--box", "1,1,4,4"], "expected no regions for many pictures, as they lie on one"),
        (["FOLDER/b.png", "FOLDER/c.JPG", "--each", "--point", "1,1"], "as they lie on one, got 1"),
        (["FOLDER/d.png"], "expected pictures (.apng, .bmp, .jfif"),
        (["--each"], "expected pictures for --each, got none"),
    ],
)
def test_what_cannot_be_done_is_refused_before_a_model_is_loaded(arguments, message, visionllm, folder):
    names = sorted(folder.iterdir())
    given = [word.replace("FOLDER", str(folder)).replace("IN", str(folder)) for word in arguments]
    ran = visionllm("run", "How many?", *given, "--model", "/nothing/here")
    assert (ran.code, ran.out) == (2, "")
    assert message in ran.err and ran.err.count("\n") == 1
    assert sorted(folder.iterdir()) == names


def test_a_question_without_words_is_refused(visionllm, folder):
    assert "expected a question with words, got ' '" in visionllm("run", " ", folder, "--model", "/nothing/here").err


def test_an_interrupt_ends_it_without_a_complaint(small, folder):
    for number in range(300):
        picture(32, 32, seed=number).save(folder / f"more-{number:03}.png")
    command = [sys.executable, "-m", "visionllm", "run", "How many?", folder, "--json", "--model", small]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert json.loads(process.stdout.readline())["images"] == [str(folder / "a.webp")]
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert err in ("", "visionllm: error: interrupted\n")  # as the version of typer has it
    assert len(out.splitlines()) < 300
