"""Captions → ids of a diffusion model's own text encoder, for training."""

from collections.abc import Sequence

import torch
from torch import Tensor
from transformers import PreTrainedTokenizerBase


def caption_ids(captions: Sequence[str], tokenizer: PreTrainedTokenizerBase, tokens: int) -> Tensor:
    """Return int[N, tokens]: start, words, end, then filling.

    Words beyond the length are cut off, as the text encoder has always seen its captions.

    Args:
        captions: N captions.
        tokenizer: Of the text encoder.
        tokens: Length of its sequences.

    Raises:
        ValueError: If the sequences are too short for start and end.
    """
    if tokens < 2:
        raise ValueError(f"expected room for start and end, so 2 tokens or more, got {tokens}")
    if not captions:
        return torch.zeros(0, tokens, dtype=torch.long)
    found = tokenizer(list(captions), padding="max_length", max_length=tokens, truncation=True, return_tensors="pt")
    return found["input_ids"]
