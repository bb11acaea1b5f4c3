"""The recipe of the embedded model, shrunk until it trains in seconds."""

from dataclasses import replace

from visionllm.config import VisionLLMConfig
from visionllm.processing import VisionLLMProcessor
from visionllm.recipes import tiny
from visionllm.training.recipe import Recipe

_TOWER = {
    "model_type": "resnet",
    "layer_type": "basic",
    "embedding_size": 8,
    "hidden_sizes": [8, 12, 16],
    "depths": [1, 1, 1],
}
_DETECTION = {
    "backbone": _TOWER | {"out_features": ["stage1", "stage2", "stage3"]},
    "width": 32,
    "encoder_layers": 1,
    "decoder_layers": 1,
    "encoder_ffn": 32,
    "decoder_ffn": 32,
    "text_ffn": 32,
    "fusion_width": 32,
    "mask_width": 16,
    "object_queries": 8,
    "mask_points": 32,
    "denoise_queries": 4,
}
_POSE = {key: value for key, value in _DETECTION.items() if key not in ("mask_width", "mask_points")} | {
    "backbone": _TOWER | {"out_features": ["stage2", "stage3"]},
    "decoder_layers": 2,
    "poses": 4,
}


def _small_pictures(plain: dict) -> dict:
    unet = plain["unet"] | {"sample_size": 16, "block_out_channels": [8, 16], "cross_attention_dim": 16}
    vae = plain["vae"] | {"block_out_channels": [4, 4, 8]}
    return plain | {"unet": unet, "vae": vae, "picture_hw": (64, 64), "ffn": 16, "steps": 2}


def small_model(processor: VisionLLMProcessor) -> VisionLLMConfig:
    plain = tiny.model_config(processor).to_dict()
    plain["text_config"] |= {"hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 3}
    plain["text_config"] |= {"num_attention_heads": 2, "num_key_value_heads": 2, "head_dim": 16}
    plain["vision_config"] = _TOWER
    plain["decoders"]["detection"] |= _DETECTION
    plain["decoders"]["pose"] |= _POSE
    for name in ("generation", "editing"):
        plain["decoders"][name] = _small_pictures(plain["decoders"][name])
    return VisionLLMConfig(**plain)


def small_recipe() -> Recipe:
    stages, asked = (
        tuple(replace(stage, steps=2, pictures=2, pool=4, warmup=0.0) for stage in some)
        for some in (tiny.RECIPE.stages, tiny.RECIPE.asked)
    )
    return replace(tiny.RECIPE, model=small_model, stages=stages, asked=asked, corpus=400)
