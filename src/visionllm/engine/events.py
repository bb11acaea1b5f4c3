"""What happens to a job, in the order in which it happens."""

from dataclasses import dataclass
from sys import getsizeof

from visionllm.engine.errors import EngineError
from visionllm.types import Answer, Result


@dataclass(frozen=True, slots=True)
class TextPiece:
    """Text of the answer that no later word changes."""

    text: str


@dataclass(frozen=True, eq=False)
class Found:
    """What a sentence routed; it comes before any text of the sentence after it.

    Attributes:
        result: Boxes, poses, pictures or what another decoder returned, with its words.
        span: (start, end) in the answer's text of the words that routed it, or None.
    """

    result: Result
    span: tuple[int, int] | None


@dataclass(frozen=True, slots=True)
class Progress:
    """A picture came one step nearer."""

    step: int
    steps: int


@dataclass(frozen=True, eq=False)
class Finished:
    """The last event of a job that went well."""

    result: Answer | Result


@dataclass(frozen=True, eq=False)
class Failed:
    """The last event of a job that did not."""

    error: EngineError


Event = TextPiece | Found | Progress | Finished | Failed
_PLAIN = 110
"""Bytes of an event in its queue, without its text."""


def size_of(event: Event) -> int:
    """Return about how many bytes of memory an event takes for its reader alone.

    What was found is the job's in any case, and does not count.

    >>> size_of(TextPiece("star")) - size_of(TextPiece(""))
    4
    """
    return _PLAIN + (getsizeof(event.text) if isinstance(event, TextPiece) else 0)
