"""Clients that leave, deadlines that pass, prompts that are too long: S3, S4, S5 and S7 of the list of faults."""

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.counts import count
from tests.engine.conftest import SMALL, Script
from tests.engine.helpers import counted, idle, until
from tests.engine.test_engine import LONG, SCRIPTS, mixed, tasks
from tests.small import picture
from visionllm.decoders.base import sampling
from visionllm.engine import (
    Cancelled,
    ContextLengthExceeded,
    Creation,
    DeadlinePassed,
    Engine,
    Failed,
    Perception,
    Progress,
    decoding,
)
from visionllm.engine.scheduler import Scheduler
from visionllm.predictor import VisionLLM
from visionllm.types import Answer, Options, ask

pytestmark = [pytest.mark.faults, pytest.mark.usefixtures("one_core")]
ENDLESS = Options(max_new_tokens=90)
LATE_S = 0.1
"""Most seconds by which a job may end after its deadline, beside one step."""
Patch = pytest.MonkeyPatch


def test_s03_a_client_that_goes_away_frees_its_blocks_after_one_step(engine: Engine, script: Script):
    script({"Talk.": ("word " * 90,)})
    for run in range(count("s03")):
        ticket = engine.submit(ask("Talk.", picture(seed=run % 3), options=ENDLESS))
        if run % 2:
            next(iter(ticket))
        ticket.cancel()
        steps, prefills = counted(engine, "steps"), counted(engine, "prefills")
        assert until(lambda: idle(engine))
        assert counted(engine, "steps") - steps <= 1
        assert counted(engine, "prefills") - prefills <= 1
        with pytest.raises(Cancelled):
            ticket.result(0)
    assert counted(engine, "cancelled") == count("s03")


def test_s03_a_client_that_goes_away_stops_a_picture_after_one_step(full_engine: Engine, monkeypatch: Patch):
    looks, look = [], sampling.look

    def counting(unet: Any, samplings: Sequence[Any]) -> Any:
        looks.append(len(samplings))
        return look(unet, samplings)

    monkeypatch.setattr(decoding, "look", counting)
    for _ in range(5):
        ticket = full_engine.submit(Creation(words="a star", options=Options(steps=500)))
        assert isinstance(next(iter(ticket)), Progress)
        ticket.cancel()
        before = len(looks)
        assert until(lambda: idle(full_engine))
        assert len(looks) - before <= 1
        assert not len(full_engine._scheduler.decoding)


def test_s03_many_jobs_of_all_kinds_leave_nothing_behind(full_engine: Engine, script: Script):
    script(SCRIPTS)
    jobs: list[Any] = [*mixed(), *(job for job, _ in tasks().values())]
    noise = np.random.default_rng(1)
    rounds, each = -(-count("s03") // 30), 30  # as many as have room in the queue
    for _ in range(rounds):
        tickets = [full_engine.submit(jobs[int(noise.integers(len(jobs)))]) for _ in range(each)]
        for ticket in tickets[::3]:
            ticket.cancel()
        kept = [ticket for i, ticket in enumerate(tickets) if i % 3]
        events = [event for ticket in kept for event in ticket]
        assert not any(isinstance(event, Failed) for event in events)
        assert until(lambda: idle(full_engine))
    counters = full_engine.status.counters
    assert counters["finished"] + counters["cancelled"] == rounds * each
    assert not len(full_engine._scheduler.decoding)


@pytest.fixture
def longest_step(monkeypatch: Patch) -> list[float]:
    """The seconds of the longest step so far, in a list of one."""
    longest, step = [0.0], Scheduler.step

    def timed(self: Scheduler) -> None:
        began = time.monotonic()
        step(self)
        longest[0] = max(longest[0], time.monotonic() - began)

    monkeypatch.setattr(Scheduler, "step", timed)
    return longest


def lateness(ticket: Any, deadline: float) -> float:
    """Return by how many seconds a job ends after its deadline; nothing else may have ended it."""
    with pytest.raises(DeadlinePassed):
        ticket.result(10)
    return time.monotonic() - deadline


def test_s04_a_deadline_ends_a_running_job(engine: Engine, script: Script, longest_step: list[float]):
    script({"Talk.": ("word " * 90,)})
    late = []
    for _ in range(3):  # other programs may hold one of them up
        deadline = time.monotonic() + 0.05
        ticket = engine.submit(ask("Talk.", options=ENDLESS), deadline_s=0.05)
        late.append(lateness(ticket, deadline) - longest_step[0])
        assert until(lambda: idle(engine))
    assert min(late) <= LATE_S, late
    assert counted(engine, "deadline_passed") == 3


def test_s04_a_deadline_ends_a_picture_that_is_being_made(full_engine: Engine, longest_step: list[float]):
    late = []
    for _ in range(3):
        deadline = time.monotonic() + 0.2
        ticket = full_engine.submit(Creation(words="a star", options=Options(steps=500)), deadline_s=0.2)
        late.append(lateness(ticket, deadline) - longest_step[0])
        assert until(lambda: idle(full_engine))
    assert min(late) <= LATE_S, late


def test_s04_a_deadline_ends_a_waiting_job(predictor: VisionLLM, longest_step: list[float]):
    with Engine(predictor, replace(SMALL, max_running=1)) as engine:
        late = []
        for _ in range(3):
            running, deadline = engine.submit(LONG), time.monotonic() + 0.01
            late.append(lateness(engine.submit(LONG, deadline_s=0.01), deadline) - longest_step[0])
            assert isinstance(running.result(30), Answer)
        assert min(late) <= LATE_S, late


@pytest.mark.parametrize(
    "job",
    [
        ask("word " * 600, picture()),
        ask("Talk.", picture(), options=Options(max_new_tokens=510)),
        Perception(task="refer", image=picture(), names=("word " * 600,)),
    ],
    ids=["prompt", "answer", "task"],
)
def test_s05_what_is_longer_than_the_context_is_refused_before_the_model_works(engine: Engine, job: Any):
    with pytest.raises(ContextLengthExceeded) as refusal:
        engine.submit(job)
    assert refusal.value.context == 512 < refusal.value.tokens
    assert not counted(engine, "prefills") and not counted(engine, "image_misses")
    assert idle(engine) and engine.status.queued == 0


@pytest.mark.parametrize("size", [(1, 1), (1, 300), (300, 1), (2, 3)])
def test_s07_a_picture_of_a_few_pixels_harms_no_engine(full_engine: Engine, size: tuple[int, int]):
    tiny = Image.new("RGB", size, (9, 200, 70))
    jobs = [
        ask("Talk.", tiny, options=Options(max_new_tokens=3)),
        Perception(task="segment", image=tiny, names=("star",), options=Options(threshold=0.0)),
        Creation(words="a star", image=tiny, options=Options(steps=1)),
    ]
    for ticket in [full_engine.submit(job) for job in jobs]:
        result: Any = ticket.result(30)
        for box in getattr(result, "boxes", ()):
            assert np.isfinite(box).all()
    assert full_engine.status.alive and counted(full_engine, "finished") == len(jobs)
