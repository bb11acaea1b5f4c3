"""What a user is told."""

import pytest

from visionllm.engine.errors import ContextLengthExceeded, EngineDied, JobFailed, QueueFull
from visionllm.server.errors import ApiError
from visionllm.server.page.words import Told, note, sentence


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (Told("Write a question first."), "Write a question first."),
        (QueueFull(7), "Too many requests are waiting"),
        (ContextLengthExceeded(300, 200), "given: 300). Start anew."),
        (EngineDied("dead"), "The model has stopped."),
        (JobFailed("secret"), "nothing else was lost"),
        (
            ApiError(400, "expected a still picture, got 3 frames", code="invalid_image"),
            "picture. Needed: a still picture; given: 3 frames.",
        ),
        (ApiError(418, "secret", code="unheard of"), "The server could not do this."),
    ],
)
def test_every_error_becomes_a_sentence(error, told):
    said = sentence(error)
    assert told in said and said.endswith(".") and "secret" not in said


def test_a_note_is_text_and_says_whether_something_is_wrong():
    assert "&lt;b&gt;" in note("<b>") and 'role="status"' in note("a")
    assert 'role="alert"' in note("a", wrong=True)
