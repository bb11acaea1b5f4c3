"""The benchmarks are found by their place, and their numbers come as a table and as JSON."""

import json
from pathlib import Path

import pytest

import run
from measuring import Measurement

FAST = Measurement(name="fast thing", value=2, unit="x", at_least=1)
SLOW = Measurement(name="slow thing", value=2, unit="s", at_most=1)


@pytest.fixture(autouse=True)
def _stand_ins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "discover", lambda folder: {"fast": lambda: [FAST], "slow": lambda: [SLOW]})


def test_kept_bounds_end_well(capsys: pytest.CaptureFixture[str]):
    assert run.main(["fast"]) == 0
    printed = capsys.readouterr().out
    assert "fast thing" in printed and "≥ 1" in printed and "kept" in printed
    assert "slow thing" not in printed


def test_a_broken_bound_is_an_error(capsys: pytest.CaptureFixture[str]):
    assert run.main([]) == 1
    assert "broken" in capsys.readouterr().out


def test_json_holds_value_unit_and_bound_by_name(tmp_path: Path):
    run.main(["--json", str(tmp_path / "speed.json")])
    assert json.loads((tmp_path / "speed.json").read_text()) == {
        "fast thing": {"value": 2, "unit": "x", "at_least": 1},
        "slow thing": {"value": 2, "unit": "s", "at_most": 1},
    }


def test_an_unknown_benchmark_is_refused(capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit, match="2"):
        run.main(["slwo"])
    assert "expected names out of fast, slow, got slwo" in capsys.readouterr().err


def test_the_benchmarks_of_the_folder_are_found(repository: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.undo()
    assert set(run.discover(repository / "benchmarks")) == {
        "batching",
        "cold",
        "conversion",
        "folder",
        "generate",
        "half",
        "judge",
        "opened",
        "pose",
        "prefix",
        "serve",
        "warm",
        "worlds",
    }
