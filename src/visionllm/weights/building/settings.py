"""Configurations of public parts: written by others, so a key is known, or named here and passed over, or refused."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from huggingface_hub.errors import StrictDataclassError
from transformers import CONFIG_MAPPING, PreTrainedConfig

from visionllm.config.strict import ROTARY, check_keys, check_names, check_pretrained, pretrained_keys
from visionllm.weights.folder import read_json, silence

SETTINGS = "config.json"
NOTES = frozenset(
    {"_attn_implementation_autoset", "_class_name", "_commit_hash", "_diffusers_version", "_name_or_path"}
)
"""What libraries write down about themselves; it says nothing about a network."""
PASSED_OVER = frozenset({
    "add_cross_attention", "bad_words_ids", "begin_suppress_tokens", "bos_token_id", "cross_attention_hidden_size",
    "decoder_start_token_id", "diversity_penalty", "do_sample", "early_stopping", "encoder_no_repeat_ngram_size",
    "eos_token_id", "exponential_decay_length_penalty", "finetuning_task", "forced_bos_token_id",
    "forced_eos_token_id", "gradient_checkpointing", "is_decoder", "length_penalty", "max_length", "min_length",
    "no_repeat_ngram_size", "num_beam_groups", "num_beams", "num_return_sequences", "output_scores", "pad_token_id",
    "prefix", "remove_invalid_values", "repetition_penalty", "return_dict_in_generate", "sep_token_id",
    "suppress_tokens", "task_specific_params", "temperature", "tf_legacy_loss", "tie_encoder_decoder",
    "tie_word_embeddings", "tokenizer_class", "top_k", "top_p", "torch_dtype", "torchscript", "typical_p",
    "use_bfloat16", "use_cache",
})  # fmt: skip
"""What older versions of transformers wrote into every configuration, where a model type has no such key."""
PASSED_OVER_BY_TYPE: Mapping[str, frozenset[str]] = {
    "bert": frozenset({"position_embedding_type"}),
    "clip": frozenset({"text_config_dict", "vision_config_dict"}),
    "swin": frozenset({"path_norm"}),
}
"""The same for single model types; a copy `…_dict` of a nested configuration must agree with it."""
SWITCHED_OFF = frozenset(
    {"backbone", "backbone_kwargs", "dropout", "pruned_heads", "use_pretrained_backbone", "use_timm_backbone"}
)
"""Passed over where they are off and unknown today; on, they would ask for another network or for a download."""
OLD_ROTARY = ("rope_scaling", "rope_theta")


def part_settings(folder: Path, file: str = SETTINGS) -> dict[str, Any]:
    """Read the configuration of a part, and leave out what is passed over.

    Raises:
        ValueError: If there is none, or with the full path of the first key, at any depth, that is private, chooses
            code or is unknown.
    """
    raw = without_notes(read_json(folder / file))
    path = str(folder / file)
    check_names(raw, path)
    return _known(raw, path)


def part_config(settings: Mapping[str, Any], path: str) -> PreTrainedConfig:
    """Build the configuration class of settings that `part_settings` returned.

    Raises:
        ValueError: If a value does not fit.
    """
    values = {key: value for key, value in settings.items() if key not in ("architectures", "model_type")}
    try:
        with silence():
            return CONFIG_MAPPING[settings["model_type"]](**values)
    except (StrictDataclassError, TypeError, ValueError) as error:
        raise ValueError(f"expected settings in {path} that fit together: {error}") from error


def without_notes(raw: Any) -> Any:
    """Return plain data without the notes of libraries, at any depth."""
    if isinstance(raw, Mapping):
        return {key: without_notes(value) for key, value in raw.items() if key not in NOTES}
    return [without_notes(value) for value in raw] if isinstance(raw, list) else raw


def _known(raw: Mapping[str, Any], path: str) -> dict[str, Any]:
    """Return the settings that the installed class of a model type knows."""
    kind = raw.get("model_type")
    if not isinstance(kind, str):
        raise ValueError(f"expected the name of a network in {path}.model_type, got {kind!r}")
    known = pretrained_keys(kind)
    library: Any = CONFIG_MAPPING[kind]
    nested: dict[str, Any] = dict(library.sub_configs)
    passed = PASSED_OVER | PASSED_OVER_BY_TYPE.get(kind, frozenset())
    kept: dict[str, Any] = {}
    for key, value in raw.items():
        if key in OLD_ROTARY and "rope_parameters" in known:
            check_keys(value if isinstance(value, Mapping) else {}, ROTARY, f"{path}.{key}")
            kept[key] = value
        elif key in known:
            inner = isinstance(value, Mapping) and ("model_type" in value or key in nested)
            kept[key] = _known(_typed(value, nested.get(key)), f"{path}.{key}") if inner else value
        elif key in SWITCHED_OFF:
            if value:
                raise ValueError(f"expected {path}.{key} switched off, got {value!r}")
        elif key not in passed:
            raise ValueError(f"unknown key {path}.{key}; expected one of {', '.join(sorted(known))}")
        elif key.endswith("_config_dict"):
            _check_copy(value, raw.get(key.removesuffix("_dict")), f"{path}.{key}")
    check_pretrained({key: value for key, value in kept.items() if key not in OLD_ROTARY}, path)
    return kept


def _typed(raw: Mapping[str, Any], kind: Any) -> Mapping[str, Any]:
    """Return a nested configuration with its model type, which old files leave out."""
    return raw if "model_type" in raw else {"model_type": getattr(kind, "model_type", None), **raw}


def _check_copy(copy: Any, original: Any, path: str) -> None:
    """Refuse a copy of a nested configuration that says something else: which one counts is a matter of the version."""
    original = original if isinstance(original, Mapping) else {}
    for key, value in (copy or {}).items():
        if key in original and original[key] != value:
            raise ValueError(f"expected {path}.{key} as in the configuration it is a copy of, got {value!r}")
