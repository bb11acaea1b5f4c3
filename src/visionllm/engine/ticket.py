"""The receipt for a job: its events as they come, its result, and a way to give it up."""

import asyncio
import threading
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress

from visionllm.engine.errors import Cancelled, SlowReader
from visionllm.engine.events import Event, Failed, Finished, size_of
from visionllm.types import Answer, Result

_Waiter = tuple[asyncio.AbstractEventLoop, asyncio.Event]


class Ticket:
    """A job that was taken on; safe to use from any thread and any event loop.

    Whoever wants the events iterates, with `for` or `async for`; whoever wants the result only calls `result` or awaits
    `wait`, and then no events are kept.

    Args:
        name: Of the job.
        event_bytes: Most bytes of events that wait to be read.
        wake: Called when the job is given up.
    """

    def __init__(self, name: str, event_bytes: int, wake: Callable[[], None] = lambda: None) -> None:
        self.id = name
        self._most, self._wake = event_bytes, wake
        self._changed = threading.Condition()
        self._events: deque[tuple[Event, int]] = deque()
        self._bytes = 0
        self._last: Finished | Failed | None = None
        self._read = self._lost = self._unread = False
        self._waiters: list[_Waiter] = []

    @property
    def done(self) -> bool:
        """Whether the last event is there."""
        return self._last is not None

    @property
    def last(self) -> Finished | Failed | None:
        """The last event, once it is there."""
        return self._last

    def push(self, event: Event) -> None:
        """Add an event; the engine does.

        A reader who left too many of them unread fails the job. Where nobody has begun to read, only the events are
        lost: the result can still be had.
        """
        with self._changed:
            if self._last is not None or self._unread or self._lost:
                return
            size = size_of(event)
            self._events.append((event, size))
            self._bytes += size
            if self._bytes > self._most:
                self._events.clear()
                self._bytes = 0
                self._lost = True
                if self._read:
                    self._last = Failed(self._too_slow())
            self._notify()

    def end(self, event: Finished | Failed) -> bool:
        """Add the last event; tell whether it was the first such one, others are ignored."""
        with self._changed:
            if self._last is not None:
                return False
            self._last = event
            self._notify()
            return True

    def cancel(self) -> None:
        """Give the job up; it ends at once, and the engine stops working on it after the running step."""
        if self.end(Failed(Cancelled("the job was cancelled"))):
            self._wake()

    def __iter__(self) -> Iterator[Event]:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._peek() is not None)
                event = self._take()
            yield event
            if isinstance(event, Finished | Failed):
                return

    async def __aiter__(self) -> AsyncIterator[Event]:
        while True:
            event = await self._when(lambda: self._take() if self._peek() is not None else None)
            yield event
            if isinstance(event, Finished | Failed):
                return

    def result(self, timeout_s: float | None = None) -> Answer | Result:
        """Wait for the result.

        Raises:
            EngineError: If the job failed.
            TimeoutError: If it takes longer than `timeout_s`; it goes on.
        """
        with self._changed:
            self._want_no_events()
            if not self._changed.wait_for(lambda: self._last is not None, timeout_s):
                raise TimeoutError(f"expected job {self.id} to end within {timeout_s} s, got nothing yet")
            return self._outcome()

    async def wait(self) -> Answer | Result:
        """Wait for the result without blocking the event loop.

        Raises:
            EngineError: If the job failed.
        """
        with self._changed:
            self._want_no_events()
        await self._when(lambda: self._last)
        return self._outcome()

    async def _when(self, look: Callable[[], Event | None]) -> Event:
        waiter = asyncio.get_running_loop(), asyncio.Event()
        with self._changed:
            self._waiters.append(waiter)
        try:
            while True:
                waiter[1].clear()
                with self._changed:
                    found = look()
                if found is not None:
                    return found
                await waiter[1].wait()
        finally:
            with self._changed:
                self._waiters.remove(waiter)

    def _want_no_events(self) -> None:
        if not self._read:
            self._unread = True
            self._events.clear()
            self._bytes = 0

    def _peek(self) -> Event | None:
        """Return the next event, if there is one; the caller holds the lock."""
        self._read = True
        if self._lost:
            return self._last if isinstance(self._last, Failed) else Failed(self._too_slow())
        return self._events[0][0] if self._events else self._last

    def _take(self) -> Event:
        event = self._peek()
        if self._events and not self._lost:
            self._bytes -= self._events.popleft()[1]
        return event  # pyright: ignore[reportReturnType] – whoever takes has peeked

    def _outcome(self) -> Answer | Result:
        if isinstance(self._last, Finished):
            return self._last.result
        raise self._last.error  # pyright: ignore[reportOptionalMemberAccess] – whoever asks has waited

    def _notify(self) -> None:
        self._changed.notify_all()
        for loop, flag in self._waiters:
            with suppress(RuntimeError):  # of a loop that was closed: nobody waits there any more
                loop.call_soon_threadsafe(flag.set)

    def _too_slow(self) -> SlowReader:
        return SlowReader(f"expected at most {self._most} bytes of unread events, got more: the reader is too slow")
