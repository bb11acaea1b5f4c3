import copy
import json
from typing import Any

import pytest

from tests.weights.synthetic import raw_config
from tests.weights.test_published import released
from tests.weights.test_published_words import folder
from visionllm.weights.published_schema import (
    PUBLISHED,
    Section,
    check_pictures,
    check_published,
    check_tokenizer,
)

DEPTHS = [
    [],
    ["vis_encoder_config"],
    ["llm_config"],
    ["gdino_config"],
    ["gdino_config", "backbone_config"],
    ["unipose_config"],
    ["sd_config"],
    ["ip2p_config"],
]
each_depth = pytest.mark.parametrize("path", [pytest.param(p, id=".".join(["config", *p])) for p in DEPTHS])


def changed(path: list[str], **values: Any) -> dict[str, Any]:
    raw = copy.deepcopy(raw_config())
    inner = raw
    for key in path:
        inner = inner[key]
    inner |= values
    return raw


def test_the_release_and_the_golden_configuration_have_known_keys_only():
    check_published(released()["config"])
    check_published(raw_config(use_sd=True, use_ip2p=True))


@each_depth
def test_an_unknown_key_is_refused_with_its_path_at_any_depth(path):
    place = ".".join(["config", *path, "surprise"])
    with pytest.raises(ValueError, match=rf"unknown key {place}; expected one of .*may ignore it by this name"):
        check_published(changed(path, surprise=1))
    check_published(changed(path, surprise=1), [place])


@each_depth
@pytest.mark.parametrize("key", ["auto_map", "trust_remote_code", "attn_implementation", "custom_generate"])
def test_a_key_that_chooses_code_is_refused_at_any_depth_even_if_it_is_ignored(path, key):
    place = ".".join(["config", *path, key])
    with pytest.raises(ValueError, match=f"expected no key that chooses code in a configuration, got {place}"):
        check_published(changed(path, **{key: "a--b.C"}), [place])


@each_depth
def test_a_note_about_files_may_name_anything_but_code(path):
    check_published(changed(path, _name_or_path="checkpoints/models--openai--clip-vit/snapshots/1"))
    with pytest.raises(ValueError, match=r"expected no file of code in a configuration, got config.*_name_or_path"):
        check_published(changed(path, _name_or_path="work_dirs/modeling.py"))


def test_code_is_not_hidden_in_what_has_no_meaning():
    with pytest.raises(ValueError, match=r"config\.llm_config\.id2label\.trust_remote_code"):
        check_published(changed(["llm_config"], id2label={"trust_remote_code": True}))
    with pytest.raises(ValueError, match=r"expected a plain value at config\.llm_config\.bad_words_ids"):
        check_published(changed(["llm_config"], bad_words_ids={"a": {}}))


@pytest.mark.parametrize(
    ("path", "key", "value", "built"),
    [
        ([], "use_llm_lora", True, "False"),
        (["llm_config"], "rope_scaling", {"type": "linear", "factor": 4.0}, "None"),
        (["gdino_config"], "two_stage", False, "True"),
        (["gdino_config"], "two_stage", 1, "True"),
        (["gdino_config", "backbone_config"], "model_type", "internimage", "'swin'"),
        (["unipose_config"], "backbone", "internimage_h", "'swin_T_224_1k'"),
        (["sd_config"], "trigger_token", "[EDIT]", r"'\[GEN\]'"),
    ],
)
def test_what_is_not_built_is_refused_and_not_passed_over(path, key, value, built):
    place = ".".join(["config", *path, key])
    with pytest.raises(ValueError, match=f"expected {place} to be {built}, which is all that is built, got"):
        check_published(changed(path, **{key: value}))


@pytest.mark.parametrize(
    ("path", "key", "value"),
    [
        ([], "num_embs", "four"),
        ([], "use_gdino", 1),
        (["llm_config"], "hidden_size", True),
        (["llm_config"], "rms_norm_eps", "1e-5"),
        (["gdino_config", "backbone_config"], "depths", 2),
    ],
)
def test_a_value_of_another_type_is_refused(path, key, value):
    with pytest.raises(ValueError, match=rf"expected \w+ at {'.'.join(['config', *path, key])}, got {value!r}"):
        check_published(changed(path, **{key: value}))


def test_a_part_must_be_an_object():
    with pytest.raises(ValueError, match=r"expected a JSON object at config\.gdino_config, got \[\]"):
        check_published(raw_config(gdino_config=[]))


@pytest.mark.parametrize("path", [["num_embs"], ["llm_config"], ["llm_config", "vocab_size"], ["gdino_config"]])
def test_a_missing_key_is_named(path):
    raw = copy.deepcopy(raw_config())
    inner = raw
    for key in path[:-1]:
        inner = inner[key]
    del inner[path[-1]]
    with pytest.raises(ValueError, match=rf"expected config\.{'.'.join(path)}, got only "):
        check_published(raw)


def test_parts_that_are_switched_off_may_be_missing():
    check_published(raw_config(use_gdino=False, gdino_config=None, use_sd=False, sd_config=None))


@pytest.mark.parametrize(
    ("path", "key"),
    [
        (["gdino_config"], "l_hidden_size"),
        (["unipose_config"], "l_hidden_size"),
        (["gdino_config"], "num_embs"),
        (["gdino_config"], "decoder_attention_heads"),
        (["unipose_config"], "pe_temperatureW"),
    ],
)
def test_widths_that_do_not_match_are_refused(path, key):
    told = rf"expected config\.{path[0]}\.{key} to be \d+, as config\.[\w.]+ says, got 99"
    with pytest.raises(ValueError, match=told):
        check_published(changed(path, **{key: 99}))


def test_what_is_known_cannot_be_ignored():
    with pytest.raises(ValueError, match=r"expected config\.gdino_config\.two_stage to be True"):
        check_published(changed(["gdino_config"], two_stage=False), ["config.gdino_config.two_stage"])


def test_only_keys_that_are_there_can_be_ignored():
    with pytest.raises(ValueError, match=r"to ignore, got config\.nothing, which it does not have"):
        check_published(raw_config(), ["config.nothing"])


def test_every_key_has_one_meaning_and_every_idle_one_a_reason():
    def go(section: Section) -> None:
        kinds = [set(section.read), set(section.fixed), set(section.idle), set(section.inside)]
        assert sum(map(len, kinds)) == len(section.known)
        assert all(len(why) > 10 for why in section.idle.values())
        assert all(key in section.known for key in section.required)
        for inside in section.inside.values():
            go(inside)

    go(PUBLISHED)


def test_the_published_tokenizer_is_checked_too(tmp_path):
    raw = json.loads((folder(tmp_path / "words", legacy=False) / "tokenizer_config.json").read_text(encoding="utf-8"))
    check_tokenizer(raw, "t")
    check_tokenizer(raw | {"eos_token": {"content": "</s>", "__type": "AddedToken"}}, "t")
    with pytest.raises(ValueError, match=r"unknown key t\.surprise"):
        check_tokenizer(raw | {"surprise": 1}, "t")
    with pytest.raises(ValueError, match=r"chooses code in a configuration, got t\.auto_map"):
        check_tokenizer(raw | {"auto_map": {"AutoTokenizer": ["a.B", None]}}, "t")
    with pytest.raises(ValueError, match=r"unknown key t\.added_tokens_decoder\.5\.odd"):
        check_tokenizer({"added_tokens_decoder": {"5": {"content": "a", "odd": 1}}}, "t")
    with pytest.raises(ValueError, match=r"expected a JSON object at t\.added_tokens_decoder, got 3"):
        check_tokenizer({"added_tokens_decoder": 3}, "t")
    with pytest.raises(ValueError, match=r"expected t\.sp_model_kwargs to be \{\} or None"):
        check_tokenizer(raw | {"sp_model_kwargs": {"enable_sampling": True}}, "t")


def test_the_published_picture_settings_are_checked_too():
    check_pictures({"image_mean": [0, 0, 0], "size": {"shortest_edge": 336}, "resample": 3}, "p")
    with pytest.raises(ValueError, match=r"unknown key p\.surprise"):
        check_pictures({"surprise": 1}, "p")
