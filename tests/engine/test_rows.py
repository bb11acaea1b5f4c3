"""What a row writes is what `generate` would have written, slots and limits included."""

from typing import Any

import pytest
import torch

from tests.small import ids_of
from visionllm.engine.pictures import PictureKeys
from visionllm.engine.rows import Prompt, Row
from visionllm.generation import cut, end_ids
from visionllm.predictor import VisionLLM
from visionllm.types import Options, ask


@pytest.fixture
def row(predictor: VisionLLM) -> Any:
    def make(**options: Any) -> Row:
        request = ask("How many?", options=Options(**options))
        inputs = predictor.processor([request])
        key = PictureKeys(b"s", "m").name("", "x")
        prompt = Prompt(request=request, inputs=inputs, writes=True, pictures=(), images=(), prefix=key)
        return Row(prompt=prompt, config=predictor.model.config, ends=end_ids(predictor.model))

    return make


def dictated(row: Row, tokens: list[int]) -> None:
    width = row.config.text_config.hidden_size
    row.keep_states(torch.zeros(len(row.unread), width))
    for token in tokens:
        row.take(token)
        if row.ended:
            break
        row.keep_states(torch.zeros(len(row.unread), width))


@pytest.mark.parametrize("limit", range(1, 9))
@pytest.mark.parametrize("ends", [False, True])
def test_a_row_ends_where_generation_would_be_cut(row: Any, predictor: VisionLLM, limit: int, ends: bool):
    vocabulary = predictor.processor.vocabulary
    raw = ids_of(vocabulary, "star", "[DET]", "!", "[SEG]") + ([vocabulary.eos_id] if ends else [])
    some = row(max_new_tokens=limit)
    dictated(some, [token for token in raw if token < vocabulary.size])
    if not some.finished:
        some.keep_states(torch.zeros(len(some.unread), 32))
    text = sum(token < vocabulary.size for token in raw)
    want = cut(raw, limit, predictor.model.config, some.ends)
    if limit <= text:
        assert some.written == want
    assert set(some.states) <= {some.prompt.length + place for place in range(len(raw))}


def test_the_context_cuts_a_group_off_or_just_holds_it(row: Any, predictor: VisionLLM):
    vocabulary = predictor.processor.vocabulary
    route, slots = vocabulary.token_id("[DET]"), vocabulary.slot_ids("[DET]")
    for left, whole in ((6, True), (5, True), (4, False)):
        some = row(max_new_tokens=50)
        some.room = left
        some.keep_states(torch.zeros(len(some.unread), 32))
        some.take(route)
        assert some.ended == (left <= 5)
        assert some.finished == (left < 5), "the states of a group that just fits are still to be read"
        assert some.unread[1:] == slots[: left - 1]
        if whole:
            some.keep_states(torch.ones(len(some.unread), 32))
            assert list(some.states) == [some.prompt.length]
            assert some.states[some.prompt.length].shape == (4, 32)
            assert some.finished == (left == 5)
        assert some.written.ids == ((route, *slots) if whole else ())


def test_a_row_says_how_much_room_it_may_need(row: Any):
    some = row(max_new_tokens=3)
    assert some.most == some.prompt.length + 3 * 5
    assert row(max_new_tokens=5000).most == 512
    assert some.prompt.shared == int((some.prompt.inputs.turn_ids == 0).sum()) > 0


def test_a_known_answer_is_read_and_nothing_is_written(predictor: VisionLLM):
    request = ask("Find every star.")
    inputs = predictor.processor([request])
    prompt = Prompt(request=request, inputs=inputs, writes=False, pictures=(), images=(), prefix=b"")
    known = Row(prompt=prompt, config=predictor.model.config, ends=frozenset())
    assert known.ended and not known.finished and known.most == prompt.length
    known.keep_states(torch.zeros(prompt.length, 32))
    assert known.finished
