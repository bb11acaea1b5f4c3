"""Names of the published generation and editing decoders' parameters, and ours."""

from collections.abc import Mapping
from typing import Any, TypeVar

from torch import Tensor

from visionllm.config.diffusion import DiffusionConfig
from visionllm.config.strict import build
from visionllm.weights.names import NameMap

MAP = NameMap(
    part="diffusion decoder",
    rows=(
        ("emb_proj.*", "mapper.projection.layers.*"),
        ("llm2sd_mapper_queries", "mapper.queries"),
        ("llm2sd_mapper.*", "mapper.transformer.*"),
        ("sd_text_encoder.text_model.*", "text_encoder.*"),
        ("sd_vae.*", "vae.*"),
        ("sd_unet.*", "unet.*"),
    ),
    derived="position_ids",
)

ConfigT = TypeVar("ConfigT", bound=DiffusionConfig)


def diffusion_from_published(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Rename the tensors of a published diffusion decoder.

    Args:
        state: Published names, without the prefix `sd.` or `ip2p.`.

    Raises:
        ValueError: If a name is unknown.
    """
    return MAP.to_ours(state)


def diffusion_to_published(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Rename the tensors of a diffusion decoder of ours to the published names.

    Raises:
        ValueError: If a name is unknown there.
    """
    return MAP.to_published(state, {})


def diffusion_config_from_published(
    raw: Mapping[str, Any], kind: type[ConfigT], base: Mapping[str, Any] | None = None
) -> ConfigT:
    """Read the configuration of a published diffusion decoder.

    Args:
        raw: The published `sd_config` or `ip2p_config`; it names its diffusion model, but says nothing about it.
        kind: `DiffusionConfig` for the one, `EditingConfig` for the other.
        base: What `read_diffusion_settings` says about the diffusion model; None means the one of the 7B release.

    Raises:
        ValueError: If the mapper's states do not have the width that the U-Net reads.
    """
    config = build(kind, dict(base or {}), "base")
    width = raw["sd_hidden_size"]
    if width != config.width:
        raise ValueError(f"expected a U-Net that reads states of width {width}, got {config.width}")
    sizes = {
        "tokens": raw["num_queries"],
        "encoder_layers": raw["num_encoder_layers"],
        "decoder_layers": raw["num_decoder_layers"],
        "ffn": 4 * width,
    }
    rate = {"drop_rate": raw["cfg_drop_rate"]} if "cfg_drop_rate" in raw else {}
    return build(kind, {**(base or {}), **sizes, **rate}, "base")
