"""A small random predictor with a real tokenizer and processor, for tests of whole requests."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from PIL import Image

from tests.tiny import DETECTION, SIDE, VISION
from visionllm.config import VisionLLMConfig
from visionllm.decoders import EditingDecoder, GenerationDecoder, PoseDecoder
from visionllm.generation import GeneratedIds
from visionllm.model import VisionLLMForConditionalGeneration
from visionllm.predictor import VisionLLM
from visionllm.processing import (
    DecoderImageConfig,
    ProcessorConfig,
    VisionImageConfig,
    VisionLLMProcessor,
    Vocabulary,
    train_tokenizer,
)
from visionllm.types import Route
from visionllm.weights import save_model

TABLES = {"det": 4, "pose": 4, "gen": 8, "edit": 8}
ROUTES = tuple(Route(token=token, table="det", decoder="detection") for token in ("[DET]", "[GRD]", "[SEG]"))
EVERY_ROUTE = (
    *ROUTES,
    Route(token="[POSE]", table="pose", decoder="pose"),
    Route(token="[GEN]", table="gen", decoder="generation", picture=False),
    Route(token="[EDIT]", table="edit", decoder="editing"),
)
FULL: dict[str, Any] = {"tables": TABLES, "routes": EVERY_ROUTE, "context_length": 1024}
LINES = ["Find every star, red fish. Here you go: star, red fish.", "Where is the boat? Here it is: region1."] * 10


def more_decoders() -> dict[str, Any]:
    """Return tiny configurations of the decoders that a full model has beside the detector."""
    return {
        "pose": vars(PoseDecoder.example()[0].config) | {"keypoints": 17},
        "generation": vars(GenerationDecoder.example()[0].config),
        "editing": vars(EditingDecoder.example()[0].config),
    }


def small_processor(**fields: Any) -> VisionLLMProcessor:
    """Return a processor for pictures of any size; `fields` replace those of `ProcessorConfig`."""
    values: dict[str, Any] = {
        "vision": VisionImageConfig(image_size=SIDE, mode="pad"),
        "decoder": DecoderImageConfig(short_side=None, long_side=64, size_divisor=16),
        "tables": {"det": TABLES["det"]},
        "routes": ROUTES,
        "tokens_per_split": 4,
        "context_length": 512,
        "classes_per_pass": 3,
    }
    return VisionLLMProcessor(ProcessorConfig(**(values | fields)), train_tokenizer(LINES, 400))


def small_model(processor: VisionLLMProcessor, seed: int = 0, **fields: Any) -> VisionLLMForConditionalGeneration:
    """Return a random network for a processor, the same one for the same seed."""
    vocabulary = processor.vocabulary
    text = {
        "model_type": "llama",
        "vocab_size": vocabulary.size,
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "max_position_embeddings": processor.config.context_length,
        "bos_token_id": vocabulary.bos_id,
        "eos_token_id": vocabulary.eos_id,
        "pad_token_id": vocabulary.pad_id,
        "initializer_range": 0.2,
    }
    routes = tuple(processor.vocabulary.routes.values())
    structure = ("<im_patch>", "<region>", *(route.token for route in routes))
    decoders = {"detection": DETECTION} | (more_decoders() if routes == EVERY_ROUTE else {})
    values: dict[str, Any] = {
        "vision_config": VISION["clip"],
        "text_config": text,
        "projector": {"kind": "mlp2x_gelu"},
        "region_encoder": {"patch_size": 16, "hidden_width": 16},
        "tables": vocabulary.tables,
        "routes": routes,
        "token_ids": {token: vocabulary.token_id(token) for token in structure},
        "sentence_end_ids": sorted(vocabulary.sentence_end_ids),
        "decoders": decoders,
    }
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return VisionLLMForConditionalGeneration(VisionLLMConfig(**(values | fields))).eval()


def small_predictor(*, deterministic: bool = False, drawings_only: bool = False, full: bool = False) -> VisionLLM:
    """Return a random predictor, with every decoder if `full`."""
    processor = small_processor(**(FULL if full else {}))
    return VisionLLM(small_model(processor), processor, deterministic=deterministic, drawings_only=drawings_only)


def save_small(folder: Path, *, full: bool = False) -> Path:
    """Write a random model as a folder."""
    processor = small_processor(**(FULL if full else {}))
    save_model(small_model(processor), processor, folder)
    return folder


def ids_of(vocabulary: Vocabulary, *pieces: str) -> list[int]:
    """Return text as ids, structure as its id, routing tokens with their slots."""
    ids: list[int] = []
    for piece in pieces:
        if piece in vocabulary.routes:
            ids += [vocabulary.token_id(piece), *vocabulary.slot_ids(piece)]
        elif vocabulary.is_structure(piece):
            ids.append(vocabulary.token_id(piece))
        else:
            ids += vocabulary.encode(piece)
    return ids


def written(vocabulary: Vocabulary, *pieces: str) -> GeneratedIds:
    """Return pieces as if the model had written them."""
    ids = ids_of(vocabulary, *pieces)
    return GeneratedIds(ids=tuple(ids), finish_reason="stop", tokens=sum(i < vocabulary.size for i in ids))


def picture(width: int = 60, height: int = 40, seed: int = 0) -> Image.Image:
    """Return a picture of noise, not square by default."""
    noise = torch.randint(0, 256, (height, width, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(seed))
    return Image.fromarray(noise.numpy())


def pictures(count: int) -> Sequence[Image.Image]:
    """Return pictures of different sizes."""
    return [picture(48 + 16 * i, 72 - 8 * i, seed=i) for i in range(count)]
