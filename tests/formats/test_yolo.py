"""YOLO's lines: absolute values, and the way there and back."""

import numpy as np
import pytest

from visionllm.formats import from_yolo, to_yolo
from visionllm.formats.plain import detections_of

FOUND = detections_of(
    [[10, 0, 30, 10], [3.5, 4.25, 9.75, 12]],
    ["red star", "car"],
    (20, 40),
    scores=[0.75, 0.5],
    names=["car", "red star"],
)


def test_a_line_has_class_centre_extent_and_score_in_shares_of_the_picture():
    written = to_yolo(FOUND)
    assert written["names"] == ["car", "red star"]
    assert written["lines"][0] == "1 0.500000 0.250000 0.500000 0.500000 0.750000"


def test_lines_come_back_as_they_went():
    written = to_yolo(FOUND)
    back = from_yolo(written["lines"], written["names"], (20, 40))
    assert np.allclose(back.boxes, FOUND.boxes, atol=1e-4)
    assert [(i.label, i.score) for i in back.instances] == [("red star", 0.75), ("car", 0.5)]


def test_names_of_the_data_set_give_the_numbers():
    assert to_yolo(FOUND, ["boat", "red star", "car"])["lines"][1].startswith("2 ")
    with pytest.raises(ValueError, match="expected a label among boat, got 'red star'"):
        to_yolo(FOUND, ["boat"])


def test_a_label_file_of_people_has_no_scores_and_counts_as_sure():
    (instance,) = from_yolo(["0 0.5 0.5 1 1"], ["car"], (20, 40)).instances
    assert (instance.score, instance.box) == (1.0, (0, 0, 40, 20))


def test_nothing_is_no_lines():
    nothing = detections_of([], [], (20, 40), names=["car"])
    assert to_yolo(nothing) == {"names": ["car"], "lines": []}
    assert len(from_yolo([], ["car"], (20, 40))) == 0


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("", "line 1: expected a class number"),
        ("0 0.5 0.5 1", "line 1: expected a class number, cx, cy, w, h"),
        ("car 0.5 0.5 1 1", "line 1: expected a class number"),
        ("0 a 0.5 1 1", "line 1: expected a class number"),
        ("1 0.5 0.5 1 1", r"line 1: expected a class number in \[0, 1\), got 1"),
        ("0 nan 0.5 1 1", "expected finite boxes"),
    ],
)
def test_a_wrong_line_is_refused_with_its_number(line, message):
    with pytest.raises(ValueError, match=message):
        from_yolo([line], ["car"], (20, 40))
