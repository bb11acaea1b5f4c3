"""Diffusion models in the layout of diffusers: read, loaded, and refused where something is missing or wrong."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from visionllm.config.diffusion import DiffusionConfig
from visionllm.config.strict import build
from visionllm.decoders import GenerationDecoder
from visionllm.decoders.base.example import tiny_diffusion
from visionllm.weights.diffusion_folder import CONFIGS, WEIGHTS, load_diffusion_weights, read_diffusion_settings

MAPPER: dict[str, Any] = {"heads": 4, "ffn": 16, "picture_hw": (16, 16)}


def write(folder: Path) -> GenerationDecoder:
    """Write a tiny model as diffusers does, and return the decoder it was taken from."""
    torch.manual_seed(1)
    config = tiny_diffusion()
    decoder = GenerationDecoder(config, 16)
    settings: dict[str, dict[str, Any]] = {
        "unet": {**config.unet, "_class_name": "UNet2DConditionModel", "class_embed_type": None},
        "vae": {**config.vae, "_class_name": "AutoencoderKL"},
        "text": {**(config.text or {}), "architectures": ["CLIPTextModel"], "torch_dtype": "float32", "new_key": 1},
        "schedule": {**config.schedule, "_class_name": "DDIMScheduler", "_diffusers_version": "0.28.2"},
    }
    for part, file in CONFIGS.items():
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).write_text(json.dumps(settings[part]))
    for part, file in WEIGHTS.items():
        tensors = getattr(decoder, part).state_dict()
        if part == "text_encoder":
            tensors = {f"text_model.{name}": tensor for name, tensor in tensors.items()}
            tensors["text_model.embeddings.position_ids"] = torch.arange(6)[None]
        save_file(tensors, folder / file)
    return decoder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write(tmp_path)
    return tmp_path


def opened(folder: Path) -> GenerationDecoder:
    decoder = GenerationDecoder(build(DiffusionConfig, read_diffusion_settings(folder) | MAPPER, "base"), 16)
    load_diffusion_weights(decoder, folder)
    return decoder


def test_a_folder_of_diffusers_becomes_a_decoder(tmp_path: Path):
    there, here = write(tmp_path), opened(tmp_path)
    for part in WEIGHTS:
        wanted = getattr(there, part).state_dict()
        assert all(torch.equal(tensor, wanted[name]) for name, tensor in getattr(here, part).state_dict().items())


def test_settings_say_which_scheduler_and_which_ids(folder: Path):
    settings = read_diffusion_settings(folder)
    assert settings["scheduler"] == "DDIMScheduler"
    assert (settings["caption_start_id"], settings["caption_end_id"], settings["tokens"]) == (18, 19, 6)
    assert "_class_name" not in settings["unet"]
    assert "new_key" not in settings["text"]


def test_a_scheduler_that_is_not_in_the_list_leaves_the_default(folder: Path):
    file = folder / CONFIGS["schedule"]
    file.write_text(json.dumps(json.loads(file.read_text()) | {"_class_name": "FlowMatchEulerDiscreteScheduler"}))
    assert "scheduler" not in read_diffusion_settings(folder)


def test_attention_of_an_old_vae_is_understood(tmp_path: Path):
    there = write(tmp_path)
    file = tmp_path / WEIGHTS["vae"]
    names = {".to_q.": ".query.", ".to_k.": ".key.", ".to_v.": ".value.", ".to_out.0.": ".proj_attn."}
    old = {}
    for name, tensor in load_file(file).items():
        for new, before in names.items():
            name = name.replace(new, before)
        old[name] = tensor
    assert any(".query." in name for name in old)
    save_file(old, file)
    wanted = there.vae.state_dict()
    assert all(torch.equal(t, wanted[name]) for name, t in opened(tmp_path).vae.state_dict().items())


@pytest.mark.faults
@pytest.mark.parametrize("file", [*CONFIGS.values(), *WEIGHTS.values()])
def test_a_missing_part_is_named(folder: Path, file: str):
    (folder / file).unlink()
    with pytest.raises(ValueError, match=f"expected {file} in the diffusion folder .*, got none"):
        opened(folder)


@pytest.mark.faults
def test_a_folder_that_is_not_there_is_refused(tmp_path: Path):
    with pytest.raises(ValueError, match=r"expected the folder of a diffusion model, got .*nowhere"):
        read_diffusion_settings(tmp_path / "nowhere")


def _without_one(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {name: tensor for name, tensor in tensors.items() if name != "conv_in.bias"}


def _with_another(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return tensors | {"aaa": torch.zeros(1)}


def _of_another_shape(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return tensors | {"conv_in.bias": torch.zeros(3)}


def _not_finite(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return tensors | {"conv_in.bias": torch.full((8,), float("nan"))}


@pytest.mark.faults
@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (_without_one, "fit the decoder: conv_in.bias is missing"),
        (_with_another, "fit the decoder: aaa is unknown"),
        (_of_another_shape, "fit the decoder: conv_in.bias has another shape"),
        (_not_finite, "expected finite weights in .*, got NaN or infinity in conv_in.bias"),
    ],
)
def test_weights_that_do_not_fit_are_refused(
    folder: Path, spoil: Callable[[dict[str, torch.Tensor]], dict[str, torch.Tensor]], message: str
):
    file = folder / WEIGHTS["unet"]
    save_file(spoil(load_file(file)), file)
    with pytest.raises(ValueError, match=message):
        opened(folder)


@pytest.mark.faults
def test_damaged_files_are_refused(folder: Path):
    (folder / WEIGHTS["vae"]).write_bytes(b"no tensors")
    with pytest.raises(ValueError, match=r"vae/diffusion_pytorch_model\.safetensors to be a safetensors file"):
        opened(folder)
    (folder / CONFIGS["vae"]).write_text("{")
    with pytest.raises(ValueError, match=r"config\.json to be JSON"):
        read_diffusion_settings(folder)


@pytest.mark.faults
def test_another_text_encoder_is_refused(folder: Path):
    file = folder / CONFIGS["text"]
    file.write_text(json.dumps(json.loads(file.read_text()) | {"architectures": ["T5EncoderModel"]}))
    with pytest.raises(ValueError, match=r"expected a text encoder CLIPTextModel in .*, got \['T5EncoderModel'\]"):
        read_diffusion_settings(folder)
