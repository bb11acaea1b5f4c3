"""Region questions: exact words, by family and by way of pointing."""

import numpy as np
import pytest

from visionllm.evaluation.world import WorldSetting, families_of
from visionllm.evaluation.world_region import RegionBenchmark, ways_of
from visionllm.types import Answer, Box, Mark, Mask, Message, Point, Polygon, Request, Scribble


def test_ways_are_those_of_the_last_message():
    masks = Mask(np.ones((2, 3), dtype=bool))
    first = Message("user", ("What is ", Mark(Point(1, 2))))
    last = Message("user", (Mark(Box(0, 0, 2, 2)), Mark(masks), Mark(Box(0, 0, 1, 1))))
    assert ways_of(Request((first, Message("assistant", ("A star.",)), last))) == {"box", "mask"}
    other = Message("user", (Mark(Scribble(((0, 0), (1, 1)))), Mark(Polygon(((0, 0), (1, 0), (0, 1))))))
    assert ways_of(Request((other,))) == {"scribble", "polygon"}


def test_being_right_about_points_only_shows_under_points_only():
    benchmark = RegionBenchmark(WorldSetting(seed=3, pictures=30, draws=0))
    family = "region-recognition"
    right = asked = 0
    for question in benchmark.requests():
        sample = question.truth.sample
        knows = ways_of(sample.request) == {"point"}
        benchmark.update(question.truth, Answer(text=sample.answer.text if knows else "Perhaps."))
        asked += sample.family == family
        right += knows and sample.family == family
    scores = {name: score.value for name, score in benchmark.compute()[family].items()}
    assert asked == 30 and 0 < right < 15
    assert scores["exact"] == pytest.approx(right / 30)
    assert scores["exact_point"] == 1.0
    assert scores["exact_box"] == scores["exact_mask"] == scores["exact_scribble"] == scores["exact_polygon"] == 0.0


def test_known_classes_alone_ask_nothing():
    benchmark = RegionBenchmark(WorldSetting(pictures=4, mode="known", draws=0))
    assert list(benchmark.requests()) == []
    assert set(benchmark.compute()) == set(families_of("region"))
