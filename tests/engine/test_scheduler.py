"""Steps of the scheduler, one by one, without a thread."""

import pytest

from tests.engine.conftest import Bench
from tests.small import picture, pictures
from visionllm.engine import DeadlinePassed, Failed, Finished, Perception
from visionllm.engine.scheduler import overdue
from visionllm.predictor import VisionLLM
from visionllm.types import Answer, Detections, Options, ask

SHORT = Options(max_new_tokens=6)


@pytest.fixture
def bench(predictor: VisionLLM, one_core: None) -> Bench:
    return Bench(predictor)


def test_an_answer_grows_by_a_token_a_step(bench: Bench, predictor: VisionLLM):
    request = ask("How many?", picture(), options=SHORT)
    work = bench.admit(request)
    bench.scheduler.step()
    assert len(work.rows[0].answer) == 2, "the prompt gives the first one"
    while not work.ticket.done:
        bench.scheduler.step()
    assert work.ticket.result(0).text == predictor.answer([request])[0].text  # pyright: ignore[reportAttributeAccessIssue]
    assert bench.left == [work] and not bench.scheduler.running
    assert bench.counters["finished"] == 1


def test_a_task_with_known_answers_takes_one_step(bench: Bench):
    works = [bench.admit(Perception(task="detect", image=image, names=("star",))) for image in pictures(2)]
    bench.scheduler.step()
    assert all(isinstance(work.ticket.result(0), Detections) for work in works)
    assert (bench.counters["prefills"], bench.counters["units"], bench.counters["steps"]) == (1, 2, 0)


def test_a_late_job_leaves_before_anything_else_happens(bench: Bench):
    late, timely = bench.admit(ask("How many?", options=SHORT), -1.0), bench.admit(ask("Where?", options=SHORT))
    bench.scheduler.step()
    last = late.ticket.last
    assert isinstance(last, Failed) and isinstance(last.error, DeadlinePassed)
    assert bench.left == [late] and bench.scheduler.running == [timely]
    assert bench.counters["deadline_passed"] == 1


def test_a_job_that_was_given_up_leaves_with_all_its_rows(bench: Bench):
    language = bench.scheduler.language
    work = bench.admit(ask("How many?", options=Options(max_new_tokens=50)))
    bench.scheduler.step()
    assert language.free_blocks < language.blocks.total
    work.ticket.cancel()
    bench.scheduler.sweep()
    assert bench.left == [work] and language.free_blocks == language.blocks.total
    bench.scheduler.step()
    assert bench.left == [work] and bench.counters["cancelled"] == 1


def test_nobody_waits_for_what_has_ended_or_is_late(bench: Bench):
    work = bench.admit(ask("How many?"))
    assert not overdue(work)
    work.ticket.end(Finished(Answer(text="")))
    assert overdue(work)
