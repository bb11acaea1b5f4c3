"""Parts of the network built from their plain data in the configuration, each by the name it has there."""

import importlib
import inspect
import pkgutil
from importlib.metadata import entry_points
from typing import Any, get_type_hints

from torch import nn
from transformers import PreTrainedConfig

from visionllm import decoders
from visionllm.config import VisionLLMConfig
from visionllm.config.strict import build
from visionllm.decoders.base import Decoder

SCALED_LOGITS = ("final_logit_softcapping", "logit_scale", "logits_scaling")


def check_language_model(config: PreTrainedConfig) -> None:
    """Refuse language models that change their logits after the head, which this network would not do.

    Raises:
        ValueError: Naming the setting.
    """
    for name in SCALED_LOGITS:
        if getattr(config, name, None) not in (None, 1, 1.0):
            raise ValueError(f"expected a language model with plain logits, got {name} {getattr(config, name)}")


def find_decoder(name: str) -> type[Decoder[Any]]:
    """Return the decoder of a name: a module of `visionllm.decoders`, or an entry point of that group.

    A name is only compared with what is installed, never imported as it stands.

    Raises:
        ValueError: If nobody offers such a decoder.
    """
    ours = {m.name for m in pkgutil.iter_modules(decoders.__path__)} - {"base"}
    if name in ours:
        module = importlib.import_module(f"{decoders.__name__}.{name}")
        offered = [c for c in vars(module).values() if inspect.isclass(c) and issubclass(c, Decoder)]
        return next(c for c in offered if not inspect.isabstract(c))
    others = {e.name: e for e in entry_points(group=decoders.__name__)}
    if name in others:
        return others[name].load()
    raise ValueError(f"expected a decoder among {', '.join(sorted(ours | others.keys()))}, got {name!r}")


def build_decoders(config: VisionLLMConfig) -> nn.ModuleDict:
    """Build every decoder that the configuration names.

    Raises:
        ValueError: If a decoder is unknown, or its configuration is.
    """
    built: dict[str, nn.Module] = {}
    for name, raw in config.decoders.items():
        cls = find_decoder(name)
        settings = build(get_type_hints(cls.__init__)["config"], raw, f"config.decoders.{name}")
        built[name] = cls(settings, query_width=config.text_config.hidden_size, quirks=config.quirks)
    return nn.ModuleDict(built)
