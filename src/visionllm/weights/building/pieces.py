"""Every tensor of a model of public parts, with what it is made of."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from visionllm.config import VisionLLMConfig
from visionllm.model import VisionLLMForConditionalGeneration
from visionllm.weights.building.design import Blueprint, named
from visionllm.weights.building.detection import detection_sources
from visionllm.weights.building.sources import Loaded, Sources
from visionllm.weights.checkpoint import Checkpoint
from visionllm.weights.shards import Planned

PARTS = {
    "vision_encoder.": "vision",
    "language_model.": "language",
    "decoders.detection.": "detection",
    "decoders.generation.": "generation",
    "decoders.editing.": "editing",
}
"""By the beginning of its name, the part that a tensor belongs to; all others are the link between parts."""
LINK = "link"


@dataclass(frozen=True, kw_only=True, eq=False)
class Piece:
    """One tensor of the model.

    Attributes:
        part: To which it belongs.
        kind: `taken`, `grown` or `new`.
        planned: Its shape and type.
        read: Returns it.
    """

    part: str
    kind: str
    planned: Planned
    read: Callable[[], Tensor]

    @property
    def size(self) -> int:
        """Numbers that it holds."""
        return torch.Size(self.planned.shape).numel()


def part_of(name: str) -> str:
    """Return the part that a tensor of the model belongs to.

    >>> part_of("decoders.detection.level"), part_of("projector.layers.0.weight")
    ('detection', 'link')
    """
    return next((part for start, part in PARTS.items() if name.startswith(start)), LINK)


def own_shapes(config: VisionLLMConfig) -> dict[str, tuple[int, ...]]:
    """Return the shape of each tensor of a model, of those that share memory only the first; nothing is computed."""
    with torch.device("meta"):
        model = VisionLLMForConditionalGeneration(config)
    first: dict[int, str] = {}
    state = model.state_dict(keep_vars=True)
    return {name: tuple(t.shape) for name, t in state.items() if first.setdefault(id(t), name) == name}


def all_sources(blueprint: Blueprint, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Sources]:
    """Return the sources of all parts, those of the detector included.

    Raises:
        ValueError: If a tensor of the detector is missing or unknown.
    """
    folder, start = blueprint.parts.detection, "decoders.detection."
    if folder is None:
        return dict(blueprint.sources)
    with named("detection"):
        own = {name.removeprefix(start): shape for name, shape in shapes.items() if name.startswith(start)}
        return {**blueprint.sources, start: detection_sources(Checkpoint(folder), own)}


def lay_out(
    blueprint: Blueprint,
    sources: Mapping[str, Sources],
    shapes: Mapping[str, tuple[int, ...]],
    new: Mapping[str, Tensor],
    dtype: torch.dtype | None,
) -> dict[str, Piece]:
    """Say what each tensor of a model is made of, in its order.

    Args:
        blueprint: Of the model.
        sources: Where the tensors of its parts lie.
        shapes: Of its tensors.
        new: Tensors that no part has.
        dtype: Of all weights; None keeps those that are taken as they are.

    Raises:
        ValueError: If a tensor is missing, left over or of another shape.
    """
    taken = {start + name: (found, stored) for start, found in sources.items() for name, stored in found.taken.items()}
    made = {start + name: tensor for start, found in sources.items() for name, tensor in found.new.items()} | dict(new)
    tables = vocabulary_tables(blueprint.language)
    pieces: dict[str, Piece] = {}
    for name, shape in shapes.items():
        part = part_of(name)
        if name in made:
            tensor = _cast(made[name], dtype)
            pieces[name] = Piece(part=part, kind="new", planned=_planned(tensor), read=lambda tensor=tensor: tensor)
            continue
        if name not in taken:
            raise ValueError(f"{part} part: expected a tensor for {name}, got none")
        found, stored = taken[name]
        grows = name in tables
        _check_shape(part, found, stored, shape, any_rows=grows)
        read = _grown(found, stored, shape, blueprint.words.own) if grows else _as_stored(found, stored)
        kind = found.checkpoint.tensors[stored].dtype
        final = dtype if dtype is not None and kind.is_floating_point else kind
        pieces[name] = Piece(
            part=part,
            kind="grown" if grows else "taken",
            planned=Planned(shape=shape, dtype=final),
            read=lambda read=read: _cast(read(), dtype),
        )
    _check_nothing_is_left(taken, shapes, blueprint)
    return pieces


def vocabulary_tables(language: Loaded) -> set[str]:
    """Return the names, in the whole model, of what has a row for each word."""
    network: Any = language.network
    head = network.get_output_embeddings()
    if head is None:
        raise ValueError(f"language part: expected a language model with a head, got {type(network).__name__}")
    weights = [network.get_input_embeddings().weight, head.weight, getattr(head, "bias", None)]
    places = {tensor.data_ptr() for tensor in weights if tensor is not None}
    return {f"language_model.{name}" for name, t in network.state_dict().items() if t.data_ptr() in places}


def _check_shape(part: str, found: Sources, stored: str, wanted: tuple[int, ...], *, any_rows: bool) -> None:
    shape = found.checkpoint.tensors[stored].shape
    if shape != wanted and not (any_rows and shape[1:] == wanted[1:] and shape[0] <= wanted[0]):
        raise ValueError(
            f"{part} part: expected {stored} of shape {list(wanted)} in {found.checkpoint.folder}, got {list(shape)}"
        )


def _check_nothing_is_left(
    taken: Mapping[str, tuple[Sources, str]], shapes: Mapping[str, tuple[int, ...]], blueprint: Blueprint
) -> None:
    """Refuse tensors of a part that the model has no place for; a second name of a shared one is none of them."""
    used = {(id(taken[name][0]), taken[name][1]) for name in shapes if name in taken}
    for name, (found, stored) in taken.items():
        if (id(found), stored) not in used:
            raise ValueError(
                f"{part_of(name)} part: expected only tensors that its configuration asks for in "
                f"{found.checkpoint.folder}, got {stored}"
            )


def _as_stored(found: Sources, stored: str) -> Callable[[], Tensor]:
    """Return what reads a tensor; copies of it must be equal."""
    copies = [copy for copy, first in found.copies.items() if first == stored]

    def read() -> Tensor:
        tensor = found.checkpoint.read(stored)
        for copy in copies:
            if not torch.equal(found.checkpoint.read(copy), tensor):
                raise ValueError(f"expected {copy} to equal {stored} in {found.checkpoint.folder}, got other numbers")
        return tensor

    return read


def _grown(found: Sources, stored: str, shape: tuple[int, ...], own: int) -> Callable[[], Tensor]:
    """Return what reads a vocabulary table and gives it rows; new rows are the mean of the old ones.

    Source: the published training code, which starts added tokens so in both tables, each by its own mean.
    """
    read = _as_stored(found, stored)

    def grow() -> Tensor:
        table = read()
        grown = torch.empty(shape, dtype=table.dtype)
        grown[:own] = table[:own]
        grown[own:] = table[:own].mean(0, dtype=torch.float32).to(table.dtype)
        return grown

    return grow


def _planned(tensor: Tensor) -> Planned:
    return Planned(shape=tuple(tensor.shape), dtype=tensor.dtype)


def _cast(tensor: Tensor, dtype: torch.dtype | None) -> Tensor:
    return tensor.to(dtype) if dtype is not None and tensor.is_floating_point() else tensor
