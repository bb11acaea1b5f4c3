import pytest
import torch

from visionllm.decoders.pose import PoseDecoder
from visionllm.weights.published_pose import pose_config_from_published, pose_from_published, pose_to_published

SWIN = {"embed_dim": 16, "depths": [2, 1, 1, 1], "num_heads": [1, 2, 2, 4], "window_size": 4}
RAW = {
    "hidden_dim": 32,
    "num_feature_levels": 4,
    "enc_layers": 1,
    "dec_layers": 4,
    "num_box_decoder_layers": 2,
    "nheads": 4,
    "dim_feedforward": 24,
    "enc_n_points": 2,
    "dec_n_points": 3,
    "num_queries": 60,
    "num_body_points": 20,
    "pe_temperatureH": 20,
    "dropout": 0.0,
    "text_dropout": 0.0,
    "fusion_dropout": 0.0,
    "fusion_droppath": 0.1,
    "set_cost_class": 2.0,
    "set_cost_bbox": 5.0,
    "set_cost_giou": 2.0,
    "set_cost_keypoint": 10.0,
    "set_cost_oks": 4.0,
    "cls_loss_coef": 2.0,
    "bbox_loss_coef": 5.0,
    "giou_loss_coef": 2.0,
    "keypoint_loss_coef": 11.0,
    "oks_loss_coef": 4.0,
    "focal_alpha": 0.25,
    "dn_number": 100,
    "dn_label_noise_ratio": 0.5,
    "dn_box_noise_scale": 1.0,
}


@pytest.fixture(scope="module")
def decoder() -> PoseDecoder:
    torch.manual_seed(0)
    return PoseDecoder(pose_config_from_published(RAW, SWIN), 12)


def test_every_name_comes_back(decoder):
    state = decoder.state_dict()
    back = pose_from_published(pose_to_published(state, decoder.config))
    assert set(back) == set(state)
    assert all(torch.equal(back[name], state[name]) for name in state)


def test_shared_heads_have_as_many_names_as_the_published_model_gives_them(decoder):
    names = pose_to_published(decoder.state_dict(), decoder.config)
    for head, copies in (("bbox_embed", 4), ("pose_embed", 3), ("pose_hw_embed", 2)):
        for prefix in ("", "transformer.decoder."):
            assert f"{prefix}{head}.{copies - 1}.layers.2.bias" in names
            assert f"{prefix}{head}.{copies}.layers.2.bias" not in names
    assert names["transformer.decoder.hw.weight"].shape == (17, 2)
    assert names["transformer.decoder.hw_append.weight"].shape == (3, 2)


def test_the_configuration_says_what_the_published_code_does():
    config = pose_config_from_published(RAW)
    assert config.oks_weight == 11, "the published code reads the keypoints' weight"
    assert config.keypoint_scores == "instance"
    assert config.backbone["embed_dim"] == 96
    assert (config.text_heads, config.text_ffn, config.fusion_width) == (2, 12, 12)
