import copy
from typing import Any

import pytest

from tests.weights.synthetic import raw_config
from tests.weights.test_published import bases, released
from visionllm.weights.published import config_from_published
from visionllm.weights.published_config import config_to_published
from visionllm.weights.published_schema import PUBLISHED, Section, check_published


def understood(raw: dict[str, Any], section: Section, path: str = "") -> dict[str, Any]:
    """Return every value of the configuration that has a meaning here, by its path."""
    found = {f"{path}.{key}": raw[key] for key in (*section.read, *section.fixed) if key in raw}
    for key, inside in section.inside.items():
        if isinstance(raw.get(key), dict):
            found |= understood(raw[key], inside, f"{path}.{key}")
    return found


@pytest.mark.parametrize(
    ("raw", "named"),
    [
        pytest.param(released()["config"], {}, id="release"),
        pytest.param(raw_config(), bases(), id="small"),
        pytest.param(raw_config(use_unipose=False, unipose_config=None), {}, id="without-poses"),
        pytest.param(raw_config(use_region_encoder=False, vis_output_layer=-1), bases(), id="other-values"),
    ],
)
@pytest.mark.parametrize("kept", [True, False])
def test_every_understood_key_comes_back_equal(raw, named, kept):
    config = config_from_published(raw, bases=named)
    before = copy.deepcopy(raw)
    back, left = config_to_published(config, raw if kept else None)
    assert raw == before
    assert left == {}
    used = {key: value for key, value in raw.items() if kept or raw.get(f"use_{key.removesuffix('_config')}", True)}
    expected, found = understood(used, PUBLISHED), understood(back, PUBLISHED)
    assert len(expected) > 60
    assert {path: found.get(path) for path in expected} == expected
    check_published(back)


def test_keys_without_a_meaning_stay_as_they_were():
    raw = raw_config()
    back, _ = config_to_published(config_from_published(raw, bases=bases()), raw)
    assert back["_name_or_path"] == "work_dirs/tiny"
    assert back["llm_config"]["_flash_attn_2_enabled"] is True
    assert back["unipose_config"]["matcher_type"] == "HungarianMatcher"
    assert back["sd_config"] == raw["sd_config"]


def test_what_was_changed_since_is_told():
    raw = raw_config()
    config = config_from_published(raw, bases=bases())
    config.decoders["detection"] |= {"class_cost": 3.0, "dropout": 0.25}
    config.vision_layer = -1
    back, left = config_to_published(config, raw)
    assert (back["gdino_config"]["class_cost"], back["gdino_config"]["dropout"]) == (3.0, 0.25)
    assert back["vis_output_layer"] == -1
    assert left == {}


def test_settings_of_training_that_the_published_code_has_not_stay_behind():
    config = config_from_published(raw_config(), bases=bases())
    config.decoders["detection"] |= {"threshold": 0.3, "denoise_queries": 7}
    _, left = config_to_published(config)
    assert left == {"decoders.detection.threshold": "0.3", "decoders.detection.denoise_queries": "7"}


@pytest.mark.parametrize(
    ("decoder", "key", "value"),
    [("detection", "text_heads", 4), ("detection", "contrast", "scaled"), ("pose", "keypoint_scores", "learned")],
)
def test_a_model_that_the_published_configuration_cannot_describe_is_refused(decoder, key, value):
    config = config_from_published(raw_config(), bases=bases())
    config.decoders[decoder][key] = value
    told = rf"can describe, got decoders\.{decoder}\.{key} {value!r}, which would come back as "
    with pytest.raises(ValueError, match=told):
        config_to_published(config, raw_config())


def test_other_parts_than_the_published_ones_are_refused(monkeypatch):
    config = config_from_published(raw_config(), bases=bases())
    config.token_ids = {"[DET]": 3}
    with pytest.raises(ValueError, match=r"expected the id of \[PAD\] in token_ids, as the published model has it"):
        config_to_published(config)
    monkeypatch.setattr(type(config.text_config), "model_type", "qwen2")
    with pytest.raises(ValueError, match="expected a text_config of the type llama, as the published model has, got"):
        config_to_published(config)
