"""Label Studio's tasks: absolute values, and the way there and back."""

import json

import numpy as np
import pytest

from visionllm.formats import from_labelstudio, to_labelstudio
from visionllm.formats.plain import detections_of

MASKS = np.zeros((2, 20, 40), dtype=bool)
MASKS[0, 0:10, 10:30] = True
MASKS[1, 4:12, 3:9] = True
FOUND = detections_of(
    [[10, 0, 30, 10], [3, 4, 9, 12]], ["red star", "car"], (20, 40), scores=[0.75, 0.5], masks=list(MASKS)
)


def test_a_box_is_in_hundredths_of_the_picture():
    task = to_labelstudio(FOUND, "a.png")
    assert task["data"] == {"image": "a.png"}
    (prediction,) = task["predictions"]
    assert (prediction["model_version"], prediction["score"]) == ("visionllm", 0.625)
    box, brush = prediction["result"][:2]
    assert box["value"] == {"x": 25, "y": 0, "width": 50, "height": 50, "rotation": 0, "rectanglelabels": ["red star"]}
    assert (box["type"], box["original_width"], box["original_height"], box["score"]) == (
        "rectanglelabels",
        40,
        20,
        0.75,
    )
    assert (brush["type"], brush["id"], brush["value"]["brushlabels"]) == ("brushlabels", box["id"], ["red star"])
    assert brush["value"]["format"] == "rle" and brush["value"]["rle"][:4] == [0, 0, 12, 128]


@pytest.mark.parametrize("masks", [True, False])
def test_a_task_comes_back_as_it_went(masks):
    found = FOUND if masks else detections_of(FOUND.boxes.tolist(), ["red star", "car"], (20, 40), scores=[0.75, 0.5])
    back = from_labelstudio(json.loads(json.dumps(to_labelstudio(found, "a.png"))))
    assert np.allclose(back.boxes, found.boxes, atol=1e-4) and back.size_hw == (20, 40)
    assert [(i.label, i.score) for i in back.instances] == [("red star", 0.75), ("car", 0.5)]
    assert (back.masks == MASKS).all() if masks else back.masks is None


def test_what_people_marked_goes_before_what_a_model_said():
    task = to_labelstudio(FOUND, "a.png")
    entry = {k: v for k, v in task["predictions"][0]["result"][2].items() if k != "score"}
    back = from_labelstudio(task | {"annotations": [{"result": [entry]}]})
    assert [(i.label, i.score) for i in back.instances] == [("car", 1.0)]


def changed(**value):
    task = to_labelstudio(FOUND, "a.png")
    task["predictions"][0]["result"][0]["value"] |= value
    return task


@pytest.mark.parametrize(
    ("task", "message"),
    [
        ({"data": {}}, "expected a task with an annotation or a prediction"),
        ({"predictions": [{"result": []}]}, "expected a task with an annotation or a prediction"),
        (changed(rotation=45), "expected upright boxes, got one that is turned by 45°"),
        (changed(rectanglelabels=["a", "b"]), "expected one label a box"),
    ],
)
def test_what_cannot_be_read_is_refused(task, message):
    with pytest.raises(ValueError, match=message):
        from_labelstudio(task)


def test_a_stroke_without_its_box_is_refused():
    task = to_labelstudio(FOUND, "a.png")
    del task["predictions"][0]["result"][0]
    with pytest.raises(ValueError, match="expected a brush stroke for each of 1 boxes or for none, got 2"):
        from_labelstudio(task)
