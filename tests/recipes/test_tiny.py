"""The embedded model keeps to its sizes."""

import torch

from visionllm.data.world.tasks import corpus_lines
from visionllm.model import VisionLLMForConditionalGeneration
from visionllm.processing import VisionLLMProcessor, train_tokenizer
from visionllm.recipes import tiny


def test_the_model_has_at_most_sixteen_million_parameters():
    processor = VisionLLMProcessor(tiny.processor_config(), train_tokenizer(corpus_lines(0, 400), tiny.VOCABULARY))
    with torch.device("meta"):
        model = VisionLLMForConditionalGeneration(tiny.model_config(processor))
    assert sum(p.numel() for p in model.parameters()) <= 16_000_000
