import re
from dataclasses import fields, replace

import pytest

from visionllm.config.diffusion import SCHEDULERS, DiffusionConfig, check_scheduler, published_unet
from visionllm.config.strict import build


def test_the_defaults_are_the_published_sizes():
    config = DiffusionConfig()
    assert (config.tokens, config.width, config.ffn, config.heads) == (77, 768, 3072, 8)
    assert (config.factor, config.latent_channels, config.picture_hw) == (8, 4, (512, 512))
    assert (config.drop_rate, config.caption_weight, config.scheduler) == (0.1, 0.1, "PNDMScheduler")


def test_every_field_is_explained():
    assert [f.name for f in fields(DiffusionConfig) if f.name not in (DiffusionConfig.__doc__ or "")] == []


def test_plain_data_becomes_a_configuration():
    config = build(DiffusionConfig, {"picture_hw": [256, 128], "text": None, "frozen": ["vae.*"]}, "config")
    assert (config.picture_hw, config.text, config.frozen) == ((256, 128), None, ("vae.*",))
    with pytest.raises(ValueError, match=r"unknown key config\.pictures_hw"):
        build(DiffusionConfig, {"pictures_hw": [256, 128]}, "config")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"steps": 0}, "expected steps >= 1, got 0"),
        ({"guidance": -1.0}, "expected guidance >= 0, got -1.0"),
        ({"drop_rate": 0.6}, "expected drop_rate in [0, 0.5], got 0.6"),
        ({"heads": 7}, "expected heads that divide the U-Net's width 768, got 7"),
        ({"scheduler": "Euler"}, f"expected a scheduler among {', '.join(SCHEDULERS)}, got 'Euler'"),
        (
            {"schedule": {"prediction_type": "flow"}},
            "expected a prediction_type among epsilon, sample, v_prediction, got 'flow'",
        ),
        (
            {"picture_hw": (512, 500)},
            "expected a picture size of multiples of 8 pixels, which the VAE takes, got 512×500",
        ),
        ({"picture_hw": (0, 8)}, "which the VAE takes, got 0×8"),
        ({"unet": {"in_channels": 4}}, "expected cross_attention_dim among the settings of the unet"),
        ({"vae": {}}, "expected block_out_channels among the settings of the vae, got []"),
        ({"unet": published_unet(8)}, "expected a U-Net with 4 in_channels, got 8"),
        (
            {"unet": {**published_unet(4), "time_cond_proj_dim": 256}},
            "expected no time_cond_proj_dim in the unet, got 256",
        ),
        (
            {"unet": {**published_unet(4), "addition_embed_type": "image"}},
            "expected no addition_embed_type in the unet, or 'text', got 'image'",
        ),
        ({"text": {"hidden_size": 768}}, "expected a text encoder with a model_type, got ['hidden_size']"),
        (
            {"text": {"model_type": "clip_text_model", "hidden_size": 512}},
            "expected a text encoder as wide as the U-Net's 768, got 512",
        ),
    ],
)
def test_a_wrong_value_is_refused(change, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        replace(DiffusionConfig(), **change)


def test_a_scheduler_is_named_as_in_diffusers():
    check_scheduler("DDIMScheduler")
    with pytest.raises(ValueError, match="got 'ddim'"):
        check_scheduler("ddim")
