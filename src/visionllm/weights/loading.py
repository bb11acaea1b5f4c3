"""Choices of how a model is loaded: without some decoders, smaller, or spread over devices."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from os import PathLike
from typing import Any, Literal, get_args

import torch
from transformers import BitsAndBytesConfig

from visionllm.config import VisionLLMConfig
from visionllm.nn.optional import optional
from visionllm.weights.placing import DISK, SHARE, Device, free_memory, memory_size, place
from visionllm.weights.sizes import Precision, skeleton

Small = Literal["int8", "int4"]
KEPT = ("vision_encoder", "projector", "region_encoder", "super_link", "decoders")
"""Parts that keep their type where the language model gets a smaller one."""


@dataclass(frozen=True, kw_only=True)
class Loading:
    """What of a model is loaded, how small, and where.

    Attributes:
        decoders: Names of the decoders that are built and read; None means all of them.
        quantise: Put the matrices of the language model's layers into 8 bits (a scale for each row, outliers in half
            precision) or 4 bits (normal float, a scale for each 64 weights). Everything else keeps its type.
        device_map: `"auto"` fills the GPUs (unless the CPU computes), then the main memory, then the disk with layers
            of the language model, and keeps all else on the first device. Or the device of each module, by name.
        max_memory: Bytes (or such as `"10GB"`) that `"auto"` may fill, by device: the number of a GPU, or `"cpu"`. A
            device that is not named has 90 % of what is free there.
        offload_folder: For layers that stay on the disk; None keeps all in memory.

    Raises:
        ValueError: If a choice is unknown, or belongs to one that was not made.

    Source: LLM.int8(), arXiv:2208.07339; normal float, arXiv:2305.14314.
    """

    decoders: Sequence[str] | None = None
    quantise: Small | None = None
    device_map: Literal["auto"] | Mapping[str, Device] | None = None
    max_memory: Mapping[Device, int | str] | None = None
    offload_folder: str | PathLike[str] | None = None

    def __post_init__(self) -> None:
        if self.quantise not in (None, *get_args(Small)):
            raise ValueError(f"expected quantise to be one of {', '.join(get_args(Small))}, got {self.quantise!r}")
        if isinstance(self.device_map, str) and self.device_map != "auto":
            raise ValueError(f"expected device_map 'auto' or the device of each module, got {self.device_map!r}")
        for name in ("max_memory", "offload_folder"):
            if getattr(self, name) is not None and self.device_map is None:
                raise ValueError(f"expected device_map beside {name}, got none")

    def chosen(self, config: VisionLLMConfig) -> tuple[str, ...]:
        """Choose the decoders in a configuration, which is changed, and return the names of those that are left out.

        Raises:
            ValueError: If the model lacks one of them.
        """
        if self.decoders is None:
            return ()
        for name in self.decoders:
            if name not in config.decoders:
                raise ValueError(f"expected decoders among {', '.join(config.decoders)}, got {name!r}")
        out = tuple(name for name in config.decoders if name not in self.decoders)
        config.decoders = {name: raw for name, raw in config.decoders.items() if name in self.decoders}
        return out

    def options(
        self, config: VisionLLMConfig, stored: Mapping[str, torch.Size], device: torch.device, dtype: torch.dtype
    ) -> dict[str, Any]:
        """Return how transformers is told.

        Args:
            config: Of the model.
            stored: Shapes of its weights.
            device: Where it computes.
            dtype: Its floating type.

        Returns:
            Arguments of `from_pretrained`; empty if nothing was chosen.

        Raises:
            ImportError: If a library is missing.
            ValueError: If there is too little memory.
        """
        if self.quantise is None and self.device_map is None:
            return {}
        optional("accelerate", "spreading or shrinking a model", "sizes")
        found: dict[str, Any] = {"device_map": {"": device}}
        if self.device_map == "auto":
            model = skeleton(config, stored)
            precision: Precision = self.quantise or ("fp32" if dtype == torch.float32 else "bf16")
            found["device_map"] = place(
                model,
                self._memory(device),
                precision,
                number_bytes=dtype.itemsize,
                disk=self.offload_folder is not None,
            )
        elif self.device_map is not None:
            found["device_map"] = dict(self.device_map)
        if self.offload_folder is not None:
            found["offload_folder"] = str(self.offload_folder)
        if self.quantise is not None:
            found["quantization_config"] = self._quantisation(dtype)
            places = set(found["device_map"].values())
            if DISK in places or ("cpu" in places and len(places) > 1):
                raise ValueError(f"expected room for all of a model in {self.quantise} on GPUs, or all in main memory")
        return found

    def _memory(self, first: torch.device) -> dict[Device, int]:
        """Return what may be filled of each device; GPUs only if one of them comes first."""
        named = {device: memory_size(size) for device, size in (self.max_memory or {}).items()}
        free = {device: size for device, size in free_memory().items() if device == "cpu" or first.type != "cpu"}
        found = {device: named.pop(device, int(size * SHARE)) for device, size in free.items()}
        if named:
            known = ", ".join(map(str, found))
            raise ValueError(f"expected devices among {known} in max_memory, got {next(iter(named))!r}")
        return found

    def _quantisation(self, dtype: torch.dtype) -> BitsAndBytesConfig:
        optional("bitsandbytes", "shrinking a language model", "sizes")
        return BitsAndBytesConfig(
            load_in_8bit=self.quantise == "int8",
            load_in_4bit=self.quantise == "int4",
            bnb_4bit_quant_type="nf4",
            bnb_4bit_compute_dtype=dtype,
            llm_int8_skip_modules=[*KEPT, r"language_model\.[^.]+$"],
        )
