"""Masks by name, asked for freely."""

from dataclasses import replace

import numpy as np
import pytest

from visionllm.evaluation.world import WorldSetting
from visionllm.evaluation.world_segment import SegmentBenchmark
from visionllm.types import Answer


@pytest.fixture
def benchmark():
    return SegmentBenchmark(WorldSetting(seed=3, pictures=8, draws=5))


def test_masks_and_boxes_are_judged_apart(benchmark, detections_of):
    for question in benchmark.requests():
        asked, truth = question.truth, question.truth.truth
        found = None
        if truth is not None:
            found = detections_of((128, 128), asked.labels, truth.boxes, truth.masks, truth.class_ids)
            found = replace(found, masks=np.zeros_like(found.masks))
        benchmark.update(asked, Answer(text="", detections=found))
    scores = benchmark.compute()["segment-instances"]
    assert scores["box_ap_free"].value == pytest.approx(1.0)
    assert scores["mask_ap_free"].value == 0.0
    assert scores["mask_ap_free"].high == 0.0


def test_known_classes_alone_ask_nothing():
    benchmark = SegmentBenchmark(WorldSetting(pictures=2, mode="known"))
    assert list(benchmark.requests()) == []
    assert benchmark.compute() == {}
