"""Florence-2's result of `<OD>`: absolute values, the way there and back, and what another library makes of it."""

import pytest

from visionllm.formats import from_florence2, to_florence2
from visionllm.formats.plain import detections_of

FOUND = detections_of([[10, 0, 30, 10], [3.5, 4.25, 50, 12]], ["red star", "car"], (20, 40), scores=[0.75, 0.5])
PLAIN = {"<OD>": {"bboxes": [[10.0, 0.0, 30.0, 10.0], [3.5, 4.25, 40.0, 12.0]], "labels": ["red star", "car"]}}


def test_boxes_are_corners_in_pixels_cut_at_the_border():
    assert to_florence2(FOUND) == PLAIN


def test_boxes_come_back_as_they_went():
    back = from_florence2(PLAIN, (20, 40))
    assert back.boxes.tolist() == PLAIN["<OD>"]["bboxes"]
    assert [i.label for i in back.instances] == ["red star", "car"] and back.scores.tolist() == [1, 1]


def test_supervision_reads_the_same_boxes():
    supervision = pytest.importorskip("supervision")
    theirs = supervision.Detections.from_vlm(supervision.VLM.FLORENCE_2, to_florence2(FOUND), resolution_wh=(40, 20))
    assert theirs.xyxy.tolist() == PLAIN["<OD>"]["bboxes"]


@pytest.mark.parametrize("result", [{}, {"<CAPTION>": ""}, PLAIN | {"<CAPTION>": ""}])
def test_the_result_of_another_task_is_refused(result):
    with pytest.raises(ValueError, match="expected the result of the task <OD>"):
        from_florence2(result, (20, 40))
