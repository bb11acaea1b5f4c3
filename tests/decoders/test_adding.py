"""A decoder that lives in one file outside the package, from its routing token to its result."""

import importlib.util
import sys
from dataclasses import replace
from typing import Any, cast

import numpy as np
import pytest
import torch

from tests.small import LINES, ROUTES, picture, small_model, small_processor, written
from tests.tiny import DETECTION
from visionllm.decoders.base import Decoder
from visionllm.model import parts
from visionllm.predictor import VisionLLM, core
from visionllm.processing import VisionLLMProcessor, train_tokenizer
from visionllm.types import Options, Route


@pytest.fixture(scope="module")
def depth(repository):
    spec = importlib.util.spec_from_file_location("depth_decoder", repository / "examples" / "depth_decoder.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


@pytest.fixture
def registered(depth, monkeypatch):
    monkeypatch.setattr(parts, "_REGISTERED", {})
    parts.register_decoder("depth", depth.DepthDecoder)
    return depth


@pytest.fixture
def predictor(registered) -> VisionLLM:
    routes = (*ROUTES, Route(token="[DEPTH]", table="depth", decoder="depth"))
    plain = small_processor(tables={"det": 4, "depth": 4}, routes=ROUTES)
    tokenizer = train_tokenizer(LINES, 400, routing_tokens=["[DEPTH]"])
    processor = VisionLLMProcessor(replace(plain.config, routes=routes), tokenizer)
    model = small_model(processor, decoders={"detection": DETECTION, "depth": {"width": 8}})
    return VisionLLM(model, processor)


def test_its_result_is_part_of_an_answer(predictor, registered, monkeypatch):
    vocabulary = predictor.processor.vocabulary
    monkeypatch.setattr(core, "generate", lambda *_, **__: [written(vocabulary, "Here it is ", "[DEPTH]", ".")])
    answer = predictor.ask("How far away is everything?", picture())
    (found,) = answer.others
    assert isinstance(found, registered.Depth)
    assert found.depth.shape == (40, 60)
    assert answer.to_dict()["others"][0]["type"] == "depth"
    assert answer.detections is None and not answer.poses and not answer.pictures


def test_it_learns(registered):
    decoder, queries, images, targets = registered.DepthDecoder.example()
    optimiser = torch.optim.Adam(decoder.parameters(), lr=0.02)
    losses = []
    for _ in range(80):
        loss = decoder.loss(queries, images, targets)["depth"]
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < 0.75 * losses[0]


def test_its_batch_gives_what_single_units_give(registered):
    decoder, queries, images, _ = registered.DepthDecoder.example()
    whole = decoder.decode(queries, images, Options())
    assert [result.depth.shape for result in whole] == [(64, 96), (48, 96)]
    assert all(np.isfinite(result.depth).all() for result in whole)


def test_a_taken_name_is_refused(registered):
    with pytest.raises(ValueError, match="expected a name that no other decoder has, got 'detection'"):
        parts.register_decoder("detection", registered.DepthDecoder)
    other = type("Other", (registered.DepthDecoder,), {})
    with pytest.raises(ValueError, match="expected a name that no other decoder has, got 'depth'"):
        parts.register_decoder("depth", other)
    parts.register_decoder("depth", registered.DepthDecoder)  # the same one again is no harm


def test_what_is_no_decoder_is_refused():
    with pytest.raises(ValueError, match="expected a subclass of Decoder, got <class 'int'>"):
        parts.register_decoder("depth", cast(Any, int))
    with pytest.raises(ValueError, match="expected a decoder with decode, example, loss, got Decoder without"):
        parts.register_decoder("depth", Decoder)
