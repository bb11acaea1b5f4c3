import pytest
import torch

from visionllm.config.diffusion import DiffusionConfig
from visionllm.config.editing import EditingConfig
from visionllm.decoders import GenerationDecoder
from visionllm.decoders.base.example import tiny_diffusion
from visionllm.weights.published_diffusion import (
    diffusion_config_from_published,
    diffusion_from_published,
    diffusion_to_published,
)

RAW = {"sd_hidden_size": 768, "num_queries": 40, "num_encoder_layers": 2, "num_decoder_layers": 3}
PARTS = {"emb_proj", "llm2sd_mapper_queries", "llm2sd_mapper", "sd_text_encoder", "sd_vae", "sd_unet"}


def test_every_name_comes_back():
    state = GenerationDecoder(tiny_diffusion(), 12).state_dict()
    published = diffusion_to_published(state)
    assert {name.split(".")[0] for name in published} == PARTS
    assert "sd_text_encoder.text_model.final_layer_norm.weight" in published
    back = diffusion_from_published(published)
    assert set(back) == set(state)
    assert all(torch.equal(back[name], state[name]) for name in state)


def test_unknown_names_are_refused():
    with pytest.raises(ValueError, match="expected a parameter of the published diffusion decoder, got nonsense"):
        diffusion_from_published({"nonsense": torch.zeros(1)})
    with pytest.raises(ValueError, match="expected a parameter of the diffusion decoder, got empty_words"):
        diffusion_to_published({"empty_words": torch.zeros(1)})


def test_buffers_that_follow_from_the_configuration_are_dropped():
    assert diffusion_from_published({"sd_text_encoder.text_model.embeddings.position_ids": torch.zeros(1)}) == {}


def test_the_configuration_says_what_the_published_one_does():
    config = diffusion_config_from_published(RAW, EditingConfig)
    assert (config.tokens, config.encoder_layers, config.decoder_layers, config.ffn) == (40, 2, 3, 3072)
    assert (config.drop_rate, config.unet["in_channels"]) == (0.05, 8)
    assert diffusion_config_from_published(RAW | {"cfg_drop_rate": 0.2}, DiffusionConfig).drop_rate == 0.2


def test_a_diffusion_model_of_another_width_is_refused():
    with pytest.raises(ValueError, match="expected a U-Net that reads states of width 1024, got 768"):
        diffusion_config_from_published(RAW | {"sd_hidden_size": 1024}, DiffusionConfig)
