"""Tiny random parts, written as their libraries write them."""

import importlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from torch import nn
from transformers import (
    BertConfig,
    CLIPConfig,
    CLIPModel,
    CLIPTextConfig,
    CLIPTextModel,
    GroundingDinoConfig,
    GroundingDinoForObjectDetection,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedTokenizerFast,
)
from transformers.utils import logging

from visionllm.weights.building import Parts

LINES = ["Where is the boat? Yes, it is there.", "A red fish and two stars in the image."] * 5
SIDE, PATCH, WORDS = 32, 8, 290
TOWER: dict[str, Any] = {"hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 3, "num_attention_heads": 2}
SWIN: dict[str, Any] = {"embed_dim": 16, "depths": [2, 1, 1, 1], "num_heads": [1, 2, 2, 2], "window_size": 4}
PICTURE: dict[str, Any] = {"image_size": SIDE, "patch_size": PATCH}
DETECTOR: dict[str, Any] = {
    "num_queries": 8,
    "encoder_layers": 2,
    "decoder_layers": 2,
    "encoder_ffn_dim": 32,
    "decoder_ffn_dim": 40,
    "encoder_attention_heads": 4,
    "decoder_attention_heads": 4,
    "encoder_n_points": 2,
    "decoder_n_points": 3,
    "d_model": 32,
}


def randomise(network: nn.Module, seed: int = 0, scale: float = 0.2) -> None:
    """Give every parameter a random value: the usual start hides much behind zeros."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            noise = torch.randn(parameter.shape, generator=generator) * scale
            parameter.copy_(noise + (1 if "norm" in name.lower() and name.endswith("weight") else 0))


def write(network: Any, folder: Path) -> Path:
    """Save a network of the library without its progress bars."""
    logging.disable_progress_bar()
    network.save_pretrained(folder)
    return folder


def write_clip(folder: Path, **vision: Any) -> Path:
    tower = TOWER | PICTURE | vision
    clip = CLIPModel(CLIPConfig(text_config=TOWER | {"vocab_size": 40}, vision_config=tower))
    randomise(clip, 1)
    return write(clip, folder)


def words(special: Sequence[str] = ("<unk>", "<s>", "</s>")) -> Tokenizer:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    tokenizer.train_from_iterator(
        LINES,
        trainers.BpeTrainer(
            vocab_size=WORDS, special_tokens=list(special), initial_alphabet=alphabet, show_progress=False
        ),
    )
    return tokenizer


def write_words(folder: Path, tokenizer: Tokenizer | None = None, **roles: str | None) -> Path:
    known: dict[str, Any] = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"} | roles
    PreTrainedTokenizerFast(tokenizer_object=tokenizer or words(), **known).save_pretrained(folder)
    return folder


def write_llama(folder: Path, *, rows: int = WORDS, **settings: Any) -> Path:
    config = LlamaConfig(
        vocab_size=rows,
        hidden_size=24,
        intermediate_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=1024,
        **settings,
    )
    llama = LlamaForCausalLM(config)
    randomise(llama, 2)
    write_words(write(llama, folder))
    return folder


def grounding_dino(seed: int = 3, **settings: Any) -> GroundingDinoForObjectDetection:
    backbone = {"model_type": "swin", **SWIN, "out_features": ["stage2", "stage3", "stage4"]}
    text = BertConfig(hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16, vocab_size=1100)
    config = GroundingDinoConfig(backbone_config=backbone, text_config=text.to_dict(), **(DETECTOR | settings))
    network = GroundingDinoForObjectDetection(config).eval()
    randomise(network, seed)
    return network


def write_diffusion(folder: Path, channels: int = 4) -> Path:
    """Write a diffusion model as diffusers does: networks, text encoder, scheduler."""
    diffusers: Any = importlib.import_module("diffusers")
    unet = diffusers.UNet2DConditionModel(
        sample_size=8,
        in_channels=channels,
        block_out_channels=(8, 16),
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        layers_per_block=1,
        norm_num_groups=4,
        attention_head_dim=4,
        cross_attention_dim=16,
    )
    vae = diffusers.AutoencoderKL(
        block_out_channels=(4, 8),
        down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2,
        norm_num_groups=2,
        sample_size=16,
    )
    text = CLIPTextModel(CLIPTextConfig(**TOWER, vocab_size=60, max_position_embeddings=12))
    for network in (unet, vae, text):
        randomise(network, channels)
    unet.save_pretrained(folder / "unet")
    vae.save_pretrained(folder / "vae")
    write(text, folder / "text_encoder")
    diffusers.DDIMScheduler(prediction_type="epsilon").save_pretrained(folder / "scheduler")
    return folder


def write_all(folder: Path) -> Parts:
    """Write every part there is."""
    return Parts(
        vision=write_clip(folder / "clip"),
        language=write_llama(folder / "llama"),
        detection=write(grounding_dino(), folder / "dino"),
        generation=write_diffusion(folder / "sd"),
        editing=write_diffusion(folder / "ip2p", 8),
    )


def chat(parts: Parts, **more: Path) -> Parts:
    """Return only the parts that every model has, and those that are given."""
    return replace(Parts(vision=parts.vision, language=parts.language), **more)


def rewrite(file: Path, **changes: Any) -> None:
    """Change keys of a JSON file; None takes one away."""
    raw: Mapping[str, Any] = json.loads(file.read_text())
    file.write_text(json.dumps({k: v for k, v in {**raw, **changes}.items() if v is not None}))
