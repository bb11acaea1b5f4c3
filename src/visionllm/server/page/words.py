"""What a user of the page is told: sentences, whatever went wrong."""

import re
from html import escape

from visionllm.engine.errors import EngineError
from visionllm.server.errors import ApiError, from_engine


class Told(ValueError):
    """Something that a user did not do yet, said in a sentence for the page."""


_SENTENCES = {
    "invalid_image": "This file cannot be used as a picture. {detail}.",
    "too_many_pixels": "This picture is too large. {detail}.",
    "invalid_region": "This place cannot be used. {detail}.",
    "rate_limit_exceeded": "Too many requests are waiting at the moment. Try again in a few seconds.",
    "context_length_exceeded": "This conversation is longer than the model can read ({detail}). Start anew.",
    "deadline_exceeded": "This took too long and was given up. Try again, or ask for less.",
    "draining": "The server is stopping and takes nothing new.",
    "engine_died": "The model has stopped. Whoever runs the server has to start it again.",
    "not_finite": "The model could not finish this: it computed what is no number. Try something else.",
    "job_failed": "The model could not finish this. Try something else; nothing else was lost.",
    "slow_reader": "The connection was too slow for this answer. Try again.",
    "cancelled": "Stopped.",
    "invalid_value": "This cannot be asked. {detail}.",
}
_EXPECTED = re.compile(r"^(?:\w+ \d+: )?expected (.*), got (.*)$")
_FALLBACK = "The server could not do this. Try something else."


def sentence(error: ValueError | EngineError | ApiError) -> str:
    """Return what a user is told of an error.

    >>> sentence(ValueError("expected a phrase, got none"))
    'This cannot be asked. Needed: a phrase; given: none.'
    """
    if isinstance(error, Told):
        return str(error)
    refusal = error if isinstance(error, ApiError) else from_engine(error)
    detail = _EXPECTED.sub(r"Needed: \1; given: \2", str(refusal.body["error"]["message"]).rstrip("."))
    return _SENTENCES.get(refusal.code or "", _FALLBACK).format(detail=detail)


def note(text: str, *, wrong: bool = False) -> str:
    """Return a line about what happens, as HTML; screen readers read it when it changes.

    Args:
        text: Plain text.
        wrong: Whether something went wrong.
    """
    kind = "vl-note vl-wrong" if wrong else "vl-note"
    return f'<p class="{kind}" role="{"alert" if wrong else "status"}">{escape(text)}</p>'
