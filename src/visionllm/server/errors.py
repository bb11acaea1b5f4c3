"""Errors as clients of OpenAI's API know them: `{"error": {"message", "type", "param", "code"}}`."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

from visionllm.engine.errors import (
    Cancelled,
    ContextLengthExceeded,
    DeadlinePassed,
    Draining,
    EngineDied,
    EngineError,
    NotFinite,
    QueueFull,
    SlowReader,
)
from visionllm.server.schema.parts import CHOICES, KINDS

LOG = logging.getLogger("visionllm.server")
LONGEST = 500
"""Most characters of a message."""
INVALID, SERVER = "invalid_request_error", "server_error"
NO_RETRY = {"x-should-retry": "false"}
"""Tells clients not to ask again by themselves: the same would happen."""
_CODES = {404: "not_found", 405: "method_not_allowed", 413: "request_too_large", 415: "unsupported_media_type"}
_MESSAGES = {
    404: "expected a path of this server, got another one",
    405: "expected a method that this path has, got another one",
}


class ApiError(HTTPException):
    """A refusal or failure with everything that its response says.

    Args:
        status: HTTP status.
        message: For the user; cut after 500 characters.
        code: For programs.
        param: The field that is wrong, such as `messages.0.content`, or None.
        kind: OpenAI's `type`.
        headers: More headers.
    """

    def __init__(
        self,
        status: int,
        message: str,
        *,
        code: str | None = None,
        param: str | None = None,
        kind: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(status, message, headers=dict(headers or {}))
        self.code, self.param = code, param
        self.kind = kind or (INVALID if status < 500 else SERVER)

    @property
    def body(self) -> dict[str, Any]:
        """The body of the response."""
        text = self.detail if len(self.detail) <= LONGEST else self.detail[: LONGEST - 1] + "…"
        # A lone half of a surrogate pair, which JSON may hold, cannot be sent back.
        message = text.encode("utf-8", "replace").decode("utf-8")
        return {"error": {"message": message, "type": self.kind, "param": self.param, "code": self.code}}

    def response(self) -> Response:
        """Return the response."""
        return JSONResponse(self.body, self.status_code, headers=self.headers)


def from_engine(error: EngineError | ValueError) -> ApiError:
    """Return what a client is told of an error; the cause of a failure stays in the log."""
    if isinstance(error, ContextLengthExceeded):
        message = f"expected at most {error.context} tokens, the context of this model, got {error.tokens}"
        return ApiError(400, message, code="context_length_exceeded", param="messages")
    if isinstance(error, ValueError):
        return ApiError(400, str(error), code="invalid_value")
    if isinstance(error, QueueFull):
        return busy(error.retry_after_s)
    if isinstance(error, Draining):
        return ApiError(503, "the server is stopping and takes no new requests", code="draining")
    if isinstance(error, DeadlinePassed):
        return ApiError(504, "the request was not done in time", code="deadline_exceeded", headers=NO_RETRY)
    if isinstance(error, SlowReader):
        return ApiError(408, "the answer was read too slowly", code="slow_reader", headers=NO_RETRY)
    if isinstance(error, Cancelled):
        return ApiError(499, "the request was given up", code="cancelled", headers=NO_RETRY)
    if isinstance(error, NotFinite):
        return ApiError(500, "the model computed what is no number", code="not_finite", headers=NO_RETRY)
    if isinstance(error, EngineDied):
        return ApiError(503, "the model has stopped", code="engine_died")
    LOG.error("a job failed: %s", describe(error))
    return ApiError(500, "the model could not finish the request", code="job_failed", headers=NO_RETRY)


def busy(retry_after_s: int) -> ApiError:
    """Return the refusal of a server that has enough to do."""
    seconds = min(max(int(retry_after_s), 1), 120)
    return ApiError(
        429,
        f"too many requests wait already; try again in {seconds} s",
        code="rate_limit_exceeded",
        kind="rate_limit_error",
        headers={"Retry-After": str(seconds)},
    )


def describe(error: BaseException | None) -> str:
    """Say where an error and its causes come from, without their words: those may repeat what a user wrote."""
    told = []
    while error is not None and len(told) < 5:
        place, trace = "", error.__traceback__
        while trace is not None:
            code = trace.tb_frame.f_code
            place = f" in {code.co_name} ({code.co_filename}:{trace.tb_lineno})"
            trace = trace.tb_next
        told.append(f"{type(error).__name__}{place}")
        error = error.__cause__ or error.__context__
    return ", from ".join(told)


def add_handlers(app: FastAPI) -> None:
    """Let every error of an app, and of what it is made of, leave in one form."""

    async def refused(_: Request, error: Exception) -> Response:
        if isinstance(error, ApiError):
            return error.response()
        if isinstance(error, RequestValidationError):
            return _wrong_field(error.errors()).response()
        if isinstance(error, HTTPException):
            status, headers = error.status_code, error.headers
            message = _MESSAGES.get(status, str(error.detail))
            return ApiError(status, message, code=_CODES.get(status), headers=headers).response()
        return ApiError(500, "the server failed", code="internal_error", headers=NO_RETRY).response()

    for kind in (HTTPException, RequestValidationError, Exception):
        app.add_exception_handler(kind, refused)


def _wrong_field(errors: Sequence[Any]) -> ApiError:
    """Return the refusal of the first field that is wrong; values are not repeated."""
    first = errors[0]
    param = ".".join(_path(first["loc"]))[:200] or None
    if first["type"] == "extra_forbidden":
        return ApiError(400, f"expected no field {param!r}, got one", code="unknown_parameter", param=param)
    if first["type"] == "missing":
        where = f"a field {param!r}" if param else "a JSON object with Content-Type application/json"
        return ApiError(400, f"expected {where}, got none", code="missing_required_parameter", param=param)
    words = str(first["msg"]).removeprefix("Value error, ")
    return ApiError(400, f"{param or 'body'}: {words[:1].lower()}{words[1:]}", code="invalid_value", param=param)


def _path(steps: Sequence[Any]) -> list[str]:
    """Return the way to a field without the steps that only name the kind of an item."""
    kept: list[str] = []
    for before, step in zip([None, *steps], steps, strict=False):
        kind = isinstance(step, str) and (step in CHOICES or (isinstance(before, int) and step in KINDS))
        if not kind and step not in ("body", "query", "path"):
            kept.append(str(step))
    return kept
