from importlib.metadata import EntryPoint
from typing import Any

import pytest
import torch
from torch import nn
from transformers import Gemma2Config, LlamaConfig

from tests.tiny import DETECTION, tiny_config, tiny_model
from visionllm.decoders.detection import DetectionDecoder
from visionllm.model import parts


def test_decoders_are_found_by_name():
    assert parts.find_decoder("detection") is DetectionDecoder


@pytest.mark.parametrize("name", ["nonsense", "base", "os", "detection.decoder"])
def test_a_name_that_nobody_offers_is_refused_and_not_imported(name: str):
    with pytest.raises(ValueError, match=f"expected a decoder among .*detection.*, got '{name}'"):
        parts.find_decoder(name)


def test_other_packages_offer_decoders_through_entry_points(monkeypatch: pytest.MonkeyPatch):
    entry = EntryPoint("theirs", "visionllm.decoders.detection:DetectionDecoder", "visionllm.decoders")
    monkeypatch.setattr(parts, "entry_points", lambda group: [entry] if group == entry.group else [])
    assert parts.find_decoder("theirs") is DetectionDecoder


def test_decoders_are_built_from_their_plain_data():
    built = parts.build_decoders(tiny_config())["detection"]
    assert isinstance(built, DetectionDecoder)
    assert built.config.object_queries == DETECTION["object_queries"]


def test_an_unknown_key_of_a_decoder_is_refused_with_its_path():
    with pytest.raises(ValueError, match=r"unknown key config\.decoders\.detection\.nonsense"):
        parts.build_decoders(tiny_config(decoders={"detection": DETECTION | {"nonsense": 1}}))


@pytest.mark.parametrize(
    ("vision", "level", "width"),
    [("clip", -2, 24), ("resnet", 0, 8), ("resnet", 1, 12), ("resnet", -1, 24), ("resnet", -4, 8)],
)
def test_features_have_the_width_of_their_level(vision: str, level: int, width: int):
    assert parts.feature_width(tiny_config(vision), level) == width


def test_a_level_that_the_encoder_lacks_is_refused():
    with pytest.raises(ValueError, match=r"expected a level in \[-4, 4\) of the vision encoder, got 4"):
        parts.feature_width(tiny_config("resnet"), 4)


@pytest.mark.parametrize(
    ("kind", "layers"), [("linear", 1), ("mlp1x_gelu", 1), ("mlp2x_gelu", 2), ("mlp3x_gelu", 3), ("internvl_mlp", 2)]
)
def test_every_kind_of_projector_is_built(kind: str, layers: int):
    projector = parts.build_projector(tiny_config(projector={"kind": kind}, pixel_shuffle=2))
    assert sum(isinstance(m, nn.Linear) for m in projector.modules()) == layers
    assert projector(torch.zeros(1, 1, 96)).shape == (1, 1, 32)


def test_an_unknown_key_of_the_projector_is_refused_with_its_path():
    with pytest.raises(ValueError, match=r"unknown key config\.projector\.nonsense"):
        parts.build_projector(tiny_config(projector={"nonsense": 1}))


def test_region_levels_of_different_widths_are_refused():
    with pytest.raises(ValueError, match=r"expected region_levels of one width, got \{-2: 16, -1: 24\}"):
        parts.build_region_encoder(tiny_config("resnet", region_levels=[-2, -1]))


def test_a_model_may_have_no_region_encoder():
    assert tiny_model(region_encoder=None).region_encoder is None


@pytest.mark.parametrize(
    ("config", "fits"),
    [
        pytest.param(LlamaConfig(), True, id="plain"),
        pytest.param(Gemma2Config(final_logit_softcapping=30.0), False, id="capped"),
    ],
)
def test_language_models_that_bend_their_logits_are_refused(config: Any, fits: bool):
    if fits:
        parts.check_language_model(config)
        return
    with pytest.raises(ValueError, match="plain logits, got final_logit_softcapping"):
        parts.check_language_model(config)
