"""Test-mode questions and answers of every decoder task, as the published readers build them."""

from typing import Any

import pytest

from tests.parity.golden import Golden, sets
from visionllm.processing import (
    PUBLISHED,
    known_class_answer,
    known_class_question,
    pose_answer,
    pose_question,
    refer_answer,
)
from visionllm.processing.prompt_families import FAMILIES
from visionllm.processing.prompts import fill, semantic_question
from visionllm.types import Part, Routed

CASES = [
    pytest.param(golden, case, id=f"{golden}-{i}-{case['task'].replace(' ', '-')}")
    for golden in sets("samples")
    for i, case in enumerate(golden.json("cases.json")["test_mode_conversations"])
]
KINDS = {"salient": "salient", "camouflaged": "camouflaged", "referring": "refer", "reasoning": "reason"}


def spelled(parts: Any, slots: int) -> str:
    """Spell an answer as the published code does, slots included."""
    group = "".join(f"[EMB{i}]" if i > 1 else "[EMB]" for i in range(1, slots + 1))
    said = (part if isinstance(part, str) else part.text + part.token + group for part in parts)
    return "".join(said)


def conversation(case: dict[str, Any]) -> tuple[str, tuple[Part, ...]]:
    """Return our question and answer of a published task."""
    task, names = case["task"].split()[0], case["class_list"]
    if task.startswith("pose"):
        points = case["keypoint_list"]
        return pose_question(names, points, PUBLISHED), pose_answer(names, points, PUBLISHED)
    if task == "semantic":
        answer = known_class_answer(names, "[SEG]", PUBLISHED.segment_answer)
        return semantic_question(names, PUBLISHED.segment), answer
    if task in ("referring", "reasoning"):
        family = FAMILIES[KINDS[task]]
        question = "".join(str(part) for part in fill(family.question, "phrase", [case["expression"]]))
        return question, refer_answer(family.token, family.answer)
    family = FAMILIES[KINDS.get(task, "detect")]
    return known_class_question(names, family.question), known_class_answer(names, family.token, family.answer)


@pytest.mark.parametrize(("golden", "case"), CASES)
def test_questions_and_answers_are_the_published_ones(golden: Golden, case: dict[str, Any]):
    slots = int(case["task"].rsplit("=", 1)[1])
    human, assistant = case["conversations"]
    question, answer = conversation(case)
    assert f"<image>\n{question}" == human["value"]
    if slots == 1 and case["task"].startswith("pose"):  # published with the classes in the place of the keypoints
        own = [part for part in answer if not (isinstance(part, Routed) and part.token == "[POSE]")]
        assert assistant["value"].startswith(spelled(own[: own.index(" ")], slots))
    else:
        assert spelled(answer, slots) == assistant["value"]


@pytest.mark.parametrize(("golden", "case"), CASES)
def test_names_that_are_always_asked_for_are_the_published_ones(golden: Golden, case: dict[str, Any]):
    family = FAMILIES.get(case["task"].split()[0])
    if family is not None and family.names:
        assert case["class_list"] == [family.names[0]]
