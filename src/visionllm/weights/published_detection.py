"""Names of the published detector's parameters, and ours."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from visionllm.config.detection import DetectionConfig
from visionllm.weights.names import NameMap
from visionllm.weights.published_schema import SWIN

FUSION = (
    ("model.encoder.layers.#.fusion_layer.layer_norm_vision.*", "encoder.layers.#.fusion.vision_norm.*"),
    ("model.encoder.layers.#.fusion_layer.layer_norm_text.*", "encoder.layers.#.fusion.text_norm.*"),
    ("model.encoder.layers.#.fusion_layer.vision_param", "encoder.layers.#.fusion.vision_gate"),
    ("model.encoder.layers.#.fusion_layer.text_param", "encoder.layers.#.fusion.text_gate"),
    ("model.encoder.layers.#.fusion_layer.attn.vision_proj.*", "encoder.layers.#.fusion.attention.vision_query.*"),
    ("model.encoder.layers.#.fusion_layer.attn.text_proj.*", "encoder.layers.#.fusion.attention.text_query.*"),
    (
        "model.encoder.layers.#.fusion_layer.attn.values_vision_proj.*",
        "encoder.layers.#.fusion.attention.vision_value.*",
    ),
    ("model.encoder.layers.#.fusion_layer.attn.values_text_proj.*", "encoder.layers.#.fusion.attention.text_value.*"),
    ("model.encoder.layers.#.fusion_layer.attn.out_vision_proj.*", "encoder.layers.#.fusion.attention.vision_output.*"),
    ("model.encoder.layers.#.fusion_layer.attn.out_text_proj.*", "encoder.layers.#.fusion.attention.text_output.*"),
)
"""What words and picture tell each other in a layer of the encoder; transformers calls it the same."""
NAMES = (
    ("patch2query.*", "query_projection.*"),
    ("mask_embed.~.*", "mask_head.*"),
    ("bbox_embed.~.*", "decoder.box_head.*"),
    ("model.decoder.bbox_embed.~.*", "decoder.box_head.*"),
    ("model.decoder.layer_norm.*", "decoder.norm.*"),
    ("model.decoder.reference_points_head.*", "decoder.position_head.*"),
    ("model.decoder.layers.#.self_attn.out_proj.*", "decoder.layers.#.self_attention.output.*"),
    ("model.decoder.layers.#.self_attn_layer_norm.*", "decoder.layers.#.self_norm.*"),
    ("model.decoder.layers.#.encoder_attn_text.out_proj.*", "decoder.layers.#.text_attention.output.*"),
    ("model.decoder.layers.#.encoder_attn_text_layer_norm.*", "decoder.layers.#.text_norm.*"),
    ("model.decoder.layers.#.encoder_attn.sampling_offsets.*", "decoder.layers.#.vision_attention.offsets.*"),
    ("model.decoder.layers.#.encoder_attn.attention_weights.*", "decoder.layers.#.vision_attention.weights.*"),
    ("model.decoder.layers.#.encoder_attn.value_proj.*", "decoder.layers.#.vision_attention.value.*"),
    ("model.decoder.layers.#.encoder_attn.output_proj.*", "decoder.layers.#.vision_attention.output.*"),
    ("model.decoder.layers.#.encoder_attn_layer_norm.*", "decoder.layers.#.vision_norm.*"),
    ("model.decoder.layers.#.fc1.*", "decoder.layers.#.feed_forward.expand.*"),
    ("model.decoder.layers.#.fc2.*", "decoder.layers.#.feed_forward.contract.*"),
    ("model.decoder.layers.#.final_layer_norm.*", "decoder.layers.#.feed_forward.norm.*"),
    *FUSION,
    ("model.encoder.layers.#.text_enhancer_layer.self_attn.out_proj.*", "encoder.layers.#.text.attention.output.*"),
    ("model.encoder.layers.#.text_enhancer_layer.layer_norm_before.*", "encoder.layers.#.text.norm.*"),
    ("model.encoder.layers.#.text_enhancer_layer.fc1.*", "encoder.layers.#.text.feed_forward.expand.*"),
    ("model.encoder.layers.#.text_enhancer_layer.fc2.*", "encoder.layers.#.text.feed_forward.contract.*"),
    ("model.encoder.layers.#.text_enhancer_layer.layer_norm_after.*", "encoder.layers.#.text.feed_forward.norm.*"),
    (
        "model.encoder.layers.#.deformable_layer.self_attn.sampling_offsets.*",
        "encoder.layers.#.vision.attention.offsets.*",
    ),
    (
        "model.encoder.layers.#.deformable_layer.self_attn.attention_weights.*",
        "encoder.layers.#.vision.attention.weights.*",
    ),
    ("model.encoder.layers.#.deformable_layer.self_attn.value_proj.*", "encoder.layers.#.vision.attention.value.*"),
    ("model.encoder.layers.#.deformable_layer.self_attn.output_proj.*", "encoder.layers.#.vision.attention.output.*"),
    ("model.encoder.layers.#.deformable_layer.self_attn_layer_norm.*", "encoder.layers.#.vision.norm.*"),
    ("model.encoder.layers.#.deformable_layer.fc1.*", "encoder.layers.#.vision.feed_forward.expand.*"),
    ("model.encoder.layers.#.deformable_layer.fc2.*", "encoder.layers.#.vision.feed_forward.contract.*"),
    ("model.encoder.layers.#.deformable_layer.final_layer_norm.*", "encoder.layers.#.vision.feed_forward.norm.*"),
    ("model.enc_output.*", "proposals.project.*"),
    ("model.enc_output_norm.*", "proposals.norm.*"),
    ("model.encoder_output_bbox_embed.*", "proposals.box_head.*"),
    ("model.mask_embed.*", "proposal_mask_head.*"),
    ("model.query_position_embeddings.weight", "object_queries.weight"),
    ("model.level_embed", "pyramid.level_embedding"),
    ("model.input_proj_vision.#.*", "pyramid.projections.#.*"),
    ("model.lateral_convs.0.norm.*", "pixel_decoder.lateral_norm.*"),
    ("model.lateral_convs.0.weight", "pixel_decoder.lateral.weight"),
    ("model.output_convs.0.norm.*", "pixel_decoder.smooth_norm.*"),
    ("model.output_convs.0.weight", "pixel_decoder.smooth.weight"),
    ("model.mask_features.*", "pixel_decoder.output.*"),
)
BACKBONE = "model.backbone.conv_encoder.model."
NETWORK = "pyramid.backbone.network."
SWIN_BLOCK = "encoder.layers.#.blocks.#."
SWIN_NAMES = (
    ("hidden_states_norms.*", "hidden_states_norms.*"),
    ("embeddings.*", "swin.embeddings.*"),
    ("encoder.layers.#.downsample.*", "swin.encoder.layers.#.downsample.*"),
    *(
        (f"{SWIN_BLOCK}{published}.*", f"swin.{SWIN_BLOCK}{ours}.*")
        for published, ours in (
            ("layernorm_before", "layernorm_before"),
            ("layernorm_after", "layernorm_after"),
            ("attention.self.query", "attention.q_proj"),
            ("attention.self.key", "attention.k_proj"),
            ("attention.self.value", "attention.v_proj"),
            ("attention.output.dense", "attention.o_proj"),
            ("intermediate.dense", "mlp.fc1"),
            ("output.dense", "mlp.fc2"),
        )
    ),
    (
        f"{SWIN_BLOCK}attention.self.relative_position_bias_table",
        f"swin.{SWIN_BLOCK}attention.relative_position_bias.relative_position_bias_table",
    ),
)
SWIN_KEYS = ("model_type", *SWIN.read)
PACKED = (
    ("model.decoder.layers.#.self_attn.in_proj_", "decoder.layers.#.self_attention."),
    ("model.decoder.layers.#.encoder_attn_text.in_proj_", "decoder.layers.#.text_attention."),
    ("model.encoder.layers.#.text_enhancer_layer.self_attn.in_proj_", "encoder.layers.#.text.attention."),
)
PARTS = ("query", "key", "value")
MAP = NameMap(
    part="detector",
    rows=(*NAMES, *((BACKBONE + theirs, NETWORK + ours) for theirs, ours in SWIN_NAMES)),
    packed=tuple((f"{theirs}*", tuple(f"{ours}{part}.*" for part in PARTS)) for theirs, ours in PACKED),
)


def detection_from_published(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Rename the published detector's tensors; those the published model shares become one.

    Args:
        state: Published names, without the prefix `gdino.`; copies of shared tensors may be left out.

    Raises:
        ValueError: If a name is unknown.
    """
    return MAP.to_ours(state)


def detection_to_published(state: Mapping[str, Tensor], decoder_layers: int) -> dict[str, Tensor]:
    """Rename our detector's tensors to the published names, shared tensors under every one of their names.

    Args:
        state: Our names.
        decoder_layers: How many copies of a shared head the published model names.

    Raises:
        ValueError: If a name is unknown.
    """
    return MAP.to_published(state, {"": decoder_layers})


KEYS: Mapping[str, str] = {
    "d_model": "width",
    "num_feature_levels": "levels",
    "encoder_layers": "encoder_layers",
    "decoder_layers": "decoder_layers",
    "encoder_attention_heads": "heads",
    "encoder_ffn_dim": "encoder_ffn",
    "decoder_ffn_dim": "decoder_ffn",
    "encoder_n_points": "encoder_points",
    "decoder_n_points": "decoder_points",
    "mask_dim": "mask_width",
    "num_queries": "object_queries",
    "positional_embedding_temperature": "position_temperature",
    "dropout": "dropout",
    "attention_dropout": "attention_dropout",
    "text_enhancer_dropout": "text_dropout",
    "fusion_dropout": "fusion_dropout",
    "fusion_droppath": "fusion_drop_path",
    "class_cost": "class_cost",
    "bbox_cost": "box_cost",
    "giou_cost": "giou_cost",
    "class_weight": "class_weight",
    "box_weight": "box_weight",
    "giou_weight": "giou_weight",
    "mask_weight": "mask_weight",
    "dice_weight": "dice_weight",
    "focal_alpha": "focal_alpha",
}
"""Published keys, and the fields of ours that they are."""
DETECTOR_DEFAULTS: Mapping[str, Any] = {
    "d_model": 256,
    "num_queries": 900,
    "num_feature_levels": 4,
    "encoder_layers": 6,
    "decoder_layers": 6,
    "encoder_attention_heads": 8,
    "encoder_ffn_dim": 2048,
    "decoder_ffn_dim": 2048,
    "encoder_n_points": 4,
    "decoder_n_points": 4,
    "positional_embedding_temperature": 20,
    "dropout": 0.1,
    "attention_dropout": 0.0,
    "text_enhancer_dropout": 0.0,
    "fusion_dropout": 0.0,
    "fusion_droppath": 0.1,
    "focal_alpha": 0.25,
    "bbox_cost": 5.0,
}
"""What the published detector configuration means where it says nothing."""


def detection_config_from_published(raw: Mapping[str, Any]) -> DetectionConfig:
    """Read the published detector's configuration.

    Args:
        raw: The published `gdino_config`, with a value for each of `KEYS`; see `DETECTOR_DEFAULTS`.
    """
    backbone = raw["backbone_config"]
    return DetectionConfig(
        backbone={key: backbone[key] for key in SWIN_KEYS if key in backbone},
        pixel_stage=backbone["out_features"][0],
        text_heads=raw["encoder_attention_heads"] // 2,
        text_ffn=raw["encoder_ffn_dim"] // 2,
        fusion_width=raw["encoder_ffn_dim"] // 2,
        **{ours: raw[theirs] for theirs, ours in KEYS.items()},
    )
