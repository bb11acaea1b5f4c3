"""Models of random weights: one with the shape of the published one, and one with the sizes of the embedded one."""

from itertools import product
from typing import Any

import torch

from visionllm import VisionLLM
from visionllm.config import VisionLLMConfig
from visionllm.data.world import COLOURS, KINDS, SIZES
from visionllm.model import VisionLLMForConditionalGeneration
from visionllm.processing import ProcessorConfig, VisionImageConfig, VisionLLMProcessor, train_tokenizer
from visionllm.recipes.tiny import DETECTION, ROUTES, TABLES, model_config, processor_config

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
    """Return a model of the sizes of the recipe, with every decoder."""
    processor = VisionLLMProcessor(processor_config(), small_tokenizer())
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return VisionLLM(VisionLLMForConditionalGeneration(model_config(processor)).eval(), processor)


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
