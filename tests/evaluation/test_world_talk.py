"""Talk: exact words by family, facts of captions, and the margin above guessing."""

import pytest

from visionllm.evaluation.world import Asked, WorldSetting, families_of
from visionllm.evaluation.world_talk import TalkBenchmark
from visionllm.types import Answer


@pytest.fixture
def benchmark():
    return TalkBenchmark(WorldSetting(seed=3, pictures=4, draws=0))


def tell(benchmark, words):
    for question in benchmark.requests():
        sample = question.truth.sample
        benchmark.update(question.truth, Answer(text=words(sample)))
    return {family: {name: s.value for name, s in some.items()} for family, some in benchmark.compute().items()}


def test_every_talk_family_is_asked_as_often_as_there_are_pictures(benchmark):
    sorts = [question.sort for question in benchmark.requests()]
    assert {sort: sorts.count(sort) for sort in sorts} == {f"ask {name}": 4 for name in families_of("talk")}


def test_being_right_in_one_family_of_many_scores_its_share(benchmark):
    scores = tell(benchmark, lambda sample: sample.answer.text if sample.family == "count" else "Perhaps.")
    assert scores["count"]["exact"] == 1.0
    assert scores["talk"]["exact"] == pytest.approx(1 / (len(families_of("talk")) - 1))
    assert scores["caption"] == {"f1": 0.0}


def test_the_weakest_margin_is_that_of_the_family_that_is_least_above_guessing(benchmark):
    scores = tell(benchmark, lambda sample: "Perhaps." if sample.family == "verify" else sample.answer.text)
    assert scores["talk"]["weakest_margin"] == -scores["verify"]["majority"]
    assert scores["verify"]["margin"] == scores["verify"]["exact"] - scores["verify"]["majority"]


def test_half_the_facts_of_a_caption_score_by_f1(benchmark):
    sample = next(s for _, s in benchmark.setting.samples("caption") if " and " in s.answer.text)
    half = sample.answer.text.split(" and ")[0]
    clauses = half.count(",") + 1
    benchmark.update(Asked(picture=0, sample=sample), Answer(text=half))
    assert benchmark.compute()["caption"]["f1"].value == pytest.approx(2 * clauses / (2 * clauses + 1))


def test_known_classes_alone_ask_nothing():
    benchmark = TalkBenchmark(WorldSetting(pictures=4, mode="known", draws=0))
    assert list(benchmark.requests()) == []
    assert benchmark.compute()["talk"]["exact"].value is None
