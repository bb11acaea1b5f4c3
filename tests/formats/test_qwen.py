"""Qwen's boxes: absolute values, the way there and back, and what another library makes of them."""

import json

import pytest

from visionllm.formats import from_qwen, to_qwen
from visionllm.formats.plain import detections_of

FOUND = detections_of([[10.4, 0, 29.6, 10], [-3, 4, 9, 12]], ["red star", "car"], (20, 40), scores=[0.75, 0.5])
PLAIN = [{"bbox_2d": [10, 0, 30, 10], "label": "red star"}, {"bbox_2d": [0, 4, 9, 12], "label": "car"}]
FENCED = f"```json\n{json.dumps(PLAIN)}\n```"


def test_boxes_are_whole_pixels_cut_at_the_border():
    assert to_qwen(FOUND) == PLAIN


@pytest.mark.parametrize("answer", [PLAIN, json.dumps(PLAIN), FENCED], ids=["list", "text", "fenced"])
def test_boxes_come_back_as_they_went(answer):
    back = from_qwen(answer, (20, 40))
    assert [(i.label, i.box) for i in back.instances] == [("red star", (10, 0, 30, 10)), ("car", (0, 4, 9, 12))]


def test_supervision_reads_the_same_boxes():
    supervision = pytest.importorskip("supervision")
    theirs = supervision.Detections.from_vlm(
        supervision.VLM.QWEN_2_5_VL, FENCED, resolution_wh=(40, 20), input_wh=(40, 20)
    )
    assert theirs.xyxy.tolist() == [entry["bbox_2d"] for entry in PLAIN]


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ("I see nothing.", "expected a JSON list of boxes, got 'I see nothing.'"),
        ('{"a": 1}', "expected a JSON list of boxes"),
        ([{"label": "car"}], "entry 0: expected a bbox_2d of four numbers"),
        ([{"bbox_2d": [1, 2, 3], "label": "car"}], "entry 0: expected a bbox_2d of four numbers"),
        ([{"bbox_2d": [1, 2, 3, 4]}], "entry 0: expected a bbox_2d of four numbers and a label"),
        ([5], "entry 0: expected a bbox_2d"),
    ],
)
def test_other_answers_are_refused(answer, message):
    with pytest.raises(ValueError, match=message):
        from_qwen(answer, (20, 40))
