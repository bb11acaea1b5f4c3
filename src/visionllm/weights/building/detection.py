"""Grounding DINO in the layout of Hugging Face, and our detector: which name is which, what is dropped, what is new."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from visionllm.config.detection import DetectionConfig
from visionllm.decoders.detection import DetectionDecoder
from visionllm.weights.building.settings import SETTINGS, part_config, part_settings
from visionllm.weights.building.sources import Reasons, Sources, reason_for, renamed_sources
from visionllm.weights.checkpoint import Checkpoint
from visionllm.weights.names import NameMap
from visionllm.weights.published_detection import BACKBONE, FUSION, NETWORK, SWIN_KEYS, SWIN_NAMES

ATTENTION = (("query", "query"), ("key", "key"), ("value", "value"), ("out_proj", "output"))
DEFORMABLE = (
    ("sampling_offsets", "offsets"),
    ("attention_weights", "weights"),
    ("value_proj", "value"),
    ("output_proj", "output"),
)
FEED_FORWARD = (("fc1", "expand"), ("fc2", "contract"))
BLOCKS = (
    # one row a block of a layer: its name there and here, and its linear layers
    ("model.encoder.layers.#.text_enhancer_layer.self_attn", "encoder.layers.#.text.attention", ATTENTION),
    ("model.encoder.layers.#.text_enhancer_layer", "encoder.layers.#.text.feed_forward", FEED_FORWARD),
    ("model.encoder.layers.#.deformable_layer.self_attn", "encoder.layers.#.vision.attention", DEFORMABLE),
    ("model.encoder.layers.#.deformable_layer", "encoder.layers.#.vision.feed_forward", FEED_FORWARD),
    ("model.decoder.layers.#.self_attn", "decoder.layers.#.self_attention", ATTENTION),
    ("model.decoder.layers.#.encoder_attn_text", "decoder.layers.#.text_attention", ATTENTION),
    ("model.decoder.layers.#.encoder_attn", "decoder.layers.#.vision_attention", DEFORMABLE),
    ("model.decoder.layers.#", "decoder.layers.#.feed_forward", FEED_FORWARD),
)
NAMES = (
    ("model.input_proj_vision.#.*", "pyramid.projections.#.*"),
    ("model.level_embed", "pyramid.level_embedding"),
    *FUSION,
    ("model.encoder.layers.#.text_enhancer_layer.layer_norm_before.*", "encoder.layers.#.text.norm.*"),
    ("model.encoder.layers.#.text_enhancer_layer.layer_norm_after.*", "encoder.layers.#.text.feed_forward.norm.*"),
    ("model.encoder.layers.#.deformable_layer.self_attn_layer_norm.*", "encoder.layers.#.vision.norm.*"),
    ("model.encoder.layers.#.deformable_layer.final_layer_norm.*", "encoder.layers.#.vision.feed_forward.norm.*"),
    ("model.enc_output.*", "proposals.project.*"),
    ("model.enc_output_norm.*", "proposals.norm.*"),
    ("model.encoder_output_bbox_embed.*", "proposals.box_head.*"),
    ("model.query_position_embeddings.weight", "object_queries.weight"),
    ("model.decoder.layers.#.self_attn_layer_norm.*", "decoder.layers.#.self_norm.*"),
    ("model.decoder.layers.#.encoder_attn_text_layer_norm.*", "decoder.layers.#.text_norm.*"),
    ("model.decoder.layers.#.encoder_attn_layer_norm.*", "decoder.layers.#.vision_norm.*"),
    ("model.decoder.layers.#.final_layer_norm.*", "decoder.layers.#.feed_forward.norm.*"),
    ("model.decoder.layer_norm.*", "decoder.norm.*"),
    ("model.decoder.reference_points_head.*", "decoder.position_head.*"),
    ("bbox_embed.~.*", "decoder.box_head.*"),
    ("model.decoder.bbox_embed.~.*", "decoder.box_head.*"),
)
MAP = NameMap(
    part="Grounding DINO",
    rows=(
        *NAMES,
        *((f"{theirs}.{a}.*", f"{ours}.{b}.*") for theirs, ours, layers in BLOCKS for a, b in layers),
        *((BACKBONE + theirs, NETWORK + ours) for theirs, ours in SWIN_NAMES),
    ),
)
DROPPED: Reasons = (
    ("model.text_backbone.*", "the text tower: query groups take the place of its words"),
    ("model.text_projection.*", "the text tower: query groups take the place of its words"),
    ("model.backbone.conv_encoder.model.*layernorm.weight", "its output feeds no stage"),
    ("model.backbone.conv_encoder.model.*layernorm.bias", "its output feeds no stage"),
    ("*relative_position_index", "follows from the size of the window"),
)
NEW: Reasons = (
    ("query_projection.*", "what brings slots to the detector's width"),
    ("pixel_decoder.*", "features of masks"),
    ("mask_head.*", "a mask of each object query"),
    ("proposal_mask_head.*", "a mask of each proposal, for a loss of training"),
    ("pyramid.backbone.network.hidden_states_norms.stage1.*", "the norm of the stage that only masks read"),
)
"""Patterns of our names that a Grounding DINO has nothing for, and what they are."""
FIXED: Mapping[str, Any] = {
    "two_stage": True,
    "two_stage_bbox_embed_share": False,
    "decoder_bbox_embed_share": True,
    "embedding_init_target": True,
    "position_embedding_type": "sine",
    "activation_function": "relu",
    "query_dim": 4,
    "layer_norm_eps": 1e-5,
}
"""Settings that our detector does not have, because they are so in every public Grounding DINO."""


def detection_settings(folder: Path) -> tuple[DetectionConfig, float]:
    """Read a Grounding DINO's configuration; costs and loss weights are the published detector's.

    Returns:
        Our configuration, and the deviation that new weights start with.

    Raises:
        ValueError: If it is another network, or one that our detector cannot be.
    """
    raw = part_settings(folder)
    where = folder / SETTINGS
    if raw["model_type"] != "grounding-dino":
        raise ValueError(f"expected model_type 'grounding-dino' in {where}, got {raw['model_type']!r}")
    there: Any = part_config(raw, str(where))
    for name, wanted in FIXED.items():
        if getattr(there, name) != wanted:
            raise ValueError(f"expected {name} {wanted!r} in {where}, got {getattr(there, name)!r}")
    if there.encoder_attention_heads != there.decoder_attention_heads:
        heads = (there.encoder_attention_heads, there.decoder_attention_heads)
        raise ValueError(f"expected as many heads in encoder and decoder in {where}, got {heads[0]} and {heads[1]}")
    config = DetectionConfig(
        backbone=_backbone(there.backbone_config, where),
        width=there.d_model,
        levels=there.num_feature_levels,
        encoder_layers=there.encoder_layers,
        decoder_layers=there.decoder_layers,
        heads=there.encoder_attention_heads,
        text_heads=there.encoder_attention_heads // 2,
        encoder_ffn=there.encoder_ffn_dim,
        decoder_ffn=there.decoder_ffn_dim,
        text_ffn=there.encoder_ffn_dim // 2,
        fusion_width=there.encoder_ffn_dim // 2,
        encoder_points=there.encoder_n_points,
        decoder_points=there.decoder_n_points,
        mask_width=there.d_model,
        object_queries=there.num_queries,
        position_temperature=there.positional_embedding_temperature,
        dropout=there.dropout,
        attention_dropout=there.attention_dropout,
        text_dropout=there.text_enhancer_dropout,
        fusion_dropout=there.fusion_dropout,
        fusion_drop_path=there.fusion_droppath,
    )
    return config, float(there.init_std)


def _backbone(there: Any, where: Path) -> dict[str, Any]:
    """Return the backbone with one stage more, the one before those that the encoder reads: masks need it."""
    stages = list(getattr(there, "out_features", None) or ())
    if there.model_type != "swin" or stages != [f"stage{i}" for i in range(2, 2 + len(stages))] or not stages:
        raise ValueError(
            f"expected a swin backbone in {where} that gives its stages from stage2 on, "
            f"got {there.model_type} with {stages}"
        )
    settings = {key: getattr(there, key) for key in SWIN_KEYS if key not in ("model_type", "out_features")}
    return {"model_type": "swin", **settings, "out_features": ["stage1", *stages]}


def detection_sources(checkpoint: Checkpoint, ours: Mapping[str, tuple[int, ...]]) -> Sources:
    """Match the tensors of a Grounding DINO with those of our detector.

    Args:
        checkpoint: The folder.
        ours: The shape of each tensor of our detector.

    Raises:
        ValueError: If a tensor is missing or unknown.
    """

    def rename(name: str) -> str:
        try:
            return next(iter(MAP.to_ours({name: torch.empty(0)})))
        except ValueError as error:
            raise ValueError(f"expected only tensors of a Grounding DINO in {checkpoint.folder}, got {name}") from error

    found = renamed_sources(checkpoint, rename, DROPPED)
    for name in ours:
        if name not in found.taken and reason_for(name, NEW) is None:
            theirs = next(iter(MAP.to_published({name: torch.empty(0)}, {"": 1})))
            raise ValueError(f"expected {theirs} in the weights of {checkpoint.folder}, got none")
    return found


def start_new(decoder: DetectionDecoder, deviation: float) -> None:
    """Initialise what is new in a detector as the library does: normal weights, biases of 0, norms that do nothing."""
    for name, module in decoder.named_modules():
        if isinstance(module, nn.Linear | nn.Conv2d) and reason_for(f"{name}.weight", NEW) is not None:
            nn.init.normal_(module.weight, std=deviation)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
