"""One cache for all rows: states as in one pass over the whole, prefixes shared, slots fed as one chunk."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
import torch

from tests.engine.conftest import SMALL, Script
from tests.predictor.test_core import PERSON, STAR, TWO
from tests.small import picture, pictures
from visionllm.engine import Engine, EngineConfig
from visionllm.engine.language import Language
from visionllm.engine.rows import Row
from visionllm.generation import extend
from visionllm.predictor import VisionLLM
from visionllm.types import Options, Point, ask

SHORT = Options(max_new_tokens=12, steps=1)


@contextmanager
def passes(model: VisionLLM) -> Iterator[list[tuple[int, int]]]:
    """Collect rows and ids of every pass of the language model."""
    seen: list[tuple[int, int]] = []

    def count(module: Any, args: Any, kwargs: dict[str, Any]) -> None:
        seen.append(tuple(kwargs["inputs_embeds"].shape[:2]))

    hook = model.model.language_model.base_model.register_forward_pre_hook(count, with_kwargs=True)
    try:
        yield seen
    finally:
        hook.remove()


@pytest.fixture
def rows(monkeypatch: pytest.MonkeyPatch) -> list[Row]:
    """Collect the rows that leave."""
    left: list[Row] = []
    leave = Language.leave

    def keep(self: Language, row: Row) -> None:
        left.append(row)
        leave(self, row)

    monkeypatch.setattr(Language, "leave", keep)
    return left


def test_live_states_are_those_of_one_pass_over_the_whole(
    full_engine: Engine, full: VisionLLM, script: Script, rows: list[Row]
):
    script(
        {
            "One.": STAR,
            "Two.": TWO,
            "Pose.": PERSON,
            "Draw.": ("Here ", "[GEN]", "."),
            "Edit.": ("Done ", "[EDIT]", "."),
        }
    )
    shown = pictures(3)
    requests = [
        ask("One.", shown[0], options=Options(max_new_tokens=40)),
        ask("Two.", shown[1], regions=(Point(2, 2),), options=Options(max_new_tokens=40)),
        ask("Pose.", shown[2], options=Options(max_new_tokens=40)),
        ask("Draw.", options=SHORT),
        ask("Edit.", shown[0], options=SHORT),
    ]
    for ticket in [full_engine.submit(request) for request in requests]:
        ticket.result(60)
    by_request = {row.prompt.request: row for row in rows}
    compared = 0
    for request in requests:
        row = by_request[request]
        prepared = full.core.prepare([request])
        whole = full.core.queries(prepared, extend(prepared.inputs, [row.written]))
        for queries in whole.values():
            for unit, positions in enumerate(queries.positions.tolist()):
                for group, place in enumerate(place for place in positions if place >= 0):
                    torch.testing.assert_close(row.states[place], queries.states[unit, group], rtol=0, atol=1e-5)
                    compared += 1
    assert compared == 8


def test_all_slots_of_a_routing_token_are_read_in_one_pass(full_engine: Engine, full: VisionLLM, script: Script):
    script({"Draw.": ("Here ", "[GEN]", ".")})
    with passes(full) as seen:
        full_engine.submit(ask("Draw.", options=SHORT)).result(60)
    assert seen.count((1, 65)) == 1
    assert all(ids in (1, 65) for _, ids in seen[1:])


def test_rows_share_passes_and_join_while_others_write(engine: Engine, predictor: VisionLLM, script: Script):
    script({"Talk.": ("word " * 40,)})
    options = Options(max_new_tokens=30)
    with passes(predictor) as seen:
        first = engine.submit(ask("Talk.", picture(), options=options))
        next(iter(first))
        second = engine.submit(ask("Talk.", picture(seed=1), options=options))
        first.result(30)
        second.result(30)
    assert (2, 1) in seen and (1, 1) in seen
    joined = next(i for i, (_, ids) in enumerate(seen) if i and ids > 1)
    assert seen[1] == (1, 1) and joined > 1


def test_what_was_read_of_a_picture_is_not_read_again(engine: Engine, predictor: VisionLLM):
    shown, questions = picture(), ["How many?", "What is this?", "Where is the boat?"]
    want = [predictor.ask(question, shown, options=SHORT).text for question in questions]
    prefix = len(predictor.processor.prefix(ask("?", shown))) // SMALL.block_size * SMALL.block_size
    assert prefix
    with passes(predictor) as seen:
        got = [engine.submit(ask(question, shown, options=SHORT)).result(30) for question in questions]
    assert [answer.text for answer in got] == want  # pyright: ignore[reportAttributeAccessIssue]
    lengths = [predictor.processor([ask(question, shown)]).input_ids.shape[1] for question in questions]
    prompts = [ids for _, ids in seen if ids > 5]
    assert prompts == [lengths[0], *(length - prefix for length in lengths[1:])]
    assert engine.status.counters["image_misses"] == 1


def test_one_of_several_questions_about_a_new_picture_reads_it_for_all(engine: Engine, predictor: VisionLLM):
    shown = picture()
    requests = [ask(f"How many {thing}?", shown, options=SHORT) for thing in ("stars", "boats", "fish", "cups")]
    want = [predictor.answer([request])[0].text for request in requests]
    tickets = [engine.submit(request) for request in requests]
    assert [ticket.result(30).text for ticket in tickets] == want  # pyright: ignore[reportAttributeAccessIssue]
    counters = engine.status.counters
    assert (counters["prefix_hits"], counters["image_misses"]) == (3, 1)


def test_rows_wait_for_blocks_and_nothing_is_lost(predictor: VisionLLM, one_core: None):
    config = EngineConfig(block_size=16, cache_blocks=32, prefix_cache_blocks=8)
    requests = [ask("Talk.", image, options=Options(max_new_tokens=90)) for image in pictures(4)]
    want = [predictor.answer([request])[0].text for request in requests]
    with Engine(predictor, config) as engine:
        tickets = [engine.submit(request) for request in requests]
        assert [ticket.result(60).text for ticket in tickets] == want  # pyright: ignore[reportAttributeAccessIssue]
        assert engine.status.free_blocks == 32


def test_prompts_join_in_portions(predictor: VisionLLM, one_core: None):
    with Engine(predictor, replace(SMALL, prefill_tokens=1)) as engine, passes(predictor) as seen:
        tickets = [engine.submit(ask("Talk.", image, options=SHORT)) for image in pictures(3)]
        for ticket in tickets:
            ticket.result(30)
    assert [rows for rows, ids in seen if ids > 5] == [1, 1, 1]


@pytest.mark.parametrize("break_it", ["attention", "layers", "reading"])
def test_language_models_that_read_in_another_way_are_noticed(
    predictor: VisionLLM, monkeypatch: pytest.MonkeyPatch, break_it: str
):
    language = Language(predictor.model, SMALL, Engine(predictor, SMALL).counters)
    assert language.warm_up()
    if break_it == "attention":
        monkeypatch.setattr(predictor.model.language_model.config, "_attn_implementation_internal", "flash_attention_2")
    elif break_it == "layers":
        monkeypatch.setattr("visionllm.engine.language.keeps_every_key", lambda _: False)
    else:
        monkeypatch.setattr(language, "_read", lambda *_: [torch.zeros(2, 32)])
    assert not language.warm_up()
    assert language.free_blocks == language.blocks.total
