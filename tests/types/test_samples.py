"""Truth beside a request."""

import numpy as np
import pytest

from visionllm.types import DetectionTruth, Message, PictureTruth, PoseTruth, Sample, ask


def test_truth_of_nothing_is_allowed():
    truth = DetectionTruth(boxes=np.zeros((0, 4), dtype=np.float32), class_ids=np.zeros(0, dtype=np.int64))
    assert len(truth.boxes) == 0


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param({"boxes": np.zeros((2, 3), dtype=np.float32)}, id="boxes"),
        pytest.param({"class_ids": np.zeros(1, dtype=np.int64)}, id="class-ids"),
        pytest.param({"masks": np.zeros((1, 4, 4), dtype=bool)}, id="masks"),
    ],
)
def test_truth_that_does_not_fit_together_is_refused(wrong):
    right = {"boxes": np.zeros((2, 4), dtype=np.float32), "class_ids": np.zeros(2, dtype=np.int64)}
    with pytest.raises(ValueError, match=r"expected boxes \[N, 4\], class_ids \[N\] and masks \[N, H, W\], got"):
        DetectionTruth(**(right | wrong))


def pose_truth(**changes) -> PoseTruth:
    return PoseTruth(
        **{
            "boxes": np.zeros((2, 4), np.float32),
            "class_ids": np.zeros(2, np.int64),
            "keypoints": np.zeros((2, 3, 2), np.float32),
            "visibility": np.full((2, 3), 2),
            "sigmas": np.full(3, 0.1, np.float32),
        }
        | changes
    )


@pytest.mark.parametrize(
    "wrong",
    [
        {"boxes": np.zeros((1, 4), np.float32)},
        {"class_ids": np.zeros(3, np.int64)},
        {"keypoints": np.zeros((2, 3, 3), np.float32)},
        {"sigmas": np.zeros(2, np.float32)},
        {"areas": np.zeros(3, np.float32)},
    ],
    ids=lambda wrong: next(iter(wrong)),
)
def test_pose_truth_that_does_not_fit_together_is_refused(wrong):
    with pytest.raises(ValueError, match=r"expected boxes \[N, 4\], class_ids \[N\], keypoints \[N, P, 2\]"):
        pose_truth(**wrong)


def test_a_sample_tells_the_truth_of_its_detector():
    found = DetectionTruth(boxes=np.zeros((0, 4), np.float32), class_ids=np.zeros(0, np.int64))
    sample = Sample(request=ask("?"), answer=Message("assistant", ("No.",)), truth={"detection": found})
    assert sample.detection is found
    posed = Sample(request=ask("?"), answer=Message("assistant", ("No.",)), truth={"pose": pose_truth()})
    assert posed.detection is None


def test_a_picture_truth_is_an_rgb_picture():
    with pytest.raises(ValueError, match=r"expected pixels uint8\[H, W, 3\], got float64\[2, 2, 3\]"):
        PictureTruth(pixels=np.zeros((2, 2, 3)))  # pyright: ignore[reportArgumentType]
    with pytest.raises(ValueError, match=r"expected a mask of the picture's size \(2, 2\), got \(3, 3\)"):
        PictureTruth(pixels=np.zeros((2, 2, 3), dtype=np.uint8), changed=np.zeros((3, 3), dtype=bool))
