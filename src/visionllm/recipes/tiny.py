"""The embedded model: sizes, and the stages that train it from nothing on two cores.

    visionllm train tiny --out runs/tiny

The order is the published one: encoders first (published ones come pretrained), then projector and regions, the whole
language model as a chat model, the decoders joined to it, and the decoders alone.
"""

from visionllm.config import VisionLLMConfig
from visionllm.processing import DecoderImageConfig, ProcessorConfig, VisionImageConfig, VisionLLMProcessor
from visionllm.training.stages import Stage
from visionllm.types.tensors import Route

SIDE = 128
MEAN, STD = (0.5, 0.5, 0.5), (0.25, 0.25, 0.25)
VOCABULARY = 1024
TOKENIZER_LINES = 20_000
WIDTH = 192
CONTEXT = 1024
HIDDEN = [48, 128, 192]
TABLES = {"det": 4}
ROUTES = tuple(Route(token=token, table="det", decoder="detection") for token in ("[DET]", "[GRD]", "[SEG]"))

_TOWER = {
    "model_type": "resnet",
    "layer_type": "basic",
    "embedding_size": 32,
    "hidden_sizes": HIDDEN,
    "depths": [2, 4, 2],
}

DETECTION = {
    "backbone": _TOWER | {"out_features": ["stage1", "stage2", "stage3"]},
    "width": 128,
    "levels": 2,
    "encoder_layers": 2,
    "decoder_layers": 3,
    "heads": 4,
    "text_heads": 4,
    "encoder_ffn": 384,
    "decoder_ffn": 384,
    "text_ffn": 256,
    "fusion_width": 128,
    "mask_width": 64,
    "object_queries": 48,
    "query_content": "memory",
    "contrast": "scaled",
    "dropout": 0.0,
    "fusion_drop_path": 0.0,
    "layer_scale": 0.1,
    "mask_points": 256,
    "denoise_queries": 24,
    "one_to_many": 3,
    "token_loss_weight": 1.0,
    "threshold": 0.3,
}


def processor_config() -> ProcessorConfig:
    """Return how the embedded model sees requests."""
    return ProcessorConfig(
        vision=VisionImageConfig(image_size=SIDE, mode="pad", mean=MEAN, std=STD),
        decoder=DecoderImageConfig(short_side=None, long_side=SIDE, mean=MEAN, std=STD, antialias=True),
        tables=TABLES,
        routes=ROUTES,
        tokens_per_split=64,
        context_length=CONTEXT,
        vocabulary_size=VOCABULARY,
    )


def model_config(processor: VisionLLMProcessor) -> VisionLLMConfig:
    """Return the network's sizes for a processor's vocabulary."""
    vocabulary = processor.vocabulary
    structure = ("<im_patch>", "<region>", "<reg>", "</reg>", "<det>", "</det>", *(route.token for route in ROUTES))
    return VisionLLMConfig(
        vision_config=_TOWER,
        text_config={
            "model_type": "llama",
            "vocab_size": VOCABULARY,
            "hidden_size": WIDTH,
            "intermediate_size": 512,
            "num_hidden_layers": 6,
            "num_attention_heads": 6,
            "num_key_value_heads": 6,
            "max_position_embeddings": CONTEXT,
            "tie_word_embeddings": True,
            "bos_token_id": vocabulary.bos_id,
            "eos_token_id": vocabulary.eos_id,
            "pad_token_id": vocabulary.pad_id,
        },
        vision_layer=-2,
        vision_prefix_tokens=0,
        vision_position="sine",
        projector={"kind": "internvl_mlp"},
        pixel_shuffle=2,
        region_encoder={"patch_size": 8, "hidden_width": 64},
        region_levels=(-2,),
        tables=TABLES,
        routes=ROUTES,
        token_ids={token: vocabulary.token_id(token) for token in structure},
        sentence_end_ids=sorted(vocabulary.sentence_end_ids),
        decoders={"detection": DETECTION},
    )


TALK = {
    "caption": 1.5, "existence": 1, "count": 1.5, "colour": 1, "kind": 1, "fill": 1, "size": 1, "relation": 1.5, "verify": 1,
    "multi-turn": 1, "chat": 0.4,
}  # fmt: skip
REGION = {
    "region-caption": 1.5,
    "region-recognition": 1.5,
    "region-question": 1,
    "region-choice": 1,
    "region-compare": 1,
}
ROUTED = {
    "detect-one": 0.5, "detect-several": 0.5, "detect-everything": 0.3, "detect-nothing": 0.6, "detect-attribute": 1,
    "count-with-boxes": 0.5, "count-like-marked": 0.5, "grounded-caption": 0.7, "detect-and-describe": 0.5,
    "segment-instances": 0.5, "refer-attribute": 1, "refer-relation": 1, "refer-ordinal": 1, "refer-reasoning": 0.6,
    "refer-nothing": 0.8, "segment-point": 0.5, "segment-scribble": 0.5, "segment-box": 0.5, "segment-mask": 0.5,
    "segment-several": 0.7, "known-classes": 0.7,
}  # fmt: skip

STAGES: tuple[Stage, ...] = (
    Stage(
        name="tower", objective="tower", steps=3000, pictures=32, rates={"*": 2e-3}, decay=0.05, ema=0.998, clip=5.0,
        warmup=0.04, seed=0,
    ),
)  # fmt: skip
