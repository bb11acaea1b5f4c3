"""Names of the published pose decoder's parameters, and ours."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor

from visionllm.config.pose import PoseConfig
from visionllm.weights.names import NameMap

ENCODER = "transformer.encoder."
LAYER = "transformer.decoder.layers.#."
OURS = "decoder.stack.layers.#."
ENCODER_NAMES = (
    ("fusion_layers.#.layer_norm_v.*", "fusion.vision_norm.*"),
    ("fusion_layers.#.layer_norm_l.*", "fusion.text_norm.*"),
    ("fusion_layers.#.gam_v", "fusion.vision_gate"),
    ("fusion_layers.#.gam_l", "fusion.text_gate"),
    ("fusion_layers.#.attn.v_proj.*", "fusion.attention.vision_query.*"),
    ("fusion_layers.#.attn.l_proj.*", "fusion.attention.text_query.*"),
    ("fusion_layers.#.attn.values_v_proj.*", "fusion.attention.vision_value.*"),
    ("fusion_layers.#.attn.values_l_proj.*", "fusion.attention.text_value.*"),
    ("fusion_layers.#.attn.out_v_proj.*", "fusion.attention.vision_output.*"),
    ("fusion_layers.#.attn.out_l_proj.*", "fusion.attention.text_output.*"),
    ("text_layers.#.self_attn.out_proj.*", "text.attention.output.*"),
    ("text_layers.#.norm1.*", "text.norm.*"),
    ("text_layers.#.linear1.*", "text.feed_forward.expand.*"),
    ("text_layers.#.linear2.*", "text.feed_forward.contract.*"),
    ("text_layers.#.norm2.*", "text.feed_forward.norm.*"),
    ("layers.#.self_attn.sampling_offsets.*", "vision.attention.offsets.*"),
    ("layers.#.self_attn.attention_weights.*", "vision.attention.weights.*"),
    ("layers.#.self_attn.value_proj.*", "vision.attention.value.*"),
    ("layers.#.self_attn.output_proj.*", "vision.attention.output.*"),
    ("layers.#.norm1.*", "vision.norm.*"),
    ("layers.#.linear1.*", "vision.feed_forward.expand.*"),
    ("layers.#.linear2.*", "vision.feed_forward.contract.*"),
    ("layers.#.norm2.*", "vision.feed_forward.norm.*"),
)
DECODER_NAMES = (
    ("self_attn.out_proj.*", "self_attention.output.*"),
    ("norm2.*", "self_norm.*"),
    ("ca_text.out_proj.*", "text_attention.output.*"),
    ("catext_norm.*", "text_norm.*"),
    ("cross_attn.sampling_offsets.*", "vision_attention.offsets.*"),
    ("cross_attn.attention_weights.*", "vision_attention.weights.*"),
    ("cross_attn.value_proj.*", "vision_attention.value.*"),
    ("cross_attn.output_proj.*", "vision_attention.output.*"),
    ("norm1.*", "vision_norm.*"),
    ("linear1.*", "feed_forward.expand.*"),
    ("linear2.*", "feed_forward.contract.*"),
    ("norm3.*", "feed_forward.norm.*"),
)
NAMES = (
    ("projection_llava.*", "query_projection.*"),
    ("projection_kpt_llava.*", "keypoint_projection.*"),
    ("bbox_embed.~.*", "decoder.stack.box_head.*"),
    ("pose_embed.~.*", "decoder.keypoint_head.*"),
    ("pose_hw_embed.~.*", "decoder.extent_head.*"),
    ("transformer.decoder.bbox_embed.~.*", "decoder.stack.box_head.*"),
    ("transformer.decoder.pose_embed.~.*", "decoder.keypoint_head.*"),
    ("transformer.decoder.pose_hw_embed.~.*", "decoder.extent_head.*"),
    ("transformer.decoder.norm.*", "decoder.stack.norm.*"),
    ("transformer.decoder.ref_point_head.*", "decoder.stack.position_head.*"),
    ("transformer.enc_output.*", "proposals.project.*"),
    ("transformer.enc_output_norm.*", "proposals.norm.*"),
    ("transformer.enc_out_bbox_embed.*", "proposals.box_head.*"),
    ("transformer.tgt_embed.weight", "object_queries.weight"),
    ("transformer.level_embed", "pyramid.level_embedding"),
    ("input_proj.#.*", "pyramid.projections.#.*"),
    *((ENCODER + theirs, f"encoder.layers.#.{ours}") for theirs, ours in ENCODER_NAMES),
    *((LAYER + theirs, OURS + ours) for theirs, ours in DECODER_NAMES),
)
NETWORK = "pyramid.backbone.network."
BLOCK = "backbone.0.layers.#.blocks.#."
OUR_BLOCK = f"{NETWORK}swin.encoder.layers.#.blocks.#."
SWIN_NAMES = (
    ("backbone.0.patch_embed.proj.*", f"{NETWORK}swin.embeddings.patch_embeddings.projection.*"),
    ("backbone.0.patch_embed.norm.*", f"{NETWORK}swin.embeddings.norm.*"),
    ("backbone.0.layers.#.downsample.*", f"{NETWORK}swin.encoder.layers.#.downsample.*"),
    *((f"backbone.0.norm{i}.*", f"{NETWORK}hidden_states_norms.stage{i + 1}.*") for i in (1, 2, 3)),
    *(
        (f"{BLOCK}{theirs}", f"{OUR_BLOCK}{ours}")
        for theirs, ours in (
            ("norm1.*", "layernorm_before.*"),
            ("norm2.*", "layernorm_after.*"),
            ("attn.proj.*", "attention.o_proj.*"),
            ("attn.relative_position_bias_table", "attention.relative_position_bias.relative_position_bias_table"),
            ("mlp.fc1.*", "mlp.fc1.*"),
            ("mlp.fc2.*", "mlp.fc2.*"),
        )
    ),
)
PARTS = ("query", "key", "value")
EXTENTS = ("transformer.decoder.hw.weight", "transformer.decoder.hw_append.weight")
FIRST_EXTENTS = 17
MAP = NameMap(
    part="pose decoder",
    rows=(*NAMES, *SWIN_NAMES),
    packed=(
        (f"{BLOCK}attn.qkv.*", tuple(f"{OUR_BLOCK}attention.{part}_proj.*" for part in "qkv")),
        *(
            (f"{theirs}in_proj_*", tuple(f"{ours}{part}.*" for part in PARTS))
            for theirs, ours in (
                (f"{LAYER}self_attn.", f"{OURS}self_attention."),
                (f"{LAYER}ca_text.", f"{OURS}text_attention."),
                (f"{ENCODER}text_layers.#.self_attn.", "encoder.layers.#.text.attention."),
            )
        ),
    ),
    joined=((EXTENTS, "decoder.extents"),),
)


def pose_from_published(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Rename the published pose decoder's tensors; those the published model shares become one.

    Args:
        state: Published names, without the prefix `unipose.`; copies of shared tensors may be left out.

    Raises:
        ValueError: If a name is unknown.
    """
    return MAP.to_ours(state)


def pose_to_published(state: Mapping[str, Tensor], config: PoseConfig) -> dict[str, Tensor]:
    """Rename our pose decoder's tensors to the published names, shared tensors under every one of their names.

    Args:
        state: Our names.
        config: Says how many copies of the shared heads the published model names.

    Raises:
        ValueError: If a name is unknown.
    """
    boxes, behind = config.decoder_layers, config.decoder_layers - config.box_layers
    heads = {"bbox_embed.": boxes, "pose_embed.": behind + 1, "pose_hw_embed.": behind}
    copies = heads | {f"transformer.decoder.{head}": count for head, count in heads.items()}
    return MAP.to_published(state, copies, {EXTENTS[0]: FIRST_EXTENTS})


KEYS: Mapping[str, str] = {
    "hidden_dim": "width",
    "num_feature_levels": "levels",
    "enc_layers": "encoder_layers",
    "dec_layers": "decoder_layers",
    "num_box_decoder_layers": "box_layers",
    "nheads": "heads",
    "dim_feedforward": "encoder_ffn",
    "enc_n_points": "encoder_points",
    "dec_n_points": "decoder_points",
    "num_queries": "object_queries",
    "num_body_points": "keypoints",
    "pe_temperatureH": "position_temperature",
    "dropout": "dropout",
    "text_dropout": "text_dropout",
    "fusion_dropout": "fusion_dropout",
    "fusion_droppath": "fusion_drop_path",
    "set_cost_class": "class_cost",
    "set_cost_bbox": "box_cost",
    "set_cost_giou": "giou_cost",
    "set_cost_keypoint": "keypoint_cost",
    "set_cost_oks": "oks_cost",
    "cls_loss_coef": "class_weight",
    "bbox_loss_coef": "box_weight",
    "giou_loss_coef": "giou_weight",
    "keypoint_loss_coef": "keypoint_weight",
    "focal_alpha": "focal_alpha",
    "dn_number": "denoise_queries",
    "dn_label_noise_ratio": "denoise_label_noise",
    "dn_box_noise_scale": "denoise_box_noise",
}
"""Published keys, and the fields of ours that they are."""


def pose_config_from_published(raw: Mapping[str, Any], swin: Mapping[str, Any] | None = None) -> PoseConfig:
    """Read the published pose decoder's configuration.

    Args:
        raw: The published `unipose_config`, with a value for each of `KEYS`.
        swin: Sizes of the backbone where they are not those of `swin_T_224_1k`.
    """
    return PoseConfig(
        backbone={**PoseConfig().backbone, **(swin or {})},
        text_heads=raw["nheads"] // 2,
        decoder_ffn=raw["dim_feedforward"],
        text_ffn=raw["dim_feedforward"] // 2,
        fusion_width=raw["dim_feedforward"] // 2,
        oks_weight=raw["keypoint_loss_coef"],  # the published code never reads `oks_loss_coef`
        **{ours: raw[theirs] for theirs, ours in KEYS.items()},
    )


def backbone_from_shapes(shapes: Mapping[str, Sequence[int]]) -> dict[str, Any]:
    """Return the sizes of the pose decoder's backbone, which the published configuration only names.

    Args:
        shapes: Of the published tensors, by their whole names.

    Returns:
        Sizes that differ from those of the 7B release, as far as the names of a Swin transformer tell them.
    """
    start, end = "unipose.backbone.0.", ".attn.relative_position_bias_table"
    tables = {
        n.removeprefix(f"{start}layers."): s for n, s in shapes.items() if n.startswith(start) and n.endswith(end)
    }
    patches = shapes.get(f"{start}patch_embed.proj.weight", ())
    if not tables or len(patches) != 4:
        return {}
    stages = sorted({int(name.partition(".")[0]) for name in tables})
    of = {stage: [shape for name, shape in tables.items() if name.startswith(f"{stage}.")] for stage in stages}
    found = {
        "embed_dim": patches[0],
        "depths": [len(of[stage]) for stage in stages],
        "num_heads": [of[stage][0][1] for stage in stages],
        "window_size": (math.isqrt(of[stages[0]][0][0]) + 1) // 2,
    }
    usual = PoseConfig().backbone
    return {key: value for key, value in found.items() if value != usual[key]}
