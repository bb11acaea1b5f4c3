"""Logs that hold no prompt, picture or key, and in which nobody can forge a line."""

import logging
import re
from types import TracebackType
from typing import Any

from visionllm.server.errors import describe

_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")
_Info = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]


def escape(text: str) -> str:
    r"""Write control characters, and those that turn the direction of text, as their numbers.

    >>> escape("a\nb\x1b[31m")
    'a\\x0ab\\x1b[31m'
    """
    return _CONTROL.sub(lambda found: _number(ord(found[0])), text)


def _number(code: int) -> str:
    return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}"


class SafeFormatter(logging.Formatter):
    """One line a record; of an exception only its kind and place, as its words may repeat what a user wrote."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s %(message)s")

    def format(self, record: logging.LogRecord) -> str:
        """Return the line of a record."""
        return escape(super().format(record))

    def formatException(self, ei: _Info) -> str:  # noqa: N802 – the name is logging's
        """Return where an exception comes from."""
        return describe(ei[1])

    def formatStack(self, stack_info: str) -> str:  # noqa: N802 – the name is logging's
        """Leave the stack out."""
        return ""


def log_to(stream: Any, level: int = logging.INFO) -> None:
    """Let the loggers of the server and of uvicorn write to a stream."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(SafeFormatter())
    for name in ("visionllm.server", "uvicorn"):
        logger = logging.getLogger(name)
        logger.handlers[:] = [handler]
        logger.setLevel(level)
        logger.propagate = False
