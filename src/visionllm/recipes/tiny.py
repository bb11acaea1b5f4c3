"""The embedded model: sizes, and the stages that train it from nothing on two cores.

    visionllm train tiny --out runs/tiny

The order is the published one: encoders first (published ones come pretrained), then projector and regions, the whole
language model as a chat model, the decoders joined to it, and the decoders alone.
"""

from visionllm.config import VisionLLMConfig
from visionllm.processing import (
    DecoderImageConfig,
    MadePictureConfig,
    ProcessorConfig,
    VisionImageConfig,
    VisionLLMProcessor,
)
from visionllm.recipes.tiny_stages import ASKED, STAGES
from visionllm.training.recipe import Recipe
from visionllm.types.tensors import Route

SIDE = 128
MEAN, STD = (0.5, 0.5, 0.5), (0.25, 0.25, 0.25)
VOCABULARY = 1792
TOKENIZER_LINES = 30_000
WIDTH = 192
CONTEXT = 1024
HIDDEN = [48, 128, 192]
TABLES = {"det": 4, "pose": 4, "gen": 8, "edit": 8}
ROUTES = (
    *(Route(token=token, table="det", decoder="detection") for token in ("[DET]", "[GRD]", "[SEG]")),
    Route(token="[POSE]", table="pose", decoder="pose"),
    Route(token="[GEN]", table="gen", decoder="generation", picture=False),
    Route(token="[EDIT]", table="edit", decoder="editing"),
)

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

_OF_MASKS = ("mask_width", "mask_points", "token_loss_weight")
POSE = {key: value for key, value in DETECTION.items() if key not in _OF_MASKS} | {
    "backbone": _TOWER | {"out_features": ["stage2", "stage3"]},
    "box_layers": 1,
    "object_queries": 24,
    "poses": 6,
    "keypoints": 36,
    "keypoint_scores": "learned",
    "keypoint_weight": 3.0,
    "oks_weight": 4.0,
    "keypoint_cost": 2.0,
    "denoise_queries": 16,
    "threshold": 0.3,
    "nms_iou": 0.6,
}

PICTURE_SIDE = 64
GENERATION = {
    "unet": {
        "sample_size": 16,
        "in_channels": 4,
        "out_channels": 4,
        "cross_attention_dim": 64,
        "block_out_channels": [40, 64],
        "down_block_types": ["DownBlock2D", "CrossAttnDownBlock2D"],
        "mid_block_type": "UNetMidBlock2DCrossAttn",
        "up_block_types": ["CrossAttnUpBlock2D", "UpBlock2D"],
        "layers_per_block": 1,
        "norm_num_groups": 4,
        "attention_head_dim": 4,
        "addition_embed_type": "text",
        "addition_embed_type_num_heads": 4,
    },
    "vae": {
        "sample_size": PICTURE_SIDE,
        "latent_channels": 4,
        "block_out_channels": [12, 24, 32],
        "down_block_types": ["DownEncoderBlock2D"] * 3,
        "up_block_types": ["UpDecoderBlock2D"] * 3,
        "layers_per_block": 1,
        "norm_num_groups": 1,
        "mid_block_add_attention": False,
        "scaling_factor": 0.588,
    },
    "text": None,
    "schedule": {
        "num_train_timesteps": 1000,
        "beta_schedule": "squaredcos_cap_v2",
        "prediction_type": "v_prediction",
        "timestep_spacing": "trailing",
        "clip_sample": False,
    },
    "scheduler": "DDPMScheduler",  # noise in every step mends small things that DDIM leaves half drawn
    "tokens": 8,
    "drop_rate": 0.05,
    "heads": 4,
    "ffn": 128,
    "picture_hw": (PICTURE_SIDE, PICTURE_SIDE),
    "steps": 24,
    "guidance": 4.0,
}
EDITING = GENERATION | {
    "unet": GENERATION["unet"] | {"in_channels": 8},
    "frozen": ("vae.*",),
    "guidance": 2.0,
    "image_guidance": 1.0,
    "pixel_mean": MEAN,
    "pixel_std": STD,
}


def processor_config() -> ProcessorConfig:
    """Return how the embedded model sees requests."""
    return ProcessorConfig(
        vision=VisionImageConfig(image_size=SIDE, mode="pad", mean=MEAN, std=STD),
        decoder=DecoderImageConfig(short_side=None, long_side=SIDE, mean=MEAN, std=STD, antialias=True),
        pictures=dict.fromkeys(
            ("generation", "editing"), MadePictureConfig(size_hw=(PICTURE_SIDE, PICTURE_SIDE), step=4)
        ),
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
        decoders={"detection": DETECTION, "pose": POSE, "generation": GENERATION, "editing": EDITING},
    )


RECIPE = Recipe(
    name="tiny",
    processor=processor_config(),
    model=model_config,
    stages=STAGES,
    asked=ASKED,
    vocabulary=VOCABULARY,
    corpus=TOKENIZER_LINES,
)
