"""Where each tensor of a part lies in its folder, found out from names and shapes alone."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedConfig

from visionllm.weights.checkpoint import Checkpoint
from visionllm.weights.folder import silence

Reasons = Sequence[tuple[str, str]]
"""Patterns of stored names (shell style), and why such a tensor is dropped."""
VISION_DROPPED: Reasons = (
    ("text_model.*", "the text tower of a model with two towers"),
    ("*text_projection.*", "the text tower of a model with two towers"),
    ("visual_projection.*", "compares pictures with texts"),
    ("logit_scale", "compares pictures with texts"),
    ("logit_bias", "compares pictures with texts"),
    ("classifier.*", "a head for classes"),
    ("*position_ids", "counts from 0"),
)
VISION_SPARE = ("pooler.*", "head.*")
"""What no model of ours reads, and so may be new: the summary of a whole picture."""
LANGUAGE_DROPPED: Reasons = (
    ("*rotary_emb.inv_freq", "follows from the configuration"),
    ("*.attn.bias", "a mask that follows from the configuration"),
    ("*.attn.masked_bias", "a mask that follows from the configuration"),
)


@dataclass(frozen=True, kw_only=True)
class Sources:
    """What becomes of every tensor of a part.

    Attributes:
        checkpoint: Its tensors.
        taken: By our name, the stored one.
        copies: By the stored name of a copy, that of the tensor that is taken; both must be equal.
        dropped: By stored name, why it is not needed.
        new: By our name, tensors that the folder lacks and nobody reads.
    """

    checkpoint: Checkpoint
    taken: Mapping[str, str]
    copies: Mapping[str, str] = field(default_factory=dict)
    dropped: Mapping[str, str] = field(default_factory=dict)
    new: Mapping[str, Tensor] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, eq=False)
class Loaded:
    """A network of the library, found in a folder.

    Attributes:
        sources: Of its tensors.
        network: Of the right names and shapes; it holds no numbers.
    """

    sources: Sources
    network: nn.Module


def reason_for(name: str, reasons: Reasons) -> str | None:
    """Return why a stored tensor is dropped, or None if it must not be."""
    return next((why for pattern, why in reasons if fnmatchcase(name, pattern)), None)


def renamed_sources(checkpoint: Checkpoint, rename: Callable[[str], str], reasons: Reasons) -> Sources:
    """Match a folder by a table of names.

    Args:
        checkpoint: The folder.
        rename: Returns our name of a stored one, or raises ValueError.
        reasons: What is dropped.

    Raises:
        ValueError: If a name is unknown.
    """
    taken: dict[str, str] = {}
    copies: dict[str, str] = {}
    dropped: dict[str, str] = {}
    for name in checkpoint.tensors:
        why = reason_for(name, reasons)
        if why is not None:
            dropped[name] = why
        elif (ours := rename(name)) in taken:
            copies[name] = taken[ours]
        else:
            taken[ours] = name
    return Sources(checkpoint=checkpoint, taken=taken, copies=copies, dropped=dropped)


def library_sources(
    checkpoint: Checkpoint, auto: Any, config: PreTrainedConfig, reasons: Reasons, spare: Sequence[str] = ()
) -> Loaded:
    """Match a folder as the library's loader does, whose names change from version to version.

    The loader is given tensors of the right names and shapes that take no memory, all numbers of each being one; where
    it puts them says what is what.

    Args:
        checkpoint: The folder.
        auto: The library's class that chooses a network for a configuration.
        config: Of the network.
        reasons: What is dropped.
        spare: Patterns of our names that may be missing.

    Raises:
        ValueError: If a tensor is missing, unknown, of another shape, or made of several stored ones.
    """
    stands_for = {name: torch.zeros(()).expand(shape) for name, shape in checkpoint.shapes.items()}
    stored = {tensor.data_ptr(): name for name, tensor in stands_for.items()}
    with torch.device("meta"):
        kind: Any = type(auto.from_config(config))
    with silence():
        network, report = kind.from_pretrained(
            None,
            config=config,
            state_dict=dict(stands_for),
            dtype=torch.float32,
            output_loading_info=True,
            ignore_mismatched_sizes=True,
        )
    where = checkpoint.folder
    for name, found, wanted in sorted(report["mismatched_keys"]):
        raise ValueError(f"expected {name} of shape {list(wanted)} in {where}, got {list(found)}")
    lacking = sorted(name for name in report["missing_keys"] if not any(fnmatchcase(name, p) for p in spare))
    if lacking:
        raise ValueError(f"expected {lacking[0]} in the weights of {where}, got none ({len(lacking)} such)")
    state: dict[str, Tensor] = network.state_dict()
    taken = {name: stored[tensor.data_ptr()] for name, tensor in state.items() if tensor.data_ptr() in stored}
    new = {name: state[name].detach() for name in report["missing_keys"]}
    for name in state:
        if name not in taken and name not in new:
            raise ValueError(f"expected weights in {where} that are stored as they are used, got parts of {name}")
    dropped, copies = {}, {}
    for name in checkpoint.tensors.keys() - set(taken.values()):
        if name in taken:  # the library ties it to another one
            copies[name] = taken[name]
            continue
        why = reason_for(name, reasons)
        if why is None:
            raise ValueError(f"expected only tensors of a {config.model_type} in {where}, got {name}")
        dropped[name] = why
    return Loaded(
        sources=Sources(checkpoint=checkpoint, taken=taken, copies=copies, dropped=dropped, new=new), network=network
    )
