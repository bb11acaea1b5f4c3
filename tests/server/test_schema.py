"""Schemas are closed, strict and finite, all of them, and regions have one form."""

import pytest
from pydantic import BaseModel, ValidationError

from tests.server.helpers import chat as say
from tests.server.helpers import error_of
from visionllm.server.schema import base, chat, images, neutral, parts, perception
from visionllm.server.schema.base import Closed, OptionsBody, options_of
from visionllm.server.schema.images import EditFields, size_hw
from visionllm.server.schema.parts import RegionBody

BODIES = [
    kind
    for module in (base, chat, images, neutral, parts, perception)
    for kind in vars(module).values()
    if isinstance(kind, type) and issubclass(kind, BaseModel) and kind is not BaseModel
]


@pytest.mark.parametrize("kind", set(BODIES), ids=lambda kind: kind.__name__)
def test_every_schema_is_closed(kind):
    assert issubclass(kind, Closed)
    assert kind.model_config.get("extra") == "forbid" and kind.model_config.get("allow_inf_nan") is False
    assert kind.model_config.get("strict") is (kind is not EditFields)


def test_a_region_has_exactly_one_form():
    assert RegionBody(box=[1, 2, 3, 4]).box == [1, 2, 3, 4]
    with pytest.raises(ValidationError, match="exactly one of box, point, scribble, polygon, mask, got none"):
        RegionBody()
    with pytest.raises(ValidationError, match="got box, point"):
        RegionBody(box=[1, 2, 3, 4], point=[1, 2])
    with pytest.raises(ValidationError, match="a width with a scribble only"):
        RegionBody(point=[1, 2], width=3)


@pytest.mark.parametrize("number", [float("nan"), float("inf"), 1e300])
def test_numbers_are_finite_and_not_huge(number):
    with pytest.raises(ValidationError):
        RegionBody(box=[0, 0, number, 1])


def test_options_that_are_left_out_are_those_of_the_model():
    options = options_of(OptionsBody(steps=3, masks=False), seed=None, top_p=0.5)
    assert (options.steps, options.masks, options.seed, options.top_p) == (3, False, 0, 0.5)
    with pytest.raises(ValueError, match="expected temperature 0 with num_beams 2"):
        options_of(OptionsBody(num_beams=2), temperature=1.0)
    with pytest.raises(ValueError, match="expected a scheduler among"):
        options_of(OptionsBody(scheduler="Eval"))


def test_a_size_is_width_and_height():
    assert size_hw("96x64") == (64, 96)
    assert size_hw(None) is None


NOTHING = {
    "frequency_penalty": 0, "presence_penalty": 0.0, "logprobs": False, "store": False, "tools": [],
    "tool_choice": "auto", "stop": None, "response_format": {"type": "text"}, "user": "somebody",
}  # fmt: skip
SOMETHING = {
    "frequency_penalty": 0.5, "presence_penalty": -1, "logprobs": True, "store": True, "tools": [{"type": "function"}],
    "tool_choice": "required", "stop": ["."], "response_format": {"type": "json_object"}, "user": 3,
}  # fmt: skip


def test_what_asks_for_nothing_may_be_said(client, stub):
    assert client.post("/v1/chat/completions", json=say("hi") | NOTHING).status_code == 200
    plain = {"model": "stub", "prompt": "a boat", "quality": "standard", "background": "auto", "user": "somebody"}
    assert client.post("/v1/images/generations", json=plain).status_code == 200
    assert len(stub.jobs) == 2


@pytest.mark.parametrize("field", SOMETHING)
def test_what_this_server_does_not_have_is_refused_by_name(field, client, stub):
    error = error_of(client.post("/v1/chat/completions", json=say("hi") | {field: SOMETHING[field]}), 400)
    assert (error["param"] or "").startswith(field) and error["code"] in {"invalid_value", "invalid_length"}
    assert not stub.jobs
