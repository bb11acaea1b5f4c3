"""Bodies as JSON, counted before they are parsed, so that a small body cannot become a large one in memory."""

import json
import re
from collections.abc import Callable, Coroutine
from typing import Any

from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.responses import Response

from visionllm.server.errors import ApiError

MOST = {b'"': 400_000, b",": 600_000, b"[": 60_000, b"{": 60_000}
"""Most signs of each kind in a body; those of texts count too."""
_STRUCTURE = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?|[\[\]{}]', re.DOTALL)
"""A text, or a sign of structure. Nothing of a text is given back to be tried again, and one without an end reaches to
the end of the body: neither time nor memory grows faster than what is read."""
_HALF = re.compile(r"\\u[dD][89a-fA-F]")


def read_json(body: bytes, max_depth: int) -> Any:
    """Parse a body strictly: UTF-8, no NaN, no key twice, not deep, no half of a surrogate pair.

    Raises:
        ApiError: With status 400, if it is anything else.
    """
    for sign, most in MOST.items():
        if body.count(sign) > most:
            raise _refusal(f"expected at most {most} of the sign {sign.decode()}, got more")
    depth = 0
    for found in _STRUCTURE.finditer(body):
        sign = found[0]
        depth += (sign in b"[{") - (sign in b"]}")
        if depth > max_depth:
            raise _refusal(f"expected JSON at most {max_depth} levels deep, got more")
    try:
        text = body.decode("utf-8")
        parsed = json.loads(text, parse_constant=_no_constant, object_pairs_hook=_no_key_twice)
        if _HALF.search(text):
            json.dumps(parsed, ensure_ascii=False).encode("utf-8")
    except UnicodeError:
        raise _refusal("expected text in UTF-8, got something else") from None
    except json.JSONDecodeError as error:
        raise _refusal(f"expected JSON, got something else at character {error.pos}") from None
    except (ValueError, RecursionError):  # a number of thousands of digits
        raise _refusal("expected JSON, got something that cannot be read") from None
    return parsed


def _no_constant(name: str) -> Any:
    raise _refusal(f"expected finite numbers, got {name}")


def _no_key_twice(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _refusal("expected each key once, got one twice")
    return found


def _refusal(message: str) -> ApiError:
    return ApiError(400, message, code="invalid_json")


class StrictRequest(Request):
    """A request whose JSON is read by `read_json`."""

    async def json(self) -> Any:
        """Return the parsed body."""
        if not hasattr(self, "_json"):
            body, service = await self.body(), self.app.state.service
            service.check_queue()  # it may have filled up while the body came
            self._json = read_json(body, service.config.max_depth)
        return self._json


class StrictRoute(APIRoute):
    """A route that reads JSON strictly, and takes no query that it does not know."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return what answers a request."""
        inner = super().get_route_handler()
        known = {field.alias for field in self.dependant.query_params}

        async def handle(request: Request) -> Response:
            names = request.query_params.keys()
            unknown = [name for name in names if name not in known]
            if unknown:
                param = unknown[0][:100]
                raise ApiError(400, "expected no such query", code="unknown_parameter", param=param)
            if len(request.query_params.multi_items()) != len(names):
                raise ApiError(400, "expected each query once, got one twice", code="invalid_value")
            return await inner(StrictRequest(request.scope, request.receive))

        return handle
