import threading
from collections.abc import Sequence
from typing import Any

import pytest
import torch

from tests.tiny import BOS, DET, DET_SLOTS, DETECTION, EOS, PATCH, PATCHES, POSE, POSE_SLOTS, tiny_config, tiny_inputs, tiny_model
from visionllm.generation import (
    GeneratedIds,
    SeededSampling,
    TextLength,
    TextStream,
    cut,
    extend,
    generate,
    stream,
)
from visionllm.model import VisionLLMForConditionalGeneration
from visionllm.types import Options
from visionllm.types.tensors import ModelInputs

PICTURE = [PATCH] * PATCHES
ROWS = [[BOS, *PICTURE, 10, 11, 12], [BOS, 20], [BOS, 21, 22, 23]]
D = [DET, *DET_SLOTS]
ENDS = frozenset([EOS])


@pytest.fixture(scope="module")
def model() -> VisionLLMForConditionalGeneration:
    return tiny_model()


@pytest.fixture(scope="module")
def dictating() -> VisionLLMForConditionalGeneration:
    """A model that writes id + 1 after id, but for 12 → [DET], last slot → 13, 15 → end."""
    model = tiny_model(decoders={"detection": DETECTION}, region_encoder=None)
    following = {12: DET, DET_SLOTS[-1]: 13, 15: EOS}

    class Head(torch.nn.Module):
        weight = torch.zeros(60, 32)

        def forward(self, hidden: torch.Tensor) -> torch.Tensor:
            return hidden

    def logits(hidden: torch.Tensor, kept: Any = 0) -> torch.Tensor:
        ids = hidden[:, -1:, 0].round().long()
        wanted = torch.tensor([[following.get(int(i), int(i) + 1) for i in row] for row in ids])
        scores = torch.zeros(*ids.shape, 60).scatter_(-1, wanted[..., None].clamp_max(59), 9.0)
        return model.super_link.pad_logits(scores)

    class Echo(torch.nn.Module):
        """A language model whose state is the id it reads."""

        def forward(self, **given: Any) -> Any:
            return inner(**given)

    inner = model.language_model.model.forward

    def echo(*args: Any, **given: Any) -> Any:
        read = inner(*args, **given)
        read.last_hidden_state = given["inputs_embeds"].new_zeros(read.last_hidden_state.shape)
        read.last_hidden_state[..., 0] = ids_read[-1]
        return read

    ids_read: list[torch.Tensor] = []
    whole = model.forward

    def forward(input_ids: torch.Tensor, *args: Any, **given: Any) -> Any:
        ids_read.append(input_ids.float())
        return whole(input_ids, *args, **given)

    model.language_model.model.forward = echo
    model.logits = logits
    model.forward = forward
    return model
