"""Signs that are read and found."""

from typing import Any

import pytest

from visionllm.evaluation.base import Refer
from visionllm.evaluation.world import WorldSetting
from visionllm.evaluation.world_read import ReadBenchmark
from visionllm.types import Answer

SIZE = (128, 128)


def scores(answer, mode: Any = "both", pictures=12) -> dict[str, Any]:
    benchmark = ReadBenchmark(WorldSetting(seed=3, pictures=pictures, mode=mode, draws=0))
    for question in benchmark.requests():
        benchmark.update(question.truth, answer(question))
    found = benchmark.compute()
    return {f"{family}/{name}": score.value for family, some in found.items() for name, score in some.items()}


@pytest.fixture
def answer(detections_of, right_answer):
    def given(question, shift=0):
        sample, truth = question.truth.sample, question.truth.truth
        if isinstance(question.call, Refer):
            return detections_of(SIZE, ["it"], truth.boxes + shift, truth.masks, truth.class_ids)
        return right_answer(sample)

    return given


def test_the_truth_scores_one(answer):
    found = scores(answer)
    right = {name: v for name, v in found.items() if "exact" in name or "p50" in name or "refusal" in name}
    assert set(right.values()) == {1.0} and len(right) == 7


def test_silence_reads_nothing_but_refuses_rightly():
    found = scores(lambda question: Answer(text=""), mode="free")
    assert found["read/exact"] == found["find-sign/p50_free"] == 0.0
    assert found["find-sign/refusal_free"] == 1.0


def test_other_capitals_are_right_and_other_words_are_wrong(right_answer):
    def shouting(question):
        return Answer(text=question.truth.sample.answer.text.upper())

    assert scores(shouting, mode="free")["read-sign/exact"] == 1.0
    assert scores(lambda q: Answer(text=f"{right_answer(q.truth.sample).text} no"), mode="free")["read/exact"] == 0.0


def test_a_box_that_is_off_by_more_than_half_is_no_sign(answer):
    assert scores(lambda question: answer(question, shift=60), mode="known") == {"find-sign/p50_known": 0.0}


def test_known_phrases_cite_the_words_of_a_sign_that_is_there():
    benchmark = ReadBenchmark(WorldSetting(seed=3, pictures=5, mode="known"))
    question: Any
    for question in benchmark.requests():
        phrase = question.call.phrase
        texts = [sign.text for sign in benchmark.setting.picture(question.picture, "signs").scene.signs]
        assert phrase.removeprefix('the sign that says "').removesuffix('"') in texts
        assert question.call.options.threshold == 0.0
