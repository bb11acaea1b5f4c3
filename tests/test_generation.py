import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

import pytest
import torch
from transformers import DynamicCache, LogitsProcessorList

from tests.tiny import (
    BOS,
    DET,
    DET_SLOTS,
    EOS,
    PATCH,
    PATCHES,
    VOCABULARY,
    Dictation,
    tiny_config,
    tiny_inputs,
    tiny_model,
)
from visionllm.generation import (
    GeneratedIds,
    SeededSampling,
    TextLength,
    TextStream,
    cut,
    extend,
    generate,
    room,
    stream,
)
from visionllm.model import VisionLLMForConditionalGeneration
from visionllm.types import FinishReason, Options

PICTURE = [PATCH] * PATCHES
ROWS = [[BOS, *PICTURE, 10, 11, 12], [BOS, 20], [BOS, 21, 22, 23]]
D = [DET, *DET_SLOTS]

Dictate = Callable[[Sequence[Sequence[int]], int], None]


@pytest.fixture
def model() -> VisionLLMForConditionalGeneration:
    return tiny_model()


@pytest.fixture
def dictate(model: VisionLLMForConditionalGeneration, monkeypatch: pytest.MonkeyPatch) -> Dictate:
    def begin(texts: Sequence[Sequence[int]], start: int) -> None:
        usual = model._get_logits_processor

        def with_dictation(*args: Any, **kwargs: Any) -> LogitsProcessorList:
            return LogitsProcessorList([Dictation(texts, start), *usual(*args, **kwargs)])

        monkeypatch.setattr(model, "_get_logits_processor", with_dictation)

    return begin


def answer(ids: Sequence[int], reason: FinishReason) -> GeneratedIds:
    return GeneratedIds(ids=tuple(ids), finish_reason=reason, tokens=sum(i < VOCABULARY for i in ids))


def test_rows_end_each_in_its_own_way(model: VisionLLMForConditionalGeneration, dictate: Dictate):
    dictate([[5, DET, 6, EOS], [5, 6, 7, 8, 9], [EOS]], 8)
    options = [Options(max_new_tokens=9), Options(max_new_tokens=3), Options(max_new_tokens=9)]
    written = generate(model, tiny_inputs(ROWS, left=True), options)
    assert written == [answer([5, *D, 6], "stop"), answer([5, 6, 7], "length"), answer([], "stop")]


def test_slots_do_not_count_as_new_tokens(model: VisionLLMForConditionalGeneration, dictate: Dictate):
    dictate([[DET, DET, DET, 5]], 2)
    (written,) = generate(model, tiny_inputs([[BOS, 20]]), Options(max_new_tokens=4))
    assert written == answer([*D, *D, *D, 5], "length")
    assert written.tokens == 4


def test_a_group_that_the_limit_cuts_off_is_dropped(model: VisionLLMForConditionalGeneration, dictate: Dictate):
    dictate([[5, DET, 6], [5, 6, 7]], 2)
    written = generate(model, tiny_inputs([[BOS, 20], [BOS, 21]]), Options(max_new_tokens=2))
    assert written == [answer([5], "length"), answer([5, 6], "length")]


@pytest.mark.parametrize(("prompt", "ids"), [(250, [5, *D]), (251, [5]), (252, [5]), (254, [5]), (255, [5])])
def test_a_group_that_the_context_cuts_off_is_dropped(
    model: VisionLLMForConditionalGeneration, dictate: Dictate, prompt: int, ids: list[int]
):
    dictate([[5, DET, 6]], prompt)
    (written,) = generate(model, tiny_inputs([[BOS] * prompt]), Options(max_new_tokens=50))
    assert written == answer(ids, "length")


def test_room_is_counted_without_padding(model: VisionLLMForConditionalGeneration, dictate: Dictate):
    long = [BOS] * 253
    dictate([[5] * 9, [6] * 9], len(long))
    written = generate(model, tiny_inputs([long, [BOS]], left=True), Options(max_new_tokens=6))
    assert written == [answer([5] * 3, "length"), answer([6] * 6, "length")]


def test_a_prompt_that_fills_the_context_is_refused_with_both_numbers(model: VisionLLMForConditionalGeneration):
    with pytest.raises(ValueError, match="expected a prompt of fewer than 256 tokens, the context, got 256"):
        generate(model, tiny_inputs([[BOS] * 256]), Options())


def test_a_batch_of_different_wishes_answers_like_its_rows_alone(model: VisionLLMForConditionalGeneration):
    rows = [ROWS[0], ROWS[1], ROWS[2], ROWS[1]]
    options = [
        Options(max_new_tokens=6, temperature=1.0, seed=3),
        Options(max_new_tokens=4),
        Options(max_new_tokens=5, num_beams=3),
        Options(max_new_tokens=8, temperature=0.7, top_p=0.8, seed=5),
    ]
    batch = generate(model, tiny_inputs(rows, left=True), options)
    alone = [generate(model, tiny_inputs([r], left=True), o)[0] for r, o in zip(rows, options, strict=True)]
    assert batch == alone


def test_the_seed_decides_the_sample(model: VisionLLMForConditionalGeneration):
    inputs = tiny_inputs([ROWS[1]] * 3, left=True)
    wishes = [Options(max_new_tokens=8, temperature=1.5, seed=seed) for seed in (1, 1, 2)]
    torch.manual_seed(0)
    first, second, third = generate(model, inputs, wishes)
    assert first == second
    assert first != third
    assert torch.equal(torch.rand(1), torch.rand(1, generator=torch.Generator().manual_seed(0)))


def test_encoded_pictures_are_not_encoded_again(
    model: VisionLLMForConditionalGeneration, monkeypatch: pytest.MonkeyPatch
):
    inputs = tiny_inputs([ROWS[0]])
    assert inputs.pixel_values is not None
    assert inputs.splits is not None
    expected = generate(model, inputs, Options(max_new_tokens=6))
    with torch.no_grad():
        encoded = model.encode_pictures(inputs.pixel_values, inputs.splits)
    monkeypatch.setattr(model, "encode_pictures", None)
    assert generate(model, inputs, Options(max_new_tokens=6), encoded=encoded) == expected


@torch.no_grad()
def test_a_shared_beginning_is_read_once(model: VisionLLMForConditionalGeneration):
    shared = tiny_inputs([ROWS[0][:6]])
    cache = DynamicCache(config=model.config.text_config)
    model.read(shared, past_key_values=cache, use_cache=True)
    expected = generate(model, tiny_inputs([ROWS[0]]), Options(max_new_tokens=6))
    assert generate(model, tiny_inputs([ROWS[0]]), Options(max_new_tokens=6), cache=cache) == expected
    with pytest.raises(ValueError, match="expected one beam a row with a cache, got more"):
        generate(model, tiny_inputs([ROWS[0]]), Options(num_beams=2), cache=cache)


def test_nothing_is_written_for_an_empty_batch(model: VisionLLMForConditionalGeneration):
    assert generate(model, tiny_inputs([]), Options()) == []


@pytest.mark.parametrize(
    ("left", "options", "message"),
    [
        pytest.param(True, [Options()], "expected 2 options, one a row, got 1", id="options"),
        pytest.param(False, Options(), "expected prompts padded on the left", id="padding"),
    ],
)
def test_a_batch_that_does_not_fit_is_refused(
    model: VisionLLMForConditionalGeneration, left: bool, options: Any, message: str
):
    with pytest.raises(ValueError, match=message):
        generate(model, tiny_inputs(ROWS[1:], left=left), options)


def test_a_model_without_an_end_id_writes_to_the_limit():
    text = tiny_config().to_dict()["text_config"]
    model = tiny_model(text_config=text | {"eos_token_id": None, "pad_token_id": None, "bos_token_id": None})
    written = generate(model, tiny_inputs(ROWS[1:], left=True), [Options(max_new_tokens=3), Options(max_new_tokens=5)])
    assert [(w.tokens, w.finish_reason) for w in written] == [(3, "length"), (5, "length")]


@pytest.mark.parametrize(
    ("ids", "limit", "expected"),
    [
        pytest.param([5, EOS, 0, 0], 9, answer([5], "stop"), id="an-end-then-padding"),
        pytest.param([5, 6, 0, 0], 2, answer([5, 6], "length"), id="the-limit-then-padding"),
        pytest.param([5, EOS], 1, answer([5], "length"), id="the-limit-before-the-end"),
        pytest.param([*D, EOS], 9, answer(D, "stop"), id="a-whole-group"),
        pytest.param([5, DET], 2, answer([5], "length"), id="a-routing-token-alone"),
        pytest.param([5, *D[:4]], 9, answer([5], "length"), id="half-a-group"),
        pytest.param([*D, *D[:3]], 9, answer(D, "length"), id="a-group-and-a-half"),
        pytest.param([DET], 9, answer([], "length"), id="nothing-left"),
        pytest.param([], 9, answer([], "length"), id="nothing"),
    ],
)
def test_a_row_ends_where_it_ended(ids: list[int], limit: int, expected: GeneratedIds):
    assert cut(ids, limit, tiny_config(), frozenset([EOS])) == expected


@torch.no_grad()
def test_the_whole_conversation_gives_the_queries_of_what_was_written(
    model: VisionLLMForConditionalGeneration, dictate: Dictate
):
    dictate([[5, DET, 6, DET, EOS], [5, EOS], [DET, EOS]], 8)
    inputs = tiny_inputs(ROWS, left=True)
    whole = extend(inputs, generate(model, inputs, Options(max_new_tokens=9)))
    assert whole.input_ids[0].tolist() == [*ROWS[0], 5, *D, 6, *D]
    assert whole.attention_mask.sum(-1).tolist() == [8 + 12, 2 + 1, 4 + 5]
    assert whole.turn_ids[:, -1].tolist() == [1, 1, 1]
    queries = model.queries(whole)["detection"]
    assert queries.rows.tolist() == [0, 2]
    assert queries.positions.tolist() == [[9, 15], [8, -1]]
    assert model.queries(extend(inputs, [answer([], "stop")] * 3)) == {}


def test_answers_must_be_one_a_row():
    with pytest.raises(ValueError, match="expected 3 answers, one a row, got 1"):
        extend(tiny_inputs(ROWS), [answer([], "stop")])


def test_a_stream_gives_the_ids_and_then_the_whole(model: VisionLLMForConditionalGeneration, dictate: Dictate):
    dictate([[5, DET, 6, EOS]], 2)
    items = list(stream(model, tiny_inputs([[BOS, 20]]), Options(max_new_tokens=9)))
    assert items == [5, *D, 6, answer([5, *D, 6], "stop")]


def test_a_stream_writes_what_a_batch_writes(model: VisionLLMForConditionalGeneration):
    inputs, wish = tiny_inputs([ROWS[0]]), Options(max_new_tokens=8, temperature=1.0, seed=4)
    *ids, whole = stream(model, inputs, wish)
    assert [whole] == generate(model, inputs, wish)
    assert isinstance(whole, GeneratedIds)
    assert tuple(ids[: len(whole.ids)]) == whole.ids


def test_closing_a_stream_stops_the_generation(model: VisionLLMForConditionalGeneration):
    steps: list[int] = []
    model.register_forward_pre_hook(lambda *_: steps.append(1))
    items = stream(model, tiny_inputs([[BOS, 20]]), Options(max_new_tokens=200, temperature=1.0))
    next(items)
    items.close()  # pyright: ignore[reportAttributeAccessIssue]
    after = len(steps)
    assert after < 100
    time.sleep(0.05)
    assert len(steps) == after


def test_an_error_reaches_who_reads_the_stream(model: VisionLLMForConditionalGeneration):
    with pytest.raises(ValueError, match="expected 4 image features, one for each of their tokens, got 0"):
        list(stream(model, tiny_inputs([ROWS[0]], pixel_values=None), Options()))


@pytest.mark.parametrize(("rows", "beams"), [(2, 1), (1, 2), (0, 1)])
def test_a_stream_is_of_one_row_and_one_beam(model: VisionLLMForConditionalGeneration, rows: int, beams: int):
    with pytest.raises(ValueError, match=f"expected one row and one beam, got {rows} rows and {beams} beams"):
        next(stream(model, tiny_inputs([[BOS, 20]] * rows), Options(num_beams=beams)))


def test_every_row_has_its_own_limit_of_text_ids():
    length = TextLength(torch.tensor([2, 3]), torch.tensor([9, 9]), 1, VOCABULARY)
    ids = torch.tensor([[1, 5, *D], [1, 5, *D]])
    assert length(ids, None).tolist() == [True, False]
    assert length(ids.repeat_interleave(3, 0), None).tolist() == [True] * 3 + [False] * 3


def test_a_row_ends_where_the_context_does():
    length = TextLength(torch.tensor([9, 9]), torch.tensor([1, 2]), 1, VOCABULARY)
    assert length(torch.tensor([[1, 5], [1, 5]]), None).tolist() == [True, False]


def test_a_caller_can_give_up():
    cancelled = threading.Event()
    length = TextLength(torch.tensor([9]), torch.tensor([9]), 1, VOCABULARY, cancelled)
    assert length(torch.tensor([[1, 5]]), None).tolist() == [False]
    cancelled.set()
    assert length(torch.tensor([[1, 5]]), None).tolist() == [True]


def test_samples_follow_the_distribution():
    logits = torch.tensor([0.5, 0.3, 0.2]).log()
    sampling = SeededSampling([Options(temperature=1.0, seed=seed) for seed in range(3000)])
    drawn = sampling(torch.zeros(3000, 1, dtype=torch.long), logits.expand(3000, 3)).argmax(-1)
    torch.testing.assert_close(drawn.bincount() / 3000, torch.tensor([0.5, 0.3, 0.2]), atol=0.03, rtol=0)


def test_a_low_temperature_sharpens_and_a_small_nucleus_cuts():
    logits = torch.tensor([0.5, 0.3, 0.2]).log()
    wishes = [Options(temperature=0.1, seed=s) for s in range(200)] + [
        Options(temperature=1.0, top_p=0.6, seed=s) for s in range(200)
    ]
    drawn = SeededSampling(wishes)(torch.zeros(400, 1, dtype=torch.long), logits.expand(400, 3)).argmax(-1)
    assert (drawn[:200] == 0).float().mean() > 0.95
    assert set(drawn[200:].tolist()) == {0, 1}


def test_greedy_rows_of_a_sampled_batch_keep_their_scores():
    scores = torch.randn(2, 5)
    sampled = SeededSampling([Options(), Options(temperature=1.0)])(torch.zeros(2, 1, dtype=torch.long), scores)
    assert torch.equal(sampled[0], scores[0])
    assert not torch.equal(sampled[1], scores[1])


def test_what_is_forbidden_is_never_sampled():
    scores = torch.tensor([[float("-inf"), 0.0]]).expand(50, 2)
    wishes = [Options(temperature=5.0, seed=s) for s in range(50)]
    assert SeededSampling(wishes)(torch.zeros(50, 1, dtype=torch.long), scores).argmax(-1).tolist() == [1] * 50


PIECES = {
    1: b"A ",
    2: b"gr",
    3: "ü".encode()[:1],
    4: "ü".encode()[1:],
    5: b"n",
    6: b" star",
    7: "星".encode(),
    8: b".\n",
}


def spelled(ids: Sequence[int]) -> str:
    return b"".join(PIECES[i] for i in ids).decode(errors="replace")


@pytest.mark.parametrize(
    ("ids", "pieces"),
    [
        pytest.param([1, 2, 3, 4, 5, 6], ["A", "", "", "", "", " grün", " star"], id="words"),
        pytest.param([7, 7], ["星", "星", ""], id="no-blanks-between-words"),
        pytest.param([2, 8, 2], ["", "gr.", "", "\ngr"], id="lines"),
        pytest.param([2, 3], ["", "", "gr\ufffd"], id="a-character-cut-off"),
        pytest.param([], [""], id="nothing"),
    ],
)
def test_text_comes_in_whole_words(ids: list[int], pieces: list[str]):
    text = TextStream(spelled)
    got = [*(text.push(token) for token in ids), text.flush()]
    assert got == pieces
    assert "".join(got) == spelled(ids)


def test_forced_ids_draw_as_much_as_written_ones():
    wishes = [Options(temperature=1.0, seed=4), Options(), Options(temperature=1.0, seed=9)]
    ids, scores = torch.zeros(3, 1, dtype=torch.long), torch.zeros(3, 6)
    one, other = SeededSampling(wishes), SeededSampling(wishes)
    for _ in range(3):
        one(ids, scores)
    other.skip(3, 6)
    assert torch.equal(one(ids, scores), other(ids, scores))


def test_the_room_behind_a_prompt_is_that_of_the_context_or_of_the_wish_with_its_slots():
    config = tiny_config()
    assert room(config, 10, 3) == 3 * 5
    assert room(config, 250, 100) == 6


def test_several_ids_are_taken_at_once():
    stream = TextStream(lambda ids: " ".join(str(i) for i in ids))
    assert (stream.push(1, 2, 3), stream.push(), stream.flush()) == ("1 2", "", " 3")
