"""The published VisionLLM v2 checkpoint: its names, its configuration and its slot ids, and ours.

Nothing outside this folder knows the published names.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from visionllm.config import Quirks, VisionLLMConfig
from visionllm.config.diffusion import DiffusionConfig
from visionllm.config.editing import EditingConfig
from visionllm.config.pose import PoseConfig
from visionllm.config.strict import build
from visionllm.types import Route
from visionllm.weights.published_detection import (
    DETECTOR_DEFAULTS,
    detection_config_from_published,
    detection_from_published,
    detection_to_published,
)
from visionllm.weights.published_diffusion import (
    diffusion_config_from_published,
    diffusion_from_published,
    diffusion_to_published,
)
from visionllm.weights.published_pose import pose_config_from_published, pose_from_published, pose_to_published
from visionllm.weights.published_schema import CLIP, LLAMA, Section, at, check_published

# One row a part: the beginning of the published name, and of ours.
NAMES = (
    ("vis_encoder.vision_model.", "vision_encoder."),
    ("vl_bridge.", "projector.layers."),
    ("llm.", "language_model."),
    ("region_encoder.", "region_encoder."),
    ("emb_embeddings_det.", "super_link.tables.det."),
    ("emb_embeddings_pose.", "super_link.tables.pose."),
    ("emb_embeddings_gen.", "super_link.tables.gen."),
    ("emb_embeddings_edit.", "super_link.tables.edit."),
)
DECODERS = {"detection": "gdino.", "pose": "unipose.", "generation": "sd.", "editing": "ip2p."}
"""The beginning of the published names of each decoder."""

TOKENS = [
    "[PAD]",
    "<image>",
    "<im_patch>",
    "<region>",
    "<img>",
    "</img>",
    "<reg>",
    "</reg>",
    "<det>",
    "</det>",
    "<grd>",
    "</grd>",
    "[DET]",
    "[GRD]",
    "[SEG]",
    "[POSE]",
    "[GEN]",
    "[EDIT]",
    "[EMB]",
    "[EMB2]",
    "[EMB3]",
    "[EMB4]",
    "[EMB5]",
    "[EMB6]",
    "[EMB7]",
    "[EMB8]",
]
"""The tokens that training added to the vocabulary, in the order of their ids."""
SLOT_TOKENS = tuple(TOKENS[-8:])
ROUTES = tuple(
    Route(token=token, table=table, decoder=decoder, picture=decoder != "generation")
    for token, table, decoder in (
        ("[DET]", "det", "detection"),
        ("[GRD]", "det", "detection"),
        ("[SEG]", "det", "detection"),
        ("[POSE]", "pose", "pose"),
        ("[GEN]", "gen", "generation"),
        ("[EDIT]", "edit", "editing"),
    )
)


def released_token_ids(first: int = 32000) -> dict[str, int]:
    """Return the ids of the added tokens, which follow the language model's own vocabulary."""
    return {token: first + i for i, token in enumerate(TOKENS)}


def is_published(raw: Mapping[str, Any]) -> bool:
    """Tell whether a `config.json` is one of the published code."""
    return "vis_encoder_config" in raw


def config_from_published(
    raw: Mapping[str, Any],
    *,
    token_ids: Mapping[str, int] | None = None,
    sentence_end_ids: Sequence[int] = (),
    quirks: Quirks | None = None,
    bases: Mapping[str, Mapping[str, Any]] | None = None,
    ignored: Collection[str] = (),
) -> VisionLLMConfig:
    """Read the published configuration; decoders that it switches off are left out, their slot tables are not.

    Args:
        raw: The published `config.json`.
        token_ids: Ids of the added tokens; None means that they end the vocabulary, as training left them.
        sentence_end_ids: Ids that end a sentence in its tokenizer.
        quirks: Faults to reproduce; None means those that the published numbers need.
        bases: By decoder name, what the published configuration only names: of a diffusion model what
            `read_diffusion_settings` says about it, of the pose decoder the sizes of its backbone. What is not there
            is as in the 7B release.
        ignored: Full paths of keys that are passed over; see `check_published`.

    Raises:
        ValueError: If its vision encoder or language model is not CLIP and LLaMA, or a key is unknown, missing or does
            not fit.
    """
    check_published(raw, ignored)
    quirks = Quirks.published() if quirks is None else quirks
    ids = dict(token_ids or released_token_ids(raw["llm_config"]["vocab_size"] - len(TOKENS)))
    _check_triggers(raw, ids)
    perception, pictures = raw["num_embs"], raw["num_embs_gen"]
    return VisionLLMConfig(
        vision_config=_kept(raw["vis_encoder_config"], CLIP) | {"model_type": "clip_vision_model"},
        text_config=_text(raw["llm_config"]),
        vision_layer=raw["vis_output_layer"],
        projector={"kind": raw["vl_bridge_type"]},
        pixel_shuffle=2 if raw.get("use_pixelshuffle", False) else 1,
        region_encoder={} if raw["use_region_encoder"] else None,
        tables=[("det", perception), ("pose", perception), ("gen", pictures), ("edit", pictures)],
        routes=ROUTES,
        token_ids=ids,
        sentence_end_ids=sentence_end_ids,
        never_sampled_ids=() if quirks.slot_rows_sampled else [ids[token] for token in SLOT_TOKENS],
        decoders=_decoders(raw, bases or {}),
        quirks=quirks,
    )


def _check_triggers(raw: Mapping[str, Any], ids: Mapping[str, int]) -> None:
    """Compare the ids that the configuration tells with those of the tokenizer."""
    for part, token in (("sd", "[GEN]"), ("ip2p", "[EDIT]")):
        told = at(raw, f"{part}_config.trigger_token_id")
        if raw.get(f"use_{part}", False) and told is not None and told != ids[token]:
            raise ValueError(
                f"expected config.{part}_config.trigger_token_id to be {ids[token]}, the id of {token}, got {told}"
            )


def _kept(raw: Mapping[str, Any], section: Section) -> dict[str, Any]:
    return {key: raw[key] for key in section.read if key in raw and key != "architectures"}


def _text(raw: Mapping[str, Any]) -> dict[str, Any]:
    """Return the language model's configuration under today's names."""
    plain = _kept(raw, LLAMA)
    rotary = {"rope_type": "default", "rope_theta": float(plain.pop("rope_theta", 10000.0))}
    return plain | {"model_type": "llama", "rope_parameters": rotary}


def _decoders(raw: Mapping[str, Any], bases: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    found = {}
    if raw["use_gdino"]:
        found["detection"] = vars(detection_config_from_published({**DETECTOR_DEFAULTS, **raw["gdino_config"]}))
    if raw.get("use_unipose", False):
        found["pose"] = vars(pose_config_from_published(raw["unipose_config"], bases.get("pose")))
    for decoder, theirs, kind in (("generation", "sd", DiffusionConfig), ("editing", "ip2p", EditingConfig)):
        if raw.get(f"use_{theirs}", False):
            found[decoder] = vars(diffusion_config_from_published(raw[f"{theirs}_config"], kind, bases.get(decoder)))
    return found


def state_from_published(state: Mapping[str, Tensor], config: VisionLLMConfig) -> dict[str, Tensor]:
    """Rename the published tensors; those of decoders that the configuration lacks are left out.

    Raises:
        ValueError: If a name is unknown.
    """
    ours: dict[str, Tensor] = {}
    rename = dict.fromkeys(DECODERS, diffusion_from_published)
    rename |= {"detection": detection_from_published, "pose": pose_from_published}
    for decoder, theirs in DECODERS.items():
        if decoder in config.decoders:
            part = {name.removeprefix(theirs): tensor for name, tensor in state.items() if name.startswith(theirs)}
            ours |= {f"decoders.{decoder}.{name}": tensor for name, tensor in rename[decoder](part).items()}
    for name, tensor in state.items():
        if name.startswith(tuple(DECODERS.values())) or name.endswith(("position_ids", "inv_freq")):
            continue
        renamed = _rename(name, NAMES)
        if renamed is None:
            raise ValueError(f"expected a parameter of the published model, got {name}")
        if renamed.startswith("region_encoder.") and config.region_encoder is None:
            continue
        ours[renamed] = tensor
    return ours


def state_to_published(state: Mapping[str, Tensor], config: VisionLLMConfig) -> dict[str, Tensor]:
    """Rename our tensors to the published names; a tensor that the published model shares appears under each name.

    Raises:
        ValueError: If a name is unknown there.
    """
    published: dict[str, Tensor] = {}
    for decoder, theirs in DECODERS.items():
        mine = f"decoders.{decoder}."
        part = {name.removeprefix(mine): tensor for name, tensor in state.items() if name.startswith(mine)}
        if part and decoder == "detection":
            renamed = detection_to_published(part, int(config.decoders[decoder]["decoder_layers"]))
        elif part and decoder == "pose":
            renamed = pose_to_published(part, build(PoseConfig, config.decoders[decoder], f"config.decoders.{decoder}"))
        else:
            renamed = diffusion_to_published(part)
        published |= {theirs + name: tensor for name, tensor in renamed.items()}
    for name, tensor in state.items():
        if name.startswith(tuple(f"decoders.{decoder}." for decoder in DECODERS)):
            continue
        renamed = _rename(name, [(ours, left) for left, ours in NAMES])
        if renamed is None:
            raise ValueError(f"expected a parameter that the published model has too, got {name}")
        published[renamed] = tensor
    return published


def _rename(name: str, rows: Sequence[tuple[str, str]]) -> str | None:
    for left, right in rows:
        if name.startswith(left):
            return right + name.removeprefix(left)
    return None


def ids_from_published(input_ids: Tensor, config: VisionLLMConfig) -> Tensor:
    """Replace the published slot ids after each routing token by ours; labels can be converted alike.

    Args:
        input_ids: int[B, T].
        config: Names the published slot tokens among its `token_ids`.

    Returns:
        int[B, T].

    Raises:
        ValueError: If a routing token is not followed by all of its slots.
    """
    converted = input_ids.clone()
    slot_rows = torch.tensor([config.token_ids[token] for token in SLOT_TOKENS], device=input_ids.device)
    is_slot = torch.isin(input_ids, slot_rows)
    for route in config.routes:
        slots = config.slot_ids(route.table)
        for row, position in (input_ids == config.token_ids[route.token]).nonzero().tolist():
            places = slice(position + 1, position + 1 + len(slots))
            found = int(is_slot[row, places].sum())
            if found != len(slots):
                raise ValueError(
                    f"expected {len(slots)} slots after {route.token} at {position} of row {row}, got {found}"
                )
            converted[row, places] = torch.arange(slots.start, slots.stop, device=input_ids.device)
    return converted
