from typing import Any

import pytest
import torch
from transformers import LogitsProcessorList
from transformers.generation.streamers import BaseStreamer

from tests.tiny import (
    BOS,
    DET,
    DET_SLOTS,
    PATCH,
    PATCHES,
    POSE,
    POSE_SLOTS,
    REGION,
    STOP,
    VOCABULARY,
    Dictation,
    tiny_inputs,
    tiny_model,
)
from visionllm.model import VisionLLMForConditionalGeneration
from visionllm.types.tensors import ModelInputs

PROMPTS = [[BOS, *[PATCH] * PATCHES, 10, 11, 12], [BOS, *[PATCH] * PATCHES * 2, REGION, 13], [BOS, 20]]
GREEDY: dict[str, Any] = {"do_sample": False, "eos_token_id": None, "pad_token_id": 0}


@pytest.fixture(scope="module")
def model() -> VisionLLMForConditionalGeneration:
    return tiny_model()


@pytest.fixture(scope="module")
def inputs() -> ModelInputs:
    return tiny_inputs(PROMPTS, left=True, splits=torch.tensor([1, 2]), region_pictures=torch.tensor([1]))


def arguments(inputs: ModelInputs) -> dict[str, Any]:
    names = ("input_ids", "attention_mask", "pixel_values", "splits", "region_masks", "region_pictures")
    return {name: getattr(inputs, name) for name in names}


def following(written: torch.Tensor, inputs: ModelInputs) -> list[list[int]]:
    return written[:, inputs.input_ids.shape[1] :].tolist()


def test_a_batch_may_hold_rows_with_and_without_slots(model: VisionLLMForConditionalGeneration, inputs: ModelInputs):
    texts = [[5, DET, 6, DET], [5, 6, 7, 8], [POSE, 5]]
    wish = Dictation(texts, inputs.input_ids.shape[1])
    written = model.generate(
        **arguments(inputs), **GREEDY, max_new_tokens=12, logits_processor=LogitsProcessorList([wish])
    )
    assert following(written, inputs) == [
        [5, DET, *DET_SLOTS, 6, DET, *DET_SLOTS],
        [5, 6, 7, 8, *[30] * 8],
        [POSE, *POSE_SLOTS, 5, *[30] * 6],
    ]


@torch.no_grad()
def test_states_while_writing_are_those_of_reading_the_whole(
    model: VisionLLMForConditionalGeneration, inputs: ModelInputs
):
    wish = Dictation([[5, DET, 6], [5, 6], [POSE, 5]], inputs.input_ids.shape[1])
    written = model.generate(
        **arguments(inputs),
        **GREEDY,
        max_new_tokens=9,
        logits_processor=LogitsProcessorList([wish]),
        return_dict_in_generate=True,
        output_hidden_states=True,
    )
    live = torch.cat([step[-1] for step in written.hidden_states], dim=1)
    assert written.past_key_values.get_seq_length() == written.sequences.shape[1] - 1 == live.shape[1]
    added = written.sequences.shape[1] - inputs.input_ids.shape[1]
    mask = torch.cat([inputs.attention_mask, torch.ones(3, added, dtype=torch.bool)], dim=1)
    given = arguments(inputs) | {"input_ids": written.sequences, "attention_mask": mask}
    whole = model(**given).last_hidden_state[:, :-1]
    torch.testing.assert_close(live[mask[:, :-1]], whole[mask[:, :-1]], atol=1e-5, rtol=1e-4)


def test_writing_without_a_cache_writes_the_same(model: VisionLLMForConditionalGeneration, inputs: ModelInputs):
    texts = {"max_new_tokens": 8} | GREEDY
    with_cache = model.generate(**arguments(inputs), **texts)
    assert torch.equal(model.generate(**arguments(inputs), **texts, use_cache=False), with_cache)


def test_rows_write_in_a_batch_what_they_write_alone(model: VisionLLMForConditionalGeneration):
    rows = PROMPTS[:1] + PROMPTS[2:]
    batch = following(
        model.generate(**arguments(tiny_inputs(rows, left=True)), **GREEDY, max_new_tokens=8), tiny_inputs(rows)
    )
    for row, written in zip(rows, batch, strict=True):
        single = tiny_inputs([row])
        assert following(model.generate(**arguments(single), **GREEDY, max_new_tokens=8), single) == [written]


@pytest.mark.parametrize(
    "way",
    [
        pytest.param({"do_sample": True, "top_k": 5}, id="sampling"),
        pytest.param({"num_beams": 3}, id="beams"),
        pytest.param({"num_beams": 3, "do_sample": True}, id="sampled-beams"),
        pytest.param({"num_beams": 2, "num_return_sequences": 2}, id="several-beams"),
        pytest.param({"do_sample": True, "num_return_sequences": 2}, id="several-samples"),
        pytest.param({"do_sample": True, "renormalize_logits": True, "temperature": 2.0}, id="renormalised"),
        pytest.param({"repetition_penalty": 1.5, "no_repeat_ngram_size": 2}, id="penalties"),
    ],
)
def test_every_way_of_writing_keeps_groups_whole(
    model: VisionLLMForConditionalGeneration, inputs: ModelInputs, way: dict[str, Any]
):
    written = model.generate(**arguments(inputs), **(GREEDY | way), max_new_tokens=24)
    assert len(written) == 3 * way.get("num_return_sequences", 1)
    groups = 0
    for row in following(written, inputs):
        assert PATCH not in row
        assert REGION not in row
        for place, token in enumerate(row):
            if token in (DET, DET + 1, DET + 2, POSE):
                slots = POSE_SLOTS if token == POSE else DET_SLOTS
                given = row[place + 1 : place + 5]
                assert given == list(slots[: len(given)])
                groups += 1
    assert sum(token >= VOCABULARY for row in following(written, inputs) for token in row) <= 4 * groups


def test_slots_add_nothing_to_the_score_of_a_beam(model: VisionLLMForConditionalGeneration, inputs: ModelInputs):
    wish = Dictation([[5, DET, 6]] * 3, inputs.input_ids.shape[1])
    written = model.generate(
        **arguments(inputs),
        **GREEDY,
        num_beams=2,
        max_new_tokens=7,
        logits_processor=LogitsProcessorList([wish]),
        return_dict_in_generate=True,
        output_scores=True,
    )
    scoring: Any = model
    scores = scoring.compute_transition_scores(written.sequences, written.scores, written.beam_indices)
    assert scores.shape == (3, 7)
    assert bool((scores[:, 2:6] == 0).all())


def test_transition_scores_are_the_log_probabilities(model: VisionLLMForConditionalGeneration, inputs: ModelInputs):
    written = model.generate(
        **arguments(inputs), **GREEDY, max_new_tokens=5, return_dict_in_generate=True, output_scores=True
    )
    scoring: Any = model
    scores = scoring.compute_transition_scores(written.sequences, written.scores, normalize_logits=True)
    first = written.scores[0].log_softmax(-1)
    chosen = written.sequences[:, inputs.input_ids.shape[1]]
    torch.testing.assert_close(scores[:, 0], first.gather(1, chosen[:, None])[:, 0])


def test_stop_strings_stop(model: VisionLLMForConditionalGeneration):
    class Letters:
        """As much of a tokenizer as stop strings need, which knows text ids only: id i is the i-th letter."""

        def get_vocab(self) -> dict[str, int]:
            return {chr(ord("A") + i): i for i in range(VOCABULARY)}

        def _convert_id_to_token(self, token: int) -> str:
            return chr(ord("A") + token)

        def convert_tokens_to_string(self, tokens: list[str]) -> str:
            return "".join(tokens)

        def __call__(self, text: str, **options: Any) -> dict[str, list[int]]:
            return {"input_ids": [ord(letter) - ord("A") for letter in text]}

        def __len__(self) -> int:
            return VOCABULARY

    inputs = tiny_inputs(PROMPTS[:1])
    wish = Dictation([[5, DET, 6, 7, 8]], inputs.input_ids.shape[1])
    written = model.generate(
        **arguments(inputs),
        **GREEDY,
        max_new_tokens=20,
        logits_processor=LogitsProcessorList([wish]),
        stop_strings=["GH"],
        tokenizer=Letters(),
    )
    assert following(written, inputs) == [[5, DET, *DET_SLOTS, 6, 7]]


def test_a_streamer_gets_every_id(model: VisionLLMForConditionalGeneration):
    class Seen(BaseStreamer):
        def __init__(self) -> None:
            self.ids: list[int] = []

        def put(self, value: torch.Tensor) -> None:
            self.ids += value.flatten().tolist()

        def end(self) -> None:
            self.ids.append(-1)

    inputs, seen = tiny_inputs(PROMPTS[:1]), Seen()
    wish = Dictation([[5, DET, 6]], inputs.input_ids.shape[1])
    written = model.generate(
        **arguments(inputs), **GREEDY, max_new_tokens=7, logits_processor=LogitsProcessorList([wish]), streamer=seen
    )
    assert seen.ids == [*written[0].tolist(), -1]


def test_a_conversation_goes_on_from_its_cache(model: VisionLLMForConditionalGeneration):
    inputs = tiny_inputs(PROMPTS[:1])
    first = model.generate(**arguments(inputs), **GREEDY, max_new_tokens=4, return_dict_in_generate=True)
    more = torch.cat([first.sequences, torch.tensor([[STOP, 5]])], dim=1)
    given = arguments(inputs) | {"input_ids": more, "attention_mask": torch.ones_like(more)}
    fresh = model.generate(**given, **GREEDY, max_new_tokens=6)
    assert torch.equal(
        model.generate(**given, **GREEDY, max_new_tokens=6, past_key_values=first.past_key_values), fresh
    )


def test_packed_rows_cannot_be_written_on(model: VisionLLMForConditionalGeneration):
    with pytest.raises(ValueError, match="expected one question a row for generation, got packed rows"):
        model.generate(torch.tensor([[BOS, 5]]), packed=True, max_new_tokens=2)


def test_an_unknown_argument_is_refused(model: VisionLLMForConditionalGeneration):
    with pytest.raises(ValueError, match="nonsense"):
        model.generate(torch.tensor([[BOS, 5]]), nonsense=torch.zeros(1), max_new_tokens=2)


def test_the_vocabulary_cannot_be_resized(model: VisionLLMForConditionalGeneration):
    with pytest.raises(ValueError, match="expected the vocabulary to keep its 60 ids, which slot ids follow"):
        model.resize_token_embeddings(64)


def test_adapters_write_with_slots_too():
    peft = pytest.importorskip("peft")
    wrapped = peft.get_peft_model(tiny_model(), peft.LoraConfig(target_modules=["q_proj"], task_type="CAUSAL_LM"))
    inputs = tiny_inputs(PROMPTS[:1])
    wish = Dictation([[5, DET, 6]], inputs.input_ids.shape[1])
    written = wrapped.generate(
        **arguments(inputs), **GREEDY, max_new_tokens=7, logits_processor=LogitsProcessorList([wish])
    )
    assert following(written, inputs) == [[5, DET, *DET_SLOTS, 6]]
