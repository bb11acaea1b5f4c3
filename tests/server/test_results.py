"""Results as plain data."""

import pytest

from tests.server.stub import detections
from visionllm.server.errors import ApiError
from visionllm.server.results import FORMS, one_of, parts_of, results_of, usage, written_as
from visionllm.types import Answer, Detections, Routed, SemanticMap


@pytest.mark.parametrize("form", ["visionllm", *FORMS])
def test_every_form_states_its_space(form):
    assert "image" in written_as(detections(), form)["space"]


def test_a_form_of_boxes_holds_nothing_else():
    import numpy as np

    found = SemanticMap(class_ids=np.zeros((2, 2), int), scores=np.ones((2, 2), np.float32), class_names=("a",))
    with pytest.raises(ValueError, match="expected a task that finds boxes for the format yolo"):
        written_as(found, "yolo")


def test_an_answer_without_routes_has_no_parts_and_no_results():
    assert parts_of(Answer(text="Hi")) == []
    assert results_of(Answer(text="Hi")) == ()


def test_parts_tell_words_and_routes_apart():
    answer = Answer(text="a star", parts=("a ", Routed("star", "[DET]")))
    assert parts_of(answer) == [
        {"type": "text", "text": "a "},
        {"type": "routed", "text": "star", "token": "[DET]", "wrapped": None},
    ]


def test_another_kind_of_result_is_an_error():
    with pytest.raises(ApiError, match="another kind of result"):
        one_of(Answer(text=""), Detections)


def test_usage_adds_up():
    answers = [Answer(text="", tokens=2), Answer(text="", tokens=3)]
    assert usage(10, answers) == {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}
