"""What counts as the same output."""

from dataclasses import replace

import numpy as np
import pytest

import material
from visionllm import Answer, Detections

FOUND = Detections(
    boxes=np.array([[1, 2, 30, 40]], np.float32),
    scores=np.array([0.9], np.float32),
    class_ids=np.array([0], np.int64),
    size_hw=(64, 48),
)


def test_float_arithmetic_makes_no_difference():
    material.require_same_detections(FOUND, replace(FOUND, boxes=FOUND.boxes + 0.005))
    material.require_same_answers([Answer(text="a", detections=FOUND)], [Answer(text="a", detections=FOUND)])
    assert material.BOX_PIXELS > 0.005


@pytest.mark.parametrize(
    ("other", "complaint"),
    [
        pytest.param(replace(FOUND, boxes=FOUND.boxes + 0.5), r"expected equal boxes, .* of 0\.5 pixels", id="box"),
        pytest.param(replace(FOUND, scores=FOUND.scores - 0.5), "expected equal scores", id="score"),
        pytest.param(replace(FOUND, class_ids=FOUND.class_ids + 1), "expected the same instances", id="group"),
        pytest.param(FOUND.select(np.array([False])), "expected the same instances", id="number"),
        pytest.param(None, "expected detections in both answers or in none", id="none"),
    ],
)
def test_another_detection_is_refused(other: Detections | None, complaint: str):
    with pytest.raises(ValueError, match=complaint):
        material.require_same_answers([Answer(text="a", detections=FOUND)], [Answer(text="a", detections=other)])


def test_other_words_are_refused():
    with pytest.raises(ValueError, match="expected the same answer, got 'a' and 'b'"):
        material.require_same_answers([Answer(text="a")], [Answer(text="b")])


def test_pictures_of_a_benchmark_are_always_the_same():
    one, other = next(material.pictures("crowded")), next(material.pictures("crowded"))
    assert one.tobytes() == other.tobytes()


def test_a_picture_of_people_has_as_many_figures_as_asked_for():
    one, other = material.people(3), material.people(1)
    assert one.size == other.size == (128, 128)
    assert one.tobytes() != other.tobytes()
