"""The decoder that an answer opens."""

import pytest

from visionllm.data.world.tasks import FAMILIES
from visionllm.evaluation.world import WorldSetting, families_of
from visionllm.evaluation.world_routing import RoutingBenchmark
from visionllm.types import Answer

SIZE = (128, 128)


def scores(detections_of, route_of):
    """Answer every question with the route that `route_of` gives, and return the scores."""
    benchmark = RoutingBenchmark(WorldSetting(seed=3, pictures=4, mode="free", draws=0))
    for question in benchmark.requests():
        routes = route_of(question.truth)
        found = detections_of(SIZE, ["it"] * len(routes), routes=routes) if routes else None
        benchmark.update(question.truth, Answer(text="", detections=found))
    return {name: score.value for name, score in benchmark.compute()["routing"].items()}


def test_always_the_detector_is_right_for_its_groups_alone(detections_of):
    found = scores(detections_of, lambda asked: ["[DET]"])
    assert found["right_detect"] == found["right_segment"] == found["right_point"] == 1.0
    assert found["right_talk"] == found["right_region"] == found["right_refer"] == 0.0
    share = sum(len(families_of(group)) for group in ("detect", "segment", "point")) / len(FAMILIES)
    assert found["right"] == pytest.approx(share)


def test_never_a_decoder_is_right_for_words_and_refusals(detections_of):
    found = scores(detections_of, lambda asked: [])
    assert found["right_talk"] == found["right_region"] == 1.0
    assert found["right_refer"] == pytest.approx(1 / len(families_of("refer")))


def test_a_second_decoder_is_wrong(detections_of):
    assert scores(detections_of, lambda asked: ["[DET]", "[GRD]"])["right"] == 0.0


def test_several_groups_of_the_right_decoder_are_right(detections_of):
    assert scores(detections_of, lambda asked: ["[DET]", "[DET]"])["right_detect"] == 1.0


def test_known_classes_alone_ask_nothing():
    benchmark = RoutingBenchmark(WorldSetting(pictures=2, mode="known"))
    assert list(benchmark.requests()) == []
    assert benchmark.compute() == {}
