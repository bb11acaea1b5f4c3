"""The command as a whole: help, version, and errors of one line."""

import os
import subprocess
import sys

import pytest

from visionllm import __version__
from visionllm.cli import command as cli


def test_the_version_is_printed(visionllm):
    assert visionllm("--version") == (0, f"visionllm {__version__}\n", "")


@pytest.mark.parametrize(
    "command",
    [
        "run",
        "detect",
        "segment",
        "semantic",
        "refer",
        "caption",
        "serve",
        "demo",
        "tasks",
        "world draw",
        "train tiny",
        "eval world",
        "convert",
    ],
)
def test_every_command_helps_with_an_example(command, visionllm):
    ran = visionllm(*command.split(), "--help")
    assert ran.code == 0
    assert f"visionllm {command}" in " ".join(ran.out.replace("│", " ").split())


def test_without_a_command_there_is_help_and_no_complaint(visionllm):
    ran = visionllm()
    assert "Usage" in ran.out + ran.err
    assert "error" not in ran.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), ""),
        (("paint",), "No such command 'paint'."),
        (("run",), "Missing argument 'PROMPT'."),
        (("run", "x", "--threshold", "2"), "Invalid value for '--threshold'"),
        (("tasks", "paint"), "expected a group out of talk"),
    ],
)
def test_a_wrong_command_is_one_line_and_exit_code_two(arguments, message, visionllm):
    ran = visionllm(*arguments)
    assert ran.code in (0, 2) if not message else ran.code == 2
    assert message in ran.err
    assert ran.err.count("\n") <= 1


def test_debug_shows_where_an_error_comes_from(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["visionllm", "tasks", "paint", "--debug"])
    with pytest.raises(ValueError, match="expected a group"):
        cli.main()


def test_a_word_that_looks_like_debug_is_left_alone_after_two_dashes(visionllm):
    assert "got '--debug'" in visionllm("tasks", "--", "--debug").err


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (KeyboardInterrupt(), 130, ""),
        (ValueError("two\n  lines"), 2, "visionllm: error: two lines\n"),
        (MemoryError(), 2, "visionllm: error: MemoryError\n"),
        (RuntimeError("broken"), 2, "visionllm: error: broken\n"),
        (ImportError("needs supervision"), 2, "visionllm: error: needs supervision\n"),
    ],
)
def test_errors_of_a_command_become_one_line(error, code, line, visionllm, monkeypatch):
    def fail(**_):
        raise error

    monkeypatch.setattr(cli, "app", lambda args, standalone_mode: fail())
    ran = visionllm("tasks")
    assert ran.code == code
    assert ran.err in (line, "visionllm: error: interrupted\n")


def test_the_help_needs_nothing_heavy():
    heavy = "('torch', 'numpy', 'PIL', 'transformers')"
    code = f"import sys; import visionllm.cli; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "[]"


def test_a_reader_that_stops_reading_causes_no_complaint():
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "wb") as closed:
        done = subprocess.run(
            [sys.executable, "-m", "visionllm", "tasks"], check=False, stdout=closed, stderr=subprocess.PIPE
        )
    assert done.stderr == b""
    assert done.returncode == 1
