"""What others wrote into a configuration: known, passed over by name, or refused with the full path."""

import json
from pathlib import Path
from typing import Any

import pytest
from transformers import LlamaConfig

from visionllm.weights.building.settings import part_config, part_settings, without_notes

TOWER = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "image_size": 28}


def settings(folder: Path, **raw: Any) -> dict[str, Any]:
    (folder / "config.json").write_text(json.dumps(raw))
    return part_settings(folder)


def test_a_configuration_of_an_old_version_is_understood(tmp_path: Path):
    """As the public CLIP and its relatives have it: copies, notes, and switches of generation everywhere."""
    found = settings(
        tmp_path,
        model_type="clip",
        _name_or_path="somewhere",
        torch_dtype="float32",
        vision_config=TOWER | {"_name_or_path": "", "do_sample": False, "dropout": 0.0, "pruned_heads": {}},
        vision_config_dict={"hidden_size": 16},
        text_config={"hidden_size": 8, "task_specific_params": {"deep": {"er": 1}}},
        text_config_dict=None,
    )
    assert found["vision_config"] == {"model_type": "clip_vision_model", **TOWER}
    assert found["text_config"] == {"model_type": "clip_text_model", "hidden_size": 8}
    config: Any = part_config(found, "here")
    assert config.vision_config.image_size == 28


def test_old_rotary_settings_become_todays(tmp_path: Path):
    found = settings(tmp_path, model_type="llama", rope_theta=5e5, rope_scaling={"type": "linear", "factor": 2.0})
    config = part_config(found, "here")
    assert isinstance(config, LlamaConfig)
    assert config.rope_parameters is not None
    assert dict(config.rope_parameters) | {"rope_theta": 5e5, "rope_type": "linear", "factor": 2.0} == dict(
        config.rope_parameters
    )


def test_notes_are_left_out_at_any_depth():
    assert without_notes({"_class_name": "A", "b": [{"_commit_hash": "1", "c": 2}]}) == {"b": [{"c": 2}]}


@pytest.mark.faults
@pytest.mark.parametrize(
    ("raw", "message"),
    [
        ({"hidden_size": 3}, r"expected the name of a network in .*config\.json\.model_type, got None"),
        ({"model_type": "nonsense"}, "expected a model type that the installed transformers knows, got 'nonsense'"),
        ({"model_type": "llama", "odd": 1}, r"unknown key .*config\.json\.odd"),
        ({"model_type": "llama", "auto_map": {}}, r"chooses code in a configuration, got .*\.auto_map"),
        ({"model_type": "llama", "task_specific_params": {"a": {"trust_remote_code": True}}}, r"a\.trust_remote_code"),
        ({"model_type": "clip", "vision_config": {"auto_map": {}}}, r"vision_config\.auto_map"),
        ({"model_type": "clip", "vision_config": {"odd": 1}}, r"unknown key .*\.vision_config\.odd"),
        ({"model_type": "llama", "_attn_implementation_internal": "x/y"}, "no private key .*_internal"),
        ({"model_type": "llama", "rope_scaling": {"odd": 1}}, r"unknown key .*rope_scaling\.odd"),
        ({"model_type": "llama", "quantization_config": {"bits": 4}}, r"unknown key .*quantization_config"),
        ({"model_type": "llama", "pruned_heads": {"0": [1]}}, "pruned_heads switched off"),
        (
            {"model_type": "clip", "vision_config": {"hidden_size": 16}, "vision_config_dict": {"hidden_size": 8}},
            r"expected .*vision_config_dict\.hidden_size as in the configuration it is a copy of, got 8",
        ),
    ],
)
def test_what_does_not_belong_is_named(tmp_path: Path, raw: dict[str, Any], message: str):
    with pytest.raises(ValueError, match=message):
        settings(tmp_path, **raw)


@pytest.mark.faults
def test_values_of_a_wrong_kind_are_refused(tmp_path: Path):
    with pytest.raises(ValueError, match=r"expected settings in here that fit together: .*hidden_size"):
        part_config(settings(tmp_path, model_type="llama", hidden_size="wide"), "here")
