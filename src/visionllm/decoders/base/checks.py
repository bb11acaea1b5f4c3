"""What every decoder asks of its units before it looks at them."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from visionllm.types.tensors import ImageBatch


def check_pictures(index: Tensor, images: ImageBatch) -> None:
    """Refuse units that name a picture that is not there.

    Args:
        index: int[U].
        images: The pictures.

    Raises:
        ValueError: With the indices.
    """
    if len(index) and not 0 <= int(index.min()) <= int(index.max()) < len(images):
        raise ValueError(f"expected picture indices in 0..{len(images) - 1}, got {index.tolist()}")


def check_target_count(targets: Sequence[Any], units: int) -> None:
    """Refuse a number of targets that is not the number of units.

    Raises:
        ValueError: With both numbers.
    """
    if len(targets) != units:
        raise ValueError(f"expected {units} targets, one per unit, got {len(targets)}")


def check_finite(what: str, *tensors: Tensor) -> None:
    """Refuse numbers that are none: a score that is not a number would look like an object that is not there.

    Args:
        what: What the numbers are, for the message.
        tensors: float[...]. Minus infinity is a number here: it masks logits.

    Raises:
        FloatingPointError: If one holds NaN or plus infinity.
    """
    if not all(bool((tensor < torch.inf).all()) for tensor in tensors):
        raise FloatingPointError(f"expected {what} that are numbers, got NaN or infinity")
