"""A random tiny model (under half a million parameters) and batches for it, for any test that needs a whole network.

`tiny_config()` and `tiny_model()` take `vision="clip"` or `"resnet"` and any field of `VisionLLMConfig`;
`tiny_inputs(rows)` turns rows of ids into a batch; `Dictation` makes `generate` write given text. `ROUTES`, `IDS` and
the id names below are its vocabulary.
"""

from collections.abc import Sequence
from typing import Any

import torch
from transformers import LogitsProcessor

from visionllm.config import VisionLLMConfig
from visionllm.model import VisionLLMForConditionalGeneration
from visionllm.types import Route
from visionllm.types.tensors import ImageBatch, ModelInputs

PAD, BOS, EOS, STOP, COMMA = 0, 1, 2, 3, 4
DET, GRD, SEG, POSE, PATCH, REGION = 50, 51, 52, 53, 54, 55
VOCABULARY = 60
DET_SLOTS = (60, 61, 62, 63)
POSE_SLOTS = (64, 65, 66, 67)
SIDE = 32
PATCHES = 4

ROUTES = (
    Route(token="[DET]", table="det", decoder="detection"),
    Route(token="[GRD]", table="det", decoder="detection"),
    Route(token="[SEG]", table="det", decoder="detection"),
    Route(token="[POSE]", table="pose", decoder="pose"),
)
IDS = {"[DET]": DET, "[GRD]": GRD, "[SEG]": SEG, "[POSE]": POSE, "<im_patch>": PATCH, "<region>": REGION}

VISION: dict[str, dict[str, Any]] = {
    "clip": {
        "model_type": "clip_vision_model",
        "hidden_size": 24,
        "intermediate_size": 32,
        "num_hidden_layers": 3,
        "num_attention_heads": 2,
        "image_size": SIDE,
        "patch_size": 16,
    },
    "resnet": {
        "model_type": "resnet",
        "embedding_size": 8,
        "hidden_sizes": [12, 16, 24],
        "depths": [1, 1, 1],
        "layer_type": "basic",
    },
}

DETECTION: dict[str, Any] = {
    "backbone": {
        "model_type": "resnet",
        "embedding_size": 8,
        "hidden_sizes": [8, 16, 24],
        "depths": [1, 1, 1],
        "layer_type": "basic",
        "out_features": ["stage1", "stage2", "stage3"],
    },
    "width": 32,
    "levels": 2,
    "encoder_layers": 1,
    "decoder_layers": 2,
    "heads": 2,
    "text_heads": 2,
    "encoder_ffn": 32,
    "decoder_ffn": 32,
    "text_ffn": 32,
    "fusion_width": 32,
    "encoder_points": 2,
    "decoder_points": 2,
    "mask_width": 32,
    "object_queries": 10,
    "mask_points": 64,
    "denoise_queries": 4,
    "dropout": 0.0,
    "fusion_drop_path": 0.0,
}


def tiny_config(vision: str = "clip", **fields: Any) -> VisionLLMConfig:
    """Return the configuration; `fields` replace those of `VisionLLMConfig`."""
    text = {
        "model_type": "llama",
        "vocab_size": VOCABULARY,
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "max_position_embeddings": 256,
        "pad_token_id": PAD,
        "bos_token_id": BOS,
        "eos_token_id": EOS,
        "initializer_range": 0.2,
    }
    values: dict[str, Any] = {
        "vision_config": VISION[vision],
        "text_config": text,
        "vision_layer": -2 if vision == "clip" else -1,
        "projector": {"kind": "mlp2x_gelu"},
        "region_encoder": {"patch_size": 16, "hidden_width": 16},
        "region_levels": [-3, -2, -1] if vision == "clip" else [-1],
        "tables": {"det": 4, "pose": 4},
        "routes": ROUTES,
        "token_ids": IDS,
        "sentence_end_ids": [STOP],
        "decoders": {"detection": DETECTION},
    }
    return VisionLLMConfig(**(values | fields))


def tiny_model(vision: str = "clip", seed: int = 0, **fields: Any) -> VisionLLMForConditionalGeneration:
    """Return a random model in evaluation mode, the same one for the same seed."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return VisionLLMForConditionalGeneration(tiny_config(vision, **fields)).eval()


def tiny_images(number: int = 1, seed: int = 0) -> ImageBatch:
    """Return decoder images of one size, not square."""
    noise = torch.Generator().manual_seed(seed)
    return ImageBatch(
        pixel_values=torch.randn(number, 3, 64, 96, generator=noise),
        pixel_mask=torch.ones(number, 64, 96, dtype=torch.bool),
        sizes_hw=torch.tensor([[128, 192]] * number),
        resized_hw=torch.tensor([[64, 96]] * number),
    )


def tiny_inputs(
    rows: Sequence[Sequence[int]],
    *,
    turns: Sequence[Sequence[int]] | None = None,
    labels: Sequence[Sequence[int]] | None = None,
    left: bool = False,
    seed: int = 0,
    **fields: Any,
) -> ModelInputs:
    """Return a batch of rows: a picture of noise for every `PATCHES` patch ids, a square region for every region id.

    Every turn decodes on the picture with the number of its row.

    Args:
        rows: Ids.
        turns: Turn of each id; all in turn 1 unless given.
        labels: Targets, or None.
        left: Pad on the left.
        seed: Of the noise.
        fields: Replace those of `ModelInputs`.
    """
    noise = torch.Generator().manual_seed(seed)
    pictures = sum(list(row).count(PATCH) for row in rows) // PATCHES
    regions = [i for i, row in enumerate(rows) for token in row if token == REGION]
    masks = torch.zeros(len(regions), SIDE, SIDE)
    for i in range(len(regions)):
        masks[i, 4 : 12 + 2 * i, 6:20] = 1
    longest = max((len(row) for row in rows), default=0)

    def padded(values: Sequence[Sequence[int]], filling: int) -> torch.Tensor:
        filled = [
            [filling] * (longest - len(v)) + list(v) if left else [*v, *[filling] * (longest - len(v))] for v in values
        ]
        return torch.tensor(filled, dtype=torch.long).reshape(len(values), longest)

    turns = [[1] * len(row) for row in rows] if turns is None else turns
    values: dict[str, Any] = {
        "input_ids": padded(rows, PAD),
        "attention_mask": padded([[1] * len(row) for row in rows], 0).bool(),
        "turn_ids": padded(turns, 0),
        "turn_images": torch.arange(len(rows))[:, None].expand(-1, 4),
        "pixel_values": torch.randn(pictures, 3, SIDE, SIDE, generator=noise) if pictures else None,
        "splits": torch.ones(pictures, dtype=torch.long) if pictures else None,
        "region_masks": masks if regions else None,
        "region_pictures": torch.tensor(regions) if regions else None,
        "images": tiny_images(len(rows), seed),
        "labels": None if labels is None else padded(labels, -100),
    }
    return ModelInputs(**(values | fields))


class Dictation(LogitsProcessor):
    """Makes each row write given text ids, then 30 for ever; slots are not part of the text.

    Args:
        texts: Text ids of each row.
        start: Length of the prompt.
    """

    def __init__(self, texts: Sequence[Sequence[int]], start: int) -> None:
        self.texts, self.start = texts, start

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """Leave each row only the id it must write."""
        beams = len(input_ids) // len(self.texts)
        for row in range(len(input_ids)):
            text = self.texts[row // beams]
            place = int((input_ids[row, self.start :] < VOCABULARY).sum())
            scores[row] = float("-inf")
            scores[row, text[place] if place < len(text) else 30] = 0
        return scores
