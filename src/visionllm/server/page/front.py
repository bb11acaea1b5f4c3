"""Between a browser and gradio: only the few routes that the page needs, no files, nothing from other servers."""

import re
import time
from collections.abc import Callable
from pathlib import Path

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from visionllm.server.errors import ApiError
from visionllm.server.login import PAGE

OPEN = re.compile(
    r"/(|config/?|theme\.css|favicon\.ico|assets/[\w./-]+|static/[\w./-]+"
    r"|gradio_api/(startup-events|info/?|theme\.css|upload|upload_progress|queue/(join|data)|cancel|reset/?|app_id/?"
    r"|heartbeat/\w{1,64}))"
)
"""Everything else – files of the server, proxies, streams, other ways to call functions – is not there."""
POLICY = "; ".join(
    (
        "default-src 'self'",
        "script-src 'self' 'unsafe-inline' 'unsafe-eval'",
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data: blob:",
        "font-src 'self' data:",
        "connect-src 'self' data: blob:",
        "worker-src 'self' blob:",
        "object-src 'none'",
        "base-uri 'self'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    )
)
MOST_UPLOADED = 200_000_000
"""Most bytes of files that arrived and were not opened yet."""
OLD_S = 300.0
"""After so many seconds such a file is deleted."""
_ELSEWHERE = re.compile(
    rb"<(?:meta|link|script)\b[^>]*?(?:content|href|src)=\"(?:https?:)?//[^\"]*\"[^>]*?>(?:</script>)?"
)


class Front:
    """Stands before gradio's app.

    Args:
        app: Gradio's.
        uploads: Where it puts files.
        start: Starts its queue, on the loop that answers requests.
    """

    def __init__(self, app: ASGIApp, uploads: Path, start: Callable[[], None]) -> None:
        self._app, self._uploads, self._start = app, uploads, start
        self._started = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse a request or pass it on."""
        path = str(scope["path"]).removeprefix(PAGE)
        if scope["type"] != "http" or ".." in path or not OPEN.fullmatch(path):
            raise ApiError(404, "expected a path of this server, got another one", code="not_found")
        if not self._started:
            self._started = True
            self._start()
        if path == "/gradio_api/upload":
            self._check_room()
        whole = _Whole(send) if path == "/" and scope["method"] == "GET" else None
        if whole is not None:
            plain = [(name, value) for name, value in scope["headers"] if name != b"accept-encoding"]
            await self._app({**scope, "headers": plain}, receive, whole.take)
            return

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)["content-security-policy"] = POLICY
            await send(message)

        await self._app(scope, receive, sending)

    def _check_room(self) -> None:
        """Delete files that nobody opened, and refuse more where there are too many.

        Raises:
            ApiError: With status 429.
        """
        held, now = 0, time.time()
        for file in self._uploads.rglob("*"):
            try:
                about = file.stat()
                if not file.is_file():
                    continue
                if now - about.st_mtime > OLD_S:
                    file.unlink(missing_ok=True)
                else:
                    held += about.st_size
            except FileNotFoundError:
                continue
        if held > MOST_UPLOADED:
            raise ApiError(429, "too many pictures are on their way; try again in a moment", code="rate_limit_exceeded")


class _Whole:
    """Holds a page back until it is whole, and takes out what names other servers."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._start: Message = {}
        self._body = b""

    async def take(self, message: Message) -> None:
        """Take a part of the response."""
        if message["type"] == "http.response.start":
            self._start = message
        if message["type"] != "http.response.body":
            return
        self._body += message.get("body", b"")
        if message.get("more_body", False):
            return
        body = cleaned(self._body)
        headers = MutableHeaders(scope=self._start)
        headers["content-length"], headers["content-security-policy"] = str(len(body)), POLICY
        await self._send(self._start)
        await self._send({"type": "http.response.body", "body": body})


def cleaned(page: bytes) -> bytes:
    """Take out of a page the tags that name other servers.

    >>> cleaned(b'<link rel="preconnect" href="https://a.b/" /><p>')
    b'<p>'
    """
    return _ELSEWHERE.sub(b"", page)
