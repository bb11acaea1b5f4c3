"""What a model needs in memory, counted on a network that is built without any."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import torch
from torch import Tensor, nn

from visionllm.config import VisionLLMConfig
from visionllm.model import VisionLLMForConditionalGeneration

Precision = Literal["fp32", "bf16", "int8", "int4"]
PRECISIONS: tuple[Precision, ...] = get_args(Precision)
INT4_BLOCK, INT4_CODE = 64, 16
"""Weights that share one scale in int4, and the values they choose from."""


@dataclass(frozen=True, kw_only=True)
class Part:
    """One part of a model.

    Attributes:
        name: Such as `"language_model"` or `"decoders.pose"`.
        numbers: How many floating numbers it has; shared ones count once.
        matrices: Shapes of those of its weights that int8 and int4 make smaller.
        other_bytes: Bytes of what is not floating.
    """

    name: str
    numbers: int
    matrices: tuple[tuple[int, int], ...] = ()
    other_bytes: int = 0

    def size(self, precision: Precision, number_bytes: int = 2) -> int:
        """Return its bytes.

        Args:
            precision: Of its numbers.
            number_bytes: Bytes of a number that int8 and int4 don't touch; two are those of bfloat16.
        """
        if precision in ("fp32", "bf16"):
            return (4 if precision == "fp32" else 2) * self.numbers + self.other_bytes
        small = sum(rows * columns for rows, columns in self.matrices)
        packed = sum(packed_size(shape, precision) for shape in self.matrices)
        return number_bytes * (self.numbers - small) + packed + self.other_bytes


def packed_size(shape: tuple[int, int], precision: Precision) -> int:
    """Return the bytes of a matrix in int8 (a scale for each row) or int4 (a scale for each 64 weights).

    >>> packed_size((512, 192), "int8"), packed_size((512, 192), "int4")
    (100352, 55360)
    """
    rows, columns = shape
    if precision == "int8":
        return rows * columns + 4 * rows
    return -(-rows * columns // 2) + 4 * (-(-rows * columns // INT4_BLOCK) + INT4_CODE)


def in_words(size: int) -> str:
    """Return a number of bytes for people.

    >>> in_words(1_234), in_words(13_500_000_000)
    ('1.2 kB', '13.5 GB')
    """
    for unit, factor in (("GB", 10**9), ("MB", 10**6)):
        if size >= factor:
            return f"{size / factor:.1f} {unit}"
    return f"{size / 1000:.1f} kB"


def skeleton(
    config: VisionLLMConfig, stored: Mapping[str, torch.Size] | None = None
) -> VisionLLMForConditionalGeneration:
    """Build a model whose tensors have shapes, but no memory.

    Args:
        config: Of the model.
        stored: Shapes of its weights, if its decoders may wait for their first use.
    """
    with torch.device("meta"):
        return VisionLLMForConditionalGeneration(config, stored)


def is_quantised(name: str, module: nn.Module) -> bool:
    """Tell whether int8 and int4 make a module of a model smaller: matrices in the language model's layers."""
    return isinstance(module, nn.Linear) and name.startswith("language_model.") and name.count(".") > 1


def parts_of(model: VisionLLMForConditionalGeneration) -> list[Part]:
    """Return the parts of a model, each decoder one of its own, in their order."""
    names = [name for name, _ in model.named_children() if name != "decoders"]
    return parts_named(model, [*names, *(f"decoders.{name}" for name in model.decoders)])


def parts_named(model: nn.Module, names: Iterable[str]) -> list[Part]:
    """Return modules of a model as parts; what two of them share counts for the first."""
    seen: set[int] = set()
    return [_part(name, model.get_submodule(name), seen) for name in names]


def _part(name: str, module: nn.Module, seen: set[int]) -> Part:
    numbers = other = 0
    for tensor in _tensors(module):
        if id(tensor) in seen:
            continue
        seen.add(id(tensor))
        if tensor.is_floating_point():
            numbers += tensor.numel()
        else:
            other += tensor.nbytes
    matrices = tuple(
        (inner.out_features, inner.in_features)
        for path, inner in module.named_modules(prefix=name)
        if isinstance(inner, nn.Linear) and is_quantised(path, inner)
    )
    return Part(name=name, numbers=numbers, matrices=matrices, other_bytes=other)


def _tensors(module: nn.Module) -> Iterator[Tensor]:
    yield from module.parameters()
    yield from module.buffers()


def cache_size(config: VisionLLMConfig, precision: Precision, tokens: int | None = None) -> int:
    """Return the bytes that a language model remembers a conversation in.

    Args:
        config: Of the whole model.
        precision: As for the weights; int8 and int4 remember in bfloat16.
        tokens: Length of the conversation; None means the longest one.
    """
    text = config.text_config
    heads = getattr(text, "num_key_value_heads", None) or text.num_attention_heads
    width = getattr(text, "head_dim", None) or text.hidden_size // text.num_attention_heads
    length = text.max_position_embeddings if tokens is None else tokens
    return 2 * text.num_hidden_layers * heads * width * length * (4 if precision == "fp32" else 2)


def total_size(parts: Sequence[Part], precision: Precision, *, without: Collection[str] = ()) -> int:
    """Return the bytes of all parts but those that `without` names."""
    return sum(part.size(precision) for part in parts if part.name not in without)


def left_out(parts: Sequence[Part], precision: Precision, budget: int) -> tuple[str, ...] | None:
    """Return which decoders to leave out so that a model fits, the largest first.

    Args:
        parts: Of the model.
        precision: Of its weights.
        budget: Bytes there are.

    Returns:
        Names of decoders, or None if it does not fit without any.

    >>> parts = [Part(name="language_model", numbers=10), Part(name="decoders.pose", numbers=5)]
    >>> left_out(parts, "fp32", 60), left_out(parts, "fp32", 59), left_out(parts, "fp32", 39)
    ((), ('decoders.pose',), None)
    """
    dropped: list[str] = []
    optional = [part for part in parts if part.name.startswith("decoders.")]
    for part in [None, *sorted(optional, key=lambda p: -p.numbers)]:
        if part is not None:
            dropped.append(part.name)
        if total_size(parts, precision, without=dropped) <= budget:
            return tuple(dropped)
    return None
