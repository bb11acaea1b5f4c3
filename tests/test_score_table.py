"""The table of docs/scores.md is filled from what an evaluation wrote."""

import runpy
from pathlib import Path

import pytest

TABLE = runpy.run_path(str(Path(__file__).parents[1] / "docs" / "score_table.py"))


def test_a_row_shows_value_interval_and_whether_the_bound_is_met():
    found = {"talk": {"exact": 0.8, "exact_low": 0.7, "exact_high": 0.9}}
    assert TABLE["row"]("talk", "talk", "exact", found) == "| talk | 0.800 | 0.700 – 0.900 | ≥ 0.85 | ✗ |\n"
    found["talk"]["exact"] = 0.9
    assert "✓" in TABLE["row"]("talk", "talk", "exact", found)


def test_a_score_that_was_not_measured_is_refused():
    with pytest.raises(ValueError, match="expected the score exact of talk, got none"):
        TABLE["row"]("talk", "talk", "exact", {})


def test_every_bound_has_a_row():
    shown = {
        (family, score.removesuffix("_known").removesuffix("_free"))
        for _, family, score in (*TABLE["ROWS"], *TABLE["SECOND"])
    }
    assert {(t.family, t.score) for t in TABLE["WANTED"]} <= shown


def test_scores_of_version_2_fill_their_own_table_with_what_was_measured():
    begin, end = TABLE["BEGINS"][1], TABLE["END"]
    page = f"before {TABLE['BEGINS'][0]}first{end} between {begin}old{end} after"
    score = {"oks_ap_known": 0.5, "oks_ap_known_low": 0.4, "oks_ap_known_high": 0.7}
    lines = TABLE["filled"](page, {"pose-person": score}).splitlines()
    assert lines[0] == f"before {TABLE['BEGINS'][0].strip()}"
    assert lines[1] == f"first{end} between {begin.strip()}"
    assert lines[-2:] == ["| pose of people, OKS-AP | 0.500 | 0.400 – 0.700 | ≥ 0.60 | ✗ |", f"{end} after"]
