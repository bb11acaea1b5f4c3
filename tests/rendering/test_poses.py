"""Poses on their picture."""

import numpy as np
import pytest
from PIL import Image

from visionllm.rendering import Canvas, draw_poses
from visionllm.rendering.palette import PALETTE
from visionllm.types import Poses

IMAGE = Image.new("RGB", (40, 30), (200, 200, 200))


def poses(**changes) -> Poses:
    return Poses(
        **{
            "boxes": np.array([[5, 5, 35, 25]], dtype=np.float32),
            "scores": np.array([0.9], dtype=np.float32),
            "class_ids": np.array([0]),
            "keypoints": np.array([[[10.5, 15.5], [30.5, 15.5]]], dtype=np.float32),
            "keypoint_scores": np.array([[0.9, 0.2]], dtype=np.float32),
            "size_hw": (30, 40),
            "class_names": ("cat",),
            "bones": ((0, 1),),
        }
        | changes
    )


def pixels(found: Poses, **style) -> np.ndarray:
    return np.asarray(draw_poses(IMAGE, found, **{"scale": 4, "labels": False} | style))


def test_a_bone_is_drawn_between_its_keypoints():
    drawn = pixels(poses(), boxes=False)
    assert tuple(drawn[62, 80]) == PALETTE[0]
    assert tuple(pixels(poses(bones=()), boxes=False)[62, 80]) == (200, 200, 200)


def test_a_keypoint_lies_on_its_pixel():
    drawn = pixels(poses(bones=()), boxes=False)
    assert tuple(drawn[62, 42]) == PALETTE[0]


def test_keypoints_below_the_threshold_and_their_bones_are_left_out():
    drawn = pixels(poses(), boxes=False, threshold=0.5)
    assert tuple(drawn[62, 42]) == PALETTE[0]
    assert tuple(drawn[62, 122]) == tuple(drawn[62, 80]) == (200, 200, 200)


@pytest.mark.parametrize("part", ["boxes", "labels"])
def test_parts_of_the_drawing_can_be_left_out(part):
    assert draw_poses(IMAGE, poses()).tobytes() != draw_poses(IMAGE, poses(), **{part: False}).tobytes()


def test_poses_draw_on_a_canvas():
    canvas = Canvas(IMAGE, 4)
    poses().draw(canvas, labels=False)
    assert canvas.image.tobytes() == Image.fromarray(pixels(poses())).tobytes()


def test_a_picture_of_another_size_is_refused():
    with pytest.raises(ValueError, match="expected the picture of the poses, 40x30, got 8x8"):
        draw_poses(Image.new("RGB", (8, 8)), poses())


def test_the_picture_itself_is_not_changed():
    before = IMAGE.tobytes()
    draw_poses(IMAGE, poses())
    assert before == IMAGE.tobytes()
