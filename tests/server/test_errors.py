"""Errors in the form of OpenAI's API, with nothing inside."""

import pytest

from tests.server.helpers import chat, error_of
from visionllm.engine import errors as engine
from visionllm.server.errors import ApiError, describe, from_engine


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (engine.QueueFull(5), 429, "rate_limit_exceeded"),
        (engine.Draining("x"), 503, "draining"),
        (engine.EngineDied("x"), 503, "engine_died"),
        (engine.DeadlinePassed("x"), 504, "deadline_exceeded"),
        (engine.Cancelled("x"), 499, "cancelled"),
        (engine.SlowReader("x"), 408, "slow_reader"),
        (engine.NotFinite("x"), 500, "not_finite"),
        (engine.JobFailed("x"), 500, "job_failed"),
        (engine.ContextLengthExceeded(9, 5), 400, "context_length_exceeded"),
        (ValueError("expected x, got y"), 400, "invalid_value"),
    ],
)
def test_every_error_of_the_engine_has_a_status_and_a_code(error, status, code):
    told = from_engine(error)
    assert (told.status_code, told.code) == (status, code)


@pytest.mark.parametrize(("given", "told"), [(0, "1"), (7, "7"), (1000, "120")])
def test_retry_after_is_a_whole_number_of_seconds_up_to_two_minutes(given, told):
    assert dict(from_engine(engine.QueueFull(given)).headers or {})["Retry-After"] == told


def test_clients_are_told_not_to_repeat_what_fails_again():
    assert dict(from_engine(engine.DeadlinePassed("x")).headers or {}) == {"x-should-retry": "false"}


def test_a_message_is_cut_and_can_be_sent():
    body = ApiError(400, "x" * 10_000 + "\ud800").body
    assert len(body["error"]["message"]) == 500
    assert ApiError(400, "a\ud800").body["error"]["message"] == "a?"


def test_a_description_has_kinds_and_places_and_no_words():
    try:
        try:
            raise ZeroDivisionError("a secret")
        except ZeroDivisionError as cause:
            raise engine.JobFailed("another secret") from cause
    except engine.JobFailed as error:
        told = describe(error)
    assert told.startswith("JobFailed in test_a_description") and ", from ZeroDivisionError in" in told
    assert "secret" not in told


@pytest.mark.parametrize(
    ("more", "code", "param"),
    [
        ({"colour": 1}, "unknown_parameter", "colour"),
        ({"n": "2"}, "invalid_value", "n"),
        ({"messages": [{"role": "user"}]}, "missing_required_parameter", "messages.0.content"),
        ({"messages": [{"role": "user", "content": [{"type": "text"}]}]}, None, "messages.0.content.0.text"),
        ({"messages": [{"role": "tool", "content": ""}]}, "invalid_value", "messages.0"),
        ({"messages": 5}, "invalid_value", "messages"),
    ],
)
def test_a_wrong_field_is_named_by_its_path(more, code, param, client):
    error = error_of(client.post("/v1/chat/completions", json=chat("hi") | more), 400)
    assert error["param"] == param
    assert code is None or error["code"] == code


def test_unknown_paths_and_methods_have_the_same_form(client):
    assert error_of(client.get("/nothing"), 404)["code"] == "not_found"
    assert error_of(client.delete("/v1/models"), 405)["code"] == "method_not_allowed"
    assert error_of(client.post("/v1/chat/completions"), 400)["code"] == "missing_required_parameter"


def test_what_nobody_expected_is_told_without_words(client, stub, monkeypatch):
    def broken(*_: object, **__: object) -> None:
        raise LookupError("a secret")

    monkeypatch.setattr(stub, "submit", broken)
    response = client.post("/v1/chat/completions", json=chat("hi"))
    assert error_of(response, 500)["code"] == "internal_error"
    assert "secret" not in response.text
