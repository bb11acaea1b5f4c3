"""The command line in this process, and a small model in a folder."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.small import picture, save_small
from visionllm.cli import main


class Ran(NamedTuple):
    """What a command left: exit code, standard output, standard error."""

    code: int
    out: str
    err: str


Command = Callable[..., Ran]


@pytest.fixture
def visionllm(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """Run the command line: `visionllm("run", "How many?", file)`."""

    def run(*arguments: object) -> Ran:
        monkeypatch.setattr(sys, "argv", ["visionllm", *map(str, arguments)])
        monkeypatch.setenv("COLUMNS", "100")
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        code = ended.value.code
        printed = capsys.readouterr()
        return Ran(code if isinstance(code, int) else 0, printed.out, printed.err)

    return run


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a random model."""
    return save_small(tmp_path_factory.mktemp("models") / "small")


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """A picture file of 60×40 pixels, alone in its folder."""
    (tmp_path / "in").mkdir()
    file = tmp_path / "in" / "noise.png"
    picture().save(file)
    return file
