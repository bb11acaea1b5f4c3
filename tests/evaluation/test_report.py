"""Reports as plain data and as tables."""

import json
import math
from dataclasses import replace

import pytest
from rich.console import Console

from visionllm.evaluation.intervals import Score
from visionllm.evaluation.report import Report, relative_table, relative_to_test, score_table, write_json


def report(split="test", *, talk: float | None = 0.8, ap: float | None = 0.6):
    return Report(
        split=split,
        seed=3,
        pictures=500,
        seconds=12.34,
        library="pycocotools 2.0",
        scores={
            "talk": {"exact": Score(value=talk, low=0.7, high=0.9)},
            "count": {"exact": Score(value=0.5), "majority": Score(value=0.3), "margin": Score(value=0.2)},
            "detect": {"box_ap_known": Score(value=ap), "box_ap_free": Score(value=0.25)},
            "absent": {"false_positives_known": Score(value=None)},
        },
    )


def drawn(table):
    console = Console(width=160)
    with console.capture() as capture:
        console.print(table)
    return capture.get()


def test_plain_data_holds_scores_by_family_and_how_they_came_about():
    plain = report().to_dict()
    assert plain["talk"] == {"exact": 0.8, "exact_low": 0.7, "exact_high": 0.9}
    assert plain["detect"] == {"box_ap_known": 0.6, "box_ap_free": 0.25}
    assert plain["absent"] == {"false_positives_known": None}
    how = {name: plain[name] for name in ("split", "seed", "pictures", "seconds", "library")}
    assert how == {"split": "test", "seed": 3, "pictures": 500, "seconds": 12.3, "library": "pycocotools 2.0"}


def test_flat_scores_leave_out_what_is_undefined():
    flat = report().flat()
    assert flat["detect/box_ap_free"] == 0.25
    assert "absent/false_positives_known" not in flat


def test_a_score_that_is_not_there_is_none():
    assert report().value("talk", "charm") is None
    assert report().value("poetry", "exact") is None


def test_columns_in_which_nothing_stands_are_left_out():
    text = drawn(score_table(replace(report(), scores={"draw": {"kind_and_colour_free": Score(value=0.4)}})))
    assert "free" in text
    assert "0.40" in text
    assert "known classes" not in text
    assert "commonest answer" not in text


def test_one_report_is_written_as_it_is(tmp_path):
    path = tmp_path / "scores.json"
    write_json([report()], path)
    assert json.loads(path.read_text()) == report().to_dict()
    assert [p.name for p in tmp_path.iterdir()] == ["scores.json"]


def test_several_reports_are_written_by_split(tmp_path):
    path = tmp_path / "scores.json"
    write_json([report(), report("crowded", talk=0.4)], path)
    plain = json.loads(path.read_text())
    assert set(plain["splits"]) == {"test", "crowded"}
    assert plain["relative"]["crowded"] == {"talk": 0.5, "box AP": 1.0}


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "scores.json"
    path.write_text("old")
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json([report(talk=math.nan)], path)
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["scores.json"]


def test_a_folder_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError):
        write_json([report()], tmp_path / "no" / "scores.json")


@pytest.mark.parametrize(("here", "there"), [(None, 0.8), (0.8, None), (0.8, 0.0)])
def test_shares_of_undefined_scores_are_undefined(here, there):
    shares = relative_to_test([report(talk=there), report("crowded", talk=here)])
    assert shares["crowded"] == {"talk": None, "box AP": 1.0}


@pytest.mark.parametrize(("reports", "got"), [([], "none"), ([report("crowded")], "crowded")])
def test_shares_need_the_test_split(reports, got):
    with pytest.raises(ValueError, match=f"expected a report about the split test, got {got}"):
        relative_to_test(reports)


def test_the_table_shows_both_modes_side_by_side_with_targets_and_ticks():
    lines = [line.split("│")[1:-1] for line in drawn(score_table(report())).splitlines() if line.startswith("│")]
    rows = [[cell.strip() for cell in line] for line in lines]
    assert rows == [
        ["talk", "exact", "", "0.800 (0.700 to 0.900) ✗", "", "≥ 0.85"],
        ["count", "exact", "", "0.500", "0.300", ""],
        ["detect", "box_ap", "0.600 ✗", "0.250 ✗", "", "≥ 0.68"],
        ["absent", "false_positives", "– ✗", "", "", "≤ 0.15"],
    ]


def test_the_table_names_how_the_scores_came_about():
    title = drawn(score_table(report())).splitlines()[0]
    assert title.strip() == "test, seed 3, 500 pictures a family, 12 s, pycocotools 2.0"


def test_the_relative_table_has_one_line_a_split():
    text = drawn(relative_table([report(), report("crowded", talk=0.4, ap=None)]))
    assert [line.split("│")[1:-1] for line in text.splitlines() if "crowded" in line] == [
        [" crowded ", " 0.500 ✗ ", "     – ✗ "]
    ]
