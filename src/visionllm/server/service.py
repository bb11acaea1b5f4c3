"""What the routes of one server share, and what one request holds while it is answered."""

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from starlette.requests import Request as HttpRequest
from starlette.types import Receive

from visionllm.engine.errors import Cancelled, DeadlinePassed, EngineError, QueueFull
from visionllm.engine.jobs import Job
from visionllm.server.backend import Backend, Ticket
from visionllm.server.budget import Budget
from visionllm.server.card import ModelCard
from visionllm.server.config import ServerConfig
from visionllm.server.errors import ApiError, busy, from_engine
from visionllm.server.intake import Intake
from visionllm.server.metrics import Metrics
from visionllm.types import Answer, Result

DECODERS = 2
"""Requests whose pictures are opened at once."""
FULL_S = 1.0
"""How long a refusal of the engine speaks for requests that come while its queue is no shorter."""
LONGEST_MADE = 1024
"""Longest side of a picture that is made, in pixels, where neither the card nor the configuration says."""
GRACE_S = 5.0
"""How long after its deadline the engine may say that a job is late."""
_T = TypeVar("_T")


class Service:
    """A model that is served.

    Args:
        engine: Does the work.
        card: What clients are told of the model.
        config: Limits.
    """

    def __init__(self, engine: Backend, card: ModelCard, config: ServerConfig) -> None:
        self.engine, self.card, self.config = engine, card, config
        self.metrics = Metrics(lambda: engine.status)
        self.bodies, self.pixels = Budget(config.max_held_bytes), Budget(config.max_held_pixels)
        self.intake = ThreadPoolExecutor(DECODERS, "visionllm-intake")
        self.salt = secrets.token_bytes(16)
        self.draining = self.paged = False
        self.open = 0
        self._full = (0, 1, 0.0)

    @property
    def ready(self) -> bool:
        """Whether new requests are taken."""
        status = self.engine.status
        return status.alive and not status.draining and not self.draining

    @property
    def longest_made(self) -> int:
        """The longest side of a picture that is made, in pixels."""
        own = LONGEST_MADE if self.card.picture_hw is None else 2 * max(self.card.picture_hw)
        return self.config.max_made_side or own

    def saw_full(self, refusal: QueueFull) -> None:
        """Remember that the engine takes nothing more."""
        self._full = (self.engine.status.queued, refusal.retry_after_s, time.monotonic() + FULL_S)

    def check_queue(self) -> None:
        """Refuse what the engine would refuse, without the work of reading it.

        Raises:
            ApiError: With status 429.
        """
        length, retry_after_s, until = self._full
        if time.monotonic() < until and self.engine.status.queued >= length:
            raise busy(retry_after_s)

    def check_model(self, name: str) -> None:
        """Refuse another model than the one that is served.

        Raises:
            ApiError: With status 404.
        """
        if name != self.card.name:
            message = f"expected the model {self.card.name!r}, got another one; GET /v1/models lists what is there"
            raise ApiError(404, message, code="model_not_found", param="model")


class Work:
    """The jobs of one request, with the memory of its pictures.

    Args:
        service: What is served.
        request: As it came.
    """

    def __init__(self, service: Service, request: HttpRequest) -> None:
        self._service, self._request = service, request
        self._tenant: str = request.scope.get("state", {}).get("tenant", "")
        self._pixels = service.pixels.lease()
        self._closed = False
        self.tickets: list[Ticket] = []

    async def start(self, build: Callable[[Intake], Sequence[Job]]) -> None:
        """Open pictures, build jobs and hand them to the engine, all of it beside the event loop.

        Raises:
            ApiError: If something is refused.
        """
        config = self._service.config
        intake = Intake(config.pictures, config.max_images, self._pixels)

        def run() -> None:
            try:
                self._service.check_queue()  # it may have filled up since the guard looked
                for job in build(intake):
                    ticket = self._service.engine.submit(job, tenant=self._tenant, deadline_s=config.deadline_s)
                    self.tickets.append(ticket)
            except QueueFull as full:
                self._service.saw_full(full)
                raise from_engine(full) from full
            except (EngineError, ValueError) as error:
                raise from_engine(error) from error
            finally:
                if self._closed:
                    self.close()

        try:
            await asyncio.get_running_loop().run_in_executor(self._service.intake, run)
        except BaseException:
            self.close()
            raise

    async def results(self) -> list[Answer | Result]:
        """Wait for all jobs; the first failure is everybody's, and a client that leaves ends them.

        Raises:
            ApiError: If a job fails, or the client is gone.
        """
        try:
            return await self.while_connected(self._all())
        except EngineError as error:
            raise from_engine(error) from error
        finally:
            self.close()

    async def _all(self) -> list[Answer | Result]:
        return await asyncio.gather(*(ticket.wait() for ticket in self.tickets))

    async def while_connected(self, wanted: Awaitable[_T]) -> _T:
        """Wait for something as long as the client is there, and no longer than jobs may take.

        Raises:
            ApiError: If the client is gone, or the time is over.
        """
        task = asyncio.ensure_future(wanted)
        gone = asyncio.ensure_future(until_gone(self._request.receive))
        try:
            most = self._service.config.deadline_s + GRACE_S
            done, _ = await asyncio.wait({task, gone}, timeout=most, return_when=asyncio.FIRST_COMPLETED)
            if task in done:
                return task.result()
            raise from_engine(Cancelled() if gone in done else DeadlinePassed())
        finally:
            task.cancel()
            gone.cancel()
            await asyncio.wait({task, gone})

    def close(self) -> None:
        """Give up what is not done, and give back the memory; once is enough."""
        self._closed = True
        for ticket in self.tickets:
            ticket.cancel()
        self._pixels.close()


async def until_gone(receive: Receive) -> None:
    """Wait until the client is gone."""
    while (await receive())["type"] != "http.disconnect":
        pass
