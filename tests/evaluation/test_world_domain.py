"""Other domains, relative to test."""

from typing import Any

import numpy as np
import pytest

from visionllm.evaluation.base import Detect
from visionllm.evaluation.world import WorldSetting
from visionllm.evaluation.world_domain import DomainBenchmark, share_of
from visionllm.types import Answer


@pytest.fixture
def answer(detections_of, right_answer):
    def given(question: Any):
        truth: Any = getattr(question.truth, "truth", None)
        if isinstance(question.call, Detect):
            there = truth if hasattr(truth, "boxes") else truth.truth
            return detections_of((128, 128), question.call.classes, there.boxes, there.masks, there.class_ids)
        sample = question.truth.sample if hasattr(question.truth, "sample") else truth.sample
        if question.truth.__class__.__name__ == "Asked":
            return right_answer(sample)
        return Answer(text=sample.answer.text)

    return given


def scores(answer, mode: Any = "both", pictures=4, draws=4) -> Any:
    benchmark = DomainBenchmark(WorldSetting(seed=3, pictures=pictures, mode=mode, draws=draws))
    for question in benchmark.requests():
        benchmark.update(question.truth, answer(question))
    return benchmark.compute()


def test_the_truth_scores_one_and_is_as_good_as_in_version_1(answer):
    found = scores(answer)
    for domain in ("aerial", "scan", "workpiece"):
        assert all(score.value == pytest.approx(1.0) for score in found[domain].values())
        assert found[f"{domain}-caption"]["exact"].value == 1.0
    assert found["aerial"]["talk_relative"].low == 1.0


def test_what_a_domain_lacks_is_a_share_of_version_1(answer):
    def blind(question):
        found = answer(question)
        if isinstance(question.call, Detect) and question.sort != "kinds":
            return found.select(np.zeros(len(found), dtype=bool))
        return found

    found = scores(blind, mode="known", draws=0)
    assert found["scan"]["box_ap_relative_known"].value == found["scan"]["box_ap_known"].value == 0.0
    assert "talk" not in found["scan"]


def test_a_share_of_nothing_is_not_defined():
    weights = np.ones(2)
    assert share_of(lambda _: 0.6, lambda _: 0.8)(weights) == pytest.approx(0.75)
    assert np.isnan(share_of(lambda _: 0.6, lambda _: 0.0)(weights))
    assert np.isnan(share_of(lambda _: 0.6, lambda _: np.nan)(weights))


def test_passes_over_the_kinds_of_version_1_are_those_of_the_group_detect():
    benchmark = DomainBenchmark(WorldSetting(seed=3, pictures=2, mode="known"))
    sorts = [question.sort for question in benchmark.requests()]
    assert sorted(set(sorts)) == ["kinds", "kinds aerial", "kinds scan", "kinds workpiece"]
    assert sorts.count("kinds") == 2
