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


def small_model(processor: VisionLLMProcessor) -> VisionLLMConfig:
    plain = tiny.model_config(processor).to_dict()
    plain["text_config"] |= {"hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 3}
    plain["text_config"] |= {"num_attention_heads": 2, "num_key_value_heads": 2, "head_dim": 16}
    plain["vision_config"] = _TOWER
    plain["decoders"]["detection"] |= _DETECTION
    return VisionLLMConfig(**plain)


def small_recipe() -> Recipe:
    stages = tuple(replace(stage, steps=2, pictures=2, warmup=0.0) for stage in tiny.RECIPE.stages)
    return replace(tiny.RECIPE, model=small_model, stages=stages, corpus=400)
