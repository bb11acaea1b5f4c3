"""What the formats of other tools share."""

import numpy as np
import pytest

from visionllm.formats.plain import detections_of, inside, labels_of


def test_boxes_come_best_first_with_their_labels():
    found = detections_of([[0, 0, 1, 1], [1, 1, 3, 4]], ["cup", "star"], (5, 7), scores=[0.25, 0.5])
    assert [(i.label, i.score, i.box) for i in found.instances] == [
        ("star", 0.5, (1, 1, 3, 4)),
        ("cup", 0.25, (0, 0, 1, 1)),
    ]
    assert labels_of(found) == ["star", "cup"]


def test_nothing_is_no_error():
    found = detections_of([], [], (5, 7))
    assert len(found) == 0 and labels_of(found) == [] and inside(found).shape == (0, 4)


def test_boxes_are_cut_at_the_border():
    found = detections_of([[-1, -2, 9, 9]], ["cup"], (5, 7))
    assert inside(found).tolist() == [[0, 0, 7, 5]]
    assert found.boxes.tolist() == [[-1, -2, 9, 9]], "the detections themselves stay as they are"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([[0, 0, 1, 1]], [], (5, 7)), "expected a label and a score a box, got 1 boxes, 0 labels"),
        (([[0, 0, 1, np.nan]], ["cup"], (5, 7)), "expected finite boxes"),
    ],
)
def test_what_does_not_fit_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        detections_of(*arguments)


def test_a_label_that_nobody_named_is_refused():
    with pytest.raises(ValueError, match="expected a label among cup, got 'star'"):
        detections_of([[0, 0, 1, 1]], ["star"], (5, 7), names=["cup"])
