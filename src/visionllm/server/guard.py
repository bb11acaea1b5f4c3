"""What every request passes before any route is looked for: who may ask, from where, and how much may be sent."""

import asyncio
import hmac
import logging
import time
import uuid
from collections.abc import Mapping
from hashlib import sha256
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from visionllm.server.budget import RETRY_AFTER_S, Lease
from visionllm.server.config import digest_of
from visionllm.server.errors import ApiError, busy
from visionllm.server.login import LOGIN, PAGE, is_page, key_behind
from visionllm.server.service import Service

LOG = logging.getLogger("visionllm.server")
OPEN_PATH = "/health"
ALWAYS = ("/ready", "/metrics")
"""What a server that stops, or has too much to do, still answers."""
HEARTBEAT = f"{PAGE}/gradio_api/heartbeat/"
"""Where an open page shows that it is still there; such a request never ends by itself, so nothing waits for it."""
DISCARD_S = 1.0
"""How long the body of a refused request is read on, so that its client gets to read the refusal."""
_METHODS = "GET, POST, OPTIONS"
_HEADERS = "authorization, content-type, x-stainless-retry-count"


class Guard:
    """Stands before an app.

    Args:
        app: What is guarded.
        service: What is served.
    """

    def __init__(self, app: ASGIApp, service: Service) -> None:
        self._app, self._service = app, service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse a request or pass it on."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
        elif scope["path"] == OPEN_PATH and scope["method"] in ("GET", "HEAD"):
            await self._app(scope, receive, send)
        else:
            await self._guarded(scope, receive, send)

    async def _guarded(self, scope: Scope, receive: Receive, send: Send) -> None:
        service, begin = self._service, time.monotonic()
        name, status = uuid.uuid4().hex, 500
        headers = Headers(scope=scope)
        more = {"x-request-id": name, "x-content-type-options": "nosniff", "cache-control": "no-store"}

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", []), *_raw(more)]
            await send(message)

        counted = not scope["path"].startswith(HEARTBEAT)
        service.open += counted
        service.metrics.open.set(service.open)
        lease = service.bodies.lease()
        try:
            more |= self._check_sender(headers)
            if _is_preflight(scope, headers):
                await _answer_preflight(scope, receive, sending)
                return
            scope.setdefault("state", {})["tenant"] = self._tenant(headers, scope)
            self._check_room(scope, headers)
            await self._app(scope, _Body(service, receive, lease).receive, sending)
        except ApiError as refusal:
            if "expect" not in headers:
                await _discard(receive)
            await refusal.response()(scope, receive, sending)
        finally:
            lease.close()
            service.open -= counted
            service.metrics.open.set(service.open)
            route, seconds = getattr(scope.get("route"), "path", "none"), time.monotonic() - begin
            service.metrics.saw(route, scope["method"], status, seconds)
            tenant = scope.get("state", {}).get("tenant") or "-"
            LOG.info("%s %s %d %.3fs %s %s", scope["method"], route, status, seconds, name, tenant)

    def _check_sender(self, headers: Headers) -> dict[str, str]:
        """Refuse names that are not ours and pages of others; return headers for the pages that may ask.

        Raises:
            ApiError: With status 403.
        """
        config = self._service.config
        hosts = headers.getlist("host")
        if len(hosts) != 1 or _without_port(hosts[0]) not in config.hosts:
            message = "expected a Host that this server is known by, got another one; --allow-host adds one"
            raise ApiError(403, message, code="host_not_allowed")
        origins = headers.getlist("origin")
        if not origins:
            foreign = headers.get("sec-fetch-site") in ("cross-site", "same-site")
            if foreign and headers.get("sec-fetch-mode") != "navigate":
                raise ApiError(403, "expected a request of an allowed page, got one of another", code="foreign_page")
            return {}
        if len(origins) == 1 and origins[0] in config.allowed_origins:
            exposed = "x-request-id, retry-after"
            origin = {"access-control-allow-origin": origins[0], "vary": "origin"}
            return origin | {"access-control-expose-headers": exposed}
        if len(origins) == 1 and _netloc(origins[0]) == hosts[0].lower():
            return {}
        message = "expected a request of an allowed origin, got one of another; --allow-origin adds one"
        raise ApiError(403, message, code="origin_not_allowed")

    def _tenant(self, headers: Headers, scope: Scope) -> str:
        """Return a name for the sender, which says nothing about the key; all keys are compared, whichever fits.

        Raises:
            ApiError: With status 401, or 303 for a browser that opens the page.
        """
        service, found = self._service, b""
        if not service.config.keys or scope["path"] == LOGIN:
            return ""
        if service.paged and scope["path"] == "/" and scope["method"] == "GET":
            raise ApiError(303, "the page is elsewhere", code="login", headers={"Location": f"{PAGE}/"})
        if service.paged and is_page(scope["path"]):
            found = key_behind(headers.getlist("cookie"), service.salt, service.config.keys)
            if found:
                return sha256(service.salt + found).hexdigest()[:16]
            if scope["method"] == "GET" and scope["path"] in (PAGE, f"{PAGE}/"):
                raise ApiError(303, "the page asks for a key first", code="login", headers={"Location": LOGIN})
        given = headers.getlist("authorization")
        scheme, _, key = given[0].partition(" ") if len(given) == 1 else ("", "", "")
        digest = digest_of(key.strip().encode("utf-8", "surrogateescape"))
        for own in service.config.keys:
            if hmac.compare_digest(digest, own):
                found = own
        if not found or scheme.lower() != "bearer":
            raise ApiError(
                401,
                "expected an API key, as in `Authorization: Bearer KEY`, got none that is known",
                code="invalid_api_key",
                headers={"WWW-Authenticate": "Bearer"},
            )
        return sha256(service.salt + found).hexdigest()[:16]

    def _check_room(self, scope: Scope, headers: Headers) -> None:
        """Refuse what cannot be taken on now, before any of its body is read.

        Raises:
            ApiError: With status 400, 413, 415, 429 or 503.
        """
        service, most = self._service, self._service.config.max_body_bytes
        if scope["path"] not in ALWAYS:
            if service.draining:
                message = "the server is stopping and takes no new requests"
                raise ApiError(503, message, code="draining", headers={"Connection": "close"})
            if service.open > service.config.max_requests:
                raise busy(RETRY_AFTER_S)
        if scope["method"] == "POST" and not is_page(scope["path"]):  # a page says it in words of its own
            service.check_queue()
        if headers.get("content-encoding", "identity").lower() != "identity":
            raise ApiError(415, "expected a body without Content-Encoding, got one with", code="unsupported_encoding")
        length = headers.get("content-length", "0")
        if not (length.isascii() and length.isdigit()):
            raise ApiError(400, "expected a Content-Length in bytes, got something else", code="invalid_length")
        if len(length) > 15 or int(length) > most:
            raise too_large(most)


class _Body:
    """Hands on the body of a request while it is neither too long, nor too slow, nor one too many."""

    def __init__(self, service: Service, receive: Receive, lease: Lease) -> None:
        self._config, self._receive, self._lease = service.config, receive, lease
        self._end = time.monotonic() + service.config.body_s
        self._bytes, self._whole = 0, False

    async def receive(self) -> Message:
        if self._whole:
            return await self._receive()
        wait = min(self._config.body_idle_s, self._end - time.monotonic())
        try:
            message = await asyncio.wait_for(self._receive(), max(wait, 0))
        except TimeoutError:
            self._whole = True
            raise ApiError(
                408, "expected a whole body in time, got one that is too slow", code="slow_body", headers=_CLOSE
            ) from None
        size = len(message.get("body", b""))
        self._bytes += size
        self._whole = not message.get("more_body", False)
        if self._bytes > self._config.max_body_bytes:
            if not self._whole:
                await _discard(self._receive)
            self._whole = True
            raise too_large(self._config.max_body_bytes)
        if size:
            self._lease.take(size)
        return message


_CLOSE = {"Connection": "close", "x-should-retry": "false"}


def too_large(most: int) -> ApiError:
    """Return the refusal of a body that is too long."""
    return ApiError(413, f"expected a body of at most {most} bytes, got more", code="request_too_large", headers=_CLOSE)


def _is_preflight(scope: Scope, headers: Headers) -> bool:
    """Tell whether a browser asks for permission on behalf of a page; pages that may not were refused already."""
    return scope["method"] == "OPTIONS" and "origin" in headers and "access-control-request-method" in headers


async def _answer_preflight(scope: Scope, receive: Receive, send: Send) -> None:
    await _discard(receive)
    allowed = {
        "access-control-allow-methods": _METHODS,
        "access-control-allow-headers": _HEADERS,
        "access-control-max-age": "600",
        "content-length": "0",
    }
    await send({"type": "http.response.start", "status": 204, "headers": _raw(allowed)})
    await send({"type": "http.response.body", "body": b""})


async def _discard(receive: Receive) -> None:
    """Read what a client still sends, for a moment, and forget it."""
    try:
        async with asyncio.timeout(DISCARD_S):
            while (await receive()).get("more_body", False):
                pass
    except TimeoutError:
        return


def _raw(headers: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    return [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]


def _without_port(host: str) -> str:
    """Return a Host header without its port, or nothing where it has another form.

    >>> _without_port("LOCALHOST:8000"), _without_port("[::1]:80"), _without_port("a@localhost")
    ('localhost', '[::1]', '')
    """
    name, colon, port = host.lower().rpartition(":")
    if not colon or host.endswith("]"):
        name, port = host.lower(), "0"
    return name if port.isascii() and port.isdigit() and not set(name) & set("/@\\?# ") else ""


def _netloc(origin: str) -> str:
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return ""
