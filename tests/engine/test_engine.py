"""Jobs of all kinds through the engine: the results are those of the model's own methods."""

import asyncio
import threading
import time
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tests.engine.conftest import SMALL, Script
from tests.predictor.test_core import BOAT, PERSON, PLAIN, STAR, TWO, require_equal
from tests.small import picture, pictures, small_model, small_processor
from visionllm.engine import (
    Cancelled,
    ContextLengthExceeded,
    Creation,
    Draining,
    Engine,
    EngineConfig,
    EngineDied,
    Finished,
    Found,
    JobFailed,
    Perception,
    Progress,
    QueueFull,
    TextPiece,
)
from visionllm.engine.language import Language
from visionllm.predictor import VisionLLM
from visionllm.types import Answer, Box, Detections, Example, Options, Point, Poses, Request, ask

ANY = Options(threshold=0, max_instances=7, max_new_tokens=40, steps=2)
SCRIPTS = {
    "Find both.": STAR,
    "Two units?": TWO,
    "Where is the boat?": BOAT,
    "Pose.": PERSON,
    "Draw.": ("Here it is ", "[GEN]", ". Nice."),
    "Edit.": ("Done ", "[EDIT]", "."),
    "How many?": PLAIN,
}


def mixed() -> list[Request]:
    shown = pictures(3)
    return [
        ask("Find both.", shown[0], options=ANY),
        ask("Two units?", shown[1], regions=(Point(3, 3),), options=ANY),
        ask("Where is the boat?", shown[2], options=Options(steps=2)),
        ask("Pose.", shown[0], options=ANY),
        ask("Draw.", options=replace(ANY, seed=5)),
        ask("Edit.", shown[1], options=ANY),
        ask("How many?", shown[2], options=ANY),
        ask("Find both.", options=ANY),
    ]


def require_same(one: Answer, other: Answer) -> None:
    """Compare answers as a batch may differ from its singles."""
    assert (one.text, one.tokens, one.finish_reason, one.parts) == (
        other.text,
        other.tokens,
        other.finish_reason,
        other.parts,
    )
    assert (one.detections is None) == (other.detections is None)
    if one.detections is not None:
        require_equal(one.detections, other.detections)
    for a, b in zip(one.poses, other.poses, strict=True):
        assert (a.class_names, a.keypoint_names, a.spans) == (b.class_names, b.keypoint_names, b.spans)
        np.testing.assert_allclose(a.keypoints, b.keypoints, rtol=0, atol=0.01)
    for a, b in zip(one.pictures, other.pictures, strict=True):
        assert (a.labels, a.spans, a.seeds, a.original_hw) == (b.labels, b.spans, b.seeds, b.original_hw)
        assert np.abs(a.pictures[0].astype(int) - b.pictures[0]).max() <= 1


def test_text_of_any_mixture_is_what_the_model_writes_alone(engine: Engine, predictor: VisionLLM):
    requests = [
        ask("How many?", image, options=Options(max_new_tokens=8 + i, temperature=i % 2, seed=i, top_p=0.9))
        for i, image in enumerate(pictures(4))
    ]
    requests.append(ask("Hello there.", options=Options(max_new_tokens=5)))
    requests.append(ask("What?", picture(), regions=(Box(1, 1, 9, 9),), options=Options(max_new_tokens=30)))
    tickets = [engine.submit(request) for request in requests]
    for ticket, request in zip(tickets, requests, strict=True):
        answer = ticket.result(30)
        assert isinstance(answer, Answer)
        require_same(answer, predictor.answer([request])[0])


def test_what_answers_route_is_decoded_as_alone(full_engine: Engine, full: VisionLLM, script: Script):
    script(SCRIPTS)
    tickets = [full_engine.submit(request) for request in mixed()]
    answers = [ticket.result(30) for ticket in tickets]
    for answer, request in zip(answers, mixed(), strict=True):
        assert isinstance(answer, Answer)
        require_same(answer, full.answer([request])[0])
    assert full_engine.status.free_blocks == full_engine.status.total_blocks


def test_a_result_comes_before_the_text_of_the_next_sentence(full_engine: Engine, script: Script):
    script(SCRIPTS)
    events = list(full_engine.submit(mixed()[1]))
    kinds = [type(event).__name__ for event in events]
    assert kinds.count("Found") == 2 and kinds[-1] == "Finished"
    first, second = (i for i, kind in enumerate(kinds) if kind == "Found")
    assert "!" not in "".join(e.text for e in events[:second] if isinstance(e, TextPiece))
    assert "fish" not in "".join(e.text for e in events[:first] if isinstance(e, TextPiece))
    last = events[-1]
    assert isinstance(last, Finished) and isinstance(last.result, Answer)
    assert "".join(e.text for e in events if isinstance(e, TextPiece)) == last.result.text
    found = [e for e in events if isinstance(e, Found)]
    assert [last.result.text[slice(*(e.span or ()))] for e in found] == ["star", "fish"]
    assert all(isinstance(e.result, Detections) for e in found)


def test_objects_wait_for_the_sentence_that_asks_for_their_keypoints(full_engine: Engine, script: Script):
    script(SCRIPTS)
    found = [event for event in full_engine.submit(mixed()[3]) if isinstance(event, Found)]
    assert [type(event.result) for event in found] == [Poses]


def test_pictures_tell_of_their_steps_while_text_waits_behind_them(full_engine: Engine, script: Script):
    script(SCRIPTS)
    events = list(full_engine.submit(mixed()[4]))
    progress = [(e.step, e.steps) for e in events if isinstance(e, Progress)]
    assert progress == [(i + 1, len(progress)) for i in range(len(progress))] and progress
    place = next(i for i, event in enumerate(events) if isinstance(event, Found))
    assert "Nice" not in "".join(e.text for e in events[:place] if isinstance(e, TextPiece))


NAMES = ("star", "red fish", "boat", "key")


def tasks(options: Options = ANY) -> dict[str, tuple[Any, Any]]:
    """Return jobs, and how the model does the same."""
    image, names, points = picture(), list(NAMES), (Point(3, 3), Box(1, 1, 9, 9))
    example = Example(picture(seed=3), Box(1, 1, 20, 20), "wug")
    perceive: Any = lambda task, **fields: Perception(task=task, image=image, options=options, **fields)  # noqa: E731
    return {
        "detect": (perceive("detect", names=NAMES), lambda m: m.detect(image, names, options=options)),
        "segment": (perceive("segment", names=NAMES[:2]), lambda m: m.segment(image, names[:2], options=options)),
        "refer": (perceive("refer", names=("it",)), lambda m: m.refer(image, "it", options=options)),
        "pose": (
            perceive("pose", names=("dog",), keypoints=("nose", "tail")),
            lambda m: m.pose(image, ["dog"], ["nose", "tail"], options=options),
        ),
        "regions": (perceive("regions", regions=points), lambda m: m.segment_regions(image, points, options=options)),
        "semantic": (perceive("semantic", names=NAMES), lambda m: m.segment_semantic(image, names, options=options)),
        "find": (perceive("find", examples=(example,)), lambda m: m.find_like([example], [image], options=options)[0]),
        "draw": (Creation(words="a star", options=options), lambda m: m.generate("a star", options=options)),
        "edit": (
            Creation(words="Make it blue", image=image, regions=(Box(0, 0, 30, 30),), options=options),
            lambda m: m.edit(image, "Make it blue", regions=(Box(0, 0, 30, 30),), options=options),
        ),
    }


def require_same_result(one: Any, other: Any, *, exactly: bool = False) -> None:
    assert type(one) is type(other)
    for name, value in vars(one).items():
        again = getattr(other, name)
        if name == "pictures":
            assert np.abs(value[0].astype(int) - again[0]).max() <= (0 if exactly else 1)
        elif not isinstance(value, np.ndarray):
            assert value == again, name
        elif value.dtype == np.bool_ or name in ("masks", "class_ids"):
            assert value.shape == again.shape and np.mean(value != again) <= (0 if exactly else 0.01)
        else:
            np.testing.assert_allclose(value, again, rtol=0, atol=0 if exactly else 0.01, err_msg=name)


def test_tasks_side_by_side_give_the_results_of_the_methods(full_engine: Engine, full: VisionLLM):
    pairs = tasks()
    tickets = {name: full_engine.submit(job) for name, (job, _) in pairs.items()}
    for name, ticket in tickets.items():
        require_same_result(ticket.result(30), pairs[name][1](full))


def test_free_tasks_give_the_results_of_the_methods(full_engine: Engine, full: VisionLLM, script: Script):
    script({"Find every star, red fish, boat.": STAR, "Find every key.": PLAIN, "Where is it?": BOAT})
    pairs = tasks(replace(ANY, protocol="free"))
    for name in ("refer", "draw"):
        ticket = full_engine.submit(pairs[name][0])
        if name == "draw":
            with pytest.raises(JobFailed) as failure:
                ticket.result(30)
            assert "expected an answer with a picture" in str(failure.value.__cause__)
        else:
            require_same_result(ticket.result(30), pairs[name][1](full))


def test_beams_run_alone_with_the_same_answer(engine: Engine, predictor: VisionLLM):
    request = ask("How many?", picture(), options=Options(max_new_tokens=6, num_beams=3))
    assert engine.submit(request).result(30).text == predictor.answer([request])[0].text  # pyright: ignore[reportAttributeAccessIssue]
    assert engine.status.counters["alone"] == 1


def test_a_language_model_that_the_cache_does_not_fit_answers_alone(
    predictor: VisionLLM, monkeypatch: pytest.MonkeyPatch, one_core: None
):
    monkeypatch.setattr(Language, "warm_up", lambda _: False)
    request = ask("How many?", picture(), options=Options(max_new_tokens=6))
    with Engine(predictor, SMALL) as engine:
        assert engine.submit(request).result(30).text == predictor.answer([request])[0].text  # pyright: ignore[reportAttributeAccessIssue]
        assert engine.status.counters["alone"] == 1


def test_any_event_loop_can_follow_a_job(engine: Engine):
    async def follow() -> tuple[list[str], Any]:
        ticket = engine.submit(ask("Hello there.", options=Options(max_new_tokens=5)))
        kinds = [type(event).__name__ async for event in ticket]
        return kinds, await engine.submit(ask("Hello.", options=Options(max_new_tokens=5))).wait()

    kinds, answer = asyncio.run(follow())
    assert kinds[-1] == "Finished" and isinstance(answer, Answer)


def test_many_threads_may_submit_at_once(engine: Engine):
    answers: list[Any] = []

    def work(seed: int) -> None:
        options = Options(max_new_tokens=4, seed=seed, temperature=1)
        answers.append(engine.submit(ask("Hello.", options=options)).result(30))

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 8
    assert engine.status.counters["finished"] == 8


def test_bad_jobs_are_refused_before_the_model_runs(engine: Engine):
    image = picture()
    for job, message in (
        (ask(" "), "expected words in message 0"),
        (ask("What?", image, regions=(Point(500, 3),)), "region 0: expected a point inside the 60×40 picture"),
        (Perception(task="detect", image=image), "expected a list of at least one class name"),
        (Perception(task="pose", image=image, names=("dog",), keypoints=("nose",)), "expected a model with a pose"),
        (Perception(task="semantic", image=image, names=("a", "a")), "expected different class names"),
        (Perception(task="find", image=image), "expected 1 to 5 examples, got 0"),
        (Creation(words="a star"), "expected a model that makes pictures"),
    ):
        with pytest.raises(ValueError, match=message):
            engine.submit(job)
    status = engine.status
    assert (status.queued, status.running) == (0, 0)
    assert "prefills" not in status.counters


def test_a_model_without_a_detector_refuses_to_detect(one_core: None):
    processor = small_processor()
    talker = VisionLLM(small_model(processor, decoders={}), processor)
    job = Perception(task="detect", image=picture(), names=("star",))
    with Engine(talker, SMALL) as engine, pytest.raises(ValueError, match="expected a model with a detector"):
        engine.submit(job)


def test_a_prompt_that_leaves_no_room_for_its_answer_is_refused_with_both_numbers(engine: Engine):
    with pytest.raises(ContextLengthExceeded, match="expected a conversation of at most 512 tokens") as refused:
        engine.submit(ask("word " * 300, options=Options(max_new_tokens=400)))
    assert refused.value.context == 512 < refused.value.tokens
    with pytest.raises(ContextLengthExceeded) as refused:
        engine.submit(ask("word " * 3000))
    assert refused.value.tokens > 3000


LONG = ask("Talk.", options=Options(max_new_tokens=60))


def test_a_full_queue_refuses_and_says_when_to_come_back(predictor: VisionLLM, one_core: None):
    with Engine(predictor, replace(SMALL, max_queue=2, max_running=1)) as engine:
        tickets, refused = [], []
        for _ in range(20):
            try:
                tickets.append(engine.submit(LONG))
            except QueueFull as error:
                refused.append(error.retry_after_s)
        assert len(tickets) >= 3 and refused and all(1 <= seconds <= 120 for seconds in refused)
        assert all(isinstance(ticket.result(30), Answer) for ticket in tickets)
        assert engine.status.counters["rejected"] == len(refused)


def test_draining_takes_nothing_new_and_finishes_what_runs(predictor: VisionLLM, one_core: None):
    engine = Engine(predictor, SMALL).start()
    tickets = [engine.submit(LONG) for _ in range(4)]
    assert engine.drain(30)
    assert all(ticket.done for ticket in tickets)
    assert all(isinstance(ticket.result(0), Answer) for ticket in tickets)
    with pytest.raises(Draining):
        engine.submit(LONG)
    assert engine.status.draining and engine.status.alive
    engine.stop()
    with pytest.raises(EngineDied):
        engine.submit(LONG)


def test_stopping_fails_what_runs_at_once(predictor: VisionLLM, one_core: None):
    engine = Engine(predictor, replace(SMALL, max_running=2)).start()
    tickets = [engine.submit(LONG) for _ in range(4)]
    before = time.monotonic()
    engine.stop()
    for ticket in tickets:
        with pytest.raises(EngineDied, match="the engine was stopped"):
            ticket.result(0)
    assert time.monotonic() - before < 1
    status = engine.status
    assert not status.alive and (status.queued, status.running) == (0, 0)
    assert status.free_blocks == status.total_blocks


def test_an_engine_runs_once_and_only_after_its_start(predictor: VisionLLM):
    engine = Engine(predictor, SMALL)
    with pytest.raises(EngineDied, match="expected an engine that runs"):
        engine.submit(LONG)
    engine.start()
    with pytest.raises(EngineDied, match="expected an engine that was not started"):
        engine.start()
    engine.stop()


def test_an_error_inside_the_with_block_does_not_wait_for_jobs(predictor: VisionLLM, one_core: None):
    engine = Engine(predictor, SMALL)
    tickets = []

    def break_off() -> None:
        with engine:
            tickets.append(engine.submit(LONG))
            raise KeyError

    with pytest.raises(KeyError):
        break_off()
    with pytest.raises(EngineDied):
        tickets[0].result(0)


def test_a_cancelled_job_leaves_the_queue(predictor: VisionLLM, one_core: None):
    with Engine(predictor, replace(SMALL, max_running=1)) as engine:
        first, second = engine.submit(LONG), engine.submit(LONG)
        second.cancel()
        with pytest.raises(Cancelled):
            second.result(1)
        assert isinstance(first.result(30), Answer)
    assert engine.status.counters["cancelled"] == 1


def test_a_cache_that_holds_no_context_is_refused(predictor: VisionLLM):
    with pytest.raises(ValueError, match="expected cache_blocks of at least 32, a whole context, got 31"):
        Engine(predictor, EngineConfig(cache_blocks=31, block_size=16))
