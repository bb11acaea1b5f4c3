"""Diffusion models as decoders; that a whole model takes their tensors over is tested in `test_build.py`."""

from pathlib import Path

import pytest

from tests.weights.building.parts import rewrite, write_diffusion
from visionllm.config.editing import EditingConfig
from visionllm.weights.building.diffusion import diffusion_settings, diffusion_sources


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_diffusion(tmp_path_factory.mktemp("parts") / "ip2p", 8)


def test_the_mapper_has_the_published_shape_and_pictures_the_learned_size(folder: Path):
    config = diffusion_settings("editing", folder, pixel_mean=(0.0, 0.5, 1.0))
    assert isinstance(config, EditingConfig)
    assert (config.ffn, config.heads, config.tokens) == (64, 8, 12)
    assert (config.encoder_layers, config.decoder_layers, config.picture_hw) == (1, 1, (8, 8))
    assert (config.scheduler, config.drop_rate, config.pixel_mean) == ("DDIMScheduler", 0.05, (0.0, 0.5, 1.0))


def test_every_tensor_of_the_networks_has_a_name(folder: Path):
    found = diffusion_sources(folder)
    assert list(found) == ["unet", "vae", "text_encoder"]
    assert all(len(sources.taken) == len(sources.checkpoint.tensors) for sources in found.values())
    assert "embeddings.token_embedding.weight" in found["text_encoder"].taken


@pytest.mark.faults
def test_a_u_net_of_unknown_size_is_refused(tmp_path: Path):
    rewrite(write_diffusion(tmp_path / "sd") / "unet/config.json", sample_size=[8, 16])
    with pytest.raises(ValueError, match=r"expected one number for sample_size in .*, got \[8, 16\]"):
        diffusion_settings("generation", tmp_path / "sd")


@pytest.mark.faults
def test_a_missing_file_is_named(tmp_path: Path):
    place = write_diffusion(tmp_path / "sd")
    (place / "vae/config.json").unlink()
    with pytest.raises(ValueError, match=r"expected vae/config\.json in the diffusion folder .*, got none"):
        diffusion_settings("generation", place)
    (place / "unet/diffusion_pytorch_model.safetensors").unlink()
    with pytest.raises(ValueError, match=r"expected diffusion_pytorch_model\.safetensors or .* in .*unet.*, got none"):
        diffusion_sources(place)
