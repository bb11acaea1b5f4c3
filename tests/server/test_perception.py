"""Perception: each task with what it is about, and results in every format."""

import pytest

from tests.server.helpers import error_of, image_part, png, url
from tests.server.stub import detections
from visionllm.engine.events import Finished
from visionllm.formats import from_coco_dataset, from_labelstudio, from_supervision_plain
from visionllm.server.results import FORMS
from visionllm.types import Box


def body(task="detect", **more):
    needs = {
        "refer": {"phrase": "the left star"},
        "regions": {"regions": [{"box": [1, 1, 9, 9]}]},
        "find": {"examples": [{"image": url(png(20, 20)), "region": {"box": [1, 1, 9, 9]}, "label": "cup"}]},
    }
    return {"model": "stub", "task": task, "image": url()} | needs.get(task, {"names": ["star"]}) | more


@pytest.mark.parametrize("task", ["detect", "segment", "refer", "regions", "find", "pose", "semantic"])
def test_every_task_gives_one_result_that_states_its_space(task, client, stub):
    response = client.post("/v1/perception", json=body(task))
    assert response.status_code == 200, response.text
    found = response.json()
    assert (found["object"], found["task"], found["format"]) == ("perception", task, "visionllm")
    assert "original image" in found["space"] and found["space"] == found["result"]["space"]
    assert found["result"]["size_hw"] == [40, 60]
    assert stub.jobs[0].task == task


def test_names_phrases_regions_examples_and_options_arrive(client, stub):
    client.post("/v1/perception", json=body("pose", keypoints=["nose", "tail"], options={"max_instances": 3}, seed=4))
    assert (stub.jobs[0].names, stub.jobs[0].keypoints) == (("star",), ("nose", "tail"))
    assert (stub.jobs[0].options.max_instances, stub.jobs[0].options.seed) == (3, 4)
    client.post("/v1/perception", json=body("refer"))
    assert stub.jobs[1].names == ("the left star",)
    client.post("/v1/perception", json=body("regions"))
    assert stub.jobs[2].regions == (Box(1, 1, 9, 9),)
    client.post("/v1/perception", json=body("find"))
    (example,) = stub.jobs[3].examples
    assert (example.label, example.region, example.image.size) == ("cup", Box(1, 1, 9, 9), (20, 20))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (body("detect", names=None), "expected names for the task detect, got none"),
        (body("detect", phrase="x"), "expected names for the task detect, got names, phrase"),
        (body("detect", keypoints=["nose"]), "expected keypoints for the task pose only"),
        (body("refer", phrase=None, names=["x"]), "expected phrase for the task refer, got names"),
        (body("find", examples=[]), "examples: list should have at least 1 item"),
        (body("detect", names=[""]), "names.0: string should have at least 1 character"),
    ],
)
def test_a_task_needs_what_it_is_about_and_nothing_else(wrong, message, client):
    assert message in error_of(client.post("/v1/perception", json=wrong), 400)["message"]


def ask_for(client, form, task="segment"):
    response = client.post(f"/v1/perception?format={form}", json=body(task))
    assert response.status_code == 200, response.text
    assert response.json()["format"] == form and response.json()["space"]
    return response.json()["result"]


def test_coco_comes_back_with_masks_and_scores(client):
    (back,) = from_coco_dataset(ask_for(client, "coco")).values()
    assert back.scores.tolist() == [0.75] and (back.masks == detections().masks).all()


def test_yolo_is_lines(client):
    assert ask_for(client, "yolo") == {
        "names": ["star"],
        "lines": ["0 0.250000 0.250000 0.500000 0.500000 0.750000"],
    }


def test_labelstudio_comes_back_with_masks_and_scores(client):
    back = from_labelstudio(ask_for(client, "labelstudio"))
    assert back.scores.tolist() == [0.75] and (back.masks == detections().masks).all()


def test_supervision_comes_back_with_masks_and_scores(client):
    back = from_supervision_plain(ask_for(client, "supervision"))
    assert back.scores.tolist() == [0.75] and (back.masks == detections().masks).all()


def test_florence2_and_qwen_are_boxes_and_labels(client):
    assert ask_for(client, "florence2") == {"<OD>": {"bboxes": [[0.0, 0.0, 30.0, 20.0]], "labels": ["star"]}}
    assert ask_for(client, "qwen") == [{"bbox_2d": [0, 0, 30, 20], "label": "star"}]


@pytest.mark.faults
@pytest.mark.parametrize("form", ["visionllm", *FORMS])
def test_s18_what_is_no_number_is_an_error_in_every_format(form, client, stub):
    stub.answer = lambda _: iter([Finished(detections(score=float("nan")))])
    response = client.post(f"/v1/perception?format={form}", json=body("segment"))
    assert error_of(response, 500)["code"] == "not_finite"


@pytest.mark.parametrize("task", ["pose", "semantic"])
def test_a_format_of_boxes_is_refused_before_work_begins_where_there_are_none(task, client, stub):
    error = error_of(client.post("/v1/perception?format=yolo", json=body(task)), 400)
    assert error["param"] == "format" and not stub.jobs


def test_an_unknown_format_is_refused(client):
    assert error_of(client.post("/v1/perception?format=xml", json=body()), 400)["param"] == "format"


def test_the_picture_is_no_part_of_a_message(client):
    assert error_of(client.post("/v1/perception", json=body(image=image_part())), 400)["param"] == "image"
