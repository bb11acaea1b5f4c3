"""A small tokenizer and processor for the tests of this folder."""

import resource
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image
from transformers import PreTrainedTokenizerFast

from visionllm.processing import (
    DecoderImageConfig,
    ProcessorConfig,
    VisionImageConfig,
    VisionLLMProcessor,
    train_tokenizer,
)

LINES = [
    "Find every star, red fish. Here you go: star, red fish.",
    "Where is the blue boat? Here it is region1, region2.",
    "How many stars are there? There are 4. Yes! No.",
] * 10
DECODER = DecoderImageConfig(short_side=None, long_side=64, size_divisor=16)
VISION = VisionImageConfig(image_size=32, mode="stretch")


@pytest.fixture(scope="session")
def tokenizer() -> PreTrainedTokenizerFast:
    return train_tokenizer(LINES, 420)


@pytest.fixture(scope="session")
def config() -> ProcessorConfig:
    return ProcessorConfig(vision=VISION, decoder=DECODER, tokens_per_split=4, context_length=200)


@pytest.fixture(scope="session")
def processor(config: ProcessorConfig, tokenizer: PreTrainedTokenizerFast) -> VisionLLMProcessor:
    return VisionLLMProcessor(config, tokenizer)


@pytest.fixture
def picture() -> Callable[..., Image.Image]:
    """Make a picture of noise: `picture(width, height, seed)`."""

    def make(width: int = 60, height: int = 40, seed: int = 0) -> Image.Image:
        noise = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
        return Image.fromarray(noise)

    return make


@pytest.fixture
def peak_growth() -> Callable[[Callable[[], None]], int]:
    """Return by how many bytes a call raises the peak of this process's memory."""

    def measure(call: Callable[[], None]) -> int:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        call()
        return (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024

    return measure
