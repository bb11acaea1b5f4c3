"""Changed pictures, judged before anything is put back."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from visionllm.evaluation.base import Edit
from visionllm.evaluation.pictures import at_size
from visionllm.evaluation.world import WorldSetting
from visionllm.evaluation.world_edit import EditBenchmark, edit_of, image_of
from visionllm.types import Answer, Box, GeneratedImages, Mark, Message


def images(pixels):
    return GeneratedImages(pictures=(pixels,), seeds=(0,), original_hw=(128, 128))


def scores(paint, mode: Any = "free", pictures=3) -> dict[str, Any]:
    """Answer with the picture that `paint` makes of the one before and the true edit."""
    benchmark = EditBenchmark(WorldSetting(seed=3, pictures=pictures, mode=mode, draws=0))
    for question in benchmark.requests():
        edit = edit_of(question.truth)
        pixels = None if edit is None else paint(np.asarray(image_of(question.truth)), edit)
        if isinstance(question.call, Edit):
            benchmark.update(question.truth, images(pixels))
        else:
            answer = Answer(text="", pictures=() if pixels is None else (images(pixels),))
            benchmark.update(question.truth, answer)
    return {name: score.value for name, score in benchmark.compute()["edit"].items()}


def test_true_edits_are_done_and_leave_the_rest_alone():
    found = scores(lambda before, edit: edit.pixels, mode="both")
    assert found["done_free"] == found["done_known"] == 1.0
    assert found["psnr_outside_free"] == found["psnr_outside_known"] == 100.0


def test_an_edit_that_was_not_done_keeps_the_rest_best():
    assert scores(lambda before, edit: before) == {"done_free": 0.0, "psnr_outside_free": 100.0, "refusal_free": 1.0}


def test_the_ratio_outside_is_measured_at_the_size_of_the_decoder():
    def paint(before, edit):
        small = at_size(edit.pixels, (96, 96)).astype(int)
        return np.clip(small + np.where(small > 127, -5, 5), 0, 255).astype(np.uint8)

    found = scores(paint, pictures=2)
    assert found["psnr_outside_free"] == pytest.approx(20 * np.log10(255 / 5))


def test_no_picture_is_no_edit_and_has_no_ratio():
    found = scores(lambda before, edit: None, pictures=12)
    assert found == {"done_free": 0.0, "psnr_outside_free": None, "refusal_free": 1.0}


def test_marked_edits_are_refused_because_old_pixels_are_put_back_there():
    benchmark = EditBenchmark(WorldSetting(seed=3, pictures=1, mode="free"))
    question = next(q for q in benchmark.requests() if edit_of(q.truth) is not None)
    sample = question.truth.sample
    marked = Message("user", (*sample.request.messages[-1].parts, Mark(Box(0, 0, 9, 9))))
    sample = replace(sample, request=replace(sample.request, messages=(marked,)))
    with pytest.raises(ValueError, match="expected an edit of the whole picture, got one with marks"):
        benchmark.update(replace(question.truth, sample=sample), Answer(text=""))
