"""`POST /v1/chat/completions`: whole answers, and answers as they are written."""

import asyncio
import secrets
import time
from collections.abc import AsyncGenerator
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from visionllm.engine.events import Event, Failed, Finished, Found, Progress, TextPiece
from visionllm.engine.jobs import Job
from visionllm.server.conversation import requests_of
from visionllm.server.errors import ApiError, from_engine
from visionllm.server.intake import Intake
from visionllm.server.reading import StrictRoute
from visionllm.server.results import one_of, parts_of, results_of, usage
from visionllm.server.schema.chat import ChatBody
from visionllm.server.service import Service, Work
from visionllm.server.streaming import DONE, EventStream, dumps, merged, sse
from visionllm.types import Answer

router = APIRouter(route_class=StrictRoute)


@router.post("/v1/chat/completions")
async def complete(body: ChatBody, request: Request) -> Response:
    """Answer a conversation."""
    service: Service = request.app.state.service
    service.check_model(body.model)
    work, tokens = Work(service, request), 0

    def build(intake: Intake) -> list[Job]:
        nonlocal tokens
        requests, tokens = requests_of(body, intake, service.card, service.config.max_messages)
        return [*requests]

    await work.start(build)
    frame = _frame(service.card.name, "chat.completion.chunk" if body.stream else "chat.completion")
    if body.stream:
        wanted = body.stream_options is not None and body.stream_options.include_usage
        return await _stream(work, frame, tokens if wanted else None, service.config.send_s)
    answers: list[Answer] = [one_of(result, Answer) for result in await work.results()]
    return await asyncio.to_thread(_whole, frame, answers, tokens)


def _frame(model: str, kind: str) -> dict[str, Any]:
    return {"id": f"chatcmpl-{secrets.token_hex(12)}", "object": kind, "created": int(time.time()), "model": model}


def _whole(frame: dict[str, Any], answers: list[Answer], tokens: int) -> Response:
    choices = [
        {
            "index": index,
            "message": {"role": "assistant", "content": answer.text, "refusal": None}
            | {"parts": parts_of(answer), "results": [result.to_dict() for result in results_of(answer)]}
            | {"notices": list(answer.notices)},
            "logprobs": None,
            "finish_reason": answer.finish_reason,
        }
        for index, answer in enumerate(answers)
    ]
    plain = frame | {"choices": choices, "usage": usage(tokens, answers)}
    return Response(dumps(plain), media_type="application/json")


async def _stream(work: Work, frame: dict[str, Any], prompt: int | None, send_s: float) -> Response:
    """Begin a stream with the first thing that happens: what fails before is a plain error with its own status.

    Raises:
        ApiError: If the first thing that happens is a failure.
    """
    events = merged(work.tickets)
    try:
        number, event = await work.while_connected(anext(events))
        if isinstance(event, Failed):
            raise from_engine(event.error)
    except BaseException:
        work.close()
        await events.aclose()
        raise
    writer = _Writer(frame, len(work.tickets), prompt)
    return EventStream(writer.chunks((number, event), events), send_s, work.close)


class _Writer:
    """Writes events as chunks.

    Args:
        frame: What all chunks share.
        count: Number of choices.
        prompt: Tokens of the prompt if the stream ends with its usage.
    """

    def __init__(self, frame: dict[str, Any], count: int, prompt: int | None) -> None:
        self._frame, self._prompt = frame, prompt
        self._found = [0] * count
        self._answers: list[Answer] = []

    async def chunks(
        self, first: tuple[int, Event], rest: AsyncGenerator[tuple[int, Event], None]
    ) -> AsyncGenerator[bytes, None]:
        """Yield the chunks of a stream; what a sentence routed comes before the text of the sentence after it."""
        try:
            for number in range(len(self._found)):
                yield self._chunk(number, {"role": "assistant", "content": ""})
            pending: tuple[int, Event] | None = first
            while pending is not None:
                yield await self._written(*pending)
                pending = await anext(rest, None)
            if self._prompt is not None:
                yield sse(self._frame | {"choices": [], "usage": usage(self._prompt, self._answers)})
            yield DONE
        except ApiError as error:
            yield sse(error.body)
        finally:
            await rest.aclose()

    async def _written(self, number: int, event: Event) -> bytes:
        """Return an event as a chunk.

        Raises:
            ApiError: If it is a failure, or holds what is no number.
        """
        if isinstance(event, Failed):
            raise from_engine(event.error)
        if isinstance(event, TextPiece):
            return self._chunk(number, {"content": event.text})
        if isinstance(event, Progress):
            return self._chunk(number, {"progress": {"step": event.step, "steps": event.steps}})
        return await asyncio.to_thread(self._large, number, event)  # masks take a while to write down

    def _large(self, number: int, event: Found | Finished) -> bytes:
        if isinstance(event, Found):
            self._found[number] += 1
            span = None if event.span is None else list(event.span)
            return self._chunk(number, {"results": [event.result.to_dict() | {"span": span}]})
        answer: Answer = one_of(event.result, Answer)
        self._answers.append(answer)
        last: dict[str, Any] = {"parts": parts_of(answer), "notices": list(answer.notices)}
        if not self._found[number] and (results := results_of(answer)):
            last["results"] = [result.to_dict() for result in results]
        return self._chunk(number, last, answer.finish_reason)

    def _chunk(self, number: int, delta: dict[str, Any], reason: str | None = None) -> bytes:
        choice = {"index": number, "delta": delta, "logprobs": None, "finish_reason": reason}
        return sse(self._frame | {"choices": [choice]})
