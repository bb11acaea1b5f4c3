"""Jobs of the page."""

import asyncio
from dataclasses import replace

import pytest

from tests.server.stub import StubEngine
from visionllm.engine.errors import EngineDied, JobFailed, QueueFull
from visionllm.engine.events import Progress
from visionllm.engine.jobs import Perception
from visionllm.server.page.session import Session
from visionllm.server.page.words import Told
from visionllm.server.page.working import MOST_PIXELS, Place, step_of
from visionllm.types import Detections, Poses, ask


def first_of(events):
    async def run():
        event = await anext(events)
        await events.aclose()
        return event

    return asyncio.run(run())


def test_a_job_belongs_to_its_sender_and_is_given_up_with_its_reader(place):
    assert first_of(place.events(ask("count 1000"))).text == "0 "
    assert place.service.engine.tenants == ["somebody"]
    (ticket,) = [row[0] for row in place.service.engine._running] or [None]
    assert ticket is None or ticket.ended.is_set()


def test_a_failure_is_raised(place):
    with pytest.raises(JobFailed):
        first_of(place.events(ask("fail x")))
    place.service.engine.stop()
    with pytest.raises(EngineDied):
        first_of(place.events(ask("echo x")))


def test_a_full_queue_is_remembered(place):
    full = replace(
        place, service=type(place.service)(StubEngine(max_queue=0), place.service.card, place.service.config)
    )
    with pytest.raises(QueueFull):
        first_of(full.events(ask("echo x")))
    full.service.engine.stop()


def test_a_result_is_of_the_kind_that_was_asked_for(place):
    job = Perception(task="detect", image=place.session.picture, names=("star",))
    assert len(asyncio.run(place.result(job, Detections))) == 1
    with pytest.raises(Exception, match="another kind"):
        asyncio.run(place.result(job, Poses))


def test_pictures_of_the_page_are_smaller_than_those_of_the_api(place):
    assert place.limits.max_pixels == MOST_PIXELS < place.service.config.pictures.max_pixels


def test_without_a_picture_it_is_said(place):
    with pytest.raises(Told, match="no picture yet"):
        Place(place.service, Session()).needs_picture()
    assert step_of(Progress(2, 5)) == "Step 2 of 5 …"
