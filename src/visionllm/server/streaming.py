"""Server-sent events: chunks as they come, to clients that read them and are still there."""

import asyncio
import json
from collections.abc import AsyncGenerator, Callable, Sequence
from typing import Any

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from visionllm.engine.errors import NotFinite
from visionllm.engine.events import Event, Failed, Finished
from visionllm.server.backend import Ticket
from visionllm.server.errors import from_engine
from visionllm.server.service import until_gone

DONE = b"data: [DONE]\n\n"


def sse(plain: Any) -> bytes:
    """Return one event with JSON data.

    Raises:
        ApiError: As `dumps`.
    """
    return b"data: " + dumps(plain) + b"\n\n"


def dumps(plain: Any) -> bytes:
    """Return JSON on one line.

    Raises:
        ApiError: With status 500, if a number is NaN or infinite.
    """
    try:
        text = json.dumps(plain, allow_nan=False, ensure_ascii=False, separators=(",", ":"))
    except ValueError:
        raise from_engine(NotFinite()) from None
    return text.encode("utf-8", "replace")


async def merged(tickets: Sequence[Ticket]) -> AsyncGenerator[tuple[int, Event], None]:
    """Yield the events of several jobs with the number of the job, until all have ended; one waits at most."""
    waiting: asyncio.Queue[tuple[int, Event]] = asyncio.Queue(1)

    async def pump(number: int, ticket: Ticket) -> None:
        async for event in ticket:
            await waiting.put((number, event))

    pumps = [asyncio.create_task(pump(number, ticket)) for number, ticket in enumerate(tickets)]
    try:
        left = len(tickets)
        while left:
            number, event = await waiting.get()
            left -= isinstance(event, Finished | Failed)
            yield number, event
    finally:
        for task in pumps:
            task.cancel()


class EventStream(Response):
    """A response of chunks. It ends when the client is gone, or takes too long to accept a chunk.

    Args:
        chunks: What is sent; it is closed at the end, whatever the end is.
        send_s: Seconds a client may take to accept a chunk.
        close: Called at the end.
    """

    media_type = "text/event-stream"

    def __init__(self, chunks: AsyncGenerator[bytes, None], send_s: float, close: Callable[[], None]) -> None:
        self.status_code, self.background, self.body = 200, None, b""
        self._chunks, self._send_s, self._close = chunks, send_s, close
        self.init_headers({"x-accel-buffering": "no"})
        del self.headers["content-length"]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send everything, or stop early."""
        writing = asyncio.ensure_future(self._write(send))
        gone = asyncio.ensure_future(until_gone(receive))
        try:
            await asyncio.wait({writing, gone}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._close()
            writing.cancel()
            gone.cancel()
            await asyncio.wait({writing, gone})
            await self._chunks.aclose()
        if not writing.cancelled():
            writing.result()

    async def _write(self, send: Send) -> None:
        try:
            await self._piece(send, {"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            async for chunk in self._chunks:
                await self._piece(send, {"type": "http.response.body", "body": chunk, "more_body": True})
            await self._piece(send, {"type": "http.response.body", "body": b"", "more_body": False})
        except TimeoutError:
            return  # the connection is closed where it is, as the response is not whole

    async def _piece(self, send: Send, message: dict[str, Any]) -> None:
        async with asyncio.timeout(self._send_s):
            await send(message)
