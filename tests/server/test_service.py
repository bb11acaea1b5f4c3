"""What a request holds while it is answered, and lets go of when it ends."""

import asyncio

import pytest
from starlette.requests import Request

from tests.server.helpers import CARD, until
from tests.server.stub import StubTicket
from visionllm.engine.errors import QueueFull
from visionllm.server import ServerConfig
from visionllm.server.errors import ApiError
from visionllm.server.service import Service, Work
from visionllm.types import ask


class Gone(Request):
    """A request whose client leaves after a moment."""

    def __init__(self, after_s: float) -> None:
        async def receive():
            await asyncio.sleep(after_s)
            return {"type": "http.disconnect"}

        super().__init__({"type": "http", "state": {"tenant": "t"}}, receive)


def service_of(stub, **limits) -> Service:
    return Service(stub, CARD, ServerConfig(**limits))


def test_a_client_that_leaves_ends_its_jobs(stub):
    stub.step_s = 0.005

    async def run():
        work = Work(service_of(stub), Gone(0.05))
        await work.start(lambda _: [ask("count 100000"), ask("count 100000")])
        with pytest.raises(ApiError) as ended:
            await work.results()
        assert ended.value.status_code == 499

    asyncio.run(run())
    until(lambda: stub.status.running == 0)
    assert stub.tenants == ["t", "t"]


def test_the_first_failure_is_everybodys_and_ends_the_others(stub):
    stub.step_s = 0.005

    async def run():
        work = Work(service_of(stub), Gone(100))
        await work.start(lambda _: [ask("count 100000"), ask("fail now")])
        with pytest.raises(ApiError, match="could not finish"):
            await work.results()

    asyncio.run(run())
    until(lambda: stub.status.running == 0)


def test_jobs_before_a_refused_one_are_given_up(stub):
    stub.max_queue, stub.max_running = 1, 0

    async def run():
        service = service_of(stub)
        work = Work(service, Gone(100))
        with pytest.raises(ApiError, match="too many"):
            await work.start(lambda _: [ask("a"), ask("b")])
        assert all(isinstance(ticket, StubTicket) and ticket.ended.is_set() for ticket in work.tickets)
        assert service.pixels.free == service.pixels.whole

    asyncio.run(run())


def test_an_engine_that_forgets_a_deadline_is_not_waited_for(stub, monkeypatch):
    monkeypatch.setattr("visionllm.server.service.GRACE_S", 0.0)
    stub.step_s = 3600

    async def run():
        work = Work(service_of(stub, deadline_s=0.05), Gone(100))
        await work.start(lambda _: [ask("hi")])
        with pytest.raises(ApiError, match="not done in time"):
            await work.results()

    asyncio.run(run())


def test_while_the_queue_is_full_requests_are_refused_unread(stub):
    service = service_of(stub)
    service.check_queue()
    service.saw_full(QueueFull(9))
    with pytest.raises(ApiError, match="try again in 9 s"):
        service.check_queue()
    service._full = (1, 9, service._full[2])
    service.check_queue()
    service._full = (0, 9, 0.0)
    service.check_queue()


def test_a_request_that_the_queue_has_no_room_for_any_more_is_not_built(stub):
    async def run():
        service = service_of(stub)
        work = Work(service, Gone(100))
        service.saw_full(QueueFull(3))
        with pytest.raises(ApiError, match="too many requests wait already; try again in 3 s"):
            await work.start(lambda _: pytest.fail("it was built"))

    asyncio.run(run())
    assert not stub.jobs
