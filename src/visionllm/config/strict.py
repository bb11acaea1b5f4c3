"""A closed schema for configuration files: a key that nobody knows is refused, never ignored.

A configuration file is written by others. Hugging Face configurations take any key, and some keys choose code to run:
the raw JSON is checked here before a configuration class sees it.
"""

import types
from collections.abc import Collection, Mapping
from dataclasses import fields, is_dataclass
from functools import cache
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from transformers import CONFIG_MAPPING, PreTrainedConfig

CODE_CHOOSING = frozenset(
    {
        "attn_implementation",
        "auto_map",
        "code_revision",
        "custom_generate",
        "custom_pipelines",
        "experts_implementation",
        "kernel_config",
        "trust_remote_code",
        "use_kernels",
    }
)
"""Names that make a loader fetch or pick code; refused at any depth."""

ROTARY = frozenset(
    {
        "attention_factor",
        "beta_fast",
        "beta_slow",
        "factor",
        "high_freq_factor",
        "long_factor",
        "low_freq_factor",
        "mscale",
        "mscale_all_dim",
        "original_max_position_embeddings",
        "partial_rotary_factor",
        "rope_theta",
        "rope_type",
        "short_factor",
        "truncate",
        "type",
    }
)
"""Keys of the rotary position settings, a plain mapping inside text configurations."""

ConfigT = TypeVar("ConfigT")


def check_names(raw: Any, path: str = "config") -> None:
    """Refuse keys at any depth that are private, choose code, or are no strings.

    Raises:
        ValueError: With the full path of the first such key.
    """
    if isinstance(raw, Mapping):
        for key, value in raw.items():
            if not isinstance(key, str):
                raise ValueError(f"expected names as keys of {path}, got {key!r}")
            if key.startswith("_"):
                raise ValueError(f"expected no private key in a configuration, got {path}.{key}")
            if key in CODE_CHOOSING:
                raise ValueError(f"expected no key that chooses code in a configuration, got {path}.{key}")
            check_names(value, f"{path}.{key}")
    elif isinstance(raw, list | tuple):
        for i, value in enumerate(raw):
            check_names(value, f"{path}[{i}]")


def check_keys(raw: Mapping[str, Any], allowed: Collection[str], path: str) -> None:
    """Refuse a key that is not allowed.

    Raises:
        ValueError: With the full path of the key and the allowed ones.
    """
    for key in raw:
        if key not in allowed:
            raise ValueError(f"unknown key {path}.{key}; expected one of {', '.join(sorted(allowed))}")


@cache
def pretrained_keys(model_type: str) -> frozenset[str]:
    """Return every key that the installed configuration class of a model type knows.

    Raises:
        ValueError: If the installed transformers has no such model type.
    """
    if model_type not in CONFIG_MAPPING:
        raise ValueError(f"expected a model type that the installed transformers knows, got {model_type!r}")
    cls: type[PreTrainedConfig] = CONFIG_MAPPING[model_type]
    known = {f.name for f in fields(cls)} if is_dataclass(cls) else set()
    known |= set(cls().to_dict()) | set(cls.attribute_map) | {"model_type"}
    return frozenset(key for key in known if not key.startswith("_"))


def check_pretrained(raw: Mapping[str, Any], path: str) -> None:
    """Check the plain data of a Hugging Face configuration against its installed class, nested configurations too.

    Raises:
        ValueError: With the full path of the first key that does not belong.
    """
    check_names(raw, path)
    if "model_type" not in raw:
        raise ValueError(f"expected {path}.model_type, got only {', '.join(sorted(raw)) or 'nothing'}")
    check_keys(raw, pretrained_keys(str(raw["model_type"])), path)
    for key, value in raw.items():
        if not isinstance(value, Mapping):
            continue
        if "model_type" in value:
            check_pretrained(value, f"{path}.{key}")
        elif key in ("rope_parameters", "rope_scaling"):
            layers = {name: part for name, part in value.items() if isinstance(part, Mapping)}
            for name, part in layers.items() if len(layers) == len(value) else [("", value)]:
                check_keys(part, ROTARY, f"{path}.{key}.{name}".rstrip("."))
        elif not all(isinstance(v, str | int | float | bool) for v in value.values()):
            raise ValueError(f"expected plain values in {path}.{key}, got {value}")


def build(cls: type[ConfigT], raw: Mapping[str, Any], path: str) -> ConfigT:
    """Build a frozen configuration from plain data: unknown keys are refused, lists become tuples.

    Raises:
        ValueError: With the full path, if a key is unknown or a value does not fit.
    """
    check_names(raw, path)
    hints = get_type_hints(cls)
    check_keys(raw, hints, path)
    values = {key: _value(hints[key], value, f"{path}.{key}") for key, value in raw.items()}
    try:
        return cls(**values)
    except TypeError as error:
        raise ValueError(f"expected a complete {cls.__name__} at {path}: {error}") from error


def _value(hint: Any, value: Any, path: str) -> Any:
    options = get_args(hint) if get_origin(hint) in (Union, types.UnionType) else (hint,)
    nested = [o for o in options if isinstance(o, type) and is_dataclass(o)]
    if nested and isinstance(value, Mapping):
        return build(nested[0], value, path)
    if isinstance(value, Mapping) and "model_type" in value:
        check_pretrained(value, path)
    if isinstance(value, list):
        return tuple(_value(None, v, path) for v in value)
    return value
