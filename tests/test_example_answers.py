"""Answers about the drawings in examples/ are counted rightly."""

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from visionllm.types import Answer, Detections


@pytest.fixture(scope="module")
def script(repository: Path):
    spec = importlib.util.spec_from_file_location("example_answers", repository / "docs" / "example_answers.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def found(*boxes: tuple[float, ...]) -> Answer:
    n = len(boxes)
    return Answer(
        text="Here.",
        detections=Detections(
            boxes=np.array(boxes, np.float32).reshape(n, 4),
            scores=np.full(n, 0.5, np.float32),
            class_ids=np.zeros(n, np.int64),
            size_hw=(50, 50),
        ),
    )


@pytest.mark.parametrize(
    ("answer", "truth", "right"),
    [
        (Answer(text="Two."), "Two.", True),
        (Answer(text="Three."), "Two.", False),
        (found((0, 0, 9, 9)), [[5, 5]], True),
        (found((0, 0, 9, 9), (20, 20, 30, 30)), [[25, 25], [5, 5]], True),
        (found((0, 0, 9, 9), (1, 1, 8, 8)), [[5, 5], [25, 25]], False),
        (found((0, 0, 9, 9), (20, 20, 30, 30)), [[5, 5]], False),
        (found(), [[5, 5]], False),
        (Answer(text="There is no star."), [[5, 5]], False),
    ],
)
def test_an_answer_is_right_if_it_finds_each_thing_once_and_nothing_else(script, answer, truth, right):
    assert script.is_right(answer, truth) is right


def test_every_true_place_lies_on_its_drawing(examples: Path):
    for name, questions in json.loads((examples / "answers.json").read_text(encoding="utf-8")).items():
        width, height = Image.open(examples / name).size
        places = [place for truth in questions.values() if not isinstance(truth, str) for place in truth]
        assert all(0 <= x < width and 0 <= y < height for x, y in places)


def test_the_demo_asks_what_is_in_the_list_of_answers(examples: Path):
    answers = json.loads((examples / "answers.json").read_text(encoding="utf-8"))
    prompts = json.loads((examples / "prompts.json").read_text(encoding="utf-8"))
    asked = {name: {question for question in prompts[name] if isinstance(question, str)} for name in answers}
    assert all(asked.values())
    assert all(questions <= set(answers[name]) for name, questions in asked.items())
