"""Where the parts of a model go that is larger than one device: what is fast to move moves, the rest stays together."""

import os
import re
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import nn

from visionllm.model import VisionLLMForConditionalGeneration
from visionllm.weights.sizes import Precision, in_words, parts_named

Device = int | str
DISK = "disk"
SHARE = 0.9
"""What is filled of the free memory of a device; the rest is for computing."""

_UNITS = {"": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "KIB": 2**10, "MIB": 2**20, "GIB": 2**30}


def free_memory() -> dict[Device, int]:
    """Return the free bytes of each GPU by its number, and of the main memory as `"cpu"`."""
    gpus = range(torch.cuda.device_count()) if torch.cuda.is_available() else ()
    return {gpu: torch.cuda.mem_get_info(gpu)[0] for gpu in gpus} | {"cpu": free_main_memory()}


def free_main_memory() -> int:
    """Return the bytes that this process may still take, a container's limit included."""
    found = re.search(r"^MemAvailable:\s+(\d+) kB$", _read("/proc/meminfo"), re.MULTILINE)
    free = int(found[1]) * 1024 if found else _all_memory()
    limit, used = _read("/sys/fs/cgroup/memory.max").strip(), _read("/sys/fs/cgroup/memory.current").strip()
    return min(free, int(limit) - int(used)) if limit.isdigit() and used.isdigit() else free


def main_memory() -> int:
    """Return the bytes of the main memory, or a container's limit."""
    limit = _read("/sys/fs/cgroup/memory.max").strip()
    return min(_all_memory(), int(limit)) if limit.isdigit() else _all_memory()


def _all_memory() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def _read(file: str) -> str:
    try:
        return Path(file).read_text(encoding="utf-8")
    except OSError:  # another operating system
        return ""


def memory_size(given: int | str) -> int:
    """Return bytes for bytes, or for words such as `"10GB"` or `"10GiB"`.

    Raises:
        ValueError: If it is neither.

    >>> memory_size("1.5 GiB"), memory_size(7)
    (1610612736, 7)
    """
    if isinstance(given, int):
        return given
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([A-Za-z]*)\s*", given)
    if found is None or found[2].upper() not in _UNITS:
        raise ValueError(f"expected a size such as 10GB, got {given!r}")
    return int(float(found[1]) * _UNITS[found[2].upper()])


def place(
    model: VisionLLMForConditionalGeneration,
    memory: Mapping[Device, int],
    precision: Precision,
    *,
    number_bytes: int = 2,
    disk: bool = False,
) -> dict[str, Device]:
    """Spread a model over devices: layers of the language model go where there is room, all else to the first one.

    Args:
        model: May be built without memory.
        memory: Bytes that may be filled, by device in the order of their speed.
        precision: Of the language model's layers.
        number_bytes: Bytes of a number elsewhere.
        disk: Whether layers may stay on the disk, to be read each time.

    Returns:
        The device of each module, as transformers takes it.

    Raises:
        ValueError: If there is too little memory.
    """
    layers = layers_of(model)
    fixed = _beside(model, layers)
    sizes = {part.name: part.size(precision, number_bytes) for part in parts_named(model, [*fixed, *layers])}
    room = dict(memory)
    first = next(iter(room))
    room[first] -= sum(sizes[name] for name in fixed)
    if room[first] < 0:
        raise ValueError(
            f"expected {in_words(memory[first] - room[first])} on {first} for all but the language model's layers, got "
            f"{in_words(memory[first])}; leave decoders out, or choose a smaller type"
        )
    found: dict[str, Device] = dict.fromkeys(fixed, first)
    devices = [*room]
    for name in layers:
        while devices and room[devices[0]] < sizes[name]:
            devices.pop(0)  # layers stay in their order, so that states move once
        if not devices and not disk:
            raise ValueError(
                f"expected {in_words(sum(sizes.values()))} of memory, got {in_words(sum(memory.values()))}; name an "
                "offload_folder, leave decoders out, or choose a smaller type"
            )
        found[name] = devices[0] if devices else DISK
        if devices:
            room[devices[0]] -= sizes[name]
    return found


def layers_of(model: VisionLLMForConditionalGeneration) -> list[str]:
    """Return the names of the language model's layers, in their order.

    Raises:
        ValueError: If it has none that can be told.
    """
    count = model.config.text_config.num_hidden_layers
    for name, module in model.language_model.named_modules(prefix="language_model"):
        if isinstance(module, nn.ModuleList) and len(module) == count:
            return [f"{name}.{i}" for i in range(count)]
    raise ValueError(f"expected a language model with a list of {count} layers, got none")


def _beside(model: nn.Module, layers: list[str]) -> list[str]:
    """Return the names of the largest modules that hold none of some layers."""
    found: list[str] = []

    def collect(prefix: str, module: nn.Module) -> None:
        for name, child in module.named_children():
            path = f"{prefix}{name}"
            if path in layers:
                continue
            if any(layer.startswith(f"{path}.") for layer in layers):
                collect(f"{path}.", child)
            else:
                found.append(path)

    collect("", model)
    return found
