"""Questions by example."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from visionllm.evaluation.world import WorldSetting
from visionllm.evaluation.world_example import ExampleBenchmark, shown_in
from visionllm.types import Answer, Detections, Region


def scores(answer, pictures=8, mode: Any = "free") -> dict[str, Any]:
    benchmark = ExampleBenchmark(WorldSetting(seed=3, pictures=pictures, mode=mode, draws=0))
    for question in benchmark.requests():
        benchmark.update(question.truth, answer(question))
    found = benchmark.compute()
    return {f"{family}/{name}": score.value for family, some in found.items() for name, score in some.items()}


def test_the_truth_scores_one_for_every_number_of_examples(right_answer):
    found = scores(lambda question: right_answer(question.truth.sample))
    right = {name: value for name, value in found.items() if "exact" in name or "miou" in name}
    assert len(right) == 24
    assert set(right.values()) - {None} == {1.0}


def test_a_score_by_number_counts_the_questions_with_so_many_examples():
    def knows_two(question):
        sample = question.truth.sample
        return Answer(text=sample.answer.text if len(sample.request.pictures) == 3 else "")

    found = scores(knows_two, pictures=12)
    assert found["example-count/exact_2"] == 1.0
    assert found["example-count/exact_1"] == found["example-count/exact_5"] == 0.0
    assert 0 < found["example-count/exact"] < 1


def test_masks_are_joined_before_they_are_compared(right_answer):
    def half(question):
        answer = right_answer(question.truth.sample)
        found = answer.detections
        if found is None:
            return answer
        masks = np.concatenate([found.masks, ~found.masks.any(axis=0, keepdims=True)])
        rows = np.array([*range(len(found)), 0])
        return replace(answer, detections=replace(found.select(rows), masks=masks))

    found = scores(half)
    assert 0 < found["example-mark/miou_free"] < 0.5


def test_silence_marks_nothing():
    found = scores(lambda question: Answer(text=""), pictures=30)
    assert found["example-mark/miou_free"] == found["example-name/exact"] == 0.0
    assert found["example-mark/refusal_free"] == 1.0


@pytest.fixture
def known():
    return list(ExampleBenchmark(WorldSetting(seed=3, pictures=12, mode="known")).requests())


def test_known_classes_are_the_examples_by_their_names(known):
    for question in known:
        request = question.truth.sample.request
        assert question.call.image is request.pictures[-1]
        assert [example.image for example in question.call.examples] == list(request.pictures[:-1])
        assert all(isinstance(example.region, Region) for example in question.call.examples)
        said = request.messages[-1].text
        assert all(f"is called {example.label}." in said for example in question.call.examples)
    assert any(len(shown_in(question.truth.sample.request)) > 1 for question in known)


@pytest.mark.parametrize(("right_name", "score"), [(True, 1.0), (False, 0.0)])
def test_what_is_found_under_the_name_that_is_asked_for_counts(right_name, score):
    def find(question):
        asked = question.truth
        if asked.truth is None:
            name = asked.sample.answer.text.split()[3]
            masks = asked.masks if right_name else np.ones((1, *asked.size_hw), bool)
        else:
            name = asked.labels[0].split()[0]
            masks = asked.masks
        count = len(masks)
        return Detections(
            boxes=np.zeros((count, 4), np.float32),
            scores=np.ones(count, np.float32),
            class_ids=np.zeros(count, np.int64),
            masks=masks,
            class_names=(name if right_name or asked.truth is None else f"not {name}",),
            size_hw=asked.size_hw,
        )

    found = scores(find, pictures=30, mode="known")
    assert found == {"example-mark/miou_known": score, "example-mark/refusal_known": score}
