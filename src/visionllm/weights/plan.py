"""What becomes of every tensor of a published checkpoint, and of every one of ours: nothing is lost, nothing made up.

A plan is made from names and shapes alone, before anything is read; whatever does not fit is refused by name.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from visionllm.config import VisionLLMConfig
from visionllm.model import VisionLLMForConditionalGeneration
from visionllm.weights.provenance import Origin, Shapes, origins
from visionllm.weights.published import DECODERS, state_from_published, state_to_published

_TABLE, _INDEX = "relative_position_bias_table", "relative_position_index"
DROPPED: Sequence[tuple[str, str, str]] = (
    (_INDEX, _TABLE, "follows from the size of the window"),
    ("position_ids", "position_embedding.weight", "counts from 0"),
    ("rotary_emb.inv_freq", "q_proj.weight", "follows from the configuration"),
)
"""Ends of published names that are dropped, of the names that stand beside them, and why."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How the tensors of one layout are made from those of the other.

    Attributes:
        taken: By the name of a tensor to be written, what it is made of.
        tied: Names of copies, and the tensor that is taken in their place; both must be equal.
        dropped: Names of what is not needed, and why.
        made: By name, tensors to be written that follow from the configuration.
    """

    taken: Mapping[str, Origin]
    tied: Mapping[str, str]
    dropped: Mapping[str, str]
    made: Mapping[str, Tensor]


def our_shapes(config: VisionLLMConfig) -> dict[str, tuple[int, ...]]:
    """Return the shape of every weight of a model of ours, which builds it without memory."""
    with torch.device("meta"):
        model = VisionLLMForConditionalGeneration(config)
    return {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}


def published_origins(config: VisionLLMConfig, ours: Shapes) -> dict[str, Origin]:
    """Return every name that the published model gives to weights, with the rows of ours that it stands for."""
    return origins(lambda state: state_to_published(state, config), ours)


def plan_from_published(shapes: Shapes, config: VisionLLMConfig) -> Plan:
    """Plan a model of ours from a published checkpoint.

    Args:
        shapes: Of the tensors of the checkpoint; copies of shared ones may be left out.
        config: Of our model; decoders that it lacks are dropped.

    Raises:
        ValueError: If a tensor is missing, unknown, or of another shape.
    """
    ours = our_shapes(config)
    wanted = published_origins(config, ours)
    left_out = dict.fromkeys(_left_out(config), "belongs to a part that is left out")
    dropped: dict[str, str] = {}
    for name, shape in shapes.items():
        if name in wanted:
            expected = wanted[name].shape(ours)
            if tuple(shape) != expected:
                raise ValueError(f"expected {name} of shape {list(expected)}, got {list(shape)}")
            continue
        reasons = [why for end, beside, why in DROPPED if _swapped(name, end, beside) in wanted]
        reasons += [why for start, why in left_out.items() if name.startswith(start)]
        if not reasons:
            raise ValueError(f"expected only tensors of the published model, got {name}")
        dropped[name] = reasons[0]
    first: dict[Origin, str] = {}
    for name in wanted:
        if name in shapes:
            first.setdefault(wanted[name], name)
    missing = [name for name, origin in wanted.items() if origin not in first]
    if missing:
        raise ValueError(f"expected {missing[0]} in the published checkpoint, got none ({len(missing)} such)")
    kept = {name: shapes[name] for name in first.values()}
    tied = {name: first[wanted[name]] for name in wanted if name in shapes and name not in kept}
    return Plan(
        taken=origins(lambda state: state_from_published(state, config), kept), tied=tied, dropped=dropped, made={}
    )


def plan_to_published(shapes: Shapes, config: VisionLLMConfig) -> Plan:
    """Plan a published checkpoint, with all its names, from a model of ours.

    Args:
        shapes: Of our tensors.
        config: Of our model.

    Raises:
        ValueError: If a tensor is missing, unknown, or of another shape.
    """
    ours = our_shapes(config)
    for name in (*ours, *shapes):
        if name not in shapes:
            raise ValueError(f"expected {name} in the model, got none")
        if name not in ours:
            raise ValueError(f"expected only tensors that the configuration asks for, got {name}")
        if tuple(shapes[name]) != ours[name]:
            raise ValueError(f"expected {name} of shape {list(ours[name])}, got {list(shapes[name])}")
    taken = published_origins(config, ours)
    made = {
        index: window_index(origin.shape(ours)[0])
        for name, origin in taken.items()
        if (index := _swapped(name, _TABLE, _INDEX)) is not None
    }
    return Plan(taken=taken, tied={}, dropped={}, made=made)


def _swapped(name: str, end: str, other: str) -> str | None:
    """Return a name with another end, or None if it does not end so."""
    return name.removesuffix(end) + other if name.endswith(end) else None


def window_index(distances: int) -> Tensor:
    """Return which of a window's relative positions each pair of its cells has, as Swin transformers number them.

    Args:
        distances: Number of relative positions, (2 · window − 1)².

    Returns:
        int64[window², window²].

    Raises:
        ValueError: If no window has so many.
    """
    span = math.isqrt(distances)
    if span * span != distances or span % 2 == 0:
        raise ValueError(f"expected the number of relative positions of a square window, got {distances}")
    window = (span + 1) // 2
    rows, columns = torch.meshgrid(torch.arange(window), torch.arange(window), indexing="ij")
    cells = torch.stack([rows.flatten(), columns.flatten()])
    apart = cells[:, :, None] - cells[:, None, :] + window - 1
    return apart[0] * span + apart[1]


def _left_out(config: VisionLLMConfig) -> Sequence[str]:
    """Return how the published names of parts begin that a configuration lacks."""
    parts = [theirs for decoder, theirs in DECODERS.items() if decoder not in config.decoders]
    return parts if config.region_encoder is not None else [*parts, "region_encoder."]
