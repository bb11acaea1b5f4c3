"""Parts of the network built from their plain data in the configuration, each by the name it has there."""

import importlib
import inspect
import pkgutil
from collections.abc import Mapping
from importlib.metadata import entry_points
from typing import Any, get_type_hints

import torch
from torch import nn
from transformers import PreTrainedConfig

from visionllm import decoders
from visionllm.config import VisionLLMConfig
from visionllm.config.strict import build
from visionllm.decoders.base import Decoder
from visionllm.nn.projector import Projector, ProjectorConfig
from visionllm.nn.region_encoder import RegionEncoder, RegionEncoderConfig
from visionllm.nn.waiting import shapes_within

_REGISTERED: dict[str, type[Decoder[Any]]] = {}
SCALED_LOGITS = ("final_logit_softcapping", "logit_scale", "logits_scaling")


def check_language_model(config: PreTrainedConfig) -> None:
    """Refuse language models that change their logits after the head, which this network would not do.

    Raises:
        ValueError: Naming the setting.
    """
    for name in SCALED_LOGITS:
        if getattr(config, name, None) not in (None, 1, 1.0):
            raise ValueError(f"expected a language model with plain logits, got {name} {getattr(config, name)}")


def register_decoder(name: str, kind: type[Decoder[Any]]) -> None:
    """Offer a decoder under a name until the program ends, for notebooks and tests; packages use an entry point.

    Raises:
        ValueError: If the name is taken by another decoder, or the class is no decoder or lacks a method.
    """
    if not (inspect.isclass(kind) and issubclass(kind, Decoder)):
        raise ValueError(f"expected a subclass of Decoder, got {kind!r}")
    if missing := sorted(getattr(kind, "__abstractmethods__", ())):
        raise ValueError(f"expected a decoder with {', '.join(missing)}, got {kind.__name__} without")
    if name in _ours() or _REGISTERED.get(name, kind) is not kind:
        raise ValueError(f"expected a name that no other decoder has, got {name!r}")
    _REGISTERED[name] = kind


def _ours() -> set[str]:
    return {m.name for m in pkgutil.iter_modules(decoders.__path__)} - {"base"}


def find_decoder(name: str) -> type[Decoder[Any]]:
    """Return the decoder of a name: a module of `visionllm.decoders`, a registered one, or an entry point.

    A name is only compared with what is installed, never imported as it stands.

    Raises:
        ValueError: If nobody offers such a decoder.
    """
    if name in _REGISTERED:
        return _REGISTERED[name]
    ours = _ours()
    if name in ours:
        module = importlib.import_module(f"{decoders.__name__}.{name}")
        offered = [c for c in vars(module).values() if inspect.isclass(c) and issubclass(c, Decoder)]
        return next(c for c in offered if not inspect.isabstract(c))
    others = {e.name: e for e in entry_points(group=decoders.__name__)}
    if name in others:
        return others[name].load()
    raise ValueError(
        f"expected a decoder among {', '.join(sorted(ours | others.keys() | _REGISTERED.keys()))}, got {name!r}"
    )


def build_decoders(config: VisionLLMConfig, stored: Mapping[str, torch.Size] | None = None) -> nn.ModuleDict:
    """Build every decoder that the configuration names.

    Args:
        config: Of the whole model.
        stored: Shapes of the weights that a file holds, by their names in the model; see `Decoder.waits`.

    Raises:
        ValueError: If a decoder is unknown, or its configuration is.
    """
    built: dict[str, nn.Module] = {}
    for name, raw in config.decoders.items():
        cls = find_decoder(name)
        settings = build(get_type_hints(cls.__init__)["config"], raw, f"config.decoders.{name}")
        more = {"stored": shapes_within(stored or {}, f"decoders.{name}")} if cls.waits else {}
        built[name] = cls(settings, query_width=config.text_config.hidden_size, quirks=config.quirks, **more)
    return nn.ModuleDict(built)


def feature_width(config: VisionLLMConfig, level: int) -> int:
    """Return the width of a hidden state of the vision encoder.

    Args:
        config: Of the whole model.
        level: Index into the encoder's hidden states.

    Raises:
        ValueError: If the encoder has no such level.
    """
    vision = config.vision_config
    sizes = getattr(vision, "hidden_sizes", None)
    if sizes is None:
        return int(vision.hidden_size)
    widths = [getattr(vision, "embedding_size", sizes[0]), *sizes]
    if not -len(widths) <= level < len(widths):
        raise ValueError(f"expected a level in [{-len(widths)}, {len(widths)}) of the vision encoder, got {level}")
    return int(widths[level])


def build_projector(config: VisionLLMConfig) -> Projector:
    """Build the projector between the vision encoder and the language model."""
    width = feature_width(config, config.vision_layer) * config.pixel_shuffle**2
    return Projector(
        build(ProjectorConfig, config.projector, "config.projector"), width, config.text_config.hidden_size
    )


def build_region_encoder(config: VisionLLMConfig) -> RegionEncoder | None:
    """Build the region encoder, if the configuration has one.

    Raises:
        ValueError: If the levels it reads differ in width.
    """
    if config.region_encoder is None:
        return None
    widths = {level: feature_width(config, level) for level in config.region_levels}
    if len(set(widths.values())) != 1:
        raise ValueError(f"expected region_levels of one width, got {widths}")
    settings = build(RegionEncoderConfig, config.region_encoder, "config.region_encoder")
    width = next(iter(widths.values()))
    return RegionEncoder(settings, width, config.text_config.hidden_size, config.quirks)
