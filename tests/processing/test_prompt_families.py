"""The published questions and answers; `tests/parity/test_prompts.py` compares them with the published code's."""

import ast
from pathlib import Path

import pytest

from visionllm.processing.prompt_families import FAMILIES, PLACEHOLDERS, PromptFamily, read_families
from visionllm.processing.prompts import PUBLISHED

TASKS = {
    "detect": "[DET]",
    "salient": "[DET]",
    "camouflaged": "[DET]",
    "refer": "[GRD]",
    "reason": "[GRD]",
    "semantic": "[SEG]",
    "pose": "[POSE]",
    "segment_regions": "[DET]",
    "draw": "[GEN]",
    "edit": "[EDIT]",
    "grounded_caption": "[DET]",
}
WORDS = {
    "describe_region",
    "recognise_coco",
    "recognise_lvis",
    "recognise_v3det",
    "classify_region",
    "part_region",
    "part_regions",
    "caption",
    "short_answer",
    "choice",
}


@pytest.mark.parametrize(("name", "token"), TASKS.items())
def test_every_task_of_the_published_model_has_its_question_and_its_routed_answer(name, token):
    family = FAMILIES[name]
    assert family.token == token
    assert family.question
    assert "{routed}" in family.answer or "{words}" in family.answer


def test_tasks_that_words_answer_have_a_question():
    assert FAMILIES.keys() >= WORDS
    assert not any(FAMILIES[name].token or FAMILIES[name].answers for name in WORDS)


@pytest.mark.parametrize("name", FAMILIES)
def test_every_family_has_words_of_this_project_beside_the_published_ones(name):
    family = FAMILIES[name]
    assert family.own_questions
    assert bool(family.own_answers) == bool(family.answers)
    assert not set(family.own_questions) & set(family.questions)


@pytest.mark.parametrize("name", FAMILIES)
def test_our_own_words_ask_for_the_same_as_the_published_ones(name):
    family = FAMILIES[name]
    held = {p for p in PLACEHOLDERS if f"{{{p}}}" in family.question}
    for question in (*family.questions, *family.own_questions):
        assert {p for p in PLACEHOLDERS if f"{{{p}}}" in question} == held


def test_misspelt_words_of_the_released_checkpoint_are_kept():
    assert FAMILIES["salient"].names[0] == "forground object"
    assert FAMILIES["recognise_coco"].question.startswith("Whis is")
    assert FAMILIES["part_region"].question.startswith("Ther are 1 part region")


def test_the_predictor_asks_with_the_words_that_were_measured():
    assert PUBLISHED.detect == FAMILIES["detect"].question
    assert PUBLISHED.segment_answer == FAMILIES["semantic"].answer
    assert not PUBLISHED.numbered_region


def test_no_published_sentence_stands_in_the_code_again(repository: Path):
    said = {text for f in FAMILIES.values() for text in (*f.questions, *f.answers) if len(text) > 20}
    lines = {line for text in said for line in text.split("{") if len(line) > 20} | said
    for file in (repository / "src/visionllm").rglob("*.py"):
        tree = ast.parse(file.read_text(encoding="utf-8"))
        held = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)}
        assert not held & lines, file


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[a", "expected TOML with prompt families, got something else"),
        ("[a]\nquestion = 'x'", "expected no key 'question' at prompts:a, got one"),
        ("[a]\nquestions = ['{thing}']", r"expected known placeholders in '\{thing\}', got \{thing\}"),
        ("[a]\nquestions = ['{names} {names}']", "expected each placeholder once in"),
        ("[a]\nquestions = []", "expected at least one question in a prompt family, got none"),
        ("[a]\nquestions = ['x']\ntoken = '[DET]'\nanswers = ['y']", r"expected \{routed\} in an answer that routes"),
        ("[a]\nquestions = ['x']\nanswers = ['{routed}']", "and in no other, got '{routed}'"),
        ("[a]\nquestions = ['x']\nfollows = 'b'", "expected a family that a can follow, got 'b'"),
        ("[a]\nquestions = 'x'", "at prompts:a:questions, got 'x'"),
    ],
)
def test_bad_families_are_refused(text, message):
    with pytest.raises(ValueError, match=message):
        read_families(text)


def test_a_family_that_words_answer_has_no_answer_of_its_own():
    with pytest.raises(ValueError, match="expected a family with an answer of its own, got one that is answered by"):
        _ = PromptFamily(questions=("What is it?",)).answer
