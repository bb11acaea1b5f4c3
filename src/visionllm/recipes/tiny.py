"""The embedded model: sizes, and the stages that train it from nothing on two cores.

    visionllm train tiny --out runs/tiny

The order is the published one: encoders first (published ones come pretrained), then projector and regions, the whole
language model as a chat model, the decoders joined to it, and the decoders alone.
"""

from visionllm.config import VisionLLMConfig
from visionllm.processing import DecoderImageConfig, ProcessorConfig, VisionImageConfig, VisionLLMProcessor
from visionllm.recipes.tiny_stages import STAGES
from visionllm.training.recipe import Recipe
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
    "width": 96,
    "levels": 2,
    "encoder_layers": 2,
    "decoder_layers": 3,
    "heads": 4,
    "text_heads": 4,
    "encoder_ffn": 256,
    "decoder_ffn": 256,
    "text_ffn": 192,
    "fusion_width": 96,
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
    "threshold": 0.4,
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
        classes_per_pass=20,
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


RECIPE = Recipe(
    name="tiny",
    processor=processor_config(),
    model=model_config,
    stages=STAGES,
    vocabulary=VOCABULARY,
    corpus=TOKENIZER_LINES,
)
