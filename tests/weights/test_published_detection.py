import pytest
import torch

from visionllm.decoders.detection import DetectionDecoder
from visionllm.weights.published_detection import (
    NAMES,
    SWIN_NAMES,
    detection_config_from_published,
    detection_from_published,
    detection_to_published,
)

RAW = {
    "backbone_config": {
        "model_type": "swin",
        "embed_dim": 16,
        "depths": [2, 1],
        "num_heads": [1, 2],
        "window_size": 4,
        "out_features": ["stage1", "stage2"],
        "encoder_stride": 32,
    },
    "d_model": 32,
    "num_feature_levels": 2,
    "encoder_layers": 1,
    "decoder_layers": 2,
    "encoder_attention_heads": 4,
    "encoder_ffn_dim": 24,
    "decoder_ffn_dim": 20,
    "encoder_n_points": 2,
    "decoder_n_points": 3,
    "mask_dim": 8,
    "num_queries": 5,
    "positional_embedding_temperature": 20,
    "dropout": 0.0,
    "attention_dropout": 0.0,
    "text_enhancer_dropout": 0.0,
    "fusion_dropout": 0.0,
    "fusion_droppath": 0.0,
    "class_cost": 2.0,
    "bbox_cost": 5.0,
    "giou_cost": 2.0,
    "class_weight": 2.0,
    "box_weight": 5.0,
    "giou_weight": 2.0,
    "mask_weight": 5.0,
    "dice_weight": 5.0,
    "focal_alpha": 0.25,
}


@pytest.fixture(scope="module")
def state() -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    return DetectionDecoder(detection_config_from_published(RAW), 12).state_dict()


def test_every_name_comes_back(state):
    back = detection_from_published(detection_to_published(state, 2))
    assert set(back) == set(state)
    assert all(torch.equal(back[name], state[name]) for name in state)


def test_attention_is_packed_in_the_order_query_key_value(state):
    packed = detection_to_published(state, 2)["model.decoder.layers.1.self_attn.in_proj_weight"]
    stem = "decoder.layers.1.self_attention"
    assert torch.equal(packed[:32], state[f"{stem}.query.weight"])
    assert torch.equal(packed[32:64], state[f"{stem}.key.weight"])
    assert torch.equal(packed[64:], state[f"{stem}.value.weight"])


def test_shared_heads_have_a_name_for_every_layer(state):
    published = detection_to_published(state, 2)
    for head in ("bbox_embed.0", "bbox_embed.1", "model.decoder.bbox_embed.0", "model.decoder.bbox_embed.1"):
        assert torch.equal(published[f"{head}.layers.2.bias"], state["decoder.box_head.layers.2.bias"])
    assert "bbox_embed.2.layers.2.bias" not in published


def test_one_copy_of_a_shared_head_is_enough():
    weight = torch.rand(2, 2)
    assert detection_from_published({"mask_embed.3.layers.1.weight": weight}) == {"mask_head.layers.1.weight": weight}


def test_backbone_keys_of_older_releases_are_renamed():
    prefix = "model.backbone.conv_encoder.model.encoder.layers.2.blocks.5."
    ours = detection_from_published({f"{prefix}attention.self.query.bias": torch.zeros(3)})
    assert list(ours) == ["pyramid.backbone.network.swin.encoder.layers.2.blocks.5.attention.q_proj.bias"]


def test_buffers_that_follow_from_sizes_are_dropped():
    assert detection_from_published({"a.relative_position_index": torch.zeros(1)}) == {}


def test_no_name_is_listed_twice():
    rows = [theirs for theirs, _ in (*NAMES, *SWIN_NAMES)]
    assert len(rows) == len(set(rows))


def test_an_unknown_published_name_is_refused():
    with pytest.raises(ValueError, match=r"expected a parameter of the published detector, got model\.bert\.weight"):
        detection_from_published({"model.bert.weight": torch.zeros(1)})


def test_an_unknown_name_of_ours_is_refused():
    with pytest.raises(ValueError, match=r"expected a parameter of the detector, got contrast_bias"):
        detection_to_published({"contrast_bias": torch.zeros(1)}, 2)


def test_sizes_are_read():
    config = detection_config_from_published(RAW)
    assert (config.text_heads, config.text_ffn, config.fusion_width) == (2, 12, 12)
    assert config.pixel_stage == "stage1"
    assert "encoder_stride" not in config.backbone
