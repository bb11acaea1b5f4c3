"""Many classes in known-class mode: tokens that the language model reads with the shared prefix and without it."""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice, product
from typing import Any

import numpy as np
from torch import nn

from material import pictures, require_same_detections
from measuring import Measurement
from random_model import random_model
from visionllm import Options, VisionLLM
from visionllm.data.world import COLOURS, KINDS, SIZES
from visionllm.types import merge_detections

NAME = "prefix"
CLASSES = [" ".join(words) for words in islice(product(SIZES, COLOURS, KINDS), 200)]


def measure() -> list[Measurement]:
    """Count on a model that sees a picture as 576 tokens and lists 20 classes a pass."""
    model, picture = random_model(), next(pictures())
    size = model.processor.config.classes_per_pass
    best = Options(threshold=0, max_instances=5)
    with counted_tokens(model) as shared:
        together = model.detect(picture, CLASSES, options=best)
    with counted_tokens(model) as apart:
        passes = [CLASSES[start : start + size] for start in range(0, len(CLASSES), size)]
        single = merge_detections([model.detect(picture, names, options=best) for names in passes])
    require_same_detections(single.select(np.arange(best.max_instances)), together)
    return [Measurement(name="200 classes, tokens saved", value=sum(apart) / sum(shared), unit="x", at_least=2)]


@contextmanager
def counted_tokens(model: VisionLLM) -> Iterator[list[int]]:
    """Collect how many tokens each call of the language model reads; what its cache holds is not read again."""
    counts: list[int] = []

    def count(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        embeds = kwargs["inputs_embeds"]
        counts.append(embeds.shape[0] * embeds.shape[1])

    hook = model.model.language_model.base_model.register_forward_pre_hook(count, with_kwargs=True)
    try:
        yield counts
    finally:
        hook.remove()
