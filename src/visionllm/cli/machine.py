"""What this machine has: versions, processor, memory, GPUs, disk."""

import os
import platform
import re
import shutil
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

DISTRIBUTION = "visionllm-v2"
_BF16 = ("amx_bf16", "avx512_bf16", "bf16")


@dataclass(frozen=True, kw_only=True)
class Gpu:
    """A GPU: its name, and its memory in bytes."""

    name: str
    total: int
    free: int
    bf16: bool


@dataclass(frozen=True, kw_only=True)
class Package:
    """A library that an extra brings along.

    Attributes:
        name: Of the library.
        wanted: The versions that are tested.
        installed: The version there is, or None.
    """

    name: str
    wanted: str
    installed: str | None

    @property
    def fits(self) -> bool:
        """Whether it is there in a version that is tested."""
        return self.installed is not None and SpecifierSet(self.wanted).contains(self.installed, prereleases=True)


@dataclass(frozen=True, kw_only=True)
class Machine:
    """What a machine has; sizes are bytes.

    Attributes:
        python, torch, transformers: Versions.
        system: Operating system and kind of processor.
        cores: Of the processor.
        bf16: Which instructions compute with bfloat16, if any; without one it is slower than float32.
        memory_total, memory_free: Main memory; a container's limit counts.
        gpus: Those that torch sees.
        disk_free: Where the model is.
        extras: By the name of an extra, its libraries.
        torchvision: Its version, if it is installed, which it must not be beside the CPU build of torch.
    """

    python: str
    torch: str
    transformers: str
    system: str
    cores: int
    bf16: str | None
    memory_total: int
    memory_free: int
    gpus: tuple[Gpu, ...]
    disk_free: int
    extras: dict[str, tuple[Package, ...]]
    torchvision: str | None

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        plain = asdict(self)
        for name, packages in self.extras.items():
            plain["extras"][name] = [asdict(package) | {"fits": package.fits} for package in packages]
        return plain


def this_machine(folder: Path) -> Machine:
    """Look around.

    Args:
        folder: Whose disk is meant.
    """
    import torch

    from visionllm.weights.placing import free_main_memory, main_memory

    seen = range(torch.cuda.device_count()) if torch.cuda.is_available() else ()
    return Machine(
        python=platform.python_version(),
        torch=version("torch"),
        transformers=version("transformers"),
        system=f"{platform.system()} {platform.machine()}",
        cores=_cores(),
        bf16=bf16_instructions(_cpuinfo()),
        memory_total=main_memory(),
        memory_free=free_main_memory(),
        gpus=tuple(_gpu(number) for number in seen),
        disk_free=shutil.disk_usage(folder).free,
        extras=extras_of(_requirements()),
        torchvision=installed("torchvision"),
    )


def _cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _requirements() -> list[str]:
    try:
        return requires(DISTRIBUTION) or []
    except PackageNotFoundError:  # run from its sources
        return []


def _gpu(number: int) -> Gpu:
    import torch

    free, total = torch.cuda.mem_get_info(number)
    bf16 = torch.cuda.get_device_capability(number) >= (8, 0)
    return Gpu(name=torch.cuda.get_device_name(number), total=total, free=free, bf16=bf16)


def _cpuinfo() -> str:
    file = Path("/proc/cpuinfo")
    return file.read_text(encoding="utf-8") if file.is_file() else ""


def bf16_instructions(cpuinfo: str) -> str | None:
    r"""Return the fastest instructions for bfloat16 that the kernel's description of a processor lists.

    >>> bf16_instructions("flags\t: fpu avx512f avx512_bf16")
    'avx512_bf16'
    """
    flags = set(re.findall(r"\w+", " ".join(re.findall(r"^(?:flags|Features)\s*:(.*)$", cpuinfo, re.MULTILINE))))
    return next((name for name in _BF16 if name in flags), None)


def installed(name: str) -> str | None:
    """Return the installed version of a library, which is not imported."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def extras_of(requirements: list[str]) -> dict[str, tuple[Package, ...]]:
    """Return the libraries of each extra, but for those that gather others.

    Args:
        requirements: What the distribution's metadata says, such as `'peft>=0.18; extra == "adapters"'`.
    """
    found: dict[str, list[Package]] = {}
    for text in requirements:
        needed = Requirement(text)
        extra = re.search(r"""extra == ['"]([\w-]+)""", text)
        if extra is not None and extra[1] != "test" and needed.name != DISTRIBUTION:
            package = Package(name=needed.name, wanted=str(needed.specifier), installed=installed(needed.name))
            found.setdefault(extra[1], []).append(package)
    return {name: tuple(packages) for name, packages in found.items()}
