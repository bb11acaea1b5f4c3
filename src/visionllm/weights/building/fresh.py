"""What no public part has: made new, on its own, so that no whole model has to be in memory."""

from collections.abc import Mapping
from typing import Any, get_type_hints

import torch
from torch import Tensor, nn

from visionllm.config import VisionLLMConfig
from visionllm.config.strict import build
from visionllm.decoders import DetectionDecoder
from visionllm.decoders.base.diffusing import build_mapper
from visionllm.model.parts import build_projector, build_region_encoder, find_decoder
from visionllm.super_link import SuperLink
from visionllm.weights.building.detection import NEW, start_new
from visionllm.weights.building.sources import reason_for

ORIGINS: Mapping[str, str] = {
    "projector.": "projector, as PyTorch starts linear layers",
    "region_encoder.": "region encoder, as PyTorch starts its layers",
    "super_link.": "super-link queries, normal with the language model's deviation",
    "decoders.detection.query_projection.": "what brings slots to the detector's width",
    "decoders.detection.": "mask branch of the detector",
    "decoders.generation.": "mapper from slots to the U-Net",
    "decoders.editing.": "mapper from slots to the U-Net",
    "vision_encoder.": "summary of a whole picture, which nobody reads",
}
"""By the beginning of its name, what a new tensor belongs to; the first that fits counts."""


def fresh_tensors(config: VisionLLMConfig, *, deviation: float, seed: int) -> dict[str, Tensor]:
    """Make all that is new in a model of public parts.

    Args:
        config: Of the model.
        deviation: Of the new weights of the detector.
        seed: Of the random draws; torch's own generator is left as it was.

    Returns:
        By their names in the model.

    Source: the published configuration (`init_std`), Grounding DINO in transformers; what neither tells starts as the
        constructors of our networks start it.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        parts: dict[str, nn.Module | None] = {
            "projector": build_projector(config),
            "region_encoder": build_region_encoder(config),
            "super_link": SuperLink(config),
        }
        for name, raw in config.decoders.items():
            if name != "detection":
                parts[f"decoders.{name}.mapper"] = build_mapper(_settings(name, raw), config.text_config.hidden_size)
        made = {
            f"{part}.{name}": tensor.detach()
            for part, module in parts.items()
            if module is not None
            for name, tensor in module.state_dict().items()
        }
        return made | _detector(config, deviation)


def _detector(config: VisionLLMConfig, deviation: float) -> dict[str, Tensor]:
    raw = config.decoders.get("detection")
    if raw is None:
        return {}
    decoder = DetectionDecoder(_settings("detection", raw), config.text_config.hidden_size)
    start_new(decoder, deviation)
    state = decoder.state_dict()
    return {f"decoders.detection.{n}": t.detach() for n, t in state.items() if reason_for(n, NEW) is not None}


def _settings(name: str, raw: Mapping[str, Any]) -> Any:
    """Return the frozen configuration of a decoder."""
    return build(get_type_hints(find_decoder(name).__init__)["config"], raw, f"config.decoders.{name}")
