"""Words and boxes in one answer."""

import pytest

from visionllm.evaluation.world import WorldSetting
from visionllm.evaluation.world_together import TogetherBenchmark, follow_up
from visionllm.types import Answer, Picture

SIZE = (128, 128)


@pytest.fixture
def benchmark():
    return TogetherBenchmark(WorldSetting(seed=3, pictures=8, draws=0))


def answer(benchmark, detections_of, *, text=None, boxes=True, family=None):
    """Answer every question (of a family) with the right boxes or none, and with the right words or others."""
    for question in benchmark.requests():
        sample, truth = question.truth.sample, question.truth.truth
        if family in (None, sample.family):
            found = None
            if truth is not None and boxes:
                found = detections_of(SIZE, question.truth.labels, truth.boxes, truth.masks, truth.class_ids)
            words = sample.answer.text if text is None else text(sample)
            benchmark.update(question.truth, Answer(text=words, detections=found))
    scores = benchmark.compute()
    return {f: {n: s.value for n, s in some.items()} for f, some in scores.items() if family in (None, f)}


def test_words_and_boxes_right_are_right_together(benchmark, detections_of):
    scores = answer(benchmark, detections_of)
    assert len(scores) == 5
    assert all(value == 1.0 for some in scores.values() for value in some.values())


def test_right_boxes_with_wrong_words_are_not_right_together(benchmark, detections_of):
    scores = answer(benchmark, detections_of, text=lambda sample: "Perhaps.")
    assert {(s["words_free"], s["boxes_free"], s["both_free"]) for s in scores.values()} == {(0.0, 1.0, 0.0)}


def test_right_words_without_boxes_are_not_right_together_where_there_is_something(benchmark, detections_of):
    scores = answer(benchmark, detections_of, boxes=False, family="grounded-caption")["grounded-caption"]
    empty = sum(not benchmark.setting.picture(i).scene.objects for i in range(8)) / 8
    assert (scores["words_free"], scores["boxes_free"], scores["both_free"]) == (1.0, empty, empty)


def test_a_grounded_caption_may_state_its_facts_in_another_order(benchmark, detections_of):
    def turned(sample):
        return " and ".join(reversed(sample.answer.text.rstrip(".").replace(" and ", ", ").split(", "))) + "."

    scores = answer(benchmark, detections_of, text=turned, family="grounded-caption")
    assert scores["grounded-caption"]["both_free"] == 1.0


def test_boxes_are_counted_whatever_the_words_say(benchmark, detections_of):
    scores = answer(benchmark, detections_of, text=lambda sample: "Perhaps.", family="count-with-boxes")
    assert scores["count-with-boxes"]["count_of_boxes_free"] == 1.0


def test_boxes_under_other_labels_are_wrong(benchmark, detections_of):
    for question in benchmark.requests():
        truth = question.truth.truth
        if truth is not None and question.truth.sample.family == "count-with-boxes":
            found = detections_of(SIZE, ["comet"], truth.boxes, truth.masks, truth.class_ids)
            benchmark.update(question.truth, Answer(text="", detections=found))
    scores = benchmark.compute()["count-with-boxes"]
    assert (scores["boxes_free"].value, scores["count_of_boxes_free"].value) == (0.0, 1.0)


def test_the_second_turn_follows_the_answer_of_the_first_about_one_picture():
    setting = WorldSetting(seed=3)
    index, second = next(setting.samples("detect-several"))
    first = setting.sample(index, "existence")
    assert first is not None
    joined = follow_up(first, second)
    assert [message.role for message in joined.request.messages] == ["user", "assistant", "user"]
    assert len(joined.request.pictures) == 1
    assert joined.request.messages[1] == first.answer
    assert joined.request.messages[2].text == second.request.messages[0].text
    assert not any(isinstance(part, Picture) for part in joined.request.messages[2].parts)
    assert joined.answer == second.answer


def test_known_classes_alone_ask_nothing():
    benchmark = TogetherBenchmark(WorldSetting(pictures=2, mode="known"))
    assert list(benchmark.requests()) == []
    assert benchmark.compute() == {}
