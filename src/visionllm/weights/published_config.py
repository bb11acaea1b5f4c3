"""Our configuration as the published one: the way back, for those who fine-tuned with us."""

from collections.abc import Collection, Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any

from visionllm.config import VisionLLMConfig
from visionllm.weights.published import DECODERS, TOKENS, config_from_published
from visionllm.weights.published_detection import KEYS as DETECTION_KEYS
from visionllm.weights.published_pose import KEYS as POSE_KEYS
from visionllm.weights.published_schema import ARCHITECTURES, CLIP, EQUAL, LLAMA, PUBLISHED, SWIN, Section, at

ARCHITECTURE = "VisionLLMv2Model"
DIFFUSION_KEYS: Mapping[str, str] = {
    "num_queries": "tokens",
    "num_encoder_layers": "encoder_layers",
    "num_decoder_layers": "decoder_layers",
    "cfg_drop_rate": "drop_rate",
}
"""Published keys of a diffusion decoder, and the fields of ours that they are."""
_DIFFUSION = {"generation": ("sd", "stable-diffusion-v1-5", "[GEN]"), "editing": ("ip2p", "instruct-pix2pix", "[EDIT]")}
LEFT_BEHIND = (
    "decoders.*.threshold",
    "decoders.*.freeze_norm",
    "decoders.*.layer_scale",
    "decoders.*.focal_gamma",
    "decoders.*.one_to_many",
    "decoders.*.denoise_*",
    "decoders.*.attention_dropout",
    "decoders.detection.mask_points",
    "decoders.detection.mask_oversample",
    "decoders.detection.mask_importance",
    "decoders.detection.token_loss_weight",
    "decoders.pose.oks_weight",
    "decoders.pose.visible_weight",
)
"""Of training, or what a request may say: the published code has fixed values for them, which change no answer."""


def config_to_published(
    config: VisionLLMConfig, kept: Mapping[str, Any] | None = None, ignored: Collection[str] = ()
) -> tuple[dict[str, Any], dict[str, str]]:
    """Write our configuration as the published one.

    Args:
        config: Of our model.
        kept: The published configuration that the model came from; keys without a meaning here stay as they are there.
        ignored: Full paths of its keys that are passed over; see `check_published`.

    Returns:
        The content of `config.json`, and what is left behind: paths in our configuration, with what was said there.

    Raises:
        ValueError: If the published configuration cannot say what ours does.
    """
    for part, wanted in (("vision_config", "clip_vision_model"), ("text_config", "llama")):
        if (found := getattr(config, part).model_type) != wanted:
            raise ValueError(f"expected a {part} of the type {wanted}, as the published model has, got {found}")
    if missing := [token for token in TOKENS if token not in config.token_ids]:
        raise ValueError(f"expected the id of {missing[0]} in token_ids, as the published model has it, got none")
    told = _told(config)
    raw = _merged(dict(kept) if kept is not None else _fixed(PUBLISHED, told), told)
    for path, other in EQUAL:
        *parts, key = path.split(".")
        owner = at(raw, ".".join(parts))
        if isinstance(owner, dict):
            owner[key] = at(raw, other)
    return raw, _compared(config, raw, ignored)


def _told(config: VisionLLMConfig) -> dict[str, Any]:
    """Return every key that has a meaning for us, as our configuration says it."""
    tables, decoders = config.tables, config.decoders
    told: dict[str, Any] = {
        "model_type": "visionllmv2",
        "architectures": [ARCHITECTURE],
        "vis_encoder_config": {
            **_plain(config.vision_config.to_dict(), CLIP, "vis_encoder_config"),
            "model_type": "clip_vision_model",
        },
        "llm_config": {
            **_plain(config.text_config.to_dict(), LLAMA, "llm_config"),
            "rope_theta": config.text_config.rope_parameters["rope_theta"],
            "model_type": "llama",
        },
        "vl_bridge_type": config.projector.get("kind"),
        "vis_output_layer": config.vision_layer,
        "use_pixelshuffle": config.pixel_shuffle == 2,
        "num_embs": tables.get("det"),
        "num_embs_gen": tables.get("gen"),
        "use_region_encoder": config.region_encoder is not None,
    }
    told |= {f"use_{theirs[:-1]}": decoder in decoders for decoder, theirs in DECODERS.items()}
    if sizes := decoders.get("detection"):
        told["gdino_config"] = {theirs: sizes[ours] for theirs, ours in DETECTION_KEYS.items()}
        told["gdino_config"]["backbone_config"] = {
            key: sizes["backbone"][key] for key in ("model_type", *SWIN.read) if key in sizes["backbone"]
        }
    if sizes := decoders.get("pose"):
        told["unipose_config"] = {theirs: sizes[ours] for theirs, ours in POSE_KEYS.items()}
    for decoder, (theirs, _, token) in _DIFFUSION.items():
        if sizes := decoders.get(decoder):
            part = {key: sizes[ours] for key, ours in DIFFUSION_KEYS.items()}
            part |= {"sd_hidden_size": sizes["unet"]["cross_attention_dim"]}
            told[f"{theirs}_config"] = part | {"trigger_token": token, "trigger_token_id": config.token_ids[token]}
    return told


def _plain(known: Mapping[str, Any], section: Section, part: str) -> dict[str, Any]:
    return {key: known[key] for key in section.read if key in known} | {"architectures": [ARCHITECTURES[part]]}


def _fixed(section: Section, told: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the published code needs to be told besides, where there is no configuration to start from."""
    raw = {key: values[0] for key, values in section.fixed.items()}
    for key, inside in section.inside.items():
        if key in told:
            raw[key] = _fixed(inside, told[key])
    for theirs, name, _ in _DIFFUSION.values():
        if f"{theirs}_config" in raw:
            raw[f"{theirs}_config"]["sd_model_id"] = name
    return raw


def _merged(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """Return the old objects with new values."""
    merged = {key: _merged(value, {}) if isinstance(value, Mapping) else value for key, value in old.items()}
    for key, value in new.items():
        before = old.get(key)
        merged[key] = (
            _merged(before if isinstance(before, Mapping) else {}, value) if isinstance(value, dict) else value
        )
    return merged


def _compared(config: VisionLLMConfig, raw: Mapping[str, Any], ignored: Collection[str]) -> dict[str, str]:
    """Read the published configuration again, and compare."""
    named = ("unet", "vae", "text", "schedule", "scheduler", "frozen", "steps", "guidance", "picture_hw")
    named += ("image_guidance", "pixel_mean", "pixel_std", "caption_weight")
    named += ("caption_start_id", "caption_end_id", "caption_pad_id")
    bases = {name: {key: sizes[key] for key in named if key in sizes} for name, sizes in config.decoders.items()}
    bases |= {"pose": config.decoders["pose"]["backbone"]} if "pose" in config.decoders else {}
    again = config_from_published(
        raw,
        token_ids=config.token_ids,
        sentence_end_ids=config.sentence_end_ids,
        quirks=config.quirks,
        bases=bases,
        ignored=ignored,
    )
    ours, theirs = config.to_dict(), again.to_dict()
    left: dict[str, str] = {}
    for path, value, other in _differences(ours, theirs):
        if path in ("architectures", "dtype"):
            continue
        if not any(fnmatchcase(path, pattern) for pattern in LEFT_BEHIND):
            raise ValueError(
                f"expected a model that the published configuration can describe, got {path} {value!r}, "
                f"which would come back as {other!r}"
            )
        left[path] = repr(value)
    return left


def _differences(ours: Any, theirs: Any, path: str = "") -> Iterator[tuple[str, Any, Any]]:
    if isinstance(ours, Mapping) and isinstance(theirs, Mapping):
        for key in {**ours, **theirs}:
            yield from _differences(ours.get(key), theirs.get(key), f"{path}.{key}".lstrip("."))
    elif isinstance(ours, list | tuple) and isinstance(theirs, list | tuple):
        if list(ours) != list(theirs):
            yield path, ours, theirs
    elif ours != theirs:
        yield path, ours, theirs
