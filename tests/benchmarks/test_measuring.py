"""Measuring: bounds, medians, pairs, and processes."""

import sys
from pathlib import Path

import pytest

import measuring
from measuring import Measurement


@pytest.mark.parametrize(
    ("value", "bounds", "holds"),
    [
        pytest.param(2.0, {"at_least": 2.0}, True, id="just-enough"),
        pytest.param(1.9, {"at_least": 2.0}, False, id="too-little"),
        pytest.param(0.5, {"at_most": 0.5}, True, id="just-fits"),
        pytest.param(0.6, {"at_most": 0.5}, False, id="too-much"),
        pytest.param(float("nan"), {"at_most": 0.5}, False, id="no-number"),
        pytest.param(float("nan"), {"at_least": 0.5}, False, id="no-number-either"),
    ],
)
def test_a_bound_is_kept_or_broken(value: float, bounds: dict[str, float], holds: bool):
    assert Measurement(name="a", value=value, unit="s", **bounds).holds is holds


@pytest.mark.parametrize("bounds", [{}, {"at_least": 1.0, "at_most": 2.0}])
def test_a_measurement_has_one_bound(bounds: dict[str, float]):
    with pytest.raises(ValueError, match="expected one bound for 'a', got"):
        Measurement(name="a", value=1, unit="s", **bounds)


def test_plain_data_names_the_bound_it_has():
    assert Measurement(name="a", value=1, unit="x", at_least=2).to_dict() == {"value": 1, "unit": "x", "at_least": 2}
    assert Measurement(name="a", value=1, unit="x", at_most=2).bound == "≤ 2"


class Clock:
    """A clock that only moves when an action says so."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 0.0
        self.calls: list[float] = []
        monkeypatch.setattr(measuring.time, "perf_counter", lambda: self.now)

    def pass_by(self, seconds: float) -> float:
        self.now += seconds
        self.calls.append(seconds)
        return 1.0


def same(one: float, other: float) -> None:
    if one != other:
        raise ValueError(f"expected {one}, got {other}")


def test_a_speedup_is_the_ratio_of_the_two_ways(monkeypatch: pytest.MonkeyPatch):
    clock = Clock(monkeypatch)
    ratio = measuring.speedup(lambda: clock.pass_by(6), lambda: clock.pass_by(2), require_same=same, pairs=5)
    assert ratio == 3
    assert clock.calls == [6, 2] * 6, "the ways are timed in turn, after one comparison"


def test_one_slow_moment_does_not_change_a_speedup(monkeypatch: pytest.MonkeyPatch):
    clock = Clock(monkeypatch)
    times = iter([6, 6, 600, 6, 6, 6])
    ratio = measuring.speedup(lambda: clock.pass_by(next(times)), lambda: clock.pass_by(2), require_same=same, pairs=5)
    assert ratio == 3


def test_a_faster_way_that_answers_differently_is_refused_before_timing(monkeypatch: pytest.MonkeyPatch):
    clock = Clock(monkeypatch)
    with pytest.raises(ValueError, match=r"expected 1\.0, got 2"):
        measuring.speedup(lambda: clock.pass_by(1), lambda: 2, require_same=same)
    assert clock.calls == [1]


def test_few_pairs_are_refused():
    with pytest.raises(ValueError, match="expected at least 5 pairs, got 4"):
        measuring.speedup(lambda: 1.0, lambda: 1.0, require_same=same, pairs=4)


def test_a_median_leaves_out_the_warm_up(monkeypatch: pytest.MonkeyPatch):
    clock = Clock(monkeypatch)
    times = iter([90, 90, 1, 2, 3])
    assert measuring.median_seconds(lambda: clock.pass_by(next(times)), repeats=3) == 2


def test_a_cold_run_sees_the_memory_of_the_process(tmp_path: Path):
    empty = measuring.cold_run([sys.executable, "-c", ""], folder=tmp_path)
    hungry = "import time; x = bytes(range(256)) * 400_000; time.sleep(0.1)"
    full = measuring.cold_run([sys.executable, "-c", hungry], folder=tmp_path)
    assert full.peak_mb - empty.peak_mb == pytest.approx(102.4, abs=5)
    assert 0 < empty.seconds < 30


def test_a_cold_run_that_fails_is_no_measurement(tmp_path: Path):
    with pytest.raises(ValueError, match="to succeed, got exit code 3"):
        measuring.median_cold_run([sys.executable, "-c", "raise SystemExit(3)"], folder=tmp_path)
