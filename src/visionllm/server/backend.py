"""What a server needs of an engine."""

from collections.abc import AsyncIterator
from typing import Any, Protocol

from visionllm.engine.events import Event
from visionllm.engine.jobs import Job
from visionllm.types import Answer, Result


class Ticket(Protocol):
    """A job that was taken on."""

    def __aiter__(self) -> AsyncIterator[Event]:
        """Yield what happens, last `Finished` or `Failed`."""
        ...

    async def wait(self) -> Answer | Result:
        """Return the result, or raise an `EngineError`."""
        ...

    def cancel(self) -> None:
        """Give the job up; nothing happens if it has ended."""
        ...


class Status(Protocol):
    """An engine at one moment."""

    @property
    def alive(self) -> bool:
        """Whether it works."""
        ...

    @property
    def draining(self) -> bool:
        """Whether it takes nothing new."""
        ...

    @property
    def queued(self) -> int:
        """Jobs that wait."""
        ...

    @property
    def running(self) -> int:
        """Jobs that are worked on."""
        ...

    @property
    def free_blocks(self) -> int:
        """Blocks of the cache that nobody uses."""
        ...

    @property
    def total_blocks(self) -> int:
        """All blocks of the cache."""
        ...

    @property
    def counters(self) -> Any:
        """How often what happened, by name."""
        ...


class Backend(Protocol):
    """An engine."""

    def submit(self, job: Job, *, tenant: str = "", deadline_s: float | None = None) -> Ticket:
        """Take on a job, or raise a ValueError, `QueueFull`, `Draining` or `EngineDied` at once."""
        ...

    def drain(self, timeout_s: float) -> Any:
        """Take nothing new and wait for what runs."""
        ...

    def stop(self) -> Any:
        """Let everything fail at once."""
        ...

    @property
    def status(self) -> Status:
        """How the engine is."""
        ...
