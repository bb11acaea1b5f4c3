"""What every decoder asks of its units before it looks at them."""

from collections.abc import Sequence
from typing import Any

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
