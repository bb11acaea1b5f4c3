"""Tasks as data, before anything is run."""

import numpy as np
import pytest

from tests.small import picture, pictures, small_predictor
from visionllm.predictor import VisionLLM, check_names, detect_task, draw_task, edit_task, pose_task, regions_task
from visionllm.predictor.tasks import PUBLISHED_CANDIDATES, class_passes
from visionllm.types import Box, Options, Picture, Point, Routed


@pytest.mark.parametrize(
    ("classes", "message"),
    [
        pytest.param([], r"expected a list of at least one class name, got \[\]", id="none"),
        pytest.param("star", "expected a list of at least one class name, got 'star'", id="a-word"),
        pytest.param(["star", " "], "expected words in class name 1, got ' '", id="blank"),
        pytest.param(["star", "fish", "star "], "expected different class names, got 'star' twice", id="twice"),
    ],
)
def test_lists_of_classes_that_say_nothing_are_refused(classes, message, predictor):
    for call in (check_names, lambda names: predictor.detect(picture(), names), predictor.open(picture()).segment):
        with pytest.raises(ValueError, match=message):
            call(classes)


def test_class_lists_are_split_evenly():
    assert [len(names) for names in class_passes([str(i) for i in range(10)], 4)] == [4, 4, 2]
    assert class_passes(["a", "b"], 2) == [["a", "b"]]


@pytest.fixture(scope="module")
def full() -> VisionLLM:
    return small_predictor(full=True)


def test_a_task_holds_its_questions_and_their_known_answers(full: VisionLLM):
    task = detect_task(full.core, picture(), ["star", "fish", "cup", "sun"], options=Options())
    assert [request.messages[0].text for request in task.requests] == ["Find every star, fish.", "Find every cup, sun."]
    assert [part.text for part in task.answers[1] if isinstance(part, Routed)] == ["cup", "sun"]
    whole = task.run(full.core, full.core.prepare)
    assert whole.class_names == ("star", "fish", "cup", "sun")
    assert len(whole) <= Options().max_instances


def test_passes_run_a_few_at_a_time_and_make_one_result(full: VisionLLM):
    prepared: list[int] = []

    def prepare(requests, answers):
        prepared.append(len(requests))
        return full.core.prepare(requests, answers)

    names = [f"thing {number}" for number in range(15)]
    options = Options(threshold=0, max_instances=9)
    found = detect_task(full.core, picture(), names, options=options).run(full.core, prepare)
    assert prepared == [4, 1] and len(found) == 9 and (np.diff(found.scores) <= 0).all()


def test_regions_ask_for_the_best_of_each(full: VisionLLM):
    regions = [Point(3, 3), Box(1, 1, 9, 9)]
    (request,) = regions_task(full.core, picture(), regions, Options(protocol="published")).requests
    options = request.options
    assert (options.threshold, options.max_per_class, options.max_instances) == (0, 1, 2)
    assert options.candidates == PUBLISHED_CANDIDATES and options.masks


def test_new_pictures_are_asked_for_without_one_and_changed_ones_with_it(full: VisionLLM):
    (drawn,), (edited,) = (
        task.requests
        for task in (
            draw_task(full.core, "a star.", Options()),
            edit_task(full.core, picture(), "Make it blue", [Box(0, 0, 9, 9)], Options()),
        )
    )
    assert drawn.messages[0].parts == ("Draw a star.",)
    assert isinstance(edited.messages[0].parts[0], Picture) and len(edited.messages[0].parts) == 4


def test_what_a_model_cannot_do_is_refused_before_it_runs(predictor: VisionLLM, full: VisionLLM):
    with pytest.raises(ValueError, match="expected a model with a pose decoder"):
        pose_task(predictor.core, picture(), ["dog"], ["nose"], Options())
    with pytest.raises(ValueError, match="expected a model that makes pictures"):
        draw_task(predictor.core, "a star", Options())
    with pytest.raises(ValueError, match="expected at most 17 keypoint names"):
        pose_task(full.core, picture(), ["dog"], [f"point {n}" for n in range(18)], Options())
    with pytest.raises(ValueError, match=r"expected \{names\} once in the question"):
        detect_task(full.core, pictures(1)[0], ["dog"], question="Find.", options=Options())
