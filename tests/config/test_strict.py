from dataclasses import dataclass
from typing import Any

import pytest

from visionllm.config.strict import build, check_keys, check_names, check_pretrained, pretrained_keys


@dataclass(frozen=True, kw_only=True)
class Inner:
    size: int = 1


@dataclass(frozen=True, kw_only=True)
class Outer:
    name: str
    inner: Inner | None = None
    sizes: tuple[int, ...] = ()
    backbone: dict[str, Any] | None = None


@pytest.mark.parametrize(
    ("raw", "path"),
    [
        pytest.param({"auto_map": {}}, "config.auto_map", id="top"),
        pytest.param({"a": {"trust_remote_code": True}}, "config.a.trust_remote_code", id="nested"),
        pytest.param({"a": [{"b": {"kernel_config": 1}}]}, r"config.a\[0\].b.kernel_config", id="in-a-list"),
        pytest.param({"attn_implementation": "hub/kernel"}, "config.attn_implementation", id="kernel"),
    ],
)
def test_a_key_that_chooses_code_is_refused_at_any_depth(raw: dict[str, Any], path: str):
    with pytest.raises(ValueError, match=f"no key that chooses code.*{path}"):
        check_names(raw)


def test_a_private_key_is_refused_with_its_path():
    with pytest.raises(ValueError, match=r"no private key.*config\.a\._attn_implementation_internal"):
        check_names({"a": {"_attn_implementation_internal": "x"}})


def test_a_key_that_is_no_string_is_refused():
    with pytest.raises(ValueError, match="expected names as keys of config, got 1"):
        check_names({1: 2})


def test_an_unknown_key_is_refused_with_the_known_ones():
    with pytest.raises(ValueError, match=r"unknown key config\.sise; expected one of name, size"):
        check_keys({"sise": 1}, ("size", "name"), "config")


def test_the_known_keys_are_those_of_the_installed_class():
    keys = pretrained_keys("llama")
    assert {"hidden_size", "rope_parameters", "model_type", "eos_token_id"} <= keys
    assert not any(key.startswith("_") for key in keys)


def test_an_unknown_model_type_is_refused():
    with pytest.raises(ValueError, match="installed transformers knows, got 'nonsense'"):
        pretrained_keys("nonsense")


def test_a_configuration_without_a_model_type_is_refused():
    with pytest.raises(ValueError, match=r"expected c\.model_type, got only hidden_size"):
        check_pretrained({"hidden_size": 4}, "c")


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        pytest.param({"hiden_size": 4}, r"unknown key c\.hiden_size", id="misspelt"),
        pytest.param({"rope_parameters": {"thta": 1.0}}, r"unknown key c\.rope_parameters\.thta", id="rotary"),
        pytest.param(
            {"rope_parameters": {"full_attention": {"thta": 1.0}}},
            r"unknown key c\.rope_parameters\.full_attention\.thta",
            id="rotary-by-layer-type",
        ),
        pytest.param({"id2label": {"0": {"deep": 1}}}, r"expected plain values in c\.id2label", id="not-plain"),
    ],
)
def test_a_language_model_with_a_wrong_key_is_refused(raw: dict[str, Any], message: str):
    with pytest.raises(ValueError, match=message):
        check_pretrained({"model_type": "llama"} | raw, "c")


def test_nested_configurations_are_checked_against_their_own_type():
    backbone = {"model_type": "resnet", "depths": [1], "nonsense": 1}
    with pytest.raises(ValueError, match=r"unknown key c\.backbone_config\.nonsense"):
        check_pretrained({"model_type": "upernet", "backbone_config": backbone}, "c")


def test_a_sound_configuration_passes():
    check_pretrained(
        {"model_type": "llama", "rope_parameters": {"rope_type": "default"}, "id2label": {"0": "zero"}}, "c"
    )


def test_plain_data_becomes_a_frozen_value_with_its_nested_ones():
    built = build(Outer, {"name": "x", "inner": {"size": 3}, "sizes": [1, 2]}, "c")
    assert built == Outer(name="x", inner=Inner(size=3), sizes=(1, 2))


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        pytest.param({"name": "x", "nam": 1}, r"unknown key c\.nam", id="unknown"),
        pytest.param({"name": "x", "inner": {"sise": 1}}, r"unknown key c\.inner\.sise", id="nested-unknown"),
        pytest.param({}, "expected a complete Outer at c", id="missing"),
        pytest.param(
            {"name": "x", "backbone": {"model_type": "resnet", "nonsense": 1}},
            r"unknown key c\.backbone\.nonsense",
            id="backbone",
        ),
    ],
)
def test_plain_data_that_does_not_fit_is_refused_with_its_path(raw: dict[str, Any], message: str):
    with pytest.raises(ValueError, match=message):
        build(Outer, raw, "c")
