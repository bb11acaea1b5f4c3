"""Chat needs no picture and has one answer for each thing said."""

from collections import defaultdict

from tests.data.world.scenes import drawn
from visionllm.data.world.families.chat import DEFINITIONS, INTENTS
from visionllm.data.world.scene import KINDS
from visionllm.data.world.tasks import make_sample


def test_every_kind_is_defined():
    assert set(DEFINITIONS) == set(KINDS)


def test_there_are_several_dozens_of_facts():
    assert len({intent.answer for intent in INTENTS}) >= 48


def test_the_same_words_always_have_the_same_answer():
    answers = defaultdict(set)
    for intent in INTENTS:
        for form in (*intent.grammar.forms("train"), *intent.grammar.forms("unseen")):
            answers[form.lower().rstrip(".?!")].add(intent.answer)
    assert [form for form, found in answers.items() if len(found) > 1] == []


def test_a_question_without_picture():
    sample = make_sample(drawn(1)[0], "chat", 0)
    assert sample
    assert sample.request.pictures == ()
    assert sample.truth == {}


def test_nothing_is_left_open_in_any_form():
    assert not any("{" in form for intent in INTENTS for form in intent.grammar.forms("train"))
