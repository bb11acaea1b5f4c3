"""Models of random weights: one with the shape of the published one, and one with the sizes of the embedded one."""

from dataclasses import replace
from itertools import product
from typing import Any

import torch

from visionllm import VisionLLM
from visionllm.config import VisionLLMConfig
from visionllm.data.world import COLOURS, KINDS, SIZES
from visionllm.model import VisionLLMForConditionalGeneration
from visionllm.processing import ProcessorConfig, VisionImageConfig, VisionLLMProcessor, train_tokenizer
from visionllm.processing.configuration import ROUTES as EVERY_ROUTE
from visionllm.recipes.tiny import DETECTION, MEAN, ROUTES, STD, TABLES, model_config, processor_config

SIDE, PATCH = 192, 8
IMAGE_TOKENS = (SIDE // PATCH) ** 2
VISION = {
    "model_type": "clip_vision_model",
    "hidden_size": 384,
    "intermediate_size": 1536,
    "num_hidden_layers": 8,
    "num_attention_heads": 6,
    "image_size": SIDE,
    "patch_size": PATCH,
}
TEXT = {
    "model_type": "llama",
    "hidden_size": 512,
    "intermediate_size": 1376,
    "num_hidden_layers": 8,
    "num_attention_heads": 8,
    "max_position_embeddings": 4096,
}


_NO_MASKS = ("mask_width", "mask_points", "mask_oversample", "mask_importance", "token_loss_weight")
POSE = {name: value for name, value in DETECTION.items() if name not in _NO_MASKS} | {
    "backbone": DETECTION["backbone"] | {"out_features": ["stage2", "stage3"]},
    "box_layers": 1,
    "poses": 6,
    "keypoints": 36,
    "keypoint_scores": "learned",
}
GENERATION: dict[str, Any] = {
    "unet": {
        "sample_size": 24,
        "in_channels": 4,
        "cross_attention_dim": 64,
        "block_out_channels": [48, 80],
        "down_block_types": ["DownBlock2D", "CrossAttnDownBlock2D"],
        "up_block_types": ["CrossAttnUpBlock2D", "UpBlock2D"],
        "layers_per_block": 1,
        "norm_num_groups": 8,
        "attention_head_dim": 4,
    },
    "vae": {
        "sample_size": 96,
        "latent_channels": 4,
        "block_out_channels": [16, 32, 64],
        "down_block_types": ["DownEncoderBlock2D"] * 3,
        "up_block_types": ["UpDecoderBlock2D"] * 3,
        "layers_per_block": 1,
        "norm_num_groups": 8,
        "mid_block_add_attention": False,
    },
    "text": None,
    "tokens": 8,
    "heads": 4,
    "ffn": 128,
    "scheduler": "DDIMScheduler",
    "picture_hw": (96, 96),
    "steps": 16,
    "guidance": 2.0,
}
EDITING = GENERATION | {"unet": GENERATION["unet"] | {"in_channels": 8}, "pixel_mean": MEAN, "pixel_std": STD}
STAND_INS = {"pose": POSE, "generation": GENERATION, "editing": EDITING}
"""Sizes of decoders that the embedded model is to have, as long as its recipe says nothing about them."""


def small_tokenizer() -> Any:
    """Return a tokenizer that knows the words of the world."""
    words = [" ".join(words) for words in product(SIZES, COLOURS, KINDS)]
    return train_tokenizer(["Is there a star? Yes, there is. Find every star. Here you go.", *words], vocab_size=600)


def model_with(*decoders: str) -> tuple[VisionLLM, str]:
    """Return the embedded model; or one of its sizes if it lacks one of the decoders, with words that say so."""
    embedded = VisionLLM.load()
    if all(name in embedded.model.config.decoders for name in decoders):
        return embedded, ""
    return random_embedded(), ", random weights"


def random_embedded() -> VisionLLM:
    """Return a model of the embedded one's sizes with every decoder."""
    given = processor_config()
    shapes = replace(given, routes=EVERY_ROUTE, tables={"det": 4, "pose": 4, "gen": 8, "edit": 8} | dict(given.tables))
    processor = VisionLLMProcessor(shapes, small_tokenizer())
    plain = model_config(processor).to_dict()
    vocabulary = processor.vocabulary
    plain |= {
        "routes": EVERY_ROUTE,
        "tables": vocabulary.tables,
        "token_ids": plain["token_ids"] | {route.token: vocabulary.token_id(route.token) for route in EVERY_ROUTE},
        "decoders": STAND_INS | plain["decoders"],
    }
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return VisionLLM(VisionLLMForConditionalGeneration(VisionLLMConfig(**plain)).eval(), processor)


def random_model() -> VisionLLM:
    """Return a model that sees a picture as `IMAGE_TOKENS` tokens, lists 20 classes a pass, and writes words only."""
    tokenizer = small_tokenizer()
    vision = VisionImageConfig(image_size=SIDE, mode="pad")
    shapes = ProcessorConfig(
        vision=vision, tables=TABLES, routes=ROUTES, tokens_per_split=IMAGE_TOKENS, classes_per_pass=20
    )
    processor = VisionLLMProcessor(shapes, tokenizer)
    vocabulary = processor.vocabulary
    structure = ("<im_patch>", "<region>", *(route.token for route in ROUTES))
    special = {"bos": vocabulary.bos_id, "eos": vocabulary.eos_id, "pad": vocabulary.pad_id}
    config = VisionLLMConfig(
        vision_config=VISION,
        text_config=TEXT | {"vocab_size": len(tokenizer)} | {f"{name}_token_id": i for name, i in special.items()},
        projector={"kind": "mlp2x_gelu"},
        tables=TABLES,
        routes=ROUTES,
        token_ids={name: vocabulary.token_id(name) for name in structure},
        never_sampled_ids=sorted(vocabulary.never_sampled_ids | {vocabulary.token_id(r.token) for r in ROUTES}),
        sentence_end_ids=sorted(vocabulary.sentence_end_ids),
        decoders={"detection": DETECTION},
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return VisionLLM(VisionLLMForConditionalGeneration(config).eval(), processor)
