"""Truth beside a request."""

import numpy as np
import pytest

from visionllm.types import DetectionTruth


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
