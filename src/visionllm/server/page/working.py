"""Jobs of the page: handed to the engine, followed while somebody looks, and given up when nobody does."""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass, replace
from typing import NamedTuple

from visionllm.engine.errors import QueueFull
from visionllm.engine.events import Event, Failed, Finished, Progress
from visionllm.engine.jobs import Job
from visionllm.processing import PictureLimits
from visionllm.server.page.session import Session
from visionllm.server.page.words import Told
from visionllm.server.results import one_of
from visionllm.server.service import Service
from visionllm.types import Result

MOST_PIXELS = 16_000_000
"""Most pixels of a picture of the page; it is kept while the page is open."""


class View(NamedTuple):
    """What changes on the page; None leaves a part as it is.

    Attributes:
        stage: The picture with what was found.
        note: A line about what happens.
        chat: The conversation.
        made: What was made.
        sheet: The sheet of examples.
        question: What stands in the line for questions.
    """

    stage: str | None = None
    note: str | None = None
    chat: str | None = None
    made: str | None = None
    sheet: str | None = None
    question: str | None = None


Views = AsyncGenerator[View, None]


@dataclass(frozen=True, eq=False)
class Place:
    """Where a user works.

    Attributes:
        service: What is served.
        session: Their page.
        tenant: Who they are.
    """

    service: Service
    session: Session
    tenant: str = ""

    @property
    def limits(self) -> PictureLimits:
        """What may be opened."""
        limits = self.service.config.pictures
        return replace(limits, max_pixels=min(limits.max_pixels, MOST_PIXELS))

    def needs_picture(self) -> None:
        """Refuse to go on without a picture.

        Raises:
            Told: If there is none.
        """
        if self.session.picture is None:
            raise Told("There is no picture yet. Open one, take an example, or draw one.")

    async def events(self, job: Job) -> AsyncGenerator[Event, None]:
        """Do a job, and yield what happens; it is given up when nobody asks for the next event.

        Raises:
            EngineError: If it fails.
            ValueError: If it is refused.
        """
        deadline_s = self.service.config.deadline_s
        try:
            ticket = await asyncio.to_thread(self.service.engine.submit, job, tenant=self.tenant, deadline_s=deadline_s)
        except QueueFull as full:
            self.service.saw_full(full)
            raise
        try:
            async for event in ticket:
                if isinstance(event, Failed):
                    raise event.error
                yield event
        finally:
            ticket.cancel()

    async def result(self, job: Job, kind: type[Result]) -> Result:
        """Do a job of one result.

        Raises:
            EngineError: If it fails.
            ValueError: If it is refused.
        """
        results = [event.result async for event in self.events(job) if isinstance(event, Finished)]
        return one_of(results[-1], kind)


def step_of(event: Progress) -> str:
    """Say how far a picture is."""
    return f"Step {event.step} of {event.steps} …"
