import json
from pathlib import Path
from typing import Any

import pytest
from transformers import AutoConfig, LlamaConfig

from tests.tiny import DET, IDS, ROUTES, VOCABULARY, tiny_config
from visionllm.config import Quirks, VisionLLMConfig
from visionllm.types import Route


def test_slot_ids_follow_the_text_vocabulary_in_the_order_of_the_tables():
    config = tiny_config(tables={"pose": 2, "det": 4}, routes=ROUTES[:1])
    assert list(config.slot_ids("pose")) == [VOCABULARY, VOCABULARY + 1]
    assert list(config.slot_ids("det")) == [VOCABULARY + i for i in (2, 3, 4, 5)]
    assert config.id_space == VOCABULARY + 6


def test_the_order_of_the_tables_survives_the_file(tmp_path: Path):
    tiny_config(tables={"pose": 2, "det": 4}, routes=ROUTES[:1]).save_pretrained(tmp_path)
    assert VisionLLMConfig.from_pretrained(tmp_path).slot_ids("pose").start == VOCABULARY


def test_a_saved_configuration_comes_back_equal(tmp_path: Path):
    config = tiny_config(quirks={"slot_rows_sampled": True}, never_sampled_ids=[7])
    config.save_pretrained(tmp_path)
    back = AutoConfig.from_pretrained(tmp_path)
    assert isinstance(back, VisionLLMConfig)
    assert back.to_dict() == config.to_dict()
    assert back.quirks == Quirks(slot_rows_sampled=True)
    assert back.routes == list(ROUTES)
    assert back.never_sampled_ids == [7]


def test_the_attention_of_a_call_reaches_the_parts(tmp_path: Path):
    tiny_config().save_pretrained(tmp_path)
    back = VisionLLMConfig.from_pretrained(tmp_path, attn_implementation="eager")
    assert back.text_config._attn_implementation == "eager"


def test_generation_sees_one_id_space():
    config = tiny_config()
    assert config.get_text_config().vocab_size == config.id_space
    assert config.text_config.vocab_size == VOCABULARY


def test_configurations_of_parts_may_be_values():
    text = LlamaConfig(vocab_size=99, hidden_size=16, num_attention_heads=2)
    assert VisionLLMConfig(text_config=text).text_vocab_size == 99


def test_everything_has_a_default():
    assert VisionLLMConfig().vision_config.model_type == "clip_vision_model"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        pytest.param({"nonsense": 1}, r"unknown key config\.nonsense", id="top"),
        pytest.param({"auto_map": {"AutoModel": "x.py"}}, r"chooses code.*config\.auto_map", id="code"),
        pytest.param({"_private": 1}, r"private.*config\._private", id="private"),
        pytest.param(
            {"text_config": {"model_type": "llama", "nonsense": 1}},
            r"unknown key config\.text_config\.nonsense",
            id="text",
        ),
        pytest.param(
            {"vision_config": {"model_type": "resnet", "trust_remote_code": True}},
            r"chooses code.*config\.vision_config\.trust_remote_code",
            id="vision-code",
        ),
        pytest.param({"quirks": {"nonsense": True}}, r"unknown key config\.quirks\.nonsense", id="quirks"),
        pytest.param(
            {"routes": [{"token": "[DET]", "table": "det", "decoder": "detection", "x": 1}]},
            r"unknown key config\.routes\[0\]\.x",
            id="route",
        ),
        pytest.param(
            {"decoders": {"detection": {"backbone": {"use_kernels": True}}}},
            r"chooses code.*config\.decoders\.detection\.backbone\.use_kernels",
            id="decoder-code",
        ),
    ],
)
def test_a_file_with_a_wrong_key_is_refused_with_its_path(tmp_path: Path, change: dict[str, Any], message: str):
    tiny_config().save_pretrained(tmp_path)
    file = tmp_path / "config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | change))
    with pytest.raises(ValueError, match=message):
        VisionLLMConfig.from_pretrained(tmp_path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        pytest.param({"tables": {"det": 0, "pose": 4}}, "one slot or more in table 'det', got 0", id="slots"),
        pytest.param({"pixel_shuffle": 3}, "expected pixel_shuffle 1 or 2, got 3", id="shuffle"),
        pytest.param({"vision_position": "x"}, "expected vision_position 'none' or 'sine', got 'x'", id="position"),
        pytest.param(
            {"token_ids": IDS | {"<reg>": VOCABULARY}}, r"expected the id of <reg> in \[0, 60\), got 60", id="id"
        ),
        pytest.param({"routes": [*ROUTES, ROUTES[0]]}, "one route a routing token", id="twice"),
        pytest.param(
            {"tables": {"det": 4}}, r"expected a table among \['det'\] for route \[POSE\], got 'pose'", id="table"
        ),
        pytest.param(
            {"routes": [Route(token="[NEW]", table="det", decoder="detection")]},
            r"expected the id of routing token \[NEW\]",
            id="token",
        ),
    ],
)
def test_values_that_do_not_fit_together_are_refused(change: dict[str, Any], message: str):
    with pytest.raises(ValueError, match=message):
        tiny_config(**change)


def test_an_unknown_table_is_refused():
    with pytest.raises(ValueError, match=r"expected a table among .*, got 'gen'"):
        tiny_config().slot_ids("gen")


def test_a_missing_structure_token_is_refused():
    config = tiny_config(token_ids={"[DET]": DET}, routes=ROUTES[:1])
    with pytest.raises(ValueError, match="expected the id of <im_patch> in token_ids"):
        _ = config.image_token_id
    with pytest.raises(ValueError, match="expected the id of <region> in token_ids"):
        _ = config.region_token_id
