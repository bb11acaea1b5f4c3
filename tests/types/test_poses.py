"""Poses: their plain data, names and places."""

import json

import numpy as np
import pytest
from PIL import Image

from visionllm.types import Box, Poses


def poses(**changes) -> Poses:
    return Poses(
        **{
            "boxes": np.array([[0, 0, 4, 5], [1, 1, 3, 3]], dtype=np.float32),
            "scores": np.array([0.75, 0.5], dtype=np.float32),
            "class_ids": np.array([1, 0]),
            "keypoints": np.array([[[1, 2], [3, 4.5]], [[2, 2], [2.5, 3]]], dtype=np.float32),
            "keypoint_scores": np.array([[0.5, 0.25], [1, 0]], dtype=np.float32),
            "size_hw": (6, 8),
            "class_names": ("cat", "dog"),
            "keypoint_names": ("nose", "tail"),
            "bones": ((0, 1),),
        }
        | changes
    )


def test_poses_say_their_space_and_every_keypoint_has_name_place_and_score():
    plain = json.loads(json.dumps(poses().to_dict()))
    assert plain["space"] == "xyxy pixels of the original image, x1 and y1 exclusive; keypoints x, y in the same pixels"
    assert plain["instances"][0] == {
        "label": "dog",
        "score": 0.75,
        "box": [0, 0, 4, 5],
        "keypoints": [
            {"name": "nose", "x": 1, "y": 2, "score": 0.5},
            {"name": "tail", "x": 3, "y": 4.5, "score": 0.25},
        ],
    }
    assert (plain["type"], plain["size_hw"], plain["bones"]) == ("poses", [6, 8], [[0, 1]])


def test_a_pose_carries_the_span_of_its_object():
    first, second = poses(spans=((0, 3), (5, 8))).instances
    assert (first.span, second.span) == ((5, 8), (0, 3))
    assert first.keypoints[1].name == "tail"
    assert first.to_dict()["span"] == [5, 8]


def test_without_names_poses_and_keypoints_are_called_by_their_number():
    plain = poses(class_names=(), keypoint_names=()).to_dict()
    assert plain["instances"][0]["label"] == "1"
    assert [k["name"] for k in plain["instances"][0]["keypoints"]] == ["0", "1"]


def test_poses_can_be_chosen():
    best = poses().select(np.array([1]))
    assert len(best) == 1
    assert best.instances[0].label == "cat"
    assert best.keypoints.tolist() == [[[2, 2], [2.5, 3]]]


def test_no_poses_are_no_error():
    nothing = poses().select(np.zeros(2, dtype=bool))
    assert nothing.to_dict()["instances"] == []


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        pytest.param({"boxes": np.zeros((1, 4), dtype=np.float32)}, r"expected boxes \[N, 4\], scores", id="boxes"),
        pytest.param(
            {"class_ids": np.array([0, 2])}, r"expected class_ids in \[0, 2\), one of the class_names", id="ids"
        ),
        pytest.param({"keypoint_names": ("nose",)}, "expected 2 keypoint_names, one per keypoint, got 1", id="names"),
        pytest.param({"bones": ((0, 2),)}, r"expected bones between keypoints in \[0, 2\)", id="bones"),
    ],
)
def test_poses_that_do_not_fit_are_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        poses(**wrong)


def test_poses_draw_themselves():
    picture = Image.new("RGB", (8, 6))
    assert poses().render(picture, scale=4).getextrema() != ((0, 0),) * 3


def test_a_pose_is_a_region_of_the_next_question():
    assert poses().instances[0].region == Box(0, 0, 4, 5)
