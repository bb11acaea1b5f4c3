"""Answers: turns of a conversation, plain data, and pictures of what they found."""

import json

from PIL import Image

from tests.types.test_poses import poses
from tests.types.test_results import detections
from visionllm.types import Answer, Message, Routed


def test_an_answer_is_a_turn_for_the_history_of_the_next_question():
    plain = Answer(text="Two.")
    routed = Answer(text="Yes, star.", parts=("Yes, ", Routed("star", "[DET]"), "."))
    assert plain.message == Message("assistant", ("Two.",))
    assert routed.message.parts[1] == Routed("star", "[DET]")
    assert routed.message.text == routed.text


def test_an_answer_is_json_with_and_without_results():
    plain = json.loads(json.dumps(Answer(text="Two.", tokens=3).to_dict()))
    assert plain == {
        "text": "Two.",
        "finish_reason": "stop",
        "tokens": 3,
        "detections": None,
        "poses": [],
        "pictures": [],
        "notices": [],
    }
    full = json.loads(json.dumps(Answer(text="", detections=detections([0.5]), poses=(poses(),)).to_dict()))
    assert full["detections"]["instances"][0]["label"] == "star"
    assert full["poses"][0]["instances"][0]["label"] == "dog"


def test_an_answer_without_results_renders_as_a_copy_of_the_picture():
    image = Image.new("RGB", (8, 6), "white")
    copy = Answer(text="No.").render(image)
    assert copy is not image
    assert copy.tobytes() == image.tobytes()


def test_an_answer_draws_all_it_found_on_a_copy_of_the_picture():
    image = Image.new("RGB", (8, 6), "white")
    answer = Answer(text="", detections=detections([0.5]), poses=(poses(),))
    drawn = answer.render(image)
    assert drawn.size != image.size
    assert drawn.tobytes() != Answer(text="", detections=detections([0.5])).render(image).tobytes()
    assert image.getcolors() == [(48, (255, 255, 255))]


def test_everything_found_is_counted_through():
    answer = Answer(text="", detections=detections([0.5, 0.4]), poses=(poses(),))
    assert [thing.label for thing in answer.instances] == ["star", "star", "dog", "cat"]
    assert Answer(text="").instances == ()
