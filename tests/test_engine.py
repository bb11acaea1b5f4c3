"""The words of the engine: jobs, events and errors."""

import pytest

from tests.server.stub import detections
from tests.small import picture
from visionllm.engine.errors import ContextLengthExceeded, JobFailed, NotFinite, QueueFull, as_engine_error
from visionllm.engine.events import Found, TextPiece, size_of
from visionllm.engine.jobs import Creation, Perception
from visionllm.types import Box


def test_errors_keep_what_happened():
    assert (ContextLengthExceeded(9, 5).tokens, QueueFull(3).retry_after_s) == (9, 3)
    cause = RuntimeError("x")
    assert isinstance(as_engine_error(cause), JobFailed) and as_engine_error(cause).__cause__ is cause
    assert isinstance(as_engine_error(FloatingPointError("x")), NotFinite)


def test_an_event_is_as_large_as_what_it_holds():
    assert size_of(TextPiece("star")) == 68
    assert size_of(Found(detections(), None)) > 40 * 60 / 8


def test_jobs_without_what_they_are_about_are_refused():
    with pytest.raises(ValueError, match="expected one phrase to look for, got 0"):
        Perception(task="refer", image=picture())
    with pytest.raises(ValueError, match="expected a picture for 1 regions, got none"):
        Creation(words="x", regions=(Box(0, 0, 1, 1),))
